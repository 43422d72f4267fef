package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tail is what a sender takes off the end of a message (RFC 7692, section 7.2.1).
var tail = [4]byte{0x00, 0x00, 0xff, 0xff}

// stdCompress is msg as compress/flate has it at some level, ended by a flush
// and without the tail.
func stdCompress(t testing.TB, level int, msg []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(msg); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	out := buf.Bytes()
	if !bytes.HasSuffix(out, tail[:]) {
		t.Fatalf("flate did not end with the tail: % x", out)
	}
	return out[:len(out)-len(tail)]
}

// sampleMessages are messages of different nature and size.
func sampleMessages() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 40000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 6)
	}
	var json bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&json, `{"id":%d,"user":"user%d","price":%.2f,"tags":["a","b"],"ok":%t}`,
			r.IntN(1e6), r.IntN(50), r.Float64()*1000, i%3 == 0)
	}
	return map[string][]byte{
		"empty":      {},
		"one":        {'x'},
		"hello":      []byte("Hello"),
		"json_small": json.Bytes()[:200],
		"json":       json.Bytes(),
		"zeros":      make([]byte, 100000),
		"period3":    bytes.Repeat([]byte("abc"), 20000),
		"period9":    bytes.Repeat([]byte("abcdefghi"), 7000),
		"noise":      noise,
		"skewed":     skewed,
		"mixed":      append(append(append([]byte{}, json.Bytes()...), noise...), json.Bytes()...),
	}
}

