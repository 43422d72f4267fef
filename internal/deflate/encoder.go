package deflate

import "encoding/binary"

const (
	// maxSequences bounds a block. A block cut short by it has so many matches
	// that storing it would always be longer.
	maxSequences = 8192

	// maxTable is the size of the largest table of positions.
	maxTable = 1 << 14
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
	lit     [numLitLen]code
	dist    [numDistance]code

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
	for i := range sequences {
		literals -= int(sequences[i].length)
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
	if literals >= len(in)-len(in)>>6 && incompressible(in) {
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
	at := 0
	for i := range sequences {
		s := &sequences[i]
		end := at + int(s.literals)
		for _, b := range in[at:end] {
			e.litFreq[b]++
		}
		e.litFreq[endOfBlock+1+int(s.lengthSym)]++
		e.dstFreq[s.distSym]++
		at = end + int(s.length)
	}
	for _, b := range in[at:] {
		e.litFreq[b]++
	}
	e.litFreq[endOfBlock] = 1
}

// incompressible reports whether the bytes in look like noise. It counts a
// sample: of n bytes taken from 256 values at random about n*n/256+n pairs are
// the same, counting each byte with itself, and the more the fewer bits a byte
// is worth.
func incompressible(in []byte) bool {
	const sample = 1024
	if len(in) < sample/2 {
		return false
	}
	var count [256]uint16
	step := max(1, len(in)/sample)
	n := 0
	for i := 0; i < len(in); i += step {
		count[in[i]]++
		n++
	}
	pairs := 0
	for _, c := range count {
		pairs += int(c) * int(c)
	}
	expected := n*n/256 + n
	return pairs < expected+expected/12
}

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
	writeSymbols(w, in, sequences, (*[numLitLen]code)(fixedLitCodes[:]), (*[numDistance]code)(fixedDistCodes[:]))
}

// maxLitBits is the longest code of a literal or length we make, one bit less
// than allowed: so four literals and the 7 bits left over fit a word.
const maxLitBits = maxCodeBits - 1

// writeSymbols writes what in and sequences say and the end of the block.
func writeSymbols(w *bitWriter, in []byte, sequences []sequence, lit *[numLitLen]code, dist *[numDistance]code) {
	out, at, acc, n := w.out[:cap(w.out)], len(w.out), w.acc, w.n
	for i := 0; ; i++ {
		run := in
		if i < len(sequences) {
			run = in[:sequences[i].literals]
		}
		in = in[len(run):]
		for ; len(run) >= 4; run = run[4:] {
			c := lit[run[0]]
			acc |= c.word() << (n & 63)
			n += c.length()
			c = lit[run[1]]
			acc |= c.word() << (n & 63)
			n += c.length()
			c = lit[run[2]]
			acc |= c.word() << (n & 63)
			n += c.length()
			c = lit[run[3]]
			acc |= c.word() << (n & 63)
			n += c.length()
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n &^ 7 & 63
			n &= 7
		}
		for _, b := range run {
			c := lit[b]
			acc |= c.word() << (n & 63)
			n += c.length()
		}
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
		if i == len(sequences) {
			break
		}

		s := &sequences[i]
		in = in[s.length:]
		c := lit[endOfBlock+1+int(s.lengthSym)]
		acc |= c.word() << (n & 63)
		n += c.length()
		acc |= uint64(s.length-lengthBase[s.lengthSym]) << (n & 63)
		n += uint(lengthExtra[s.lengthSym])
		c = dist[s.distSym]
		acc |= c.word() << (n & 63)
		n += c.length()
		acc |= uint64(s.distance-distanceBase[s.distSym]) << (n & 63)
		n += uint(distanceExtra[s.distSym])
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	w.out, w.acc, w.n = out[:at], acc, n
	w.code(lit[endOfBlock])
	w.flush()
}

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

// begin starts a message that comes in chunks, with a copy of the history
// before it.
func (e *encoder) begin(history []byte) {
	e.buf = append(e.buf[:0], history...)
	e.pending = len(e.buf)
	e.clock = 0
	e.acc, e.accBits = 0, 0
	e.written, e.total = 0, 0
	remember(e.buf, 0, 2, e.clearTable(maxTable), 0)
}

// chunk adds p to the message in progress, and writes blocks as they fill up.
func (e *encoder) chunk(dst, p []byte, reach int) []byte {
	e.total += len(p)
	for len(p) > 0 {
		n := min(len(p), maxStored-(len(e.buf)-e.pending))
		e.buf = append(e.buf, p[:n]...)
		p = p[n:]
		if len(e.buf)-e.pending == maxStored {
			dst = e.writePending(dst, reach)
		}
	}
	return dst
}

// writePending writes all or most of what is pending, and drops history out of
// reach.
func (e *encoder) writePending(dst []byte, reach int) []byte {
	w := bitWriter{out: dst, acc: e.acc, n: e.accBits}
	end := e.find(e.buf, e.pending, e.table[:], e.clock, reach)
	e.writeBlock(&w, e.buf[e.pending:end])
	e.acc, e.accBits = w.acc, w.n
	e.written += len(w.out) - len(dst)
	e.pending = end
	if drop := e.pending - reach; drop > 0 {
		e.buf = append(e.buf[:0], e.buf[drop:]...)
		e.pending -= drop
		e.clock += uint16(drop)
	}
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
