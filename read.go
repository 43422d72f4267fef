package websocket

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
)

// MessageType is the type of a message (RFC 6455, section 5.6).
type MessageType int

const (
	// MessageText is for UTF-8 text, which is checked in both directions.
	MessageText MessageType = iota + 1
	// MessageBinary is for any bytes.
	MessageBinary
)

// String returns MessageText, MessageBinary, or MessageType(n) for any other.
func (t MessageType) String() string {
	switch t {
	case MessageText:
		return "MessageText"
	case MessageBinary:
		return "MessageBinary"
	}
	return fmt.Sprintf("MessageType(%d)", int(t))
}

// message is how far the application has come in the stream of messages. It
// belongs to the holder of the read turn.
type message struct {
	frame  record // the frame it is at
	typ    MessageType
	size   int64 // bytes of payload, as far as headers have announced
	empty  int32 // frames without payload
	open   bool  // it has begun and was not read to its end
	resume bool  // a Read gave up in the middle: the next one goes on

	// If it is compressed. Either it is inflated in one go, by Reads only, or it
	// is streamed.
	compressed bool
	appending  bool // a Read inflated the start of it: partial
	streaming  bool // a Reader inflated the start of it

	number  uint64 // tells a Reader whether it is still its message
	partial []byte // what a Read that gave up had of it
}

// maxEmptyFrames bounds the fragments of a message that carry nothing. All
// others are bounded by the read limit.
const maxEmptyFrames = 4096

// Read waits for the next message and returns it whole (RFC 6455, section 6.2).
//
// When ctx ends it returns ctx.Err(); nothing is lost then, the next Read goes
// on where this one stopped, and the connection lives. Several goroutines may
// read; each gets whole messages. A message that a [Conn.Reader] left unread in
// the middle is skipped.
//
// After the peer's Close, Read returns what came before it, then an error that
// holds a [CloseError]. A message larger than the read limit closes the
// connection, see [Conn.SetReadLimit]. Text is UTF-8; other text closes the
// connection with 1007.
func (c *Conn) Read(ctx context.Context) (MessageType, []byte, error) {
	typ, p, err := c.AppendRead(ctx, nil)
	if err != nil {
		return 0, nil, err
	}
	if p == nil {
		p = []byte{}
	}
	return typ, p, nil
}

// AppendRead is [Conn.Read] into the caller's memory: it appends the message to
// buf and returns the result. It allocates only if buf's capacity is too small.
// With an error it returns buf as it was given.
func (c *Conn) AppendRead(ctx context.Context, buf []byte) (MessageType, []byte, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, buf, err
	}
	message, whole, err := c.awaitFrame(ctx, buf)
	if err == nil && !whole {
		message, whole, err = c.readFront(ctx, message)
	}
	typ := c.in.message.typ
	if err == nil && !whole {
		typ, message, err = c.readMessage(ctx, message, len(buf), nil)
	}
	c.leaveRead()
	if err != nil {
		return 0, buf, err
	}
	return typ, message, nil
}

// A Message is what [Conn.Messages] yields.
type Message struct {
	Type MessageType
	// Data is valid until the next step of the loop.
	Data []byte
}

// Messages returns an iterator over the messages that come:
//
//	for m, err := range c.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// It ends without an error when the peer closes the connection with
// StatusNormalClosure, StatusGoingAway or no status, and with one last error
// otherwise, ctx.Err() included. The memory of a message is used again for the
// next; copy what is to stay. Breaking out of the loop leaves the connection as
// it is; a new loop goes on with the next message.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			if err := c.takeRead(ctx); err != nil {
				yield(Message{}, err)
				return
			}
			var borrowed *buffer
			var typ MessageType
			var p []byte
			_, _, err := c.awaitFrame(ctx, nil)
			if err == nil {
				typ, p, err = c.readMessage(ctx, nil, 0, &borrowed)
			}
			c.leaveRead()
			if err != nil {
				switch CloseStatus(err) {
				case StatusNormalClosure, StatusGoingAway, StatusNoStatusRcvd:
				default:
					yield(Message{}, err)
				}
				return
			}
			ok := yield(Message{typ, p}, nil)
			if borrowed != nil {
				borrowed.b = p
				putBuffer(borrowed)
			}
			if !ok {
				return
			}
		}
	}
}

