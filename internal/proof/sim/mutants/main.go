// Command mutants lets the simulation loose on each of the library's mutants but
// those that a test has to find (internal/proof/mutants/play), and prints which it found,
// and with which seed.
//
//	go run ./internal/proof/sim/mutants                 all of them, 2,000 seeds each
//	go run ./internal/proof/sim/mutants -only no-pong   one
//
// It is run in the module's root. It exits with 1 if fewer than -want were found.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/proof/mutants"
)

var (
	seeds    = flag.Int("seeds", 2000, "how many seeds each mutant gets")
	parallel = flag.Int("parallel", 2, "how many mutants run at once")
	only     = flag.String("only", "", "only mutants whose name matches this expression")
	play     = flag.String("play", "", "what every seed plays: crowd, proxy or choir; empty: what it says")
	every    = flag.Bool("every", false, "those too that a test has to find")
	want     = flag.Int("want", 35, "how many must be found")
)

// A result is what became of one mutant.
type result struct {
	found bool
	how   string
	took  time.Duration
}

func main() {
	flag.Parse()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	found, ran, err := run(dir)
	os.RemoveAll(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d of %d mutants found\n", found, ran)
	if found < min(*want, ran) {
		os.Exit(1)
	}
}

// run runs all mutants and prints their results in the table's order.
func run(dir string) (found, ran int, err error) {
	all := slices.Clone(mutants.Table)
	for _, d := range mutants.Duties {
		if d.By == (mutants.By{}) || *every {
			all = append(all, d.Mutant)
		}
	}
	if all, err = mutants.Matching(all, *only); err != nil {
		return 0, 0, err
	}
	for m, r := range mutants.Each(all, *parallel, func(m mutants.Mutant) result { return try(m, dir) }) {
		ran++
		verdict := "not found"
		if r.found {
			verdict = "found"
			found++
		}
		fmt.Printf("%-26s %-9s %5.1fs  %s\n%28s%s\n", m.Name, verdict, r.took.Seconds(), m.What, "", r.how)
	}
	return found, ran, nil
}

var failure = regexp.MustCompile(`seed (\d+): (?:[0-9.µmsh]+: )?(.*)`)

// try builds the simulation with the mutant and runs it until it finds something.
func try(m mutants.Mutant, dir string) result {
	began := time.Now()
	done := func(found bool, how string) result { return result{found, how, time.Since(began)} }
	binary, err := m.Build(".", dir, "./internal/proof/sim", "test", "-c", "-vet=off")
	if err != nil {
		return done(false, err.Error())
	}
	defer os.Remove(binary)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "-test.run", "^TestSeeds$", "-first", "-brief", "-seeds", fmt.Sprint(*seeds), "-play", *play).CombinedOutput()
	if err == nil {
		return done(false, fmt.Sprintf("in %d seeds", *seeds))
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if hit := failure.FindStringSubmatch(line); hit != nil {
			how := hit[2]
			if len(how) > 120 {
				how = how[:120] + "..."
			}
			return done(true, fmt.Sprintf("seed %s: %s", hit[1], how))
		}
	}
	return done(true, fmt.Sprintf("%v", err))
}
