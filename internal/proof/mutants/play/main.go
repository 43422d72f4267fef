// Command play lets tests loose on the mutants that a test has to find (Duties in
// internal/proof/mutants), and prints which were found, and how.
//
//	go run ./internal/proof/mutants/play                       all of them
//	go run ./internal/proof/mutants/play -only turn-denied     one
//	go run ./internal/proof/mutants/play -only x -by TestRead  one, by another test
//
// It is run in the module's root. A test that does not end within -timeout has found
// its mutant. It exits with 1 if one was not found.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/closeonce/websocket/internal/proof/mutants"
)

var (
	only     = flag.String("only", "", "only mutants whose name matches this expression")
	by       = flag.String("by", "", "the expression of other tests of the root package that shall find them")
	parallel = flag.Int("parallel", 1, "how many mutants run at once")
	timeout  = flag.Duration("timeout", 20*time.Second, "how long a test may take")
)

func main() {
	flag.Parse()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	missed, err := run(dir)
	os.RemoveAll(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if missed > 0 {
		os.Exit(1)
	}
}

// run plays them and prints the results.
func run(dir string) (missed int, err error) {
	duties := map[string]mutants.Duty{}
	var all []mutants.Mutant
	for _, d := range mutants.Duties {
		if *by != "" {
			d.By = mutants.By{Package: ".", Run: *by}
		}
		if d.By != (mutants.By{}) {
			duties[d.Name] = d
			all = append(all, d.Mutant)
		}
	}
	all, err = mutants.Matching(all, *only)
	if err != nil {
		return 0, err
	}
	results := mutants.Each(all, *parallel, func(m mutants.Mutant) mutants.Trial { return duties[m.Name].Play(".", dir, *timeout) })
	for m, r := range results {
		verdict, how := "found", r.How
		switch {
		case r.Err != nil:
			verdict, how = "ERROR", r.Err.Error()
			missed++
		case !r.Found:
			verdict, how = "NOT FOUND", m.What
			missed++
		}
		fmt.Printf("%-30s %-10s %-30s %s\n", m.Name, verdict, duties[m.Name].By.Run, how)
	}
	fmt.Printf("%d of %d mutants found\n", len(all)-missed, len(all))
	return missed, nil
}
