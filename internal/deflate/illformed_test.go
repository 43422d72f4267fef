package deflate

import (
	"fmt"
	"testing"
)

// streamBits puts a stream together bit by bit.
type streamBits struct {
	b []byte
	n int
}

// number adds the lowest n bits of v, the lowest first.
func (s *streamBits) number(v, n int) *streamBits {
	for i := range n {
		if s.n%8 == 0 {
			s.b = append(s.b, 0)
		}
		s.b[s.n/8] |= byte(v>>i&1) << (s.n % 8)
		s.n++
	}
	return s
}

// code adds a Huffman code of n bits, the highest first.
func (s *streamBits) code(v, n int) *streamBits {
	for i := n - 1; i >= 0; i-- {
		s.number(v>>i&1, 1)
	}
	return s
}

// dynamic adds the header of a dynamic block with these code lengths of both
// alphabets, each in four bits: the code length code has 16 codes of 4 bits.
func (s *streamBits) dynamic(lit, dist []int) *streamBits {
	s.number(typeDynamic<<1, 3).number(len(lit)-257, 5).number(len(dist)-1, 5).number(19-4, 4)
	for _, sym := range codeLenOrder {
		n := 4
		if sym >= 16 {
			n = 0
		}
		s.number(n, 3)
	}
	for _, l := range append(append([]int{}, lit...), dist...) {
		s.code(l, 4)
	}
	return s
}

// codeLens adds the header of a dynamic block as far as the lengths of the code
// length code.
func (s *streamBits) codeLens(numLit, numDist int, lens map[int]int) *streamBits {
	s.number(typeDynamic<<1, 3).number(numLit-257, 5).number(numDist-1, 5).number(19-4, 4)
	for _, sym := range codeLenOrder {
		s.number(lens[int(sym)], 3)
	}
	return s
}

// lens returns the code lengths of n symbols, those in m and otherwise none.
func lens(n int, m map[int]int) []int {
	l := make([]int, n)
	for sym, v := range m {
		l[sym] = v
	}
	return l
}

func stream() *streamBits { return new(streamBits) }

// illFormed are streams that break one rule of RFC 1951 each.
var illFormed = []struct {
	name string
	s    *streamBits
	want error
}{
	{"rfc1951_3.2.3_reserved_type", stream().number(3<<1, 3), ErrBlockType},
	{"reserved_type_final", stream().number(7, 3), ErrBlockType},
	{"rfc1951_3.2.4_stored_lengths", stream().number(0, 8).number(5, 16).number(5, 16), ErrStoredLength},
	{"stored_ends_early", stream().number(0, 8).number(5, 16).number(0xfffa, 16).number('x', 8), ErrUnexpectedEnd},
	{"stored_length_ends_early", stream().number(0, 8).number(5, 16), ErrUnexpectedEnd},
	{"header_ends_early", stream().number(typeDynamic<<1, 3), ErrUnexpectedEnd},
	{"symbols_end_early", stream().number(typeFixed<<1, 3).code(0x30+'a', 8), ErrUnexpectedEnd},
	{"rfc1951_3.2.6_length_286", stream().number(typeFixed<<1, 3).code(0xc6, 8).number(0, 32), ErrSymbol},
	{"rfc1951_3.2.6_length_287", stream().number(typeFixed<<1, 3).code(0xc7, 8).number(0, 32), ErrSymbol},
	{"rfc1951_3.2.6_distance_30", stream().number(typeFixed<<1, 3).code(0x30, 8).code(1, 7).code(30, 5).number(0, 32), ErrSymbol},
	{"rfc1951_3.2.6_distance_31", stream().number(typeFixed<<1, 3).code(0x30, 8).code(1, 7).code(31, 5).number(0, 32), ErrSymbol},
	{"distance_before_the_first_byte", stream().number(typeFixed<<1, 3).code(0x30, 8).code(1, 7).code(1, 5).number(0, 32), ErrDistance},
	{"match_first_of_all", stream().number(typeFixed<<1, 3).code(1, 7).code(0, 5).number(0, 32), ErrDistance},
	{"rfc1951_3.2.7_287_lit_codes", stream().codeLens(287, 1, map[int]int{0: 1, 1: 1}), ErrCodeCount},
	{"rfc1951_3.2.7_288_lit_codes", stream().codeLens(288, 1, map[int]int{0: 1, 1: 1}), ErrCodeCount},
	{"rfc1951_3.2.7_31_distance_codes", stream().codeLens(257, 31, map[int]int{0: 1, 1: 1}), ErrCodeCount},
	{"rfc1951_3.2.7_32_distance_codes", stream().codeLens(257, 32, map[int]int{0: 1, 1: 1}), ErrCodeCount},
	{"code_lengths_oversubscribed", stream().codeLens(257, 1, map[int]int{0: 1, 1: 1, 2: 1}), ErrOversubscribed},
	{"code_lengths_incomplete", stream().codeLens(257, 1, map[int]int{0: 2, 1: 2}), ErrIncomplete},
	{"code_lengths_single_long", stream().codeLens(257, 1, map[int]int{1: 2}), ErrIncomplete},
	{"code_lengths_none", stream().codeLens(257, 1, nil), ErrIncomplete},
	{"code_lengths_single", stream().codeLens(257, 1, map[int]int{1: 1}), ErrIncomplete},
	{"repeat_nothing", stream().codeLens(257, 1, map[int]int{16: 1, 1: 1}).code(1, 1).number(0, 64), ErrRepeat},
	{"repeat_past_the_end", stream().codeLens(257, 1, map[int]int{18: 1, 1: 1}).code(1, 1).number(127, 7).code(1, 1).number(127, 7).number(0, 64), ErrRepeat},
	{"repeat_last_past_the_end", stream().codeLens(257, 1, map[int]int{18: 2, 1: 2, 16: 2, 2: 2}).
		code(3, 2).number(127, 7).code(3, 2).number(107, 7).code(0, 2).code(2, 2).number(3, 2).number(0, 64), ErrRepeat},
	{"literals_oversubscribed", stream().dynamic(lens(257, map[int]int{'a': 1, 'b': 1, 256: 1}), []int{1}), ErrOversubscribed},
	{"literals_incomplete", stream().dynamic(lens(257, map[int]int{'a': 2, 256: 2}), []int{1}), ErrIncomplete},
	{"no_end_of_block", stream().dynamic(lens(257, map[int]int{'a': 1, 'b': 1}), []int{1}), ErrNoEndOfBlock},
	{"distances_oversubscribed", stream().dynamic(lens(257, map[int]int{'a': 1, 256: 1}), []int{1, 1, 1}), ErrOversubscribed},
	{"distances_incomplete", stream().dynamic(lens(257, map[int]int{'a': 1, 256: 1}), []int{2, 2}), ErrIncomplete},
	{"distance_single_long", stream().dynamic(lens(257, map[int]int{'a': 1, 256: 1}), []int{2}), ErrIncomplete},
	{"distance_code_of_no_symbol", stream().dynamic(lens(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{1}).
		code(0, 1).code(3, 2).code(1, 1).number(0, 64), ErrSymbol},
	{"match_without_distance_codes", stream().dynamic(lens(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{0}).
		code(0, 1).code(3, 2).number(0, 64), ErrSymbol},
}

func TestIllFormed(t *testing.T) {
	for _, tt := range illFormed {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 5, 1 << 10} {
				if _, err := inflateAll(t, tt.s.b, 15, func() int { return n }); err != tt.want {
					t.Fatalf("pieces of %d: %v, want %v", n, err, tt.want)
				}
			}
		})
	}
}