// readMessage appends the next message to buf, in which it begins at base: what
// stands there is the start of it. If buf is nil and borrowed is not, memory comes
// from the pool where it suffices.
func (c *Conn) readMessage(ctx context.Context, buf []byte, base int, borrowed **buffer) (MessageType, []byte, error) {
	if err := c.beginMessage(ctx); err != nil {
		return 0, nil, err
	}
	m := &c.in.message
	if m.compressed && !m.streaming {
		return c.readInflated(ctx, buf, borrowed)
	}
	if m.resume {
		buf = append(buf, m.partial...)
		m.resume, m.partial = false, nil
	}
	for {
		if borrowed != nil && *borrowed == nil && buf == nil && m.size <= bufferSize {
			*borrowed = getBuffer()
			buf = (*borrowed).b
		}
		buf = c.grow(buf, base)
		n, done, err := c.produce(ctx, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if done {
			typ := m.typ
			c.endMessage()
			return typ, buf, nil
		}
		if err != nil {
			if m.open {
				m.resume, m.partial = true, slices.Clone(buf[base:])
			}
			if borrowed != nil && *borrowed != nil {
				putBuffer(*borrowed)
				*borrowed = nil
			}
			return 0, nil, err
		}
	}
}

// grow makes room for payload behind buf. Memory grows with bytes received,
// never with a length that a header announces: at most as much again as there
// is, or what is read already, or a little.
func (c *Conn) grow(buf []byte, base int) []byte {
	left := c.frameLeft()
	if c.in.message.compressed {
		left = max(left, 512)
	}
	if int64(cap(buf)-len(buf)) >= left {
		return buf
	}
	size := max(len(buf)-base, len(c.in.buffered()), 4096)
	// The next message may come with its header into the same memory: see readInto.
	return slices.Grow(buf, int(min(left+maxHeader, int64(size))))
}

// beginMessage goes to the start of the next message, past the rest of one that
// was left in the middle; or, if a Read gave up in the middle, it stays there.
func (c *Conn) beginMessage(ctx context.Context) error {
	m := &c.in.message
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
	scrap := getBuffer()
	defer putBuffer(scrap)
	for {
		_, done, err := c.produce(ctx, scrap.b[:cap(scrap.b)])
		if err != nil {
			return err
		}
		if done {
			c.endMessage()
			return nil
		}
	}
}

// endMessage: the message was read to its end.
func (c *Conn) endMessage() {
	m := &c.in.message
	m.open, m.resume, m.partial = false, false, nil
	m.number++
	if m.compressed {
		m.compressed, m.appending, m.streaming = false, false, false
		c.deflate.message.end()
	}
}

// morePayload reports whether the message has more payload, going to its next
// frame if need be.
func (c *Conn) morePayload(ctx context.Context) (bool, error) {
	m := &c.in.message
	for c.frameLeft() == 0 {
		if m.frame.fin {
			return false, nil
		}
		if err := c.nextFrame(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// frameLeft is how much of the current frame's payload was not taken yet.
func (c *Conn) frameLeft() int64 {
	f := &c.in.message.frame
	if f.open {
		return int64(f.n) + c.in.left
	}
	return int64(f.n)
}

// nextFrame goes to the next data frame: in the read-ahead, then on the wire.
func (c *Conn) nextFrame(ctx context.Context) error {
	in := &c.in
	if a := in.ahead; a.some() {
		in.message.frame = a.frames[0]
		if a.frames = a.frames[1:]; len(a.frames) == 0 {
			a.frames = nil
		}
	} else {
		if err := c.nextWireFrame(ctx); err != nil {
			return err
		}
		in.message.frame = in.record()
	}
	return c.countFrame(ctx)
}

// countFrame holds the message, with the frame that it is at, against its limits.
func (c *Conn) countFrame(ctx context.Context) error {
	m := &c.in.message
	if m.frame.opcode != opContinuation {
		m.open, m.typ, m.size, m.empty = true, MessageType(m.frame.opcode), 0, 0
		m.compressed = m.frame.rsv1
	}
	if m.frame.length == 0 {
		if m.empty++; m.empty > maxEmptyFrames {
			return c.refuse(ctx, violation(StatusPolicyViolation, "a message has too many empty fragments", "10.4"))
		}
	}
	m.size += min(m.frame.length, math.MaxInt64-m.size) // a lie may be as large as that
	limit := c.readLimit.Load()
	if limit < 0 {
		return nil
	}
	most := limit
	if m.compressed {
		most = maxInflateInput(limit)
	}
	if m.size > most {
		return c.refuse(ctx, tooBig(limit))
	}
	return nil
}

func tooBig(limit int64) error {
	return fmt.Errorf("%w of %d bytes; closed with %d", ErrMessageTooBig, limit, int(StatusMessageTooBig))
}

// refuse closes the connection because of the message that it is at. Nothing of
// it is given to the application any more, nor of those behind it.
func (c *Conn) refuse(ctx context.Context, err error) error {
	in := &c.in
	in.ahead, in.message = nil, message{number: in.message.number + 1}
	in.frame, in.left = header{}, 0
	in.r = in.w
	in.letGo()
	c.violated(err)
	return c.awaitEnd(ctx)
}

// payload reads at least one byte of the current frame's payload into dst.
func (c *Conn) payload(ctx context.Context, dst []byte) (int, error) {
	f := &c.in.message.frame
	if f.n > 0 {
		if len(dst) > int(f.n) {
			dst = dst[:f.n]
		}
		n := c.in.ahead.take(dst)
		f.n -= int32(n)
		return n, nil
	}
	return c.wirePayload(ctx, dst)
}
