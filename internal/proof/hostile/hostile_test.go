package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
)

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
	for _, a := range attacks.All() {
		names = append(names, a.Name())
	}
	documented = documented[1:] // what is left of the line below the columns
	if !slices.Equal(documented, names) {
		t.Errorf("SECURITY.md has the attacks\n%q\nbut there are\n%q", documented, names)
	}
}
