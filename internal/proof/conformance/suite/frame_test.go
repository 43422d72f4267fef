package suite

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 6455, section 5.7.
var rfc6455Examples = []struct {
	name  string
	f     frame
	masks bool
	key   [4]byte
	bytes string
}{
	{"unmasked text", text("Hello"), false, [4]byte{}, "810548656c6c6f"},
	{"masked text", text("Hello"), true, [4]byte{0x37, 0xfa, 0x21, 0x3d}, "818537fa213d7f9f4d5158"},
	{"first fragment", text("Hel").notFinal(), false, [4]byte{}, "010348656c"},
	{"last fragment", continuation("lo"), false, [4]byte{}, "80026c6f"},
	{"unmasked Ping", ping("Hello"), false, [4]byte{}, "890548656c6c6f"},
	{"masked Pong", pong("Hello"), true, [4]byte{0x37, 0xfa, 0x21, 0x3d}, "8a8537fa213d7f9f4d5158"},
}

func TestFrameExamples(t *testing.T) {
	for _, e := range rfc6455Examples {
		if got := appendFrame(nil, e.f, e.masks, e.key); hex.EncodeToString(got) != e.bytes {
			t.Errorf("%s: %x, want %s", e.name, got, e.bytes)
		}
		got, err := readFrame(bytes.NewReader(unhex(t, e.bytes)))
		if err != nil || got.masked != e.masks || got.key != e.key || !got.minimal ||
			got.fin != e.f.fin || got.opcode != e.f.opcode || !bytes.Equal(got.payload, e.f.payload) {
			t.Errorf("%s: read %+v, %v", e.name, got, err)
		}
	}
}

func TestFrameLengths(t *testing.T) {
	for _, n := range lengthClasses {
		for _, masks := range []bool{false, true} {
			f := binaryFrame(someBinary(n))
			b := appendFrame(nil, f, masks, [4]byte{1, 2, 3, 4})
			got, err := readFrame(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(b))))
			if err != nil || !bytes.Equal(got.payload, f.payload) || !got.minimal {
				t.Errorf("%d bytes, masked %v: %d bytes back, %v", n, masks, len(got.payload), err)
			}
			header := 2
			if n > 65535 {
				header = 10
			} else if n > 125 {
				header = 4
			}
			if masks {
				header += 4
			}
			if len(b) != header+n {
				t.Errorf("%d bytes, masked %v: frame of %d bytes, want a header of %d", n, masks, len(b), header)
			}
		}
	}
}

func TestFrameDeviations(t *testing.T) {
	for _, c := range []struct {
		f     frame
		masks bool
		want  string
	}{
		{text("Hi").withRSV(rsv1 | rsv3), false, "d1024869"},
		{text("Hi").lengthIn(16), false, "817e00024869"},
		{text("Hi").lengthIn(64), false, "817f00000000000000024869"},
		{text("Hi").declaring(1 << 63), false, "817f80000000000000004869"},
		{text("Hi").maskedWrongly(), true, "81024869"},
		{text("Hi").maskedWrongly(), false, "8182000000004869"},
		{text("Hi").maskedWith(0x01020304), true, "818201020304496b"},
		{closing(1000, "bye"), false, "880503e8627965"},
		{emptyClose(), false, "8800"},
	} {
		if got := appendFrame(nil, c.f, c.masks, [4]byte{}); hex.EncodeToString(got) != c.want {
			t.Errorf("%v: %x, want %s", c.f, got, c.want)
		}
	}
	for _, b := range []string{"817e00024869", "817f00000000000000024869"} {
		if f, err := readFrame(bytes.NewReader(unhex(t, b))); err != nil || f.minimal {
			t.Errorf("%s: minimal %v, %v", b, f.minimal, err)
		}
	}
}

func TestFrameCutShort(t *testing.T) {
	whole := appendFrame(nil, binaryFrame(someBinary(70000)), true, [4]byte{1, 2, 3, 4})
	if _, err := readFrame(bytes.NewReader(nil)); err != io.EOF {
		t.Errorf("no bytes: %v, want io.EOF", err)
	}
	for _, n := range []int{1, 2, 5, 9, 10, 13, 14, 15, 65536, len(whole) - 1} {
		if _, err := readFrame(bytes.NewReader(whole[:n])); err != errCut {
			t.Errorf("cut after %d bytes: %v, want %v", n, err, errCut)
		}
	}
	if _, err := readFrame(bytes.NewReader(unhex(t, "827fffffffffffffffff"))); !errors.Is(err, errPayloadTooLong) {
		t.Errorf("2^64-1 bytes declared: %v, want %v", err, errPayloadTooLong)
	}
}

func TestMaskAlignment(t *testing.T) {
	key := [4]byte{0x11, 0x22, 0x33, 0x44}
	for n := range 3000 {
		p := append([]byte(nil), someBinary(n)...)
		maskBytes(p, key)
		for i, b := range p {
			if b != someBinary(n)[i]^key[i&3] {
				t.Fatalf("%d bytes: byte %d is wrong", n, i)
			}
		}
	}
}
