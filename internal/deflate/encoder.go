package deflate

import (
	"encoding/binary"
)

const (
	// maxSequences bounds a block. A block cut short by it has so many matches
	// that storing it would always be longer.
	maxSequences = 8192

	// maxTable is the size of the largest table of positions.
	maxTableBits = 14
	maxTable     = 1 << maxTableBits
)

// encoder is what compressing takes while it goes on. It lives in a pool.
type encoder struct {
	sequences    [maxSequences]sequence
	numSequences int

	header  blockHeader
	builder codeBuilder
	litFreq [numLitLen]uint16
	dstFreq [numDistance]uint16
	lengths [numLitLen + numDistance]uint8
	lit     litCodes
	dist    distCodes

	// The message in progress when it comes in chunks: history, then, from
	// pending on, what no block holds yet. clock is the position of buf[0].
	buf     []byte
	pending int
	clock   uint16
	acc     uint64 // bits of the last byte
	accBits uint
	written int // bytes of output so far
	total   int // bytes of input so far

	table [maxTable]uint16
}

// fixedOnly: up to so many symbols a block is not worth a code of its own,
// whose header alone takes some 40 bytes.
const fixedOnly = 96

// writeBlock writes one block with the bytes in, at most maxStored of them,
// which e.sequences describe. It is as short as the three types allow.
func (e *encoder) writeBlock(w *bitWriter, in []byte) {
	sequences := e.sequences[:e.numSequences]
	literals := len(in)
	for _, s := range sequences {
		literals -= s.length()
	}
	if literals+len(sequences) <= fixedOnly {
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
	extra := 0
	for sym, f := range e.litFreq[endOfBlock+1:] {
		extra += int(f) * int(lengthExtra[sym])
	}
	for sym, f := range e.dstFreq {
		extra += int(f) * int(distanceExtra[sym])
	}
	fixed := 3 + extra
	for sym, f := range e.litFreq {
		fixed += int(f) * int(fixedLitCodes[sym].length())
	}
	fixed += 5 * len(sequences)

	e.builder.lengths(e.lengths[:numLitLen], e.litFreq[:], maxLitBits)
	e.builder.lengths(e.lengths[numLitLen:], e.dstFreq[:], maxCodeBits)
	dynamic := 3 + extra + e.header.make(&e.builder, e.lengths[:numLitLen], e.lengths[numLitLen:])
	for sym, f := range e.litFreq {
		dynamic += int(f) * int(e.lengths[sym])
	}
	for sym, f := range e.dstFreq {
		dynamic += int(f) * int(e.lengths[numLitLen+sym])
	}
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
	return 2*same*256*len(in) < n*n*(len(in)+len(in)/16+11*header)
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

// writeAll writes buf[start:] in as many blocks as it takes.
func (e *encoder) writeAll(w *bitWriter, buf []byte, start int, table []uint16, clock uint16, reach int) {
	for start < len(buf) {
		end := min(len(buf), start+maxStored)
		end = e.find(buf[:end], start, table, clock, reach)
		e.writeBlock(w, buf[start:end])
		start = end
	}
}

// clearTable returns an empty table fit for n bytes.
func (e *encoder) clearTable(n int) []uint16 {
	size := 256
	for size < n && size < maxTable {
		size *= 2
	}
	table := e.table[:size]
	clear(table)
	return table
}

// primed is how much of the history a long message, or one in chunks, starts
// with: soon it has a history of its own.
const primed = 8 << 10

// begin starts a message that comes in chunks, with a copy of the end of the
// history before it.
func (e *encoder) begin(history []byte) {
	e.buf = append(e.buf[:0], history[max(0, len(history)-primed):]...)
	e.pending = len(e.buf)
	e.clock = 0
	e.acc, e.accBits = 0, 0
	e.written, e.total = 0, 0
	remember(e.buf, 0, 4, e.clearTable(maxTable), 0)
}

// chunk adds p to the message in progress, writes blocks as they fill up, and
// now and then drops history out of reach.
func (e *encoder) chunk(dst, p []byte, reach int) []byte {
	e.total += len(p)
	for len(p) > 0 {
		if drop := e.pending - reach; drop > maxStored/2 {
			e.buf = append(e.buf[:0], e.buf[drop:]...)
			e.pending -= drop
			e.clock += uint16(drop)
		}
		n := min(len(p), maxStored-(len(e.buf)-e.pending))
		e.buf = append(e.buf, p[:n]...)
		p = p[n:]
		if len(e.buf)-e.pending == maxStored {
			dst = e.writePending(dst, reach)
		}
	}
	return dst
}

// writePending writes all or most of what is pending.
func (e *encoder) writePending(dst []byte, reach int) []byte {
	w := bitWriter{out: dst, acc: e.acc, n: e.accBits}
	end := e.find(e.buf, e.pending, e.table[:], e.clock, reach)
	e.writeBlock(&w, e.buf[e.pending:end])
	e.acc, e.accBits = w.acc, w.n
	e.written += len(w.out) - len(dst)
	e.pending = end
	return w.out
}

// finish writes what is left and ends the message.
func (e *encoder) finish(dst []byte, reach int) []byte {
	for e.pending < len(e.buf) {
		dst = e.writePending(dst, reach)
	}
	w := bitWriter{out: dst, acc: e.acc, n: e.accBits}
	writeEnd(&w)
	return w.out
}
