package deflate

import (
	"encoding/binary"
	"math/bits"
)

// sequence is a run of literals followed by one match, in one word:
//
//	bits  0-15  how many literals
//	bits 16-31  length of the match
//	bits 32-47  its distance, 1 to 32768
//	bits 48-55  symbol of the length, less 257
//	bits 56-63  symbol of the distance
type sequence uint64

func newSequence(literals, length, distance int, distSym uint8) sequence {
	return sequence(literals) | sequence(length)<<16 | sequence(distance)<<32 |
		sequence(lengthSymbol[length-minMatch])<<48 | sequence(distSym)<<56
}

func (s sequence) literals() int    { return int(uint16(s)) }
func (s sequence) length() int      { return int(uint16(s >> 16)) }
func (s sequence) distance() int    { return int(uint16(s >> 32)) }
func (s sequence) lengthSym() uint8 { return uint8(s >> 48) }
func (s sequence) distSym() uint8   { return uint8(s >> 56) }

// lengthSymbol maps a length less 3 to its symbol less 257.
var lengthSymbol = makeLengthSymbol()

func makeLengthSymbol() (t [maxMatch - minMatch + 1]uint8) {
	for sym, base := range lengthBase {
		for i := int(base) - minMatch; i < len(t); i++ {
			t[i] = uint8(sym)
		}
	}
	return t
}

func distanceSymbol(d int) uint8 {
	x := uint32(d - 1)
	if x < 2 {
		return uint8(x)
	}
	log := uint32(bits.Len32(x)) - 1
	return uint8(2*log + x>>(log-1)&1)
}

// loaded is how many bytes the search looks at in one load.
const loaded = 8

// slot is where a table keeps positions that start with the first six bytes of v.
// Matches of four and five bytes are found only by the way: far away they are
// hardly shorter than literals.
func slot(v, mask uint64) uint64 {
	return v << 16 * 0x9E3779B185EBCA87 >> (64 - maxTableBits) & mask
}

const (
	// skipAfter: after each 2^skipAfter bytes without a match the search takes
	// one more byte per step, so that what does not compress costs little.
	skipAfter = 5

	// In so small a block the search is a small part of the work, and each match
	// counts: it always looks for a longer match one byte later, and keeps the
	// positions inside matches.
	thoroughUpTo = 960

	// In so large a block there are matches enough for the search to look at every
	// other byte only, from the last match on.
	hasteAbove = 16 << 10
	haste      = 32
)

// find divides buf[start:] into sequences, which it leaves in e.sequences, and
// returns how far it came: the end, or less if the sequences are used up. What
// follows the last match are literals.
//
// table, of a power of two entries, maps the first bytes of what was seen to its
// last position modulo 2^16; clock is the position of buf[0]. What the table says
// is only believed after a look at buf, so it may be stale or belong to bytes
// long gone. No distance exceeds reach.
func (e *encoder) find(buf []byte, start int, table []uint16, clock uint16, reach int) int {
	if e.effort > 0 {
		return e.findAll(buf, start, reach)
	}
	e.numSequences = 0
	mask := uint64(len(table) - 1)
	ahead := 1 << skipAfter // what a step is made of, besides the bytes passed
	if len(buf)-start >= hasteAbove {
		ahead += haste
	}
	thorough := len(buf)-start <= thoroughUpTo && e.effort == 0
	next := start // first byte that no sequence covers
	last := len(buf) - loaded
	for s := start; s <= last; {
		v := binary.LittleEndian.Uint64(buf[s:])
		h := slot(v, mask)
		now := clock + uint16(s)
		d := int(now - table[h])
		table[h] = now
		if uint(d-1) >= uint(min(reach, s)) {
			s += (s - next + ahead) >> skipAfter
			continue
		}
		differ := v ^ binary.LittleEndian.Uint64(buf[s-d:])
		if uint32(differ) != 0 {
			s += (s - next + ahead) >> skipAfter
			continue
		}
		end := s + bits.TrailingZeros64(differ)>>3
		if differ == 0 {
			end = s + loaded
			end += matching(buf[end:], buf[end-d:])
		}
		// A match this short often hides a longer one, and to look costs next to
		// nothing.
		if (thorough || differ != 0 && e.effort == 0) && s < last {
			s, d, end = later(buf, s, d, end, table, mask, clock, reach)
		}
		for s > next && s > d && buf[s-1] == buf[s-1-d] {
			s--
		}
		if !e.addMatch(s-next, end-s, d) {
			return next
		}
		if thorough {
			remember(buf[:min(end+loaded-1, len(buf))], s+1, 1, table, clock)
		}
		next = end
		s = end
	}
	return len(buf)
}

// later looks for a match one byte after the one at s, from d before it to end,
// and returns it if it is longer.
func later(buf []byte, s, d, end int, table []uint16, mask uint64, clock uint16, reach int) (int, int, int) {
	s1 := s + 1
	v := binary.LittleEndian.Uint64(buf[s1:])
	d1 := int(clock + uint16(s1) - table[slot(v, mask)])
	if uint(d1-1) >= uint(min(reach, s1)) || binary.LittleEndian.Uint64(buf[s1-d1:]) != v {
		return s, d, end
	}
	end1 := s1 + loaded
	end1 += matching(buf[end1:], buf[end1-d1:])
	if end1 <= end+1 {
		return s, d, end
	}
	return s1, d1, end1
}

// matching is how many bytes at the start of a and b are the same; a is the
// shorter one.
func matching(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

// addMatch adds a sequence, or several if the match is longer than one may be.
// It reports false, and adds nothing, if there might be no room.
func (e *encoder) addMatch(literals, length, distance int) bool {
	n := e.numSequences
	if n >= maxSequences-maxStored/(maxMatch-minMatch)-1 {
		return false
	}
	symbol := distanceSymbol(distance)
	for length > maxMatch {
		// What is left is long enough to be a match itself.
		const part = maxMatch - minMatch
		e.sequences[n] = newSequence(literals, part, distance, symbol)
		n++
		literals = 0
		length -= part
	}
	e.sequences[n] = newSequence(literals, length, distance, symbol)
	e.numSequences = n + 1
	return true
}

// remember enters every step-th position of buf[start:] into table.
func remember(buf []byte, start, step int, table []uint16, clock uint16) {
	if len(table) == 0 { // with positive effort
		return
	}
	mask := uint64(len(table) - 1)
	for s := start; s <= len(buf)-loaded; s += step {
		table[slot(binary.LittleEndian.Uint64(buf[s:]), mask)] = clock + uint16(s)
	}
}
