package deflate

// Compressor deflates the messages of one direction of one connection. With
// context takeover it owns a history of what was sent and a small table of
// positions in it, together no more than the window and 2 KiB; without, nothing.
// While a message is being written in chunks it also holds an encoder from a
// pool.
//
// A Compressor is for one goroutine at a time.
type Compressor struct {
	// history is the newest bytes sent. The message being compressed goes behind
	// it, so that a match is a comparison of two places in one slice. It grows
	// with what is sent.
	history []byte
	table   []uint16
	clock   uint16 // position of history[0], modulo 2^16
	// unindexed is how many of the newest bytes are not in the table yet.
	unindexed uint16

	bits     uint8
	takeover bool
	effort   Effort

	e *encoder // while a message is being written in chunks
}

type budget struct{ history, table int }

// budgets says how the memory of a Compressor with takeover is spent, by window
// bits: bytes of history, which is never more than the window, and entries of the
// table, a power of two. The last part of a large window is worth less than a
// table that finds what is in the rest.
var budgets = [maxWindowBits + 1]budget{
	8:  {256, 256},
	9:  {512, 512},
	10: {1024, 512},
	11: {1792, 1024},
	12: {3072, 1024},
	13: {5376, 2048},
	14: {9472, 4096},
	15: {24576, 4096},
}

// NewCompressor returns a Compressor whose distances never exceed 2^windowBits,
// 8 to 15. With takeover a message may refer to those before it. effort is
// LeastEffort to MostEffort.
func NewCompressor(windowBits int, takeover bool, effort Effort) *Compressor {
	c := new(Compressor)
	c.Init(windowBits, takeover, effort)
	return c
}

// Init makes c what NewCompressor returns, for a value inside another struct.
func (c *Compressor) Init(windowBits int, takeover bool, effort Effort) {
	checkWindowBits(windowBits)
	if effort < LeastEffort || effort > MostEffort {
		panic("deflate: no such effort")
	}
	*c = Compressor{bits: uint8(windowBits), takeover: takeover, effort: effort}
}

// Takeover reports whether a message may refer to those before it: then what was compressed must be sent.
func (c *Compressor) Takeover() bool { return c.takeover }

// Settings returns the window's size, as the exponent of 2, and the effort.
func (c *Compressor) Settings() (windowBits int, effort Effort) { return int(c.bits), c.effort }

// budget says how c may spend its memory. Chains do without a table, which leaves
// room for the whole window.
func (c *Compressor) budget() budget {
	if c.effort > 0 {
		return budget{1 << c.bits, 0}
	}
	return budgets[c.bits]
}

func (c *Compressor) reach() int { return 1 << c.bits }

// allowed returns how long the compressed form of a message of n bytes may be.
// With takeover the first messages may get a little longer: a message that is not
// compressed is none that others can refer to, and small ones compress only by
// reference.
func (c *Compressor) allowed(n int) int {
	if c.takeover && n >= 16 && len(c.history) < min(256, c.budget().history/4) {
		return n + 5
	}
	return n - 1
}

// AppendMessage appends the compressed form of a whole message to dst, without
// the final 00 00 ff ff. If that is not shorter than msg it returns dst as it was
// and false, and the message counts as not compressed: it is not in the
// peer's window either. With takeover the first messages may get up to 5 bytes
// longer, to give those after them something to refer to.
//
// AppendMessage must not be called between AppendChunk and AppendFinish.
func (c *Compressor) AppendMessage(dst, msg []byte) ([]byte, bool) {
	if c.takeover && len(msg) > c.budget().history/2 {
		return c.appendLong(dst, msg)
	}
	e := getEncoder(c.effort)
	w := bitWriter{out: dst}
	kept := len(c.history)
	allowed := c.allowed(len(msg))
	e.chains.begin()
	if c.takeover {
		kept = c.push(msg)
		c.index(kept)
		e.writeAll(&w, c.history, kept, c.table, c.clock, c.reach())
	} else {
		table := e.clearTable(len(msg))
		e.writeAll(&w, msg, 0, table, 0, c.reach())
	}
	putEncoder(e)
	writeEnd(&w)
	if len(w.out)-len(dst) > allowed {
		c.history = c.history[:kept]
		return w.out[:len(dst)], false
	}
	return w.out, true
}

// noiseAbove: of a message as long as this a sample tells whether it is worth
// trying.
const noiseAbove = 4 << 10