func TestInflateVectors(t *testing.T) {
	tests := []struct {
		name string
		wire string
		want string
	}{
		{"rfc7692_7.2.3.1_one_block", "f2 48 cd c9 c9 07 00", "Hello"},
		{"rfc7692_7.2.3.3_stored", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		{"rfc7692_7.2.3.4_bfinal", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"rfc7692_7.2.3.5_two_blocks", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		{"rfc7692_7.2.3.6_empty", "00", ""},
		{"no_bytes_at_all", "", ""},
		{"bfinal_without_empty_block", "f3 48 cd c9 c9 07 00", "Hello"},
		{"bfinal_then_more", "f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00", "HelloHello"},
		{"bfinal_stored_then_more", "01 05 00 fa ff 48 65 6c 6c 6f f2 00 11 00 00", "HelloHello"},
		{"tail_left_in_place", "f2 48 cd c9 c9 07 00 00 00 ff ff", "Hello"},
		{"empty_blocks", "00 00 00 ff ff 00 00 00 ff ff 00", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkInflate(t, unhex(t, tt.wire), []byte(tt.want))
		})
	}
}

// RFC 7692, section 7.2.3.2: the second "Hello" refers to the first.
func TestInflateSharedWindow(t *testing.T) {
	first, second := unhex(t, "f2 48 cd c9 c9 07 00"), unhex(t, "f2 00 11 00 00")
	d := NewDecompressor(8, true)
	for i, wire := range [][]byte{first, second, second, first} {
		got, err := d.AppendMessage(nil, wire, NoLimit)
		if err != nil || string(got) != "Hello" {
			t.Fatalf("message %d: %q, %v", i, got, err)
		}
	}
	d = NewDecompressor(8, false)
	if _, err := d.AppendMessage(nil, first, NoLimit); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AppendMessage(nil, second, NoLimit); err != ErrDistance {
		t.Fatalf("without takeover the window is empty: got %v, want %v", err, ErrDistance)
	}
}

// inflateAll decodes wire in every way the package has and asserts that all
// agree. pieces says how to split wire and how much output to take at a time.
func inflateAll(t testing.TB, wire []byte, bits int, piece func() int) ([]byte, error) {
	t.Helper()
	whole, wantErr := NewDecompressor(bits, false).AppendMessage(nil, wire, NoLimit)

	d := NewDecompressor(bits, true)
	prefix := []byte("prefix")
	got := append([]byte{}, prefix...)
	var err error
	for rest := wire; len(rest) > 0 && err == nil; {
		n := min(piece(), len(rest))
		got, err = d.Append(got, rest[:n], len(prefix), NoLimit)
		rest = rest[n:]
	}
	if err == nil {
		err = d.Finish(got, len(prefix))
	}
	if err != wantErr {
		t.Fatalf("in pieces: %v, whole: %v", err, wantErr)
	}
	if !bytes.HasPrefix(got, prefix) {
		t.Fatalf("what was in dst before the message changed")
	}
	if err == nil && !bytes.Equal(got[len(prefix):], whole) {
		t.Fatalf("in pieces: %d bytes, whole: %d bytes, or they differ", len(got)-len(prefix), len(whole))
	}

	got, err = readAll(NewDecompressor(bits, false), wire, piece)
	if err != wantErr {
		t.Fatalf("streaming: %v, whole: %v", err, wantErr)
	}
	if err == nil && !bytes.Equal(got, whole) {
		t.Fatalf("streaming: %d bytes, whole: %d bytes, or they differ", len(got), len(whole))
	}
	if wantErr != nil {
		if _, again := d.AppendMessage(nil, []byte{0}, NoLimit); again != wantErr {
			t.Fatalf("after an error: %v, want %v again", again, wantErr)
		}
	}
	return whole, wantErr
}

// readAll decodes wire with Inflate.
func readAll(d *Decompressor, wire []byte, piece func() int) ([]byte, error) {
	var out []byte
	in := wire[:0]
	rest := wire
	for {
		if len(in) == 0 {
			n := min(piece(), len(rest))
			in, rest = rest[:n], rest[n:]
		}
		buf := make([]byte, piece())
		n, used, err := d.Inflate(buf, in, len(rest) == 0)
		out = append(out, buf[:n]...)
		in = in[used:]
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func checkInflate(t testing.TB, wire, want []byte) {
	t.Helper()
	pieces := []int{1, 2, 3, 7, 64, 1 << 20}
	if len(want) > 10000 {
		pieces = []int{5, 1000}
	}
	for _, n := range pieces {
		got, err := inflateAll(t, wire, 15, func() int { return n })
		if err != nil {
			t.Fatalf("pieces of %d: %v", n, err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("pieces of %d: got %d bytes, want %d, or they differ", n, len(got), len(want))
		}
	}
}

func TestInflateOfCompressFlate(t *testing.T) {
	for name, msg := range sampleMessages() {
		for _, level := range []int{-2, 0, 1, 6, 9} {
			t.Run(fmt.Sprintf("%s/level%d", name, level), func(t *testing.T) {
				checkInflate(t, stdCompress(t, level, msg), msg)
			})
		}
	}
}

// Every split of a short message into three parts gives the same.
func TestInflateEverySplit(t *testing.T) {
	msg := sampleMessages()["json"][:700]
	for _, level := range []int{0, 1, 9} {
		wire := stdCompress(t, level, msg)
		for i := range len(wire) + 1 {
			for j := i; j <= len(wire); j += 1 + len(wire)/60 {
				d := NewDecompressor(15, false)
				var got []byte
				var err error
				for _, part := range [][]byte{wire[:i], wire[i:j], wire[j:]} {
					if got, err = d.Append(got, part, 0, NoLimit); err != nil {
						t.Fatalf("level %d, split %d %d: %v", level, i, j, err)
					}
				}
				if err = d.Finish(got, 0); err != nil || !bytes.Equal(got, msg) {
					t.Fatalf("level %d, split %d %d: %v", level, i, j, err)
				}
			}
		}
	}
}

// A truncated message is an unexpected end wherever it is cut.
func TestInflateTruncated(t *testing.T) {
	msg := sampleMessages()["json"][:3000]
	for _, level := range []int{0, 1, -2} {
		wire := stdCompress(t, level, msg)
		for n := 1; n < len(wire)-1; n++ {
			got, err := inflateAll(t, wire[:n], 15, func() int { return 100 })
			if err != nil && err != ErrUnexpectedEnd {
				t.Fatalf("level %d cut at %d: %v, want %v", level, n, err, ErrUnexpectedEnd)
			}
			// A cut between two blocks is an end.
			if err == nil && !bytes.HasPrefix(msg, got) {
				t.Fatalf("level %d cut at %d: accepted, and wrong", level, n)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	for e := ErrUnexpectedEnd; e <= ErrTooLong; e++ {
		if s := e.Error(); !strings.HasPrefix(s, "deflate: ") || strings.Contains(s, "unknown") {
			t.Errorf("error %d: %q", e, s)
		}
	}
	var e Error
	if !errors.As(fmt.Errorf("wrapped: %w", ErrDistance), &e) || e != ErrDistance {
		t.Errorf("errors.As: %v", e)
	}
}
