package websocket

import (
	"context"
	"io"
	"math"
	"slices"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/utf8"
)

// This file is the use of permessage-deflate for messages (RFC 7692, section
// 6); compress.go negotiates it.

// writeCompressed sends one message compressed, if that makes it smaller. With
// context takeover messages must leave in the order in which they were compressed:
// so it compresses with the write turn.
func (c *Conn) writeCompressed(ctx context.Context, l lead, p []byte) (sent bool, err error) {
	if err := c.takeWrite(ctx); err != nil {
		return false, err
	}
	if err := c.finishRest(ctx); err != nil {
		c.leaveWrite()
		return false, err
	}
	packed := getBuffer()
	defer putBuffer(packed)
	var smaller bool
	if packed.b, smaller = c.deflate.out.AppendMessage(packed.b, p); smaller {
		l, p = l|rsv1Bit, packed.b
	}
	if c.waiting.Load() && c.queueForCompany(l, p) {
		c.leaveWrite()
		return true, nil
	}
	return c.writeFrame(ctx, l, p, smaller)
}

// finishRest sends what is left of a frame that was written in part. It is called
// with the write turn, before compressing: what has moved the compressor's window
// must leave, and so must not be held up behind what a context may interrupt.
func (c *Conn) finishRest(ctx context.Context) error {
	c.mu.Lock()
	rest := c.out.rest != nil
	c.mu.Unlock()
	if !rest {
		return nil
	}
	_, err := c.depart(ctx, nil, true)
	return err
}

// tryWriteCompressed leaves a message compressed in the queue. It reports
// whether it dealt with the message: not if somebody writes at this moment,
// because then it can't know the order.
func (c *Conn) tryWriteCompressed(l lead, p []byte) (bool, error) {
	if !c.tryTakeWrite() {
		return false, nil
	}
	defer c.leaveWrite()
	packed := getBuffer()
	defer putBuffer(packed)
	if err := c.writeStopped(); err != nil {
		return true, err
	}
	c.mu.Lock()
	room := c.settings.queueLimit - c.out.size
	c.mu.Unlock()
	if room < len(p)+maxHeader+deflateSlack { // what is compressed can't be taken back
		return true, ErrQueueFull
	}
	var smaller bool
	if packed.b, smaller = c.deflate.out.AppendMessage(packed.b, p); smaller {
		l, p = l|rsv1Bit, packed.b
	}
	if err := c.enqueue(l, p); err != nil {
		return true, err
	}
	if c.raw != nil {
		c.depart(nobody, nil, false)
	}
	return true, nil
}

// deflateSlack is by how much a compressed message may be longer than it was.
const deflateSlack = 16

// maxInflateInput bounds the compressed form of a message of at most limit bytes:
// generously, but a stream of blocks that hold nothing must end.
func maxInflateInput(limit int64) int64 {
	if limit > math.MaxInt64/16 {
		return math.MaxInt64
	}
	return 8*limit + 64<<10
}

// readInflated is readMessage for a compressed message that nobody has begun to
// stream: it is inflated in one go behind buf, where matches find their history.
func (c *Conn) readInflated(ctx context.Context, buf []byte, borrowed **buffer) (MessageType, []byte, error) {
	m := &c.in.message
	z := &c.deflate.in
	base := len(buf)
	if borrowed != nil && buf == nil {
		*borrowed = getBuffer()
		buf = (*borrowed).b
	}
	if m.resume {
		buf = append(buf, m.partial...)
		m.resume, m.partial = false, nil
	}
	packed := getBuffer()
	defer putBuffer(packed)
	for {
		more, err := c.morePayload(ctx)
		if err == nil && !more {
			if err = c.checkInflated(ctx, nil, z.Finish(buf, base), true); err == nil {
				typ := m.typ
				c.endMessage()
				return typ, buf, nil
			}
		}
		var n int
		if err == nil {
			n, err = c.payload(ctx, packed.b[:cap(packed.b)])
		}
		if err == nil {
			before := len(buf)
			var bad error
			buf, bad = z.Append(buf, packed.b[:n], base, c.inflateLimit())
			err = c.checkInflated(ctx, buf[before:], bad, false)
		}
		if err != nil {
			if m.open {
				m.resume, m.appending, m.partial = true, true, slices.Clone(buf[base:])
			}
			if borrowed != nil {
				putBuffer(*borrowed)
				*borrowed = nil
			}
			return 0, nil, err
		}
	}
}

// gather reads the rest of a compressed message that a Read gave up in the
// middle, so that it can be streamed from memory.
func (c *Conn) gather(ctx context.Context) error {
	m := &c.in.message
	number := m.number
	typ, all, err := c.readInflated(ctx, nil, nil)
	if err != nil {
		return err
	}
	*m = message{typ: typ, open: true, resume: true, partial: all, frame: record{fin: true}, number: number}
	return nil
}

// inflating is how far a compressed message was inflated.
type inflating struct {
	text     utf8.Validator
	size     int64   // of what a Reader had of it
	packedIn *buffer // holds packed
	packed   []byte  // payload that was taken, but not inflated yet
}

// end: the message was read to its end.
func (z *inflating) end() {
	if z.packedIn != nil {
		putBuffer(z.packedIn)
	}
	*z = inflating{}
}

// inflateSome is produce for a compressed message: it streams it into dst.
func (c *Conn) inflateSome(ctx context.Context, dst []byte) (n int, done bool, err error) {
	m := &c.in.message
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
					z.packedIn = getBuffer()
				}
				b := z.packedIn.b[:cap(z.packedIn.b)]
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
		if limit := c.readLimit.Load(); bad == nil && limit >= 0 && z.size > limit {
			bad = deflate.ErrTooLong
		}
		if err := c.checkInflated(ctx, dst[:n], bad, done); err != nil {
			return 0, false, err
		}
		if n > 0 || done {
			return n, done, nil
		}
	}
}

// inflateLimit is the read limit as the decompressor wants it.
func (c *Conn) inflateLimit() int {
	limit := c.readLimit.Load()
	if limit < 0 || limit > math.MaxInt/2 {
		return deflate.NoLimit
	}
	return int(limit)
}

// checkInflated checks what came out of the decompressor: its error, and
// whether text is UTF-8. RFC 7692 leaves open with which code a message that
// can't be inflated is refused; 1007 is what others send.
func (c *Conn) checkInflated(ctx context.Context, p []byte, bad error, last bool) error {
	m := &c.in.message
	ok := true
	if m.typ == MessageText {
		if _, ok = c.deflate.message.text.Write(p); ok && last && bad == nil {
			ok = c.deflate.message.text.Done()
		}
	}
	switch {
	case !ok: // what came before the decompressor's error counts first
		return c.refuse(ctx, violation(StatusInvalidFramePayloadData, "a text message is not UTF-8", "8.1"))
	case bad == deflate.ErrTooLong:
		return c.refuse(ctx, tooBig(c.readLimit.Load()))
	case bad != nil:
		return c.refuse(ctx, ProtocolError{StatusInvalidFramePayloadData, "a compressed message can't be inflated: " + bad.Error()})
	}
	return nil
}
