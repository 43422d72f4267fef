package deflate

import "encoding/binary"

// fixedOnly: up to so many symbols a block is not worth a code of its own,
// whose header alone takes some 40 bytes.
const fixedOnly = 96

// fixedWithLeastEffort is fixedOnly with the least effort.
const fixedWithLeastEffort = 384

// writeBlock writes one block with the bytes in, at most maxStored of them,
// which e.sequences describe. It is as short as the three types allow.
func (e *encoder) writeBlock(w *bitWriter, in []byte) {
	sequences := e.sequences[:e.numSequences]
	literals := len(in)
	for _, s := range sequences {
		literals -= s.length()
	}
	if symbols := literals + len(sequences); symbols <= fixedOnly || e.effort < 0 && symbols <= fixedWithLeastEffort {
		start := *w
		w.reserve((9*literals + 31*len(sequences) + 10 + 7) / 8)
		start.out = w.out
		writeFixed(w, in, sequences)
		if w.bitLength() > start.bitLength()+storedBits(start.n, len(in)) {
			*w = start
			writeStored(w, in)
		}
		return
	}
	stored := storedBits(w.n, len(in))
	if literals >= len(in)-len(in)>>6 && incompressible(in, dynamicHeader) {
		writeStored(w, in)
		return
	}
	e.count(in, sequences)
	fixed, dynamic := e.price(len(sequences))
	switch {
	case stored <= fixed && stored <= dynamic:
		writeStored(w, in)
	case fixed <= dynamic:
		w.reserve((fixed + 7) / 8)
		writeFixed(w, in, sequences)
	default:
		w.reserve((dynamic + 7) / 8)
		w.add(typeDynamic<<1, 3)
		e.header.write(w)
		assignCodes(e.lit[:], e.lengths[:numLitLen])
		assignCodes(e.dist[:], e.lengths[numLitLen:])
		writeSymbols(w, in, sequences, &e.lit, &e.dist)
	}
}

// price makes the code that suits the symbols counted, of which so many are
// matches, and returns how many bits a fixed and a dynamic block would take.
func (e *encoder) price(matches int) (fixed, dynamic int) {
	extra := 0
	for sym, f := range e.litFreq[endOfBlock+1:] {
		extra += int(f) * int(lengthExtra[sym])
	}
	for sym, f := range e.dstFreq {
		extra += int(f) * int(distanceExtra[sym])
	}
	fixed = 3 + extra
	for sym, f := range e.litFreq {
		fixed += int(f) * int(fixedLitCodes[sym].length())
	}
	fixed += 5 * matches

	e.builder.lengths(e.lengths[:numLitLen], e.litFreq[:], maxLitBits)
	e.builder.lengths(e.lengths[numLitLen:], e.dstFreq[:], maxCodeBits)
	dynamic = 3 + extra + e.header.make(&e.builder, e.lengths[:numLitLen], e.lengths[numLitLen:])
	for sym, f := range e.litFreq {
		dynamic += int(f) * int(e.lengths[sym])
	}
	for sym, f := range e.dstFreq {
		dynamic += int(f) * int(e.lengths[numLitLen+sym])
	}
	return fixed, dynamic
}

// count counts the symbols of a block.
func (e *encoder) count(in []byte, sequences []sequence) {
	clear(e.litFreq[:])
	clear(e.dstFreq[:])
	for _, s := range sequences {
		k := s.literals()
		for ; k > 4; k-- {
			e.litFreq[in[0]]++
			in = in[1:]
		}
		m := &upTo[k]
		e.litFreq[in[0]] += uint16(m[0] & 1)
		e.litFreq[in[1]] += uint16(m[1] & 1)
		e.litFreq[in[2]] += uint16(m[2] & 1)
		e.litFreq[in[3]] += uint16(m[3] & 1)
		e.litFreq[endOfBlock+1+int(s.lengthSym())]++
		e.dstFreq[s.distSym()]++
		in = in[k+s.length():]
	}
	for _, b := range in {
		e.litFreq[b]++
	}
	e.litFreq[endOfBlock] = 1
}

// incompressible reports whether the bytes in look like noise: whether a Huffman
// code would save less than header bytes and one byte in 200.
//
// It counts how many pairs of a sample are the same. Of bytes taken from 256
// values at random one pair in 256 is; of others r times as many, and for an r
// close to 1 a byte is worth 0.72(r-1) bits less than eight.
func incompressible(in []byte, header int) bool {
	step := len(in) / 1024
	if len(in) < 8192 {
		step = len(in) / 256
	}
	step = max(1, step)
	var seen [256]uint16
	same, n := 0, 0
	for i := 0; i < len(in); i += step {
		b := in[i]
		same += int(seen[b])
		seen[b]++
		n++
	}
	size, pairs := int64(len(in)), int64(n)*int64(n)
	return 2*256*int64(same)*size < pairs*(size+size/16+11*int64(header))
}

