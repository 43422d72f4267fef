package websocket

import (
	"context"
	"io"
	"math"
	"slices"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/transport"
)

// This file puts messages together from frames, for the calls in read.go. All of it runs with the read turn.

// readMessage appends the next message to buf, and returns buf. The message begins at base: buf[base:] is what was read of it
// before.
func (c *Conn) readMessage(ctx context.Context, buf []byte, base int) (MessageType, []byte, error) {
	if err := c.beginMessage(ctx); err != nil {
		return 0, nil, err
	}
	m := &c.receiver.message
	if m.compressed && !m.streaming {
		return c.readInflated(ctx, buf, base)
	}
	m.resume = false
	g := gathering{m: m, buf: buf, base: base}
	for {
		left := c.receiver.announced()
		if m.compressed {
			left = max(left, 512)
		}
		n, done, err := c.produce(ctx, g.room(left, len(c.receiver.inbox.Bytes())))
		g.came(n)
		if done {
			typ := MessageType(m.typ)
			all := g.join()
			c.endMessage()
			return typ, all, nil
		}
		if err != nil {
			g.hold()
			return 0, nil, err
		}
	}
}

// A gathering is the memory of one call that reads a whole message. It allocates memory for a length that the peer announces
// only once half of that has arrived. Until then, the payload is kept in borrowed pieces, which are joined once.
type gathering struct {
	m           *message
	buf         []byte // the result, at first in the caller's memory; the message begins at base
	base        int
	first, last *transport.Buffer // the pieces
	n           int               // bytes in them
	direct      bool              // room last returned memory of buf
}

// room returns memory for the next bytes. left bytes of the frame are still to be read; the inbox has buffered bytes.
func (g *gathering) room(left int64, buffered int) []byte {
	if g.m.held == nil {
		have := len(g.buf) - g.base + g.n
		enough := g.first == nil && int64(cap(g.buf)-len(g.buf)) >= left
		switch {
		case enough:
		case int64(have+buffered) < left:
			g.pour()
		case g.first == nil:
			g.buf = growFor(g.buf, max(int(left), have))
			enough = true
		case g.m.frame.fin:
			g.buf = growFor(g.buf, g.n+int(left))
			g.buf = g.takePieces(g.buf)
			enough = true
		}
		if enough {
			g.direct = true
			return g.buf[len(g.buf):cap(g.buf)]
		}
	}
	g.direct = false
	return g.piece()
}

// piece returns room in the last piece.
func (g *gathering) piece() []byte {
	if g.last == nil || len(g.last.B) == cap(g.last.B) {
		next := transport.GetPiece(g.n)
		if g.last == nil {
			g.first = next
		} else {
			g.last.Next = next
		}
		g.last = next
	}
	return g.last.B[len(g.last.B):cap(g.last.B)]
}

// came notes that n bytes were written to the memory that room returned.
func (g *gathering) came(n int) {
	if g.direct {
		g.buf = g.buf[:len(g.buf)+n]
		return
	}
	g.last.B = g.last.B[:len(g.last.B)+n]
	g.n += n
}

// pour moves the part of the message that is in buf to pieces.
func (g *gathering) pour() {
	for part := g.buf[g.base:]; len(part) > 0; {
		n := copy(g.piece(), part)
		part = part[n:]
		g.direct = false
		g.came(n)
	}
	g.buf = g.buf[:g.base]
}

// takePieces appends the pieces to dst and gives them back.
func (g *gathering) takePieces(dst []byte) []byte {
	for p := g.first; p != nil; {
		next := p.Next
		dst = append(dst, p.B...)
		transport.PutPiece(p)
		p = next
	}
	g.first, g.last, g.n = nil, nil, 0
	return dst
}

// join returns the caller's buf[:base] with the whole message appended.
func (g *gathering) join() []byte {
	var held []byte
	if g.m.held != nil {
		held = *g.m.held
	}
	if n := len(held) + g.n; n > 0 {
		if g.buf != nil || g.first != g.last {
			g.buf = growFor(g.buf, n)
		}
		g.buf = append(g.buf, held...)
		g.buf = g.takePieces(g.buf)
	}
	return g.buf
}

// hold keeps what has arrived of the message for the next call. Each byte is copied once, however often calls give up.
func (g *gathering) hold() {
	if !g.m.open {
		g.takePieces(nil)
		return
	}
	g.m.resume = true
	if len(g.buf) <= g.base && g.n == 0 {
		g.takePieces(nil) // one may be empty still
		return
	}
	if g.m.held == nil {
		g.m.held = new([]byte)
	}
	*g.m.held = g.takePieces(append(*g.m.held, g.buf[min(g.base, len(g.buf)):]...))
}

// Large memory begins pageOffset behind the start of a page. A kernel that copies to and from it with "rep movsb" is slow on
// some CPUs if the destination is a few bytes further in its page than the source, as it is when a message is sent behind its
// header whose memory begins with a page. On an AMD EPYC an echo of 256 KiB took a third less for this.
const pageOffset, offsetFrom = 64, 64 << 10

// growFor makes room for n bytes behind buf, and for a header, since the next message may be read into the same memory.
func growFor(buf []byte, n int) []byte {
	if cap(buf)-len(buf) >= n {
		return buf
	}
	return grown(buf, n)
}

//go:noinline
func grown(buf []byte, n int) []byte {
	if buf != nil {
		n += maxHeader
	}
	if len(buf)+n < offsetFrom {
		return slices.Grow(buf, n)
	}
	size := max(len(buf)+n, cap(buf)+cap(buf)/4) // many appends cost few copies
	return append(make([]byte, pageOffset+size)[pageOffset:pageOffset], buf...)
}

