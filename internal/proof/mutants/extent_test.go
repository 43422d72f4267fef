package mutants

import (
	"os"
	"path/filepath"
	"testing"
)

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
	for _, name := range []string{"x.m", "three"} {
		if from, _, err := extent(declarations, name); from != 0 || err != nil {
			t.Errorf("%s was found at %d, %v", name, from, err)
		}
	}
	if _, _, err := extent(declarations, "two"); err == nil {
		t.Error("one of two declarations was found")
	}
	if _, _, err := extent("no Go", "m"); err == nil {
		t.Error("what can't be parsed has a declaration")
	}
}

// TestFind: the file need not be named, only the package, if it is not the root.
func TestFind(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a.go":            "package p\n\nfunc a() {}\n",
		"b.go":            "package p\n\nfunc (t T) a() {}\n\nfunc twice() {}\n",
		"c.go":            "package p\n\nfunc twice() {}\n",
		"d_test.go":       "package p\n\nfunc d() {}\n",
		"e_plan9.go":      "package p\n\nfunc e() {}\n",
		"internal/q/q.go": "package q\n\nfunc (t *T) a() {}\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for in, want := range map[string]string{"a": "a.go", "T.a": "b.go", "internal/q.T.a": "internal/q/q.go"} {
		p, err := find(root, in, nil)
		if path, _ := filepath.Rel(root, p.path); err != nil || filepath.ToSlash(path) != want {
			t.Errorf("%s is in %q, %v; want %s", in, path, err, want)
		}
	}
	for _, in := range []string{"twice", "d", "e", "internal/q.a", "internal/r.T.a"} {
		if p, err := find(root, in, nil); err == nil {
			t.Errorf("%s was found in %s", in, p.path)
		}
	}
	path := filepath.Join(root, "a.go")
	if p, err := find(root, "a", map[string]string{path: "package p\n\nfunc b() {}\n\nfunc a() { b() }\n"}); err != nil || p.text[p.from:p.to] != "func a() { b() }" {
		t.Errorf("a is %q, %v, in a file that was changed before", p.text[p.from:p.to], err)
	}
}
