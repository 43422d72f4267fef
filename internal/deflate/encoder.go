package deflate

const (
	// maxSequences bounds a block. A block cut short by it has so many matches
	// that storing it would always be longer.
	maxSequences = 8192

	// maxTable is how many positions the table of an encoder may have.
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

	effort Effort
	chains *chains // with positive effort
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

// begin starts a message that comes in chunks, with a copy of the history before
// it, or of its end.
func (e *encoder) begin(history []byte) {
	if e.effort <= 0 {
		history = history[max(0, len(history)-primed):]
	}
	e.buf = append(e.buf[:0], history...)
	e.pending = len(e.buf)
	e.clock = 0
	e.acc, e.accBits = 0, 0
	e.written, e.total = 0, 0
	e.chains.begin()
	if e.effort <= 0 {
		remember(e.buf, 0, 4, e.clearTable(maxTable), 0)
	}
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
			if e.effort > 0 {
				e.chains.origin += uint32(drop)
			}
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
