package utf8

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// couldBegin reports whether p could begin a well-formed text, by definition: p is well-formed, or
// becomes so with one to three bytes more. Of the bytes that may follow it is enough to try the ends of the ranges in
// table 3-7.
func couldBegin(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	longer := append(make([]byte, 0, 128), p...) // of a constant size, so on the stack
	for _, tail := range tails {
		if utf8.Valid(append(longer, tail...)) {
			return true
		}
	}
	return false
}

var tails = func() (all []string) {
	ends := []string{"\x80", "\x8f", "\x90", "\x9f", "\xa0", "\xbf"}
	for _, a := range ends {
		all = append(all, a, a+"\x80", a+"\x80\x80")
	}
	return all
}()

// firstBad is the brute force answer: the index of the first byte with which p cannot begin a well-formed
// text any more, or len(p).
func firstBad(p []byte) int {
	for n := range p {
		if !couldBegin(p[:n+1]) {
			return n
		}
	}
	return len(p)
}

// check validates p in the pieces given, and compares the answer.
func check(t *testing.T, p []byte, wantN int, wantDone bool, splits ...int) {
	t.Helper()
	var v Validator
	from := 0
	for _, to := range append(splits, len(p)) {
		n, ok := v.Write(p[from:to])
		wantHere, wantOK := to-from, true
		if wantN < to {
			wantHere, wantOK = wantN-from, false
		}
		if n != wantHere || ok != wantOK {
			t.Fatalf("%x, split at %v: Write(%x) = %d, %t, want %d, %t", p, splits, p[from:to], n, ok, wantHere, wantOK)
		}
		if !ok {
			if v.Done() {
				t.Fatalf("%x: Done after a failure", p)
			}
			return
		}
		from = to
	}
	if v.Done() != wantDone {
		t.Fatalf("%x, split at %v: Done = %t, want %t", p, splits, v.Done(), wantDone)
	}
}

// checkEverySplit checks p whole, in two pieces at every place, and byte by byte.
func checkEverySplit(t *testing.T, p []byte) {
	t.Helper()
	wantN, wantDone := firstBad(p), utf8.Valid(p)
	bytewise := make([]int, 0, 8)
	for i := 0; i <= len(p); i++ {
		check(t, p, wantN, wantDone, i)
		bytewise = append(bytewise, i)
	}
	check(t, p, wantN, wantDone, bytewise...)
}

func TestEveryStringOfOneAndTwoBytes(t *testing.T) {
	for a := range 256 {
		checkEverySplit(t, []byte{byte(a)})
		for b := range 256 {
			checkEverySplit(t, []byte{byte(a), byte(b)})
		}
	}
}

// TestEveryStringOfThreeBytes compares all 16 million with unicode/utf8. Where exactly each fails is a matter
// of classes of bytes, which TestEveryBoundaryOfFourBytes covers.
func TestEveryStringOfThreeBytes(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 3
	}
	var p [3]byte
	for i := 0; i < 1<<24; i += step {
		p = [3]byte{byte(i >> 16), byte(i >> 8), byte(i)}
		var v Validator
		_, ok := v.Write(p[:])
		if got, want := ok && v.Done(), utf8.Valid(p[:]); got != want {
			t.Fatalf("%x: valid = %t, want %t", p, got, want)
		}
	}
}

// boundaries are the bytes at both sides of every edge in table 3-7.
var boundaries = []byte("\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff")

func TestEveryBoundaryOfFourBytes(t *testing.T) {
	for _, a := range boundaries {
		for _, b := range boundaries {
			for _, c := range boundaries {
				checkEverySplit(t, []byte{a, b, c})
				for _, d := range boundaries {
					checkEverySplit(t, []byte{a, b, c, d})
				}
			}
		}
	}
}

func TestNamedCases(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		firstBad   int // -1: none
		done       bool
	}{
		{"empty", "", -1, true},
		{"greek, the text of the old test suites", "κόσμε", -1, true},
		{"overlong slash in two bytes fails at its first", "\xc0\xaf", 0, false},
		{"overlong slash in three bytes fails at the second", "\xe0\x80\xaf", 1, false},
		{"overlong slash in four bytes fails at the second", "\xf0\x80\x80\xaf", 1, false},
		{"surrogate U+D800 fails at the second byte", "\xed\xa0\x80", 1, false},
		{"last character before the surrogates", "\ud7ff", -1, true},
		{"first character after the surrogates", "\ue000", -1, true},
		{"noncharacter U+FFFE is well-formed", "\ufffe", -1, true},
		{"last character", "\U0010ffff", -1, true},
		{"U+110000 fails at the second byte", "\xf4\x90\x80\x80", 1, false},
		{"five byte form fails at once", "\xf8\x88\x80\x80\x80", 0, false},
		{"lone continuation", "a\x80", 1, false},
		{"cut off character", "h\xe2\x82", -1, false},
		{"character cut off by ASCII", "h\xe2\x82a", 3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.firstBad
			if want < 0 {
				want = len(tt.text)
			}
			check(t, []byte(tt.text), want, tt.done)
			checkEverySplit(t, []byte(tt.text))
		})
	}
}

