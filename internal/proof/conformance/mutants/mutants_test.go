package main

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/proof/mutants"
)

var every = flag.Bool("every", false, "play every mutant again, not only a few")

// TestList: of each mutant the list says by which case it is caught, or that and
// why it can't be seen; at least 40 are caught.
func TestList(t *testing.T) {
	l, err := readList(listPath)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(listPath)
	if err != nil {
		t.Fatal(err)
	}
	if l.text() != string(b) {
		t.Error("the list is not what the table, the cases' names and unseen.go make of it: run the command")
	}
	names := map[string]bool{}
	for _, m := range mutants.Table {
		names[m.Name] = true
		if (l[m.Name] != nil) == (unseen[m.Name] != "") {
			t.Errorf("%s is caught by %v, and can't be seen because %q: one of both is wanted", m.Name, l[m.Name], unseen[m.Name])
		}
	}
	for name := range unseen {
		if !names[name] {
			t.Errorf("there is a reason for %s, and no such mutant", name)
		}
	}
	numbers := map[string]bool{}
	for _, c := range suite.Cases() {
		numbers[c.Number] = true
	}
	for name, c := range l {
		if !names[name] || !numbers[c.number] || c.verdict != suite.Failed && c.verdict != suite.NonStrict {
			t.Errorf("%s is listed as caught by %v", name, c)
		}
	}
	t.Logf("of %d mutants %d are caught and %d can't be seen", len(mutants.Table), len(l), len(unseen))
	if len(l) < 40 {
		t.Errorf("%d mutants are caught, want at least 40", len(l))
	}
}

// few are caught by cases of different kinds, and in both roles. Each costs seconds of compiling and linking.
var few = []string{"accept-masked", "drop-last-byte"}

// TestCaughtAgain builds some mutants, and without a flag only a few, and plays
// the listed case: against the mutant, and against the library as it stands.
func TestCaughtAgain(t *testing.T) {
	l, err := readList(listPath)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sound, err := mutants.Mutant{Name: "sound"}.Build(root, dir, endpoint, "build", strip)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants.Table {
		c := l[m.Name]
		if c == nil || !*every && !slices.Contains(few, m.Name) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel() // it waits for what does not come
			program, err := m.Build(root, dir, endpoint, "build", strip)
			if err != nil {
				t.Fatal(err)
			}
			defer os.Remove(program)
			found := 0
			for range 3 { // how TCP delivers pieces is nobody's choice
				results, err := play(program, c.role, c.mode, []string{c.number}, patient)
				if err != nil {
					t.Fatal(err)
				}
				if found = len(caught(results)); found > 0 {
					break
				}
			}
			if found == 0 {
				t.Errorf("%v does not catch it", c)
			}
			opts := patient
			opts.Timeout *= 10 // a busy machine is no fault of the library's
			opts.FailFast *= 10
			results, err := play(sound, c.role, c.mode, []string{c.number}, opts)
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != 1 || len(caught(results)) != 0 {
				t.Errorf("%v catches the library without a mutant: %+v", c, results)
			}
		})
	}
}

// strip leaves out what debuggers need: it is half of the linker's work.
const strip = "-ldflags=-s -w"

// root is the module's, from here.
const root = "../../../.."
