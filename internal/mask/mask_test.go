package mask

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// byDefinition masks as RFC 6455, section 5.3, writes it: transformed-octet-i = original-octet-i XOR
// masking-key-octet-j, where j = i MOD 4.
func byDefinition(src []byte, key Key, pos int) (masked []byte, next int) {
	masked = make([]byte, len(src))
	for i := range src {
		masked[i] = src[i] ^ key[(pos+i)%4]
	}
	return masked, (pos + len(src)) % 4
}

// random returns n bytes that are the same in every run.
func random(n int) []byte {
	r := rand.New(rand.NewPCG(6455, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var testKey = Key{0x37, 0xfa, 0x21, 0x3d}

func TestVectors(t *testing.T) {
	for _, tt := range []struct {
		name          string
		plain, masked string
		key           Key
	}{
		{"rfc6455_5.7_masked_hello", "Hello", "\x7f\x9f\x4d\x51\x58", Key{0x37, 0xfa, 0x21, 0x3d}},
		{"empty", "", "", Key{1, 2, 3, 4}},
		{"zero key changes nothing", "as it was", "as it was", Key{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := []byte(tt.plain)
			if next := XOR(b, tt.key, 0); next != len(b)%4 {
				t.Errorf("next offset: %d, want %d", next, len(b)%4)
			}
			if string(b) != tt.masked {
				t.Errorf("masked: %x, want %x", b, tt.masked)
			}
			XOR(b, tt.key, 0)
			if string(b) != tt.plain {
				t.Errorf("masked twice: %q, want %q", b, tt.plain)
			}
		})
	}
}

// check compares XOR and Copy with the definition for one piece of memory, and that the bytes around
// it stay as they were.
func check(t *testing.T, src []byte, align, pos int) {
	t.Helper()
	const guard = 16
	want, wantNext := byDefinition(src, testKey, pos)

	memory := random(align + len(src) + guard)
	before := bytes.Clone(memory)
	piece := memory[align : align+len(src)]
	intact := func(what string) {
		t.Helper()
		if !bytes.Equal(memory[:align], before[:align]) || !bytes.Equal(memory[align+len(src):], before[align+len(src):]) {
			t.Fatalf("%s: length %d, alignment %d, offset %d: wrote outside its slice", what, len(src), align, pos)
		}
		if !bytes.Equal(piece, want) {
			t.Fatalf("%s: length %d, alignment %d, offset %d:\ngot  %x\nwant %x", what, len(src), align, pos, piece, want)
		}
	}

	copy(piece, src)
	if next := XOR(piece, testKey, pos); next != wantNext {
		t.Fatalf("XOR: length %d, offset %d: next offset %d, want %d", len(src), pos, next, wantNext)
	}
	intact("XOR")

	clear(piece)
	kept := bytes.Clone(src)
	if next := Copy(memory[align:], src, testKey, pos); next != wantNext { // dst longer than src
		t.Fatalf("Copy: length %d, offset %d: next offset %d, want %d", len(src), pos, next, wantNext)
	}
	intact("Copy")
	if !bytes.Equal(src, kept) {
		t.Fatalf("Copy: length %d: changed its source", len(src))
	}

	copy(piece, src)
	Copy(piece, piece, testKey, pos)
	intact("Copy onto itself")

	copy(piece, src)
	block := Block{1, 2, 3} // left from another payload
	if next := XORLarge(piece, testKey, pos, &block); next != wantNext {
		t.Fatalf("XORLarge: length %d, offset %d: next offset %d, want %d", len(src), pos, next, wantNext)
	}
	intact("XORLarge")
}

func TestEveryLengthOffsetAndAlignment(t *testing.T) {
	memory := random(300)
	for length := 0; length <= 200; length++ {
		for align := range 16 {
			for pos := range 8 { // beyond 3: only the remainder counts
				check(t, memory[align:align+length], (align*3)%16, pos)
			}
		}
	}
}

// TestLarge goes around the end of the block that XORLarge works with.
func TestLarge(t *testing.T) {
	for _, length := range []int{4<<10 - 1, 4 << 10, 4<<10 + 1, 12<<10 - 3, LargeSize, LargeSize + 5} {
		for pos := range 4 {
			check(t, random(length), pos, pos)
		}
	}
}

func TestEverySplit(t *testing.T) {
	for length := 0; length <= 200; length++ {
		src := random(length)
		want, wantNext := byDefinition(src, testKey, 1)
		for split := 0; split <= length; split++ {
			inPlace := bytes.Clone(src)
			pos := XOR(inPlace[:split], testKey, 1)
			pos = XOR(inPlace[split:], testKey, pos)
			if pos != wantNext || !bytes.Equal(inPlace, want) {
				t.Fatalf("XOR of %d bytes split at %d:\ngot  %x, next %d\nwant %x, next %d", length, split, inPlace, pos, want, wantNext)
			}
			copied := make([]byte, length)
			pos = Copy(copied, src[:split], testKey, 1)
			pos = Copy(copied[split:], src[split:], testKey, pos)
			if pos != wantNext || !bytes.Equal(copied, want) {
				t.Fatalf("Copy of %d bytes split at %d:\ngot  %x, next %d\nwant %x, next %d", length, split, copied, pos, want, wantNext)
			}
		}
	}
}

func TestCopyNeedsRoom(t *testing.T) {
	dst := make([]byte, 99)
	defer func() {
		if recover() == nil {
			t.Error("Copy of 100 bytes into 99 did not panic")
		}
		if !bytes.Equal(dst, make([]byte, 99)) {
			t.Error("Copy wrote before it panicked")
		}
	}()
	Copy(dst, make([]byte, 100), testKey, 0)
}

func TestNothingIsAllocated(t *testing.T) {
	dst, src := make([]byte, 1000), random(1000)
	var block Block
	if n := testing.AllocsPerRun(100, func() {
		XOR(src, testKey, 3)
		Copy(dst, src, testKey, 3)
		XORLarge(src, testKey, 3, &block)
	}); n != 0 {
		t.Errorf("%v allocations per call, want 0", n)
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), []byte("\x37\xfa\x21\x3d"), uint16(0), uint16(2))
	f.Add(random(129), []byte("abcd"), uint16(3), uint16(65))
	f.Fuzz(func(t *testing.T, src, keyBytes []byte, pos, split uint16) {
		var key Key
		copy(key[:], keyBytes)
		at := int(split) % (len(src) + 1)
		want, wantNext := byDefinition(src, key, int(pos))

		got := bytes.Clone(src)
		next := XOR(got[at:], key, XOR(got[:at], key, int(pos)))
		if next != wantNext || !bytes.Equal(got, want) {
			t.Errorf("XOR: got %x, next %d; want %x, next %d", got, next, want, wantNext)
		}
		clear(got)
		next = Copy(got[at:], src[at:], key, Copy(got, src[:at], key, int(pos)))
		if next != wantNext || !bytes.Equal(got, want) {
			t.Errorf("Copy: got %x, next %d; want %x, next %d", got, next, want, wantNext)
		}
		copy(got, src)
		var block Block
		next = XORLarge(got[at:], key, XORLarge(got[:at], key, int(pos), &block), &block)
		if next != wantNext || !bytes.Equal(got, want) {
			t.Errorf("XORLarge: got %x, next %d; want %x, next %d", got, next, want, wantNext)
		}
	})
}

var sizes = []int{5, 31, 64, 128, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10}

func BenchmarkXOR(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := random(size)
			b.SetBytes(int64(size))
			for b.Loop() {
				XOR(p, testKey, 1)
			}
		})
	}
}

