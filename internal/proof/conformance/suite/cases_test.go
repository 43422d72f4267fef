package suite

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden file")

// Numbers are stable: a case keeps its number, so this file only grows.
func TestCasesGolden(t *testing.T) {
	var b bytes.Buffer
	for _, c := range Cases() {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", c.Number, c.Roles, c.Name)
	}
	if *update {
		if err := os.WriteFile("testdata/cases.golden", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/cases.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Error("the cases differ from testdata/cases.golden; -update writes it")
	}
}

func TestCasesAreWhole(t *testing.T) {
	number := regexp.MustCompile(`^[1-9][0-9]?\.[1-9][0-9]?\.[1-9][0-9]*$`)
	seen, names := map[string]bool{}, map[string]string{}
	perGroup := map[string]int{}
	for _, c := range Cases() {
		perGroup[c.Group]++
		if !number.MatchString(c.Number) || seen[c.Number] {
			t.Errorf("number %q", c.Number)
		}
		seen[c.Number] = true
		if c.Name == "" || c.Rule == "" || !strings.HasPrefix(c.Section, "RFC ") || c.Group == "" {
			t.Errorf("%s is not whole: %+v", c.Number, c)
		}
		section := c.Number[:strings.LastIndexByte(c.Number, '.')]
		for _, role := range []Role{Server, Client} {
			if c.Roles&role == 0 {
				continue
			}
			key := fmt.Sprint(role, section, c.Name)
			if other := names[key]; other != "" {
				t.Errorf("%s and %s are both %q", other, c.Number, c.Name)
			}
			names[key] = c.Number
			if sends := c.Sends(role); sends == "" && len(c.steps) > 0 {
				t.Errorf("%s does not say what it sends", c.Number)
			}
		}
		if !strings.HasPrefix(c.Accepts(), "strict: ") {
			t.Errorf("%s accepts %q", c.Number, c.Accepts())
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d cases, want at least 500", len(seen))
	}
	for _, g := range groups[1:] {
		if perGroup[g] == 0 {
			t.Errorf("no case in group %q", g)
		}
		t.Logf("%-28s %d", g, perGroup[g])
	}
}

// The suite's own UTF-8 table, against the standard library's.
func TestUTF8Text(t *testing.T) {
	for _, row := range wellFormed {
		for _, seq := range row.sequences {
			if !utf8.ValidString(seq) {
				t.Errorf("% X of row %s is ill-formed", seq, row.row)
			}
			var u utf8Text
			for i := range len(seq) {
				if at := u.add([]byte(seq[i : i+1])); at >= 0 {
					t.Errorf("% X fails at its byte %d", seq, i)
				}
			}
			if !u.whole() {
				t.Errorf("% X is not whole", seq)
			}
		}
	}
	for _, bad := range illFormed {
		if utf8.ValidString(bad.bytes) {
			t.Errorf("%s: % X is well-formed", bad.what, bad.bytes)
		}
		// The last byte is the first that cannot be: before it all is well.
		var u utf8Text
		if at := u.add([]byte(bad.bytes)); at != len(bad.bytes)-1 && bad.what != "a pair of surrogates" {
			t.Errorf("%s: % X fails at %d", bad.what, bad.bytes, at)
		}
	}
	for b0 := range 256 {
		for b1 := range 256 {
			for _, tail := range []string{"", "\x80", "\x80\x80", "\xBF\xBF"} {
				p := append([]byte{byte(b0), byte(b1)}, tail...)
				var u utf8Text
				if got := u.add(p) < 0 && u.whole(); got != utf8.Valid(p) {
					t.Errorf("% X: %v", p, got)
				}
			}
		}
	}
}

func TestSomeText(t *testing.T) {
	for n := range 300 {
		if p := someText(n); len(p) != n || !utf8.Valid(p) {
			t.Errorf("someText(%d): %d bytes, valid %v", n, len(p), utf8.Valid(p))
		}
	}
}

// Cutting a frame anywhere sends the same bytes.
func TestRestIsTheRest(t *testing.T) {
	for _, c := range Cases() {
		for i, st := range c.steps {
			r, ok := st.(rest)
			if !ok {
				continue
			}
			whole := r.of
			whole.upTo = 0
			for _, masks := range []bool{true, false} {
				got := append(c.steps[r.at].(send).bytes(masks, r.at), r.bytes(masks)...)
				if !bytes.Equal(got, whole.bytes(masks, r.at)) {
					t.Errorf("%s: step %d is not the rest of step %d", c.Number, i, r.at)
				}
			}
		}
	}
}
