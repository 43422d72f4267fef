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
	root, err := filepath.Abs("../../..")
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
	fset := token.NewFileSet()
	c := checker{t: t, fset: fset, sound: map[string]map[string]*ast.File{}}
	c.imports = importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, m := range All() {
		edited, err := m.edit(root)
		if err != nil {
			t.Error(err)
			continue
		}
		dirs := map[string]bool{}
		for path := range edited {
			dirs[filepath.Dir(path)] = true
		}
		for dir := range dirs {
			c.check(m.Name, dir, edited)
		}
	}
}

// A checker checks the types of packages with mutants in them.
type checker struct {
	t       *testing.T
	fset    *token.FileSet
	imports types.Importer
	sound   map[string]map[string]*ast.File // by directory and path, without the functions' bodies
}

// check checks one package. Only what is wrong in the edited files counts: the others
// have lost their bodies, which saves most of the work.
func (c *checker) check(name, dir string, edited map[string]string) {
	if c.sound[dir] == nil {
		c.sound[dir] = c.parseDir(dir)
	}
	var files []*ast.File
	for path, f := range c.sound[dir] {
		if text, ok := edited[path]; ok {
			f = c.parse(path, text)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: c.imports, Error: func(err error) {
		if e, ok := err.(types.Error); !ok || edited[e.Fset.Position(e.Pos).Filename] != "" {
			c.t.Errorf("mutant %s: %v", name, err)
		}
	}}
	conf.Check(dir, c.fset, files, nil)
}

// parseDir parses a package's files, without their functions' bodies.
func (c *checker) parseDir(dir string) map[string]*ast.File {
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range pkg.GoFiles {
		path := filepath.Join(dir, name)
		f := c.parse(path, nil)
		for _, decl := range f.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				f.Body = nil
			}
		}
		files[path] = f
	}
	return files
}

func (c *checker) parse(path string, text any) *ast.File {
	f, err := parser.ParseFile(c.fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}
