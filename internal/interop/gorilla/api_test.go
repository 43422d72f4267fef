package gorilla

import (
	"fmt"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	ours "github.com/closeonce/websocket/gorilla"
	theirs "github.com/gorilla/websocket"
)

const (
	ourPath   = "github.com/closeonce/websocket/gorilla"
	theirPath = "github.com/gorilla/websocket"
)

// added are the identifiers that only our package has.
var added = []string{
	"func From(c *github.com/closeonce/websocket.Conn) *websocket.Conn",
	"func (*websocket.Conn).Modern() *github.com/closeonce/websocket.Conn",
	"field Dialer.AutoControl bool",
	"field Upgrader.AutoControl bool",
}

// TestAPI compares the exported identifiers of both packages, as the compiler sees them.
func TestAPI(t *testing.T) {
	their, our := api(t, theirPath), api(t, ourPath)
	if len(their) < 97 {
		t.Errorf("%d identifiers: is this test blind?", len(their))
	}
	for _, line := range their {
		if !slices.Contains(our, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, line := range our {
		if !slices.Contains(their, line) && !slices.Contains(added, line) {
			t.Errorf("additional: %s", line)
		}
	}
	t.Logf("%d identifiers and fields", len(their))
}

// api returns a line for each exported identifier of a package: functions, methods, types, fields, constants, variables.
func api(t *testing.T, path string) (lines []string) {
	pkg := load(t, path)
	qualify := func(p *types.Package) string {
		if p == pkg {
			return "websocket"
		}
		return p.Path()
	}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	str := func(typ types.Type) string { return types.TypeString(types.Unalias(typ), qualify) }
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			if o.Exported() {
				v, _ := constant.Int64Val(o.Val())
				add("const %s %s = %d", name, str(o.Type()), v)
			}
		case *types.Var:
			if o.Exported() {
				add("var %s %s", name, str(o.Type()))
			}
		case *types.Func:
			if o.Exported() {
				add("func %s%s", name, strings.TrimPrefix(signature(o, qualify), "func"))
			}
		case *types.TypeName:
			if o.Exported() {
				lines = append(lines, typeLines(o, qualify)...)
			}
		}
	}
	return lines
}

func signature(f *types.Func, qualify types.Qualifier) string {
	return types.TypeString(f.Type(), qualify)
}

// typeLines has a line for each exported field and method of a type.
func typeLines(o *types.TypeName, qualify types.Qualifier) (lines []string) {
	lines = append(lines, "type "+o.Name())
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if f.Exported() {
				lines = append(lines, fmt.Sprintf("field %s.%s %s", o.Name(), f.Name(), types.TypeString(f.Type(), qualify)))
			}
		}
	default:
		lines = append(lines, fmt.Sprintf("type %s %s", o.Name(), types.TypeString(u, qualify)))
	}
	for _, recv := range []types.Type{o.Type(), types.NewPointer(o.Type())} {
		methods := types.NewMethodSet(recv)
		for m := range methods.Methods() {
			if f := m.Obj().(*types.Func); f.Exported() {
				lines = append(lines, fmt.Sprintf("func (%s).%s%s", types.TypeString(recv, qualify), f.Name(), strings.TrimPrefix(signature(f, qualify), "func")))
			}
		}
	}
	return lines
}

// load reads what the compiler exports of a package.
func load(t *testing.T, path string) *types.Package {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			files[name] = file
		}
	}
	pkg, err := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	}).Import(path)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// TestTexts compares the texts of errors, and what functions without a connection return.
func TestTexts(t *testing.T) {
	same := func(name string, a, b any) {
		t.Helper()
		if x, y := fmt.Sprintf("%v", a), fmt.Sprintf("%v", b); x != y {
			t.Errorf("%s is %s, not %s", name, x, y)
		}
	}
	same("ErrCloseSent", ours.ErrCloseSent, theirs.ErrCloseSent)
	same("ErrReadLimit", ours.ErrReadLimit, theirs.ErrReadLimit)
	same("ErrBadHandshake", ours.ErrBadHandshake, theirs.ErrBadHandshake)
	for code := 990; code < 1020; code++ {
		for _, text := range []string{"", "why"} {
			a, b := &ours.CloseError{Code: code, Text: text}, &theirs.CloseError{Code: code, Text: text}
			same("a CloseError", a, b)
			same("FormatCloseMessage", ours.FormatCloseMessage(code, text), theirs.FormatCloseMessage(code, text))
			same("IsCloseError", ours.IsCloseError(a, 1000, 1001), theirs.IsCloseError(b, 1000, 1001))
			same("IsUnexpectedCloseError", ours.IsUnexpectedCloseError(a, 1000), theirs.IsUnexpectedCloseError(b, 1000))
		}
	}
	for _, typ := range []int{-1, 0, 1, 2, 3, 8, 9, 10, 11} {
		for _, n := range []int{0, 125, 126} {
			_, a := ours.NewPreparedMessage(typ, make([]byte, n))
			_, b := theirs.NewPreparedMessage(typ, make([]byte, n))
			same(fmt.Sprintf("the error of a prepared message of type %d and %d bytes", typ, n), a, b)
		}
	}
	same("the time-out of DefaultDialer", ours.DefaultDialer.HandshakeTimeout, theirs.DefaultDialer.HandshakeTimeout)
	for _, u := range []string{"http://x", "ws://a:b@x", "x"} {
		_, _, a := ours.DefaultDialer.Dial(u, nil)
		_, _, b := theirs.DefaultDialer.Dial(u, nil)
		same("the error of Dial for "+u, a, b)
	}
}
