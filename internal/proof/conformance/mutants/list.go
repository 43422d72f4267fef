package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/proof/mutants"
)

// A catch says by what a mutant is caught.
type catch struct {
	role    suite.Role // of the mutant
	mode    string
	number  string // of the case
	verdict suite.Verdict
}

func (c *catch) String() string {
	return fmt.Sprintf("%v %s\t%s %s\t%s", c.role, c.mode, c.number, c.verdict, caseOf(c.number).Name)
}

// caseOf returns a case by its number.
func caseOf(number string) *suite.Case {
	for _, c := range suite.Cases() {
		if c.Number == number {
			return c
		}
	}
	return &suite.Case{Name: "no such case"}
}

// A list is the golden file: what catches each mutant that is caught.
type list map[string]*catch

func readList(path string) (list, error) {
	l := list{}
	b, err := os.ReadFile(path)
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(string(b)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) == 3 && columns[1] == "unseen" {
			continue
		}
		if len(columns) != 4 {
			return l, fmt.Errorf("%s has the line %q", path, line)
		}
		c := &catch{}
		role, mode, _ := strings.Cut(columns[1], " ")
		number, verdict, _ := strings.Cut(columns[2], " ")
		c.role, c.mode, c.number, c.verdict = suite.Server, mode, number, suite.Verdict(verdict)
		if role == suite.Client.String() {
			c.role = suite.Client
		}
		l[columns[0]] = c
	}
	return l, nil
}

// text is the golden file's content, in the table's order.
func (l list) text() string {
	var b strings.Builder
	for _, m := range mutants.Table {
		if c := l[m.Name]; c != nil {
			fmt.Fprintf(&b, "%s\t%v\n", m.Name, c)
		} else if why := unseen[m.Name]; why != "" {
			fmt.Fprintf(&b, "%s\tunseen\t%s\n", m.Name, why)
		}
	}
	return b.String()
}

func (l list) write(path string) error { return os.WriteFile(path, []byte(l.text()), 0o644) }
