package mutants

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTypes: every mutant is a program. One whose places are found may still name
// what the library has no longer.
func TestTypes(t *testing.T) {
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
	for dir, groups := range grouped(edits()) {
		for _, group := range groups {
			together := map[string]string{}
			for _, one := range group {
				maps.Copy(together, one.files)
			}
			if len(c.check(dir, together)) == 0 {
				continue
			}
			for _, one := range group {
				for _, err := range c.check(dir, one.files) {
					t.Errorf("mutant %s: %v", one.mutant.Name, err)
				}
			}
		}
	}
}

// grouped returns mutants by the package that they edit, in groups of which no two edit the same file. A group is checked
// in the time of one: that is for the declarations, which are nearly the same.
func grouped(all []edited) map[string][][]edited {
	groups := map[string][][]edited{}
	for _, one := range all {
		dirs := map[string]map[string]string{}
		for path, text := range one.files {
			dir := filepath.Dir(path)
			if dirs[dir] == nil {
				dirs[dir] = map[string]string{}
			}
			dirs[dir][path] = text
		}
		for dir, files := range dirs {
			here := edited{mutant: one.mutant, files: files}
			i := slices.IndexFunc(groups[dir], func(group []edited) bool { return !slices.ContainsFunc(group, here.overlaps) })
			if i < 0 {
				i = len(groups[dir])
				groups[dir] = append(groups[dir], nil)
			}
			groups[dir][i] = append(groups[dir][i], here)
		}
	}
	return groups
}

func (e edited) overlaps(other edited) bool {
	for path := range e.files {
		if _, ok := other.files[path]; ok {
			return true
		}
	}
	return false
}

// A checker checks the types of packages with mutants in them.
type checker struct {
	t       *testing.T
	fset    *token.FileSet
	imports types.Importer
	sound   map[string]map[string]*ast.File // by directory and path, without the functions' bodies
}

// check returns what is wrong in the edited files of a package. The others have lost their functions' bodies, which
// saves most of the work.
func (c *checker) check(dir string, edited map[string]string) (errs []error) {
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
			errs = append(errs, err)
		}
	}}
	conf.Check(dir, c.fset, files, nil)
	return errs
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