// dynamicHeader is about how many bytes the header of a dynamic block takes when
// most bytes occur in it.
const dynamicHeader = 64

// storedBits is the length of a stored block of n bytes that starts bit bits
// into a byte.
func storedBits(bit uint, n int) int {
	return int((bit+3+7)&^7-bit) + 32 + 8*n
}

func writeStored(w *bitWriter, in []byte) {
	w.reserve(5 + len(in))
	w.add(typeStored<<1, 3)
	w.align()
	w.out = binary.LittleEndian.AppendUint16(w.out, uint16(len(in)))
	w.out = binary.LittleEndian.AppendUint16(w.out, ^uint16(len(in)))
	w.out = append(w.out, in...)
}

func writeFixed(w *bitWriter, in []byte, sequences []sequence) {
	w.add(typeFixed<<1, 3)
	writeSymbols(w, in, sequences, &fixedLitCodes, &fixedDistCodes)
}

// maxLitBits is the longest code of a literal or length we make, one bit less
// than allowed: so four literals and the 7 bits left over fit a word.
const maxLitBits = maxCodeBits - 1

// upTo keeps the first k of four codes.
var upTo = [8][4]code{
	1: {^code(0)},
	2: {^code(0), ^code(0)},
	3: {^code(0), ^code(0), ^code(0)},
	4: {^code(0), ^code(0), ^code(0), ^code(0)},
}

// writeSymbols writes what in and sequences say and the end of the block.
//
// The words of several codes are joined before they go into acc: how far acc is
// filled is what each step must wait for.
func writeSymbols(w *bitWriter, in []byte, sequences []sequence, lit *litCodes, dist *distCodes) {
	out, at, acc, n := w.out[:cap(w.out)], len(w.out), w.acc, w.n
	for _, s := range sequences {
		k := s.literals()
		for ; k > 4; k -= 4 {
			c0, c1, c2, c3 := lit[in[0]], lit[in[1]], lit[in[2]], lit[in[3]]
			half := c0.length() + c1.length()
			in = in[4:]
			acc |= (join(c0, c1) | join(c2, c3)<<(half&63)) << (n & 63)
			n += half + c2.length() + c3.length()
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n &^ 7 & 63
			n &= 7
		}
		// Up to four literals without a branch, which could not be foreseen. There
		// are four bytes: the match alone has as many.
		m := &upTo[k&7]
		c0, c1, c2, c3 := lit[in[0]]&m[0], lit[in[1]]&m[1], lit[in[2]]&m[2], lit[in[3]]&m[3]
		half := c0.length() + c1.length()
		in = in[k+s.length():]
		acc |= (join(c0, c1) | join(c2, c3)<<(half&63)) << (n & 63)
		n += half + c2.length() + c3.length()
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7

		lengthSym, distSym := s.lengthSym()&31, s.distSym()&31
		l, d := lit[endOfBlock+1+int(lengthSym)], dist[distSym]
		low := l.word() | uint64(s.length()-int(lengths[lengthSym].base))<<(l.length()&63)
		high := d.word() | uint64(s.distance()-int(distances[distSym].base))<<(d.length()&63)
		half = l.length() + uint(lengths[lengthSym].extra)
		acc |= (low | high<<(half&63)) << (n & 63)
		n += half + d.length() + uint(distances[distSym].extra)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	for ; len(in) >= 4; in = in[4:] {
		c0, c1, c2, c3 := lit[in[0]], lit[in[1]], lit[in[2]], lit[in[3]]
		half := c0.length() + c1.length()
		acc |= (join(c0, c1) | join(c2, c3)<<(half&63)) << (n & 63)
		n += half + c2.length() + c3.length()
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	w.out, w.acc, w.n = out[:at], acc, n
	for _, b := range in {
		w.code(lit[b])
	}
	w.flush()
	w.code(lit[endOfBlock])
	w.flush()
}

// join makes one word of two codes.
func join(a, b code) uint64 { return a.word() | b.word()<<(a.length()&63) }

// writeEnd writes the header of the empty stored block that ends each message.
// Its LEN and NLEN are what RFC 7692, section 7.2.1, takes off.
func writeEnd(w *bitWriter) {
	w.reserve(1)
	w.add(typeStored<<1, 3)
	w.align()
}