// appendLong is AppendMessage for a message that takes up much of the history
// or more: it needs a larger table for itself.
func (c *Compressor) appendLong(dst, msg []byte) ([]byte, bool) {
	if len(msg) >= noiseAbove && incompressible(msg, 0) {
		return dst, false
	}
	out := c.AppendChunk(dst, msg)
	e := c.e
	out = e.finish(out, c.reach())
	c.e = nil
	ok := len(out)-len(dst) < len(msg)
	if ok {
		c.record(msg)
	} else {
		out = out[:len(dst)]
	}
	putEncoder(e)
	return out, ok
}

// AppendChunk takes p as the next part of a message and appends to dst what can
// be told of its compressed form already: there may be nothing before some 64 KiB
// have come.
func (c *Compressor) AppendChunk(dst, p []byte) []byte {
	if c.e == nil {
		c.e = getEncoder(c.effort)
		c.e.begin(c.history)
	}
	return c.e.chunk(dst, p, c.reach())
}

// AppendFinish ends the message that AppendChunk began, or an empty one, and
// appends the rest of its compressed form without the final 00 00 ff ff.
func (c *Compressor) AppendFinish(dst []byte) []byte {
	dst = c.AppendChunk(dst, nil)
	dst = c.e.finish(dst, c.reach())
	if c.takeover {
		buf := c.e.buf
		c.record(buf[len(buf)-min(c.e.total, len(buf)):])
	}
	putEncoder(c.e)
	c.e = nil
	return dst
}

// Abandon drops a message that AppendChunk began. If any of it was appended to
// dst, the peer may or may not come to know it, so all history is forgotten.
func (c *Compressor) Abandon() {
	if c.e == nil {
		return
	}
	if c.e.written > 0 {
		c.forget()
	}
	putEncoder(c.e)
	c.e = nil
}

// Reset gives back what a message in progress holds and forgets all history.
func (c *Compressor) Reset() {
	if c.e != nil {
		putEncoder(c.e)
	}
	c.Init(int(c.bits), c.takeover, c.effort)
}

// Record notes that msg was sent compressed, but by other means: say, compressed
// once without context for many connections. It is in the peer's window now. It is
// copied to the history, but not entered into the table before the next message that is
// compressed here: on many connections there is none.
func (c *Compressor) Record(msg []byte) {
	if c.takeover {
		start := c.add(msg)
		n := len(c.history) - start
		c.unindexed = uint16(min(int(c.unindexed)+n, len(c.history)))
	}
}

// forget drops the history; positions go on, so that what the table says of it
// is too far back.
func (c *Compressor) forget() {
	c.clock += uint16(len(c.history))
	c.history, c.unindexed = c.history[:0], 0
}

// record makes msg the newest history and enters it into the table.
func (c *Compressor) record(msg []byte) {
	start := c.add(msg)
	c.index(start)
	remember(c.history, start, 1+len(msg)>>10, c.table, c.clock)
}

// add makes msg, or the end of it, the newest history, and returns where it starts.
func (c *Compressor) add(msg []byte) int {
	limit := c.budget().history
	if len(msg) > limit {
		c.forget()
		c.clock += uint16(len(msg) - limit)
		msg = msg[len(msg)-limit:]
	}
	return c.push(msg)
}

// index enters into the table what of history[:end] is not there yet. The table grows
// with the history.
func (c *Compressor) index(end int) {
	if n := min(c.budget().table, cap(c.history)); n > len(c.table) {
		c.table = make([]uint16, n)
		remember(c.history[:end], 0, 1, c.table, c.clock)
	} else if n := int(c.unindexed); n > 0 {
		remember(c.history[:end], max(end-n, 0), 1+n>>12, c.table, c.clock)
	}
	c.unindexed = 0
}

// push appends msg, no longer than all of the history may be, to the history
// and returns where it starts. Old bytes make room, a quarter of the limit at a
// time, so that moving the rest is rare; with positive effort no more of them
// than need be.
func (c *Compressor) push(msg []byte) int {
	limit := c.budget().history
	need := len(c.history) + len(msg)
	if need > cap(c.history) {
		if cap(c.history) < limit {
			c.growHistory(min(need, limit))
		}
		if need > limit {
			keep := limit - len(msg)
			if c.effort <= 0 {
				keep = min(keep, limit*3/4)
			}
			drop := len(c.history) - keep
			copy(c.history, c.history[drop:])
			c.history = c.history[:keep]
			c.clock += uint16(drop)
		}
	}
	start := len(c.history)
	c.history = append(c.history, msg...)
	return start
}

// growHistory makes room for n bytes.
func (c *Compressor) growHistory(n int) {
	b := c.budget()
	size := max(256, 2*cap(c.history))
	for size < n {
		size *= 2
	}
	size = min(size, b.history)
	grown := make([]byte, len(c.history), size)
	copy(grown, c.history)
	c.history = grown
}
