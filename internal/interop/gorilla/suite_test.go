package gorilla

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/interop/gorilla/stand"
)

// internals are the tests of the suite that are about the original's internals. They are left out.
var internals = map[string]string{
	"TestHostPortNoPort":         "an unexported function that takes a URL apart",
	"TestTruncWriter":            "an unexported part of the compressor",
	"TestValidCompressionLevel":  "an unexported function",
	"TestMaskBytes":              "an unexported function",
	"TestEqualASCIIFold":         "an unexported function",
	"TestTokenListContainsValue": "an unexported function",
	"TestIsValidChallengeKey":    "an unexported function",
	"TestParseExtensions":        "an unexported function",
	"TestWriteBufferPool":        "looks for the write buffer in a field",
	"TestWriteBufferPoolError":   "looks for the write buffer in a field",
	"TestBufioReuse":             "looks for net/http's buffers in fields",
}

// differences are the tests that do not pass with our package, and why that is wanted.
var differences = map[string]string{
	"TestConcurrentWritePanic":      "it wants a panic of two writers at once; here both write",
	"TestFailedConnectionReadPanic": "it wants a panic of the thousandth read after an error; here every read returns the error",
	"TestPreparedMessage":           "it predicts the masking keys of a client; here they come from crypto/rand (RFC 6455, section 5.3)",
	"TestReadLimit": "it counts on WriteMessage cutting a message into frames; here it is one, so the limit is met when it begins. " +
		"And a length of more than 2^63 is an error of the protocol, not of the limit",
}

// TestSuite runs the suite of the original in a copy. With our package every test passes but the differences; with the
// original, every one does.
func TestSuite(t *testing.T) {
	theirs, err := stand.Theirs()
	if err != nil {
		t.Fatal(err)
	}
	baseline := t.TempDir()
	if err := stand.CopyTree(theirs, baseline); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := stand.Make(copied); err != nil {
		t.Fatal(err)
	}
	left := copyTests(t, theirs, copied)
	for name := range internals {
		if !slices.Contains(left, name) {
			t.Errorf("%s is no test of the suite", name)
		}
	}
	want := runSuite(t, baseline)
	differing := "^(" + strings.Join(slices.Sorted(maps.Keys(differences)), "|") + ")$"
	got := runSuite(t, copied, "-skip", differing)
	passed := 0
	for _, name := range slices.Sorted(maps.Keys(want)) {
		top, _, _ := strings.Cut(name, "/")
		switch {
		case want[name] != "pass":
			t.Errorf("%s: %s with the original", name, want[name])
		case internals[top] != "" || differences[top] != "":
		case got[name] != "pass":
			t.Errorf("%s: %q", name, got[name])
		default:
			passed++
		}
	}
	for name, why := range differences {
		if result := runSuite(t, copied, "-run", "^"+name+"$")[name]; want[name] == "" || result == "pass" {
			t.Errorf("%s is named as a difference (%s), and its result is %q", name, why, result)
		}
	}
	t.Logf("%d tests of the suite pass, %d differ, %d are about internals", passed, len(differences), len(internals))
}

// copyTests copies the tests and benchmarks, without those of internals. It returns the names of those that were left out.
func copyTests(t *testing.T, from, to string) (left []string) {
	files, err := filepath.Glob(filepath.Join(from, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		base := filepath.Base(name)
		if base == "conn_broadcast_test.go" { // benchmarks that look into connections
			continue
		}
		text, some := rewrite(t, name, &left)
		if some {
			if err := os.WriteFile(filepath.Join(to, base), text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	shim, err := os.ReadFile("testdata/shim.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "shim_test.go"), shim, 0o666); err != nil {
		t.Fatal(err)
	}
	return left
}

// rewrite leaves tests of internals out of a file, and benchmarks. It reports whether a test is left.
func rewrite(t *testing.T, name string, left *[]string) (text []byte, some bool) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			return false
		}
		if internals[f.Name.Name] != "" {
			*left = append(*left, f.Name.Name)
			return true
		}
		some = some || strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Example")
		return strings.HasPrefix(f.Name.Name, "Benchmark")
	})
	ast.Inspect(file, compressing)
	dropImports(file)
	var b bytes.Buffer
	if err := format.Node(&b, fset, file); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), some
}

// compressing turns statements that set the field for compression into calls of EnableWriteCompression, and drops those that
// set the one for decompression: the shim's connections have agreed on it.
func compressing(n ast.Node) bool {
	block, ok := n.(*ast.BlockStmt)
	if !ok {
		return true
	}
	block.List = slices.DeleteFunc(block.List, func(s ast.Stmt) bool { return setsField(s, "newDecompressionReader") != nil })
	for i, s := range block.List {
		if c := setsField(s, "newCompressionWriter"); c != nil {
			block.List[i] = &ast.ExprStmt{X: &ast.CallExpr{
				Fun:  &ast.SelectorExpr{X: c, Sel: ast.NewIdent("EnableWriteCompression")},
				Args: []ast.Expr{ast.NewIdent("true")},
			}}
		}
	}
	return true
}

// setsField returns x if the statement is x.name = something.
func setsField(s ast.Stmt, name string) ast.Expr {
	if a, ok := s.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
		if f, ok := a.Lhs[0].(*ast.SelectorExpr); ok && f.Sel.Name == name {
			return f.X
		}
	}
	return nil
}

// dropImports drops the imports that are not used any more.
func dropImports(file *ast.File) {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		g.Specs = slices.DeleteFunc(g.Specs, func(s ast.Spec) bool {
			path := strings.Trim(s.(*ast.ImportSpec).Path.Value, `"`)
			return !used[path[strings.LastIndex(path, "/")+1:]]
		})
	}
}

// runSuite runs the tests of a folder, and returns their results.
func runSuite(t *testing.T, dir string, args ...string) map[string]string {
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-vet=off", "-timeout=2m"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, _ := cmd.CombinedOutput()
	results := map[string]string{}
	for line := range bytes.Lines(out) {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(line, &event) == nil && event.Test != "" {
			switch event.Action {
			case "pass", "fail", "skip":
				results[event.Test] = event.Action
			}
		}
	}
	if len(results) == 0 || testing.Verbose() {
		t.Logf("%s", failures(out))
	}
	return results
}

// failures returns what a run has printed, without what passed.
func failures(out []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(out) {
		var event struct{ Action, Test, Output string }
		switch {
		case json.Unmarshal(line, &event) != nil:
			b.Write(line)
		case event.Action == "output" && !strings.HasPrefix(event.Output, "=== ") && !strings.Contains(event.Output, "--- PASS"):
			b.WriteString(event.Output)
		}
	}
	return b.String()
}
