package mutants

import "testing"

const declarations = `package p

var a, b = 1, 2

type t struct{}

func (x *t) m() { _ = a }
func m()        { _ = b }

func two() {}
func two() {}
`

// TestExtent: a declaration is found by its name, a method by its type's and its own.
func TestExtent(t *testing.T) {
	for name, want := range map[string]string{
		"m":   "func m()        { _ = b }",
		"t.m": "func (x *t) m() { _ = a }",
		"b":   "a, b = 1, 2",
		"t":   "t struct{}",
	} {
		from, to, err := extent(declarations, name)
		if err != nil || declarations[from:to] != want {
			t.Errorf("%s is %q, %v; want %q", name, declarations[from:to], err, want)
		}
	}
	for _, name := range []string{"two", "x.m", "three"} {
		if _, _, err := extent(declarations, name); err == nil {
			t.Errorf("%s was found", name)
		}
	}
	if _, _, err := extent("no Go", "m"); err == nil {
		t.Error("what can't be parsed has a declaration")
	}
}
