package websocket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house, as tests.

// TestNoDependencies: the library stands on the standard library alone. What needs more is a module of its own.
func TestNoDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "module github.com/closeonce/websocket\n\ngo 1.25\n"; string(mod) != want && !strings.HasPrefix(string(mod), want[:len(want)-1]+".") {
		t.Errorf("go.mod is\n%s\nwant no more than\n%s", mod, want)
	}
	for _, word := range []string{"require", "replace", "toolchain"} {
		if strings.Contains(string(mod), word) {
			t.Errorf("go.mod has a %s", word)
		}
	}
	if _, err := os.Stat("go.sum"); err == nil {
		t.Error("there is a go.sum, and so a dependency")
	}
	for name, file := range sources(t) {
		for _, spec := range file.Imports {
			imported := importPath(t, spec)
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imported+"/", "github.com/closeonce/websocket/") {
				t.Errorf("%s imports %s", name, imported)
			}
		}
	}
}

// TestPureFiles: what decides does no I/O, keeps no time and shares nothing.
func TestPureFiles(t *testing.T) {
	pure := []string{"frame.go", "close.go", "internal/handshake/*.go", "internal/mask/mask.go", "internal/utf8/*.go", "internal/deflate/*.go"}
	except := []string{"internal/deflate/pool.go"} // borrows memory
	impure := []string{"net", "time", "sync", "context", "os", "bufio", "log", "syscall", "runtime", "unsafe", "crypto/rand", "crypto/tls", "math/rand"}
	all := sources(t)
	for _, pattern := range pure {
		found := false
		for name, file := range all {
			if ok, _ := path.Match(pattern, name); !ok || strings.HasSuffix(name, "_test.go") || slices.Contains(except, name) {
				continue
			}
			found = true
			for _, spec := range file.Imports {
				imported := importPath(t, spec)
				for _, p := range impure {
					if imported == p || strings.HasPrefix(imported, p+"/") && imported != "net/url" { // which parses
						t.Errorf("%s imports %s", name, imported)
					}
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n.(type) {
				case *ast.GoStmt, *ast.SendStmt, *ast.SelectStmt, *ast.ChanType:
					t.Errorf("%s has a goroutine or a channel", name)
				}
				return true
			})
		}
		if !found {
			t.Errorf("nothing is called %s any more", pattern)
		}
	}
}

// TestUnsafe: one file talks to the kernel by itself; all others leave memory to Go.
func TestUnsafe(t *testing.T) {
	const only = "internal/transport/socket_linux.go"
	all := sources(t)
	for name, file := range all {
		for _, spec := range file.Imports {
			if importPath(t, spec) == "unsafe" && name != only && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s imports unsafe; only %s may", name, only)
			}
		}
	}
	if all[only] == nil {
		t.Errorf("there is no %s any more", only)
	}
}

// partDirs are the packages of those parts of a connection that are packages.
var partDirs = []string{"internal/transport", "internal/supervisor", "internal/lifetime", "internal/keepalive", "internal/alarm", "internal/turn"}

// TestParts: the parts of a connection know nothing of it. Each stands in a file of its own.
func TestParts(t *testing.T) {
	parts := map[string]string{"closing": "close.go", "sender": "send.go", "receiver": "receive.go"}
	all := sources(t)
	for part, name := range parts {
		file := all[name]
		if file == nil || file.Scope.Lookup(part) == nil {
			t.Errorf("%s has no %s", name, part)
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "Conn" {
				t.Errorf("%s names Conn", name)
			}
			return true
		})
	}
	for name, file := range all {
		if !slices.Contains(partDirs, path.Dir(name)) {
			continue
		}
		for _, spec := range file.Imports {
			if importPath(t, spec) == "github.com/closeonce/websocket" {
				t.Errorf("%s imports the root package", name)
			}
		}
	}
}

