package deflate

import "math/bits"

// An entry of a decode table says in one word what the next bits mean:
//
//	bits  0-7   how many bits to consume, extra bits included
//	bits  8-11  how many of them are the code itself
//	bit   12    end of block         (with special)
//	bit   13    link to a subtable   (with special)
//	bit   14    special: neither a literal nor a length or distance
//	bit   15    literal
//	bits 16-31  literal, base of the length or distance, offset of the subtable
//
// special alone is a code that stands for nothing.
type entry = uint32

const (
	flagEnd     entry = 1 << 12
	flagLink    entry = 1 << 13
	flagSpecial entry = 1 << 14
	flagLiteral entry = 1 << 15

	entryBits  = 0xff // mask of the bits to consume
	valueShift = 16
)

func codeBits(e entry) uint { return uint(e>>8) & 15 }

const (
	litRootBits     = 10
	distRootBits    = 8
	codeLenRootBits = maxCodeLenBits

	// The most entries a root table and its subtables can need together: over
	// all complete codes of 288 symbols and 15 bits with a root of 10 bits, and
	// of 32 symbols and 15 bits with a root of 8 bits.
	litTableSize  = 1334
	distTableSize = 402
)

type (
	litTable     [litTableSize]entry
	distTable    [distTableSize]entry
	codeLenTable [1 << codeLenRootBits]entry
)

// What each symbol means, without its code length.
var (
	litEntries     = makeLitEntries()
	distEntries    = makeDistEntries()
	codeLenEntries = makeCodeLenEntries()
)

func makeLitEntries() (t [288]entry) {
	for i := range t {
		switch {
		case i < endOfBlock:
			t[i] = flagLiteral | entry(i)<<valueShift
		case i == endOfBlock:
			t[i] = flagSpecial | flagEnd
		case i < numLitLen:
			k := i - endOfBlock - 1
			t[i] = entry(lengthBase[k])<<valueShift | entry(lengthExtra[k])
		default:
			t[i] = flagSpecial
		}
	}
	return t
}

func makeDistEntries() (t [32]entry) {
	for i := range t {
		if i < numDistance {
			t[i] = entry(distanceBase[i])<<valueShift | entry(distanceExtra[i])
		} else {
			t[i] = flagSpecial
		}
	}
	return t
}

func makeCodeLenEntries() (t [numCodeLen]entry) {
	for i := range t {
		t[i] = entry(i) << valueShift
	}
	return t
}

// The tables of fixed blocks, shared by all.
var (
	fixedLit  litTable
	fixedDist distTable

	fixedLitRoot, fixedDistRoot = makeFixedTables()
)

func makeFixedTables() (litRoot, distRoot uint) {
	lit, dist := fixedLengths()
	var err error
	if litRoot, err = buildTable(fixedLit[:], lit[:], litEntries[:], litRootBits); err != nil {
		panic(err)
	}
	if distRoot, err = buildTable(fixedDist[:], dist[:], distEntries[:], distRootBits); err != nil {
		panic(err)
	}
	return litRoot, distRoot
}

// buildTable fills t for the canonical code with these lengths (RFC 1951,
// section 3.2.2) and returns the number of bits that index its root. A code of
// more bits than the root goes through a link to a subtable behind the root.
func buildTable(t []entry, lengths []uint8, meaning []entry, maxRoot uint) (root uint, err error) {
	count := countLengths(lengths)
	used := len(lengths) - int(count[0])
	count[0] = 0

	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	room := 1
	var start [maxCodeBits + 2]uint16 // where symbols of a length start in sorted
	for l := 1; l <= maxCodeBits; l++ {
		room = room<<1 - int(count[l])
		if room < 0 {
			return 0, ErrOversubscribed
		}
		start[l+1] = start[l] + count[l]
	}
	if room > 0 {
		// Section 3.2.7: "If only one distance code is used, it is encoded using
		// one bit, not zero bits; in this case there is a single code length of
		// one, with one unused code. One distance code of zero bits means that
		// there are no distance codes used at all".
		if used > 1 || longest > 1 {
			return 0, ErrIncomplete
		}
		t[0] = flagSpecial | entry(used) // none at all is known without a bit
		t[1] = t[0]
		for sym, l := range lengths {
			if l == 1 {
				t[0] = meaning[sym] + 1 + 1<<8
			}
		}
		return 1, nil
	}

	var sorted [288]uint16 // symbols by length, then by value
	for sym, l := range lengths {
		if l != 0 {
			sorted[start[l&15]] = uint16(sym)
			start[l&15]++
		}
	}

	// Codes are read from their first bit on, so the index is the code with its
	// bits reversed. The root starts with the shortest length and doubles by
	// copying itself for each longer one.
	root = min(maxRoot, longest)
	next := 0 // in sorted
	code := uint(0)
	l := uint(1)
	for count[l] == 0 {
		l++
	}
	size := uint(1) << min(l, root)
	for ; l <= root; l++ {
		for range count[l] {
			t[code] = meaning[sorted[next]] + entry(l)<<8 + entry(l)
			next++
			code = nextReversed(code, l)
		}
		if l < root {
			copy(t[size:2*size], t[:size])
			size *= 2
		}
	}

	// Subtables, one for each root index that longer codes share.
	free := uint(1) << root
	prefix, offset, subBits := ^uint(0), uint(0), uint(0)
	for ; l <= longest; l++ {
		for left := count[l]; left > 0; left-- {
			if p := code & (1<<root - 1); p != prefix {
				prefix, offset = p, free
				// The subtable is as wide as it takes to use up its room.
				subBits = l - root
				for filled := uint(left); filled < 1<<subBits; {
					subBits++
					filled = filled<<1 + uint(count[root+subBits])
				}
				free += 1 << subBits
				t[prefix] = flagSpecial | flagLink | entry(offset)<<valueShift | entry(subBits)<<8 | entry(root)
			}
			e := meaning[sorted[next]] + entry(l)<<8 + entry(l)
			next++
			for i := code >> root; i < 1<<subBits; i += 1 << (l - root) {
				t[offset+i] = e
			}
			code = nextReversed(code, l)
		}
	}
	return root, nil
}

// countLengths counts how often each length occurs. It has four counters for
// each, in turn, since most lengths are the same and an increment must wait for
// the one before.
func countLengths(lengths []uint8) (count [maxCodeBits + 1]uint16) {
	var a, b, c, d [maxCodeBits + 1]uint16
	for ; len(lengths) >= 4; lengths = lengths[4:] {
		a[lengths[0]&15]++
		b[lengths[1]&15]++
		c[lengths[2]&15]++
		d[lengths[3]&15]++
	}
	for _, l := range lengths {
		a[l&15]++
	}
	for i := range count {
		count[i] = a[i] + b[i] + c[i] + d[i]
	}
	return count
}

// nextReversed returns the successor of a code of l bits whose bits are
// reversed: it adds one at the top and carries downwards. The last code, all
// ones, has no successor and stays.
func nextReversed(code, l uint) uint {
	clear := ^code & (1<<l - 1)
	if clear == 0 {
		return code
	}
	top := uint(1) << (bits.Len(clear) - 1)
	return code&(top-1) | top
}