func BenchmarkXORLarge(b *testing.B) {
	for _, size := range []int{16 << 10, 32 << 10, 64 << 10, 128 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := random(size)
			b.SetBytes(int64(size))
			var block Block
			for b.Loop() {
				XORLarge(p, testKey, 1, &block)
			}
		})
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dst, src := make([]byte, size), random(size)
			b.SetBytes(int64(size))
			for b.Loop() {
				Copy(dst, src, testKey, 1)
			}
		})
	}
}

// TestCopyDown moves payloads down in their own memory, as over a header.
func TestCopyDown(t *testing.T) {
	key := Key{0x11, 0x22, 0x44, 0x88}
	for distance := range 20 {
		for length := range 300 {
			memory := make([]byte, distance+length+5)
			for i := range memory {
				memory[i] = byte(i * 7)
			}
			want := make([]byte, length)
			Copy(want, memory[distance:distance+length], key, 3)
			behind := bytes.Clone(memory[distance+length:])
			next := Copy(memory, memory[distance:distance+length], key, 3)
			if !bytes.Equal(memory[:length], want) || next != (3+length)&3 {
				t.Fatalf("%d bytes moved down by %d: %x, next %d; want %x", length, distance, memory[:length], next, want)
			}
			if !bytes.Equal(memory[distance+length:], behind) {
				t.Fatalf("%d bytes moved down by %d: what stands behind has changed", length, distance)
			}
		}
	}
}