// What looks wrong and is not: RFC 1951, section 3.2.7, allows one distance code
// of one bit and none at all.
func TestOddButWellFormed(t *testing.T) {
	tests := []struct {
		name string
		s    *streamBits
		want string
	}{
		{"one_distance_code", stream().dynamic(lens(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{1}).
			code(0, 1).code(3, 2).code(0, 1).code(2, 2), "aaaa"},
		{"no_distance_codes", stream().dynamic(lens(257, map[int]int{'a': 1, 256: 1}), []int{0}).
			code(0, 1).code(0, 1).code(1, 1), "aa"},
		{"end_of_block_only", stream().dynamic(lens(257, map[int]int{256: 1}), []int{0}).code(0, 1), ""},
		{"length_258_in_two_ways", stream().number(typeFixed<<1, 3).code(0x30+'a', 8).
			code(0xc5, 8).code(0, 5).code(0xc4, 8).number(31, 5).code(0, 5).code(0, 7), fmt.Sprintf("%0517d", 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := tt.s.number(0, 3).b // the empty block that ends a message
			want := []byte(tt.want)
			for i := range want {
				want[i] = 'a'
			}
			checkInflate(t, wire, want)
		})
	}
}

// A distance of exactly the window is right, one more is wrong, in any window,
// within a message and across messages.
func TestDistanceAtTheWindow(t *testing.T) {
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		for _, extra := range []int{0, 1} {
			size := 1 << bits
			filler := make([]byte, size+10)
			for i := range filler {
				filler[i] = byte(i) ^ byte(i>>8)
			}
			first := storedBlocks(filler)
			match := matchBlock(3, size+extra)
			want := filler[len(filler)-size:][:3]

			check := func(how string, got []byte, err error) {
				t.Helper()
				if extra == 1 {
					if err != ErrDistance {
						t.Errorf("%d bits, %s: %v for a distance one too long", bits, how, err)
					}
					return
				}
				if err != nil || string(got[len(got)-3:]) != string(want) {
					t.Errorf("%d bits, %s: % x, %v, want % x", bits, how, got, err, want)
				}
			}
			if size+extra > 32768 {
				continue // no code for it
			}
			got, err := NewDecompressor(bits, false).AppendMessage(nil, append(first, match...), NoLimit)
			check("one message", got, err)

			d := NewDecompressor(bits, true)
			if _, err := d.AppendMessage(nil, append(first, 0), NoLimit); err != nil {
				t.Fatal(err)
			}
			got, err = d.AppendMessage(nil, match, NoLimit)
			check("two messages", got, err)

			got, err = readAll(NewDecompressor(bits, false), append(first, match...), func() int { return 13 })
			check("streaming", got, err)
		}
	}
}

// storedBlocks is p in stored blocks.
func storedBlocks(p []byte) []byte {
	var b []byte
	for len(p) > 0 {
		n := min(len(p), 60000)
		b = append(b, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		b = append(b, p[:n]...)
		p = p[n:]
	}
	return b
}

// matchBlock is a message of one match in a fixed block.
func matchBlock(length, distance int) []byte {
	s := stream().number(typeFixed<<1, 3).code(length-2, 7)
	sym := 0
	for sym+1 < numDistance && int(distanceBase[sym+1]) <= distance {
		sym++
	}
	s.code(sym, 5).number(distance-int(distanceBase[sym]), int(distanceExtra[sym]))
	return s.code(0, 7).number(0, 3).b
}