// beginMessage goes to the start of the next message. If a Reader left one in the middle, it skips the rest. If a Read gave up
// in the middle, the message is continued.
func (c *Conn) beginMessage(ctx context.Context) error {
	m := &c.receiver.message
	if m.open {
		if m.resume {
			return nil
		}
		m.number++ // its reader has lost it
		if err := c.discardMessage(ctx); err != nil {
			return err
		}
	}
	return c.nextFrame(ctx)
}

// discardMessage reads the rest of the message and forgets it.
func (c *Conn) discardMessage(ctx context.Context) error {
	scrap := transport.Get()
	defer transport.Put(scrap)
	for {
		_, done, err := c.produce(ctx, scrap.B[:cap(scrap.B)])
		if err != nil {
			return err
		}
		if done {
			c.endMessage()
			return nil
		}
	}
}

// produce reads at least one byte of the message into dst, or reports that the message is done. It may do both.
func (c *Conn) produce(ctx context.Context, dst []byte) (n int, done bool, err error) {
	if c.receiver.message.compressed {
		return c.inflateSome(ctx, dst)
	}
	more, err := c.morePayload(ctx)
	if err != nil || !more {
		return 0, err == nil, err
	}
	n, err = c.payload(ctx, dst)
	return n, false, err
}

// readInflated is readMessage for a compressed message that no Reader has begun to
// stream. It inflates the whole message behind buf, where matches find their history;
// or, after a call that gave up, behind what that call has inflated.
func (c *Conn) readInflated(ctx context.Context, buf []byte, base int) (MessageType, []byte, error) {
	m := &c.receiver.message
	z := &c.deflate.in
	work, start, held := buf, base, m.appending
	if held {
		work, start = *m.held, 0
	}
	m.resume, m.appending, m.held = false, false, nil
	packed := transport.Get()
	defer transport.Put(packed)
	for {
		more, err := c.morePayload(ctx)
		if err == nil && !more {
			if err = c.checkInflated(nil, z.Finish(work, start), true); err == nil {
				typ := MessageType(m.typ)
				c.deflate.message.size = int64(len(work) - start)
				c.endMessage()
				if held {
					work = append(buf, work...)
				}
				return typ, work, nil
			}
		}
		var n int
		if err == nil {
			n, err = c.payload(ctx, packed.B[:cap(packed.B)])
		}
		if err == nil {
			before := len(work)
			var bad error
			work, bad = z.Append(work, packed.B[:n], start, c.inflateLimit())
			err = c.checkInflated(work[before:], bad, false)
		}
		if err != nil {
			if m.open {
				if !held {
					work = slices.Clone(work[start:])
				}
				m.resume, m.appending, m.held = true, true, new([]byte)
				*m.held = work
			}
			return 0, nil, err
		}
	}
}

// inflateRest reads the rest of a compressed message that a Read has begun and given
// up, so that a Reader can stream it from memory.
func (c *Conn) inflateRest(ctx context.Context) error {
	m := &c.receiver.message
	number := m.number
	typ, all, err := c.readInflated(ctx, nil, 0)
	if err != nil {
		return err
	}
	*m = message{typ: uint8(typ), open: true, resume: true, counted: true, held: &all, frame: record{fin: true}, number: number}
	return nil
}

// inflateSome is produce for a compressed message: it streams it into dst.
func (c *Conn) inflateSome(ctx context.Context, dst []byte) (n int, done bool, err error) {
	m := &c.receiver.message
	m.streaming = true
	z := &c.deflate.message
	for {
		last := false
		if len(z.packed) == 0 {
			more, err := c.morePayload(ctx)
			if err != nil {
				return 0, false, err
			}
			if last = !more; more {
				if z.packedIn == nil {
					z.packedIn = transport.Get()
				}
				b := z.packedIn.B[:cap(z.packedIn.B)]
				n, err := c.payload(ctx, b)
				if err != nil {
					return 0, false, err
				}
				z.packed = b[:n]
			}
		}
		n, used, bad := c.deflate.in.Inflate(dst, z.packed, last)
		z.packed = z.packed[used:]
		if done = bad == io.EOF; done {
			bad = nil
		}
		z.size += int64(n)
		if limit := c.receiver.limit.Load(); bad == nil && limit >= 0 && z.size > limit {
			bad = deflate.ErrTooLong
		}
		if err := c.checkInflated(dst[:n], bad, done); err != nil {
			return 0, false, err
		}
		if n > 0 || done {
			return n, done, nil
		}
	}
}

// inflateLimit returns the read limit in the decompressor's terms.
func (c *Conn) inflateLimit() int {
	limit := c.receiver.limit.Load()
	if limit < 0 || limit > math.MaxInt/2 {
		return deflate.NoLimit
	}
	return int(limit)
}

// checkInflated checks what the decompressor returned: its error, and whether
// text is UTF-8. RFC 7692 does not say which code a message gets that can't be
// inflated; other implementations send 1007.
func (c *Conn) checkInflated(p []byte, bad error, last bool) error {
	m := &c.receiver.message
	ok := true
	if MessageType(m.typ) == MessageText && !c.receiver.anyText {
		if _, ok = c.deflate.message.text.Write(p); ok && last && bad == nil {
			ok = c.deflate.message.text.Done()
		}
	}
	switch {
	case !ok: // p comes before the decompressor's error, so its fault counts first
		return c.refuse(protocolError(StatusInvalidFramePayloadData, "a text message is not UTF-8", "8.1"))
	case bad == deflate.ErrTooLong:
		return c.refuse(sizeError{c.receiver.limit.Load()})
	case bad != nil:
		return c.refuse(ProtocolError{StatusInvalidFramePayloadData, "a compressed message can't be inflated: " + bad.Error()})
	}
	return nil
}