// TestSize: Conn is a coordinator of parts, and a file or a function can be taken in at once.
func TestSize(t *testing.T) {
	const maxFields, maxLines, maxFunction = 20, 400, 60
	for name, file := range sources(t) {
		if path.Dir(name) != "." || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > maxLines {
			t.Errorf("%s has %d lines", name, n)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := strings.Count(string(text[n.Pos()-file.FileStart:n.End()-file.FileStart]), "\n") + 1; lines > maxFunction {
					t.Errorf("%s: %s has %d lines", name, n.Name, lines)
				}
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok && n.Name.Name == "Conn" {
					fields := 0
					for _, f := range s.Fields.List {
						fields += max(len(f.Names), 1)
					}
					if fields > maxFields {
						t.Errorf("Conn has %d fields", fields)
					}
				}
			}
			return true
		})
	}
}

// foreign is code that is not ours, or that may be: contexts, callbacks, and the net.Conn.
var foreign = map[string]bool{"Done": true, "AfterFunc": true, "Err": true, "Cause": true, "onPing": true, "onPong": true, "HandshakeDone": true, "FrameRead": true, "FrameWritten": true,
	"MessageRead": true, "MessageWritten": true, "StateChanged": true, "PingAnswered": true, "Slow": true, "Closed": true,
	"SetReadDeadline": true, "SetWriteDeadline": true, "SetDeadline": true, "InterruptRead": true, "InterruptWrite": true}

// TestNoForeignCodeUnderLock: between Lock and Unlock of a mutex nothing foreign is called. It looks at each block of
// statements that locks.
func TestNoForeignCodeUnderLock(t *testing.T) {
	looked := 0
	for name, file := range sources(t) {
		dir := path.Dir(name)
		if dir != "." && !slices.Contains(partDirs, dir) || strings.HasSuffix(name, "_test.go") || name == "netconn.go" {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			block, ok := n.(*ast.BlockStmt)
			if !ok {
				return true
			}
			locked := false
			for _, stmt := range block.List {
				switch calls := called(stmt); {
				case calls["Lock"]:
					locked = true
					looked++
				case calls["Unlock"], calls["unlock"]:
					if _, deferred := stmt.(*ast.DeferStmt); !deferred {
						locked = false
					}
				case locked:
					for f := range calls {
						if foreign[f] && !(f == "AfterFunc" && dir == "internal/alarm") { // time's
							t.Errorf("%s calls %s under a lock", name, f)
						}
					}
				}
			}
			return true
		})
	}
	if looked < 30 {
		t.Errorf("only %d places that lock were found", looked)
	}
}

// called returns the names of the methods and functions that a statement calls.
func called(stmt ast.Stmt) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(stmt, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				names[f.Sel.Name] = true
			case *ast.Ident:
				names[f.Name] = true
			}
		}
		return true
	})
	return names
}

// TestPackagesAreDocumented: every package says what it is for.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for name, file := range sources(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		dir := path.Dir(name)
		doc := file.Doc.Text()
		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = ""
		}
		documented[dir] = documented[dir] || doc != "" && strings.HasPrefix(doc, want)
	}
	if len(documented) < 6 {
		t.Errorf("only %d packages were found", len(documented))
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("the package in %s has no doc comment", dir)
		}
	}
}

// TestExportedIsDocumented: so is every identifier that programs can use.
func TestExportedIsDocumented(t *testing.T) {
	for name, file := range sources(t) {
		if dir := path.Dir(name); dir != "." && dir != "wsjson" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		missing := func(id *ast.Ident, docs ...*ast.CommentGroup) {
			if id.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" }) {
				t.Errorf("%s: %s has no doc comment", name, id)
			}
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil || exportedReceiver(decl.Recv) {
					missing(decl.Name, decl.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						missing(spec.Name, spec.Doc, decl.Doc)
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							missing(id, spec.Doc, spec.Comment, decl.Doc)
						}
					}
				}
			}
		}
	}
}

func exportedReceiver(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// sources parses the Go files of this module, by their names with slashes.
func sources(t *testing.T) map[string]*ast.File {
	if testing.Short() { // what the source says is the same on every system, and reading it takes an emulated one minutes
		t.Skip("reads every file of the repository")
	}
	files := map[string]*ast.File{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func importPath(t *testing.T, spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
