package websocket_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLayers: the root's files use each other downwards only, so that each can be read with those below it; there are few;
// and reading and writing messages take few of them to understand.
func TestLayers(t *testing.T) {
	const maxFiles = 31
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	if len(texts) > maxFiles {
		t.Errorf("there are %d files, more than %d", len(texts), maxFiles)
	}
	maps.DeleteFunc(texts, func(name, _ string) bool {
		here, err := build.Default.MatchFile(".", name)
		return err != nil || !here
	})
	uses, err := usesOf(texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{"conn.go", "close.go"}, {"flush.go", "send.go"}, {"read.go", "message.go"}} {
		if len(uses[pair[0]][pair[1]]) == 0 {
			t.Errorf("%s seems not to use %s: is this test blind?", pair[0], pair[1])
		}
	}
	if c := circle(uses); c != nil {
		t.Errorf("files use each other in a circle:\n%s", describeCircle(uses, c))
	}

	// What everybody knows: Conn, frames and opcodes, errors, options.
	known := []string{"conn.go", "frame.go", "errors.go", "options.go"}
	others := func(name string) (l []string) {
		for other := range uses[name] {
			if !slices.Contains(known, other) {
				l = append(l, strings.TrimSuffix(other, ".go"))
			}
		}
		slices.Sort(l)
		return l
	}
	for _, name := range []string{"read.go", "write.go"} {
		if l := others(name); len(l) > 3 {
			t.Errorf("%s uses %v, more than three: %v", name, l, uses[name])
		}
	}

	// The table in ARCHITECTURE.md has every file, above those that it uses.
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## The root files\n")
	table, _, _ = strings.Cut(table, "\n## ")
	place := map[string]int{}
	for i, row := range strings.Split(table, "\n") {
		cells := strings.Split(row, "|")
		if !strings.HasPrefix(row, "| `") || len(cells) < 5 {
			continue
		}
		for _, name := range strings.Fields(strings.ReplaceAll(cells[1], "`", "")) {
			place[name] = i
			if _, here := texts[name]; here && strings.TrimSpace(cells[4]) != strings.Join(others(name), " ") {
				t.Errorf("ARCHITECTURE.md: %s uses %s", name, strings.Join(others(name), " "))
			}
		}
	}
	for name := range texts {
		if place[name] == 0 {
			t.Errorf("ARCHITECTURE.md: %s is missing from the table", name)
		}
		for other := range uses[name] {
			if place[other] <= place[name] {
				t.Errorf("ARCHITECTURE.md: %s belongs below %s, which uses it", other, name)
			}
		}
	}
}

// TestCircle: circles are found, through functions, methods, types, constants and fields; their references are named.
func TestCircle(t *testing.T) {
	down := map[string]string{
		"a.go": "package p\n\nimport \"net\"\n\nfunc top(nc net.Conn) { t := &part{}; t.act(); nc.Close() }\n",
		"b.go": "package p\n\ntype part struct { n int }\n\nfunc (p *part) act() { p.n = most; act := 1; _ = act }\n",
		"c.go": "package p\n\nconst most = 3\n",
	}
	uses, err := usesOf(down)
	if err != nil {
		t.Fatal(err)
	}
	if c := circle(uses); c != nil {
		t.Errorf("a circle where there is none:\n%s", describeCircle(uses, c))
	}
	for what, text := range map[string]string{
		"top":  "func f() { top(nil) }",
		"act":  "func f(g func() *part) { g().act() }",
		"n":    "func f(all []part) { for _, one := range all { one.n++ } }",
		"part": "type more struct { *part }",
	} {
		up := maps.Clone(down)
		up["c.go"] += "\n" + text + "\n"
		uses, err := usesOf(up)
		if err != nil {
			t.Fatal(err)
		}
		c := circle(uses)
		if c == nil {
			t.Errorf("no circle with %s", text)
			continue
		}
		if got := describeCircle(uses, c); !strings.Contains(got, "c.go uses "+map[bool]string{true: "a.go", false: "b.go"}[what == "top"]+" (") || !strings.Contains(got, what) || strings.Contains(got, "Close") {
			t.Errorf("with %s the circle is\n%s", text, got)
		}
	}
}

// usesOf returns what each file of a package uses of the others, by file, other file and name. It knows the package's types
// and none of those that are imported; their errors count for nothing.
func usesOf(texts map[string]string) (map[string]map[string][]string, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for name, text := range texts {
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noTypes{}, Error: func(error) {}}
	pkg, _ := conf.Check("p", fset, files, info)
	uses := map[string]map[string][]string{}
	for id, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := fset.Position(id.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from == to || slices.Contains(uses[from][to], object.Name()) {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string][]string{}
		}
		uses[from][to] = append(uses[from][to], object.Name())
	}
	return uses, nil
}

// noTypes imports packages without anything in them.
type noTypes struct{}

func (noTypes) Import(importPath string) (*types.Package, error) {
	pkg := types.NewPackage(importPath, path.Base(importPath))
	pkg.MarkComplete()
	return pkg, nil
}

// circle returns files of which each uses the next, and the last the first, or nil.
func circle(uses map[string]map[string][]string) []string {
	const onPath, left = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(name string) []string
	visit = func(name string) []string {
		switch state[name] {
		case onPath:
			return slices.Clone(way[slices.Index(way, name):])
		case left:
			return nil
		}
		state[name] = onPath
		way = append(way, name)
		for _, other := range slices.Sorted(maps.Keys(uses[name])) {
			if found := visit(other); found != nil {
				return found
			}
		}
		way = way[:len(way)-1]
		state[name] = left
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		if found := visit(name); found != nil {
			return found
		}
	}
	return nil
}

func describeCircle(uses map[string]map[string][]string, circle []string) string {
	var b strings.Builder
	for i, name := range circle {
		next := circle[(i+1)%len(circle)]
		fmt.Fprintf(&b, "%s uses %s (%s)\n", name, next, strings.Join(slices.Sorted(slices.Values(uses[name][next])), ", "))
	}
	return b.String()
}
