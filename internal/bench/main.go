// Command bench measures what a WebSocket library costs, ours and its peers in one run. README.md says how
// and why.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

func main() {
	var f flags
	flag.BoolVar(&f.quick, "quick", false, "few rounds, short turns, fewer connections: under two minutes")
	flag.StringVar(&f.cases, "case", "", "only these cases, comma-separated; patterns as in 'client*'")
	flag.StringVar(&f.libraries, "lib", "", "only these libraries, comma-separated")
	flag.StringVar(&f.before, "before", "", "measure ours from this checkout too, as ours-before, in the same run")
	flag.BoolVar(&f.short, "short", false, "many short rounds: all cases with -lib ours -before DIR within ten minutes")
	flag.IntVar(&f.rounds, "rounds", 0, "rounds; 0: 15, or 6 with -quick, or 32 with -short; the processes are started anew for every third, second, or second one")
	flag.DurationVar(&f.turn, "turn", 0, "length of one library's turn; 0: 200ms, or 60ms with -quick, or 100ms with -short")
	flag.IntVar(&f.procs, "procs", 1, "GOMAXPROCS of the process under test; above 1 it may use all CPUs")
	flag.StringVar(&f.json, "json", "", "write all figures to this file")
	flag.StringVar(&f.markdown, "markdown", "", "write all cases as a Markdown table to this file")
	flag.StringVar(&f.summary, "summary", "", "write the six rows of the project's README to this file")
	flag.StringVar(&f.svg, "svg", "", "write a plot to this file")
	flag.StringVar(&f.profiles, "profiles", "", "spend two more turns on CPU, mutex and block profiles of the processes under test, into this directory")
	child := flag.String("child", "", "be the process under test (internal)")
	flag.Parse()
	if err := dispatch(*child, f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type flags struct {
	quick, short                 bool
	cases, libraries, before     string
	json, markdown, summary, svg string
	profiles                     string
	rounds, procs                int
	turn                         time.Duration
}

func dispatch(childOrder string, f flags) error {
	if childOrder != "" {
		return child(childOrder)
	}
	return generate(f)
}

// generate is the load generator: on the first CPU, with the process under test on the last.
func generate(f flags) error {
	cpus, err := twoCPUs()
	if err != nil {
		return err
	}
	if err := pin(cpus[:1]); err != nil {
		return err
	}
	files, err := raiseFileLimit()
	if err != nil {
		return err
	}
	p, err := f.plan(cpus, files)
	if err != nil {
		return err
	}
	if f.before != "" {
		temp, err := os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		program, err := buildBefore(f.before, temp)
		if err != nil {
			return err
		}
		p.libraries = append(p.libraries, beforeLibrary(program))
	}
	measured, err := p.run()
	if err != nil {
		return err
	}
	r := newReport(measured)
	fmt.Println()
	if err := r.writeText(os.Stdout); err != nil {
		return err
	}
	for _, output := range []struct {
		name  string
		write func(io.Writer) error
	}{{f.json, r.writeJSON}, {f.markdown, r.writeMarkdown}, {f.summary, r.writeSummary}, {f.svg, r.writeSVG}} {
		if output.name == "" {
			continue
		}
		if err := writeFile(output.name, output.write); err != nil {
			return err
		}
	}
	return nil
}

// spare is how many files a process needs besides its connections.
const spare = 200

func (f flags) plan(all []int, files int) (plan, error) {
	underTest := all[1:]
	p := plan{rounds: 15, casts: 5, lone: 3, turn: 200 * time.Millisecond, profiles: f.profiles, progress: os.Stderr}
	sc := scope{idleConns: 5000, scaleConns: []int{100, 1_000, 10_000, 50_000}}
	if f.quick {
		p.rounds, p.casts, p.lone, p.turn = 6, 3, 1, 60*time.Millisecond
		sc = scope{idleConns: 1000, scaleConns: []int{100, 1_000}}
	}
	if f.short {
		p.rounds, p.casts, p.lone, p.turn = 32, 16, 5, 100*time.Millisecond
		sc = scope{idleConns: 2000, scaleConns: []int{100, 1_000, 10_000}}
	}
	if f.rounds > 0 {
		p.rounds, p.lone = f.rounds, min(p.lone, f.rounds)
	}
	if f.turn > 0 {
		p.turn = f.turn
	}
	sc.scaleConns = affordable(sc.scaleConns, files)
	if f.procs > 1 {
		underTest = all
	}
	for _, l := range libraries() {
		if wanted(f.libraries, l.name) {
			p.libraries = append(p.libraries, l)
		}
	}
	for _, l := range namedLibraries() {
		if f.libraries != "" && wanted(f.libraries, l.name) {
			p.libraries = append(p.libraries, l)
		}
	}
	for _, c := range cases(sc, f.procs, underTest, all) {
		if wanted(f.cases, c.name) {
			p.cases = append(p.cases, c)
		}
	}
	if len(p.libraries) == 0 || len(p.cases) == 0 {
		return p, fmt.Errorf("no library %q or no case %q", f.libraries, f.cases)
	}
	return p, nil
}

// affordable replaces numbers of connections that a process may not open by the largest thousand that it
// may.
func affordable(conns []int, files int) []int {
	most := (files - spare) / 1000 * 1000
	var list []int
	for _, n := range conns {
		if n = min(n, most); n > 0 && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// wanted matches a name against a comma-separated list of patterns; an empty list matches all.
func wanted(list, name string) bool {
	if list == "" {
		return true
	}
	for pattern := range strings.SplitSeq(list, ",") {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
