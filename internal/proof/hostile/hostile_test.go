package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(subjectEnv) != "" {
		beSubject()
		return
	}
	flag.Set("test.parallel", "8") // attacks wait more than they compute
	os.Exit(m.Run())
}

// TestAttacks carries out each attack, with fewer attackers: what a connection
// costs stays within its bound, the answers are the right ones, and no goroutine
// is left.
func TestAttacks(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			r, err := a.measure(scale{unit: 50 * time.Millisecond, conns: a.few, brief: true})
			if err != nil {
				t.Error(err)
			}
			if r.Sent == 0 && len(a.want) > 0 && a.name != "client: no response" {
				t.Error("the attackers have sent nothing")
			}
		})
	}
}

// TestDocumented: the table in SECURITY.md has each attack, in this order, and no other.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(table(nil), "\n")
	_, rows, found := strings.Cut(string(text), "\n"+head+"\n| --- ")
	if !found {
		t.Fatalf("SECURITY.md has no table with the columns %s", head)
	}
	var documented, names []string
	for row := range strings.Lines(rows) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(row, "| "), " | "); ok && strings.HasPrefix(row, "| ") {
			documented = append(documented, name)
		}
	}
	for _, a := range attacks() {
		names = append(names, a.name)
	}
	documented = documented[1:] // what is left of the line below the columns
	if !slices.Equal(documented, names) {
		t.Errorf("SECURITY.md has the attacks\n%q\nbut there are\n%q", documented, names)
	}
}