// samples are texts of at least n bytes in scripts with characters of every length: words in random order, so
// that no branch predictor learns them by heart.
func samples(n int) map[string]string {
	texts := make(map[string]string)
	for name, words := range map[string]string{
		"ascii":    "the quick brown fox jumps over lazy dogs , which is said to be a nice sentence .",
		"latin":    "zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich , was schön klingt .",
		"cyrillic": "съешь же ещё этих мягких французских булок , да выпей с нами чаю .",
		"chinese":  "天地 玄黃 宇宙洪荒 日月 盈昃 辰宿 列張 寒來暑往 秋收 , websocket 12",
		"emoji":    "🙂 🚀🌍 🙂🙂🙂 ok 🎉 done",
	} {
		r := rand.New(rand.NewPCG(3629, uint64(len(name))))
		list := strings.Fields(words)
		var text strings.Builder
		for text.Len() < n {
			text.WriteString(list[r.IntN(len(list))])
			if name != "chinese" {
				text.WriteByte(' ')
			}
		}
		texts[name] = text.String()
	}
	return texts
}

// TestBadByteAnywhere puts one bad byte at every place of texts that take the fast path, after a first
// piece of every length.
func TestBadByteAnywhere(t *testing.T) {
	for name, text := range samples(90) {
		t.Run(name, func(t *testing.T) {
			for at := range len(text) {
				for _, bad := range []byte{0xff, 0x80, 'a', 0xc3} {
					p := []byte(text)
					p[at] = bad
					wantN, wantDone := firstBad(p), utf8.Valid(p)
					for _, split := range []int{0, 1, 2, 3, 7, 16, 17, 31, len(p)} {
						check(t, p, wantN, wantDone, split)
					}
				}
			}
			for split := range len(text) {
				check(t, []byte(text), len(text), true, split)
			}
		})
	}
}

func TestFailureStaysUntilReset(t *testing.T) {
	var v Validator
	v.Write([]byte("a\xff"))
	for _, p := range []string{"", "a", strings.Repeat("a", 100)} {
		if n, ok := v.Write([]byte(p)); n != 0 || ok {
			t.Errorf("Write(%q) after a failure = %d, %t, want 0, false", p, n, ok)
		}
	}
	if v.Done() {
		t.Error("Done after a failure")
	}
	v.Reset()
	if n, ok := v.Write([]byte("a")); n != 1 || !ok || !v.Done() {
		t.Errorf("after Reset: Write = %d, %t, Done %t; want 1, true, true", n, ok, v.Done())
	}
}

func TestSize(t *testing.T) {
	if size := unsafe.Sizeof(Validator{}); size > 8 {
		t.Errorf("a Validator takes %d bytes, want at most 8", size)
	}
}

func FuzzWrite(f *testing.F) {
	for _, text := range samples(40) {
		f.Add([]byte(text), uint16(5), uint16(20))
	}
	f.Add([]byte("h\xe2\x82a"), uint16(2), uint16(3))
	f.Fuzz(func(t *testing.T, p []byte, i, j uint16) {
		first := int(i) % (len(p) + 1)
		second := first + int(j)%(len(p)-first+1)
		check(t, p, firstBad(p), utf8.Valid(p), first, second)
	})
}

func Benchmark(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 64 << 10} {
		for _, name := range []string{"ascii", "latin", "cyrillic", "chinese", "emoji", "mixed"} {
			var text string
			if name == "mixed" {
				r := rand.New(rand.NewPCG(3629, 0))
				for len(text) < size {
					text += string(rune([]int{'a', 'é', '天', '🙂'}[r.IntN(4)]))
				}
			} else {
				text = samples(size)[name]
			}
			p := []byte(text)[:size]
			for len(p) > 0 && !utf8.Valid(p) {
				p = p[:len(p)-1]
			}
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					var v Validator
					if _, ok := v.Write(p); !ok {
						b.Fatal("invalid")
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%d/unicode-utf8", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					if !utf8.Valid(p) {
						b.Fatal("invalid")
					}
				}
			})
		}
	}
}
