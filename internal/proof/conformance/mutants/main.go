// Command mutants lets the library's mutants (internal/proof/mutants) loose before the
// conformance suite, and writes down by which case each is caught.
//
//	go run ./internal/proof/conformance/mutants                 all of them
//	go run ./internal/proof/conformance/mutants -only no-pong   one; the others' lines stay
//	go run ./internal/proof/conformance/mutants -run 7.7,1.6    with these cases only
//
// It is run in the module's root. Each mutant is built into package ours' endpoint,
// and the endpoint is played through the suite as server and as client in each of
// its modes, until a case finds something; the sound library passes all of them
// strictly, as TestServer and TestClient of the suite's command see to. What a case
// finds it must find again, with more patience. The list is testdata/caught.golden: a
// line has the mutant, the role and the mode, the case with its verdict, and the
// case's name; or the mutant, "unseen", and the reason from unseen.go why no such
// suite can see it.
//
// The exit status is 1 if a mutant is neither caught nor has a reason, or if one
// has a reason and is caught.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/closeonce/websocket/internal/proof/mutants"
)

var (
	only   = flag.String("only", "", "only mutants whose name matches this expression")
	cases  = flag.String("run", "", "only cases with these numbers, as the suite's command takes them")
	atOnce = flag.Int("parallel", 2, "how many mutants are played at once")
)

const listPath = "testdata/caught.golden"

func main() {
	flag.Parse()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	err = run(dir)
	os.RemoveAll(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	path := filepath.Join("internal/proof/conformance/mutants", listPath)
	l, err := readList(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	type result struct {
		catch *catch
		err   error
		took  time.Duration
	}
	some, err := mutants.Matching(mutants.Table, *only)
	if err != nil {
		return err
	}
	results := mutants.Each(some, *atOnce, func(m mutants.Mutant) result {
		began := time.Now()
		program, err := m.Build(".", dir, endpoint, "build")
		if err != nil {
			return result{nil, err, 0}
		}
		defer os.Remove(program)
		c, err := hunt(program)
		return result{c, err, time.Since(began)}
	})
	wrong := 0
	for m, r := range results {
		why := unseen[m.Name]
		said := why
		switch {
		case r.err != nil:
			said = r.err.Error()
			wrong++
		case r.catch == nil && why == "":
			said = "NOT CAUGHT, and there is no reason"
			delete(l, m.Name)
			wrong++
		case r.catch != nil && why != "":
			said = fmt.Sprintf("CAUGHT by %v, though it should not be visible: %s", r.catch, why)
			wrong++
		case r.catch != nil:
			said = r.catch.String()
			l[m.Name] = r.catch
		default:
			delete(l, m.Name)
		}
		fmt.Printf("%-26s %5.1fs  %s\n%35s%s\n", m.Name, r.took.Seconds(), m.What, "", said)
		if err := l.write(path); err != nil { // now: all of them take a while
			return err
		}
	}
	if err := l.write(path); err != nil { // a reason may have changed
		return err
	}
	fmt.Printf("of %d mutants %d are caught and %d can't be seen\n", len(mutants.Table), len(l), len(unseen))
	if wrong > 0 {
		return fmt.Errorf("%d are not as they should be", wrong)
	}
	return nil
}
