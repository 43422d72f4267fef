package deflate

import (
	"encoding/binary"
	"math/bits"
)

// sequence is a run of literals followed by one match.
type sequence struct {
	literals  uint16
	length    uint16
	distance  uint16 // 1 to 32768
	lengthSym uint8  // less 257
	distSym   uint8
}

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

// hashed is the shortest match looked for.
const hashed = 4

// slot is where a table of n entries keeps positions that start with v.
func slot(v uint32, n int) uint32 {
	return uint32(uint64(v*0x9E3779B1) * uint64(uint32(n)) >> 32)
}

// skipAfter: after each 2^skipAfter bytes without a match the search takes one
// more byte per step, so that what does not compress costs little.
const skipAfter = 5

// find divides buf[start:] into sequences, which it leaves in e.sequences, and
// returns how far it came: the end, or less if the sequences are used up. What
// follows the last match are literals.
//
// table maps four bytes to the last position where they were seen, modulo 2^16;
// clock is the position of buf[0]. What the table says is only believed
// after a look at buf, so it may be stale or belong to bytes long gone. No
// distance exceeds reach.
func (e *encoder) find(buf []byte, start int, table []uint16, clock uint16, reach int) int {
	e.numSequences = 0
	next := start // first byte that no sequence covers
	last := len(buf) - hashed
	size := len(table)
	for s := start; s <= last; {
		v := binary.LittleEndian.Uint32(buf[s:])
		h := slot(v, size)
		now := clock + uint16(s)
		d := int(now - table[h])
		table[h] = now
		from := s - d
		if uint(d-1) >= uint(reach) || from < 0 || binary.LittleEndian.Uint32(buf[from:]) != v {
			s += 1 + (s-next)>>skipAfter
			continue
		}
		end := s + hashed + matching(buf[s+hashed:], buf[from+hashed:])
		for s > next && from > 0 && buf[s-1] == buf[from-1] {
			s--
			from--
		}
		if !e.addMatch(s-next, end-s, d) {
			return next
		}
		next = end
		if end <= last {
			p := end - 2
			table[slot(binary.LittleEndian.Uint32(buf[p:]), size)] = clock + uint16(p)
		}
		s = end
	}
	return len(buf)
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
	if e.numSequences+1+length/maxMatch >= len(e.sequences) {
		return false
	}
	distSym := distanceSymbol(distance)
	for length > 0 {
		n := length
		if n > maxMatch {
			n = maxMatch
			if length-n < minMatch {
				n -= minMatch
			}
		}
		e.sequences[e.numSequences] = sequence{
			literals:  uint16(literals),
			length:    uint16(n),
			distance:  uint16(distance),
			lengthSym: lengthSymbol[n-minMatch],
			distSym:   distSym,
		}
		e.numSequences++
		literals = 0
		length -= n
	}
	return true
}

// remember enters every step-th position of buf[start:] into table.
func remember(buf []byte, start, step int, table []uint16, clock uint16) {
	for s := start; s <= len(buf)-hashed; s += step {
		table[slot(binary.LittleEndian.Uint32(buf[s:]), len(table))] = clock + uint16(s)
	}
}
