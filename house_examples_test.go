package websocket_test

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withoutExample says why some functions and methods have no example that is attached to their name.
var withoutExample = map[string]string{
	"websocket.CloseError.Error":     "ExampleConn_Close prints it",
	"websocket.HandshakeError.Error": "ExampleHandshakeError prints it",
	"websocket.ProtocolError.Error":  "ExampleProtocolError prints what it is made of",
	"websocket.MessageType.String":   "ExampleConn_Read prints it",
	"websocket.StatusCode.String":    "ExampleCloseStatus prints it",
	"websocket.ClosedBy.String":      "ExampleConn_Stats prints it",
	"websocket.Opcode.String":        "ExampleTrace logs it",
	"websocket.SlowPolicy.String":    "ExampleGroup_Stats prints it",
	"websocket.CloseState.String":    "ExampleTrace logs it",
	"websocket.Conn.LocalAddr":       "it is used as RemoteAddr is",
}

// TestExamples: a newcomer finds an example at every exported function and method, and every example is run.
func TestExamples(t *testing.T) {
	except, checked := maps.Clone(withoutExample), 0
	for _, dir := range []string{".", "wsjson"} {
		bad, n := lackingExamples(t, packageFiles(t, dir), except)
		for _, what := range bad {
			t.Error(what)
		}
		checked += n
	}
	for name := range except {
		t.Errorf("the exception for %s is not needed", name)
	}
	if checked < 20 {
		t.Errorf("%d examples have a checked output, want at least 20", checked)
	}
}

// TestExamplesCanFail: TestExamples finds a function without example, an example that is attached to nothing, one that is
// compiled only, and one that is in the package itself.
func TestExamplesCanFail(t *testing.T) {
	files := parseFiles(t, map[string]string{
		"a.go":          "package p\n\ntype T int\n\nfunc (T) Used() {}\n\nfunc (T) Unused() {}\n\nfunc (T) hidden() {}\n\nfunc F() {}\n\nfunc G() {}\n",
		"a_test.go":     "package p_test\n\nfunc ExampleT_Used() {\n\t// Output:\n}\n\nfunc ExampleF() {}\n\nfunc ExampleH() {\n\t// Output:\n}\n",
		"inner_test.go": "package p\n\nfunc ExampleG() {\n\t// Output:\n}\n",
	})
	except := map[string]string{"p.T.Used": "it is needed no more"}
	got, _ := lackingExamples(t, files, except)
	slices.Sort(got)
	want := []string{
		"ExampleF has no checked output",
		"ExampleG is in package p, where it may use what users can't: it belongs into p_test",
		"ExampleH is attached to nothing",
		"p.T.Unused has no example",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(except) != 1 {
		t.Error("the exception for p.T.Used, which has an example, was used")
	}
}

// lackingExamples returns what is wrong with a package's examples, and how many have a checked output. It deletes the
// exceptions that it uses from except.
func lackingExamples(t *testing.T, files map[string]*ast.File, except map[string]string) (bad []string, checked int) {
	var list []*ast.File
	unattached := map[string]bool{}
	for name, file := range files {
		list = append(list, file)
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, example := range doc.Examples(file) {
			unattached["Example"+example.Name] = true
			if pkg := file.Name.Name; !strings.HasSuffix(pkg, "_test") {
				bad = append(bad, "Example"+example.Name+" is in package "+pkg+", where it may use what users can't: it belongs into "+pkg+"_test")
			}
			if example.Output != "" || example.EmptyOutput {
				checked++
			} else {
				bad = append(bad, "Example"+example.Name+" has no checked output")
			}
		}
	}
	// doc attaches examples to what they are named after, as pkg.go.dev does.
	pkg, err := doc.NewFromFiles(fileSet, list, "example.com/p")
	if err != nil {
		t.Fatal(err)
	}
	attached := func(examples []*doc.Example) bool {
		for _, example := range examples {
			delete(unattached, "Example"+example.Name)
		}
		return len(examples) > 0
	}
	need := func(name string, examples []*doc.Example) {
		if attached(examples) {
			return
		}
		name = pkg.Name + "." + name
		if _, ok := except[name]; ok {
			delete(except, name)
			return
		}
		bad = append(bad, name+" has no example")
	}
	attached(pkg.Examples)
	for _, f := range pkg.Funcs {
		need(f.Name, f.Examples)
	}
	for _, typ := range pkg.Types {
		attached(typ.Examples)
		for _, f := range typ.Funcs {
			need(f.Name, f.Examples)
		}
		for _, m := range typ.Methods {
			need(typ.Name+"."+m.Name, m.Examples)
		}
	}
	for name := range unattached {
		bad = append(bad, name+" is attached to nothing")
	}
	return bad, checked
}

var fileSet = token.NewFileSet()

// packageFiles parses the files of a package that are built here, its tests included.
func packageFiles(t *testing.T, dir string) map[string]*ast.File {
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range slices.Concat(pkg.GoFiles, pkg.TestGoFiles, pkg.XTestGoFiles) {
		name = filepath.Join(dir, name)
		file, err := parser.ParseFile(fileSet, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// parseFiles parses sources by their names.
func parseFiles(t *testing.T, sources map[string]string) map[string]*ast.File {
	files := map[string]*ast.File{}
	for name, source := range sources {
		file, err := parser.ParseFile(fileSet, name, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// TestGreetIsPatient runs the test that Example_testing shows.
func TestGreetIsPatient(t *testing.T) {
	testGreetIsPatient(t)
}
