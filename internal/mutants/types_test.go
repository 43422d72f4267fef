package mutants

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypes: every mutant is a program. One whose places are found may still name
// what the library has no longer.
func TestTypes(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = export
	}
	pkg, err := build.ImportDir(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	parse := func(path string, text any) *ast.File {
		f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	sound := map[string]*ast.File{}
	for _, name := range pkg.GoFiles {
		path := filepath.Join(root, name)
		sound[path] = parse(path, nil)
	}
	for _, m := range Table {
		edited, err := m.edit(root)
		if err != nil {
			t.Error(err)
			continue
		}
		var files []*ast.File
		for path, f := range sound {
			if text, ok := edited[path]; ok {
				f = parse(path, text)
			}
			files = append(files, f)
		}
		conf := types.Config{Importer: imports, Error: func(err error) { t.Errorf("mutant %s: %v", m.Name, err) }}
		conf.Check(pkg.ImportPath, fset, files, nil)
	}
}
