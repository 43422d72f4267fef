package suite

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"
)

// viaFlate decodes one message with the standard library.
func viaFlate(p []byte) ([]byte, error) {
	// The tail of RFC 7692, and a last block so that flate sees an end.
	r := flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	return io.ReadAll(r)
}

// compressedBy encodes one message with the standard library.
func compressedBy(t *testing.T, level int, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(p)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

func TestInflateWhatFlateWrites(t *testing.T) {
	for _, n := range []int{0, 1, 5, 300, 5000, 70000} {
		for what, p := range map[string][]byte{"random": someBinary(n), "repetitive": repetitive(n), "text": someText(n), "zeros": make([]byte, n)} {
			for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
				f := inflater{window: 32768}
				got, err := f.message(compressedBy(t, level, p))
				if err != nil || !bytes.Equal(got, p) {
					t.Errorf("%d bytes of %s at level %d: %d bytes back, %v", n, what, level, len(got), err)
				}
			}
		}
	}
}

func TestDeflaterAgainstFlate(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 100, 5000, 70000} {
		for _, bits := range []int{8, 9, 12, 15} {
			p := repetitive(n)
			got, err := viaFlate(NewDeflater(bits, false).Message(p))
			if err != nil || !bytes.Equal(got, p) {
				t.Errorf("%d bytes within %d bits: %d bytes back, %v", n, bits, len(got), err)
			}
		}
	}
}

// The window is exact: data with a repetition at each distance decodes with
// the window it was made for, and not with half of it.
func TestInflateMeasuresTheWindow(t *testing.T) {
	for bits := 9; bits <= 15; bits++ {
		w := 1 << bits
		p := append(append([]byte(nil), someBinary(w)...), someBinary(200)...)
		z := NewDeflater(bits, false).Message(p)
		f := inflater{window: w}
		if got, err := f.message(z); err != nil || !bytes.Equal(got, p) {
			t.Errorf("window of %d: %v", w, err)
		}
		if f.largest != w {
			t.Errorf("window of %d: measured %d", w, f.largest)
		}
		half := inflater{window: w / 2}
		if _, err := half.message(z); err == nil {
			t.Errorf("data that uses %d decodes in %d", w, w/2)
		}
		below := inflater{window: w - 1}
		if _, err := below.message(z); err == nil {
			t.Errorf("data that uses %d decodes in %d", w, w-1)
		}
		narrow := inflater{window: w / 2}
		if got, err := narrow.message(NewDeflater(bits-1, false).Message(p)); err != nil || !bytes.Equal(got, p) {
			t.Errorf("a Deflater of %d bits needs more: %v", bits-1, err)
		}
	}
}

func TestInflateTakeover(t *testing.T) {
	p := someBinary(3000)
	d := NewDeflater(12, true)
	first, second := d.Message(p), d.Message(p)
	if len(second) > 100 {
		t.Fatalf("the second message of the same content takes %d bytes", len(second))
	}
	kept := inflater{window: 4096, takeover: true}
	for i, z := range [][]byte{first, second} {
		if got, err := kept.message(z); err != nil || !bytes.Equal(got, p) {
			t.Errorf("message %d with takeover: %v", i+1, err)
		}
	}
	reset := inflater{window: 4096}
	if _, err := reset.message(first); err != nil {
		t.Errorf("message 1 without takeover: %v", err)
	}
	if _, err := reset.message(second); err == nil {
		t.Error("a reference to the message before decodes without takeover")
	}
	apart := NewDeflater(12, false)
	apart.Message(p)
	if _, err := reset.message(apart.Message(p)); err != nil {
		t.Errorf("a Deflater without takeover refers back: %v", err)
	}
}

func TestInflateExamples(t *testing.T) {
	f := inflater{window: 32768, takeover: true}
	for _, e := range []struct {
		what, want string
		p          []byte
	}{
		{"fixed", "Hello", helloFixed},
		{"shared", "Hello", helloShared},
		{"stored", "Hello", helloStored},
		{"final", "Hello", helloFinal},
		{"two blocks", "Hello", helloBlocks},
		{"dynamic", "abababab", helloDynamic},
		{"empty", "", []byte{0}},
		{"empty in fixed codes", "", []byte{2, 0}},
	} {
		got, err := f.message(e.p)
		if err != nil || string(got) != e.want {
			t.Errorf("%s: %q, %v", e.what, got, err)
		}
		if e.what == "shared" || e.what == "final" {
			continue // flate has no earlier message, and stops at BFINAL
		}
		if got, err := viaFlate(e.p); err != nil || string(got) != e.want {
			t.Errorf("%s: flate says %q, %v", e.what, got, err)
		}
	}
}

// What the cases send as broken data is broken for the standard library, too.
func TestBrokenDataIsBroken(t *testing.T) {
	n := 0
	for _, c := range Cases() {
		if c.Group != groups[12] || len(c.steps) != 1 || c.want.ending != fails || c.want.strict[0] != 1002 || len(c.want.strict) != 2 {
			continue
		}
		n++
		p := c.steps[0].(send).frames[0].payload
		f := inflater{window: 32768}
		if got, err := f.message(p); err == nil {
			t.Errorf("%s %s: decodes to %q", c.Number, c.Name, got)
		}
		if got, err := viaFlate(p); err == nil {
			t.Errorf("%s %s: flate decodes it to %q", c.Number, c.Name, got)
		}
	}
	if n != 6 {
		t.Errorf("%d cases of broken data, want 6", n)
	}
}

// TestInflateCounts: a dynamic block announces more distance codes than there are
// distances. Found by fuzzing.
func TestInflateCounts(t *testing.T) {
	p := []byte("\x04ށ\f\x00\x00\x00\x800\xd6֦\x10\x95d7a0")
	f := inflater{window: 32768}
	if got, err := f.message(p); err == nil {
		t.Errorf("31 distance codes: decodes to %q", got)
	}
	if got, err := viaFlate(p); err == nil {
		t.Errorf("flate decodes it to %q", got)
	}
}

func TestInflateLimit(t *testing.T) {
	d := NewDeflater(15, false)
	z := d.Message(make([]byte, 100000))
	f := inflater{window: 32768, limit: 99999}
	if got, err := f.message(z); !errors.Is(err, errTooLong) {
		t.Errorf("%d bytes past a limit of 99999: %v", len(got), err)
	}
	f.limit = 100000
	if _, err := f.message(z); err != nil {
		t.Errorf("100000 bytes within a limit of as many: %v", err)
	}
}

func TestBombInflates(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB")
	}
	var p []byte
	for _, f := range (bomb{1024}).frames(bombMatches) {
		p = append(p, f.payload...)
	}
	n, err := io.Copy(io.Discard, flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if err != nil || n <= 64<<20 || len(p) > 512<<10 {
		t.Errorf("%d bytes inflate to %d, %v", len(p), n, err)
	}
}

func FuzzInflate(f *testing.F) {
	for _, p := range [][]byte{helloFixed, helloStored, helloFinal, helloBlocks, helloDynamic} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		in := inflater{window: 32768, limit: 1 << 20}
		got, err := in.message(p)
		if err != nil {
			return
		}
		// What decodes here must decode there, up to a block with BFINAL.
		want, err := viaFlate(p)
		if err != nil {
			t.Fatalf("flate: %v; here %d bytes", err, len(got))
		}
		if !bytes.HasPrefix(got, want) {
			t.Fatalf("flate has %d bytes that differ from the %d here", len(want), len(got))
		}
	})
}
