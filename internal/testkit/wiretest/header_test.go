package wiretest_test

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// headers are of all sizes, legal or not.
func headers() (all []wiretest.Header) {
	for _, length := range []uint64{0, 1, 125, 126, 0xFFFF, 0x10000, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		for _, form := range []int{0, 16, 64} {
			if form == 16 && length > 0xFFFF || form == 64 && length > 0xFFFF || form == 16 && length > 125 {
				continue // it is the shortest, or does not fit
			}
			h := wiretest.First(0xC2)
			h.Length, h.LengthForm = length, form
			masked := h
			masked.Masked, masked.Key = true, [4]byte{1, 2, 3, 4}
			all = append(all, h, masked)
		}
	}
	return all
}

// TestHeaders: a header is read as it was written, and not before it is whole.
func TestHeaders(t *testing.T) {
	for _, h := range headers() {
		wire := h.Append(nil)
		if got, n := wiretest.ParseHeader(append(wire[:len(wire):len(wire)], "payload"...)); n != len(wire) || got != h {
			t.Errorf("%x: got %+v of %d bytes, want %+v", wire, got, n, h)
		}
		if got := len(wire) - h.LengthEnd(); got != 0 && !h.Masked || got != 4 && h.Masked {
			t.Errorf("%x: the length ends after %d bytes", wire, h.LengthEnd())
		}
		for n := range wire {
			if got, size := wiretest.ParseHeader(wire[:n]); size != 0 || got.Length != 0 && got.Length != h.Length {
				t.Errorf("%x, cut after %d bytes: %+v, %d bytes", wire, n, got, size)
			}
			if _, err := wiretest.ReadHeader(bufio.NewReader(bytes.NewReader(wire[:n]))); err != io.EOF {
				t.Errorf("%x, cut after %d bytes: %v, want io.EOF", wire, n, err)
			}
		}
		r := bufio.NewReaderSize(bytes.NewReader(append(wire, "payload"...)), 16)
		got, err := wiretest.ReadHeader(r)
		rest, _ := io.ReadAll(r)
		if err != nil || got != h || string(rest) != "payload" {
			t.Errorf("%x: read %+v, %v, and left %q", wire, got, err, rest)
		}
	}
	// A length is known before the masking key has come.
	if h, n := wiretest.ParseHeader([]byte("\x82\xfe\x00\x01")); n != 0 || h.Length != 1 || h.LengthForm != 16 {
		t.Errorf("a length without its masking key: %+v, %d", h, n)
	}
}

// TestFirstByte: each first byte says itself.
func TestFirstByte(t *testing.T) {
	for b := range 256 {
		h := wiretest.First(byte(b))
		if h.First() != byte(b) || h.Control() != (b&0x08 != 0) {
			t.Errorf("%#x: %+v, %#x, control %t", b, h, h.First(), h.Control())
		}
	}
}
