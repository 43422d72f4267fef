package websocket

import (
	"context"
	"errors"

	"github.com/closeonce/websocket/internal/transport"
)

// This file brings messages to the calls in read.go, and to the read-ahead. All of it runs with the read turn.

// readMessage appends the next message to buf, in which it begins at base: what stands there is the start of it.
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

// A gathering is the memory of one call that reads a whole message. A length that the peer announces is not trusted for
// more than as much again as what has come: until then, payload is kept in borrowed pieces, and joined once.
type gathering struct {
	m           *message
	buf         []byte // the caller's memory, or the result's; the message begins at base
	base        int
	first, last *transport.Buffer // the pieces
	n           int               // bytes in them
	direct      bool              // room gave memory of buf
}

// room returns memory for the next bytes. Of the frame, left bytes are still to come, and buffered bytes have come.
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

// piece returns room in the last piece. The pieces are usual buffers at first, and then large ones.
func (g *gathering) piece() []byte {
	if g.last == nil || len(g.last.B) == cap(g.last.B) {
		var next *transport.Buffer
		if g.n < 2*transport.BufferSize {
			next = transport.Get()
		} else {
			next = transport.GetLarge()
		}
		if g.last == nil {
			g.first = next
		} else {
			g.last.Next = next
		}
		g.last = next
	}
	return g.last.B[len(g.last.B):cap(g.last.B)]
}

// came says that n bytes were put where room said.
func (g *gathering) came(n int) {
	if g.direct {
		g.buf = g.buf[:len(g.buf)+n]
		return
	}
	g.last.B = g.last.B[:len(g.last.B)+n]
	g.n += n
}

// pour moves what is in buf of the message to pieces.
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

// join returns the whole message behind what the caller gave.
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

// hold keeps what has come of the message for the next call. What it holds is copied once, however often calls give up.
func (g *gathering) hold() {
	if !g.m.open {
		g.takePieces(nil)
		return
	}
	g.m.resume = true
	if len(g.buf) <= g.base && g.n == 0 {
		return
	}
	if g.m.held == nil {
		g.m.held = new([]byte)
	}
	*g.m.held = g.takePieces(append(*g.m.held, g.buf[min(g.base, len(g.buf)):]...))
}

// beginMessage goes to the start of the next message, past the rest of one that was left in the middle; or, if a Read gave
// up in the middle, it stays there.
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

// produce reads at least one byte of the message into dst, or finds that it is done: then there may be bytes too.
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

var errMessageType = errors.New("websocket: NetConn got a message of the other type; closed with StatusUnsupportedData")

// readStream reads into p from messages of one type, as if they were a stream.
func (c *Conn) readStream(ctx context.Context, typ MessageType, p []byte) (int, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, c.explain(ctx, err)
	}
	n, err := c.streamPayload(ctx, typ, p)
	c.leaveRead()
	if err == errMessageType {
		c.CloseContext(ctx, StatusUnsupportedData, "unexpected message type")
	}
	return n, c.explain(ctx, err)
}

// streamPayload is readStream's work, with the read turn.
func (c *Conn) streamPayload(ctx context.Context, typ MessageType, p []byte) (int, error) {
	m := &c.receiver.message
	for {
		if !m.open {
			if err := c.nextFrame(ctx); err != nil {
				return 0, err
			}
			m.resume = true // another NetConn or Read may go on with it
		}
		if MessageType(m.typ) != typ {
			return 0, errMessageType
		}
		if m.appending {
			if err := c.inflateRest(ctx); err != nil {
				return 0, err
			}
		}
		if len(p) == 0 {
			return 0, nil
		}
		if n := m.takeHeld(p); n > 0 {
			return n, nil
		}
		n, done, err := c.produce(ctx, p)
		if done {
			c.endMessage()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// morePayload reports whether the message has more payload, going to its next frame if need be.
func (c *Conn) morePayload(ctx context.Context) (bool, error) {
	for c.receiver.announced() == 0 {
		if c.receiver.message.frame.fin {
			return false, nil
		}
		if err := c.nextFrame(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// nextFrame goes to the next data frame: in the read-ahead, then on the wire.
func (c *Conn) nextFrame(ctx context.Context) error {
	r := &c.receiver
	if c.has(dropping) {
		c.dropUnread()
	}
	var frame record
	if r.ahead.some() {
		frame = r.ahead.pop()
	} else {
		if err := c.nextWireFrame(ctx); err != nil {
			return err
		}
		frame = r.record()
	}
	if err := r.enter(frame); err != nil {
		return c.refuse(err)
	}
	return nil
}

// payload reads at least one byte of the current frame's payload into dst.
func (c *Conn) payload(ctx context.Context, dst []byte) (int, error) {
	if f := &c.receiver.message.frame; f.n > 0 {
		n := c.receiver.ahead.take(dst[:min(len(dst), int(f.n))])
		f.n -= int32(n)
		return n, nil
	}
	return c.wirePayload(ctx, dst)
}

// nextWireFrame reads to the next data frame's payload, past control frames and data that is for nobody.
func (c *Conn) nextWireFrame(ctx context.Context) error {
	r := &c.receiver
	for {
		for r.left > 0 { // of a frame that is not wanted
			if r.skipBuffered(); r.left > 0 {
				if err := c.fill(ctx); err != nil {
					return err
				}
			}
		}
		if r.over {
			return errOver
		}
		what, op, payload, err := r.next(c.deflate != nil)
		c.frameRead(what, op, payload)
		switch {
		case err != nil:
			return c.failRead(err)
		case what == needBytes:
			if !r.inMessage {
				r.inbox.Release() // who waits for a message, and has met a Ping, waits without a buffer
			}
			err = c.fill(ctx)
		case what == controlFrame:
			err = c.control(op, payload)
		case c.has(delivering) || c.wanted(op):
			return nil
		default:
			r.checking = false
		}
		if err != nil {
			return err
		}
	}
}

// wanted asks closing whether a data frame is for the application.
func (c *Conn) wanted(op opcode) bool {
	c.mu.Lock()
	delivers, closeRead := c.closing.delivers(), c.closing.closeRead
	c.unlock()
	if closeRead && op != opContinuation {
		c.unexpected()
	}
	return delivers
}

// wirePayload reads at least one byte of the payload of the frame on the wire, unmasked, into dst. The frame has some left.
func (c *Conn) wirePayload(ctx context.Context, dst []byte) (int, error) {
	r := &c.receiver
	if int64(len(dst)) > r.left {
		dst = dst[:r.left]
	}
	if r.inbox.Empty() && len(dst) >= directRead {
		n, err := c.receive(ctx, directPiece(dst))
		if err != nil {
			return 0, err
		}
		if err := r.take(dst[:n], dst); err != nil {
			return 0, c.failRead(err)
		}
		return n, nil
	}
	for r.inbox.Empty() {
		if err := c.fill(ctx); err != nil {
			return 0, err
		}
	}
	n, err := r.takeBuffered(dst)
	if err != nil {
		return 0, c.failRead(err)
	}
	return n, nil
}

// directRead is from which size on a payload's rest is read straight to where it is wanted, past the inbox.
const directRead = transport.BufferSize

// maxDirectRead is about how much is read so at once, to be unmasked and checked while it is in the CPU's cache.
const maxDirectRead = 128 << 10

// directPiece returns how much of dst the next such read is for. It leaves no small rest.
func directPiece(dst []byte) []byte {
	if len(dst) < maxDirectRead+directRead {
		return dst
	}
	return dst[:maxDirectRead]
}
