package websocket

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/transport"
)

// Read waits for the next message and returns it whole (RFC 6455, section 6.2).
//
// When ctx is done, Read returns ctx.Err(). Nothing is lost: the next Read continues where this one stopped. The
// connection stays open, unless the option CloseOnCancel is set. Several goroutines may call Read; each call returns a whole
// message in memory of its own. If a [Conn.Reader] was not read to its end, Read skips the rest of its message.
//
// After the peer's Close, Read returns the messages that came before it, and then an error that holds a [CloseError].
// Once the reason for the connection's end is known and nothing is unread, Read returns it rather than ctx.Err(). A message
// over the read limit closes the connection with 1009, see [Conn.SetReadLimit]. Text that is not UTF-8 closes it with 1007.
func (c *Conn) Read(ctx context.Context) (MessageType, []byte, error) {
	typ, p, err := c.AppendRead(ctx, nil)
	if p == nil && err == nil {
		p = []byte{}
	}
	return typ, p, err
}

// AppendRead does what [Conn.Read] does, but appends the message to buf and returns the extended buffer. It allocates only
// if buf's capacity is too small. With an error it returns buf unchanged.
func (c *Conn) AppendRead(ctx context.Context, buf []byte) (MessageType, []byte, error) {
	if err := c.beginRead(ctx); err != nil {
		return 0, buf, err
	}
	message, whole, err := c.awaitFrame(ctx, buf)
	if err == nil && !whole {
		message, whole, err = c.readFront(message)
	}
	typ := MessageType(c.receiver.message.typ)
	if err == nil && !whole {
		typ, message, err = c.readMessage(ctx, message, len(buf))
	}
	if err != nil {
		return 0, buf, c.endRead(ctx, err)
	}
	c.leaveRead()
	return typ, message, nil
}

// A Message is what [Conn.Messages] yields.
type Message struct {
	Type MessageType
	// Data is valid until the next step of the loop, or its end.
	Data []byte
}

// Messages returns an iterator over the messages that arrive:
//
//	for m, err := range c.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// The loop ends without an error when the peer closes the connection with StatusNormalClosure, StatusGoingAway or no status.
// Otherwise its last step has an error, which is ctx.Err() when ctx is done. The memory of a message is reused for the
// next one: copy what you keep. Breaking out of the loop leaves the connection open, and another loop continues with the
// next message. In all else, Messages behaves as [Conn.Read] does.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			typ, b, err := c.readBorrowed(ctx)
			if err != nil {
				switch CloseStatus(err) {
				case StatusNormalClosure, StatusGoingAway, StatusNoStatusRcvd:
				default:
					yield(Message{}, err)
				}
				return
			}
			ok := yield(Message{typ, b.B}, nil)
			transport.Put(b)
			if !ok {
				return
			}
		}
	}
}

// readBorrowed is Read into a borrowed buffer, which the caller gives back.
func (c *Conn) readBorrowed(ctx context.Context) (MessageType, *transport.Buffer, error) {
	if err := c.beginRead(ctx); err != nil {
		return 0, nil, err
	}
	var b *transport.Buffer
	var typ MessageType
	_, _, err := c.awaitFrame(ctx, nil)
	if err == nil {
		var p []byte
		b = transport.Get()
		if typ, p, err = c.readMessage(ctx, b.B, 0); err == nil {
			b.B = p
		} else {
			transport.Put(b)
		}
	}
	if err := c.endRead(ctx, err); err != nil {
		return 0, nil, err
	}
	return typ, b, nil
}

// errDiscarded is what a messageReader returns after a later call has skipped its message.
var errDiscarded = errors.New("websocket: this message was discarded by a later Read or Reader")

// Reader waits for the next message and returns a reader for its payload, which can be read while the message is still
// arriving (RFC 6455, section 5.4). The reader returns io.EOF at the message's end. ctx bounds the wait for the message and
// all reads from the reader. When it is done, they return ctx.Err(), as [Conn.Read] does.
//
// Behind a Read that gave up in the middle of a compressed message, Reader waits for all of that message.
//
// A message need not be read to its end. The next Read or Reader skips the rest, and the old reader returns an error
// from then on. The read limit applies here, too; [Conn.SetReadLimit] with -1 lifts it.
func (c *Conn) Reader(ctx context.Context) (MessageType, io.Reader, error) {
	if err := c.beginRead(ctx); err != nil {
		return 0, nil, err
	}
	_, _, err := c.awaitFrame(ctx, nil)
	if err == nil {
		err = c.beginMessage(ctx)
	}
	if err == nil && c.receiver.message.appending {
		err = c.inflateRest(ctx)
	}
	m := &c.receiver.message
	if err == nil {
		m.resume = false
	}
	typ, number := MessageType(m.typ), m.number
	if err := c.endRead(ctx, err); err != nil {
		return 0, nil, err
	}
	return typ, &messageReader{c: c, ctx: ctx, number: number}, nil
}

// A messageReader reads the payload of one message.
type messageReader struct {
	c      *Conn
	ctx    context.Context
	number uint32
	done   atomic.Bool // it has returned io.EOF, or will
}

// Read reads payload; it returns io.EOF at the message's end.
func (r *messageReader) Read(p []byte) (int, error) {
	if r.done.Load() {
		return 0, io.EOF
	}
	c := r.c
	if err := c.beginRead(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.read(p)
	return n, c.endRead(r.ctx, err)
}

// read is Read's work, with the read turn.
func (r *messageReader) read(p []byte) (int, error) {
	m := &r.c.receiver.message
	if m.number != r.number {
		return 0, errDiscarded
	}
	if len(p) == 0 {
		return 0, nil
	}
	if n := m.takeHeld(p); n > 0 {
		return n, nil
	}
	n, done, err := r.c.produce(r.ctx, p)
	if done = done || n > 0 && m.ends(&r.c.receiver); done {
		r.done.Store(true)
		r.c.endMessage()
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, err
}

// awaitFrame waits for the first bytes of the next message, if nothing has arrived yet. It appends what it gets of the
// message to buf, and reports whether that is the whole message; often it gets nothing, and the caller parses the inbox.
//
// It waits few calls below the application's, because a waiting goroutine keeps its stack. Waiting further down, where
// frames are parsed, would cost each connection 2 KiB more.
func (c *Conn) awaitFrame(ctx context.Context, buf []byte) (message []byte, whole bool, err error) {
	r := &c.receiver
	if !r.inbox.Empty() || r.message.open || r.ahead.some() || r.parsingDone {
		return buf, false, nil
	}
	alone := r.frames <= 1 // the last wait for bytes brought one frame, not a burst
	r.frames = 0
	spare := buf[len(buf):cap(buf)]
	if !alone || int64(len(spare))-maxHeader < r.frame.length || r.left > 0 || c.deflate != nil {
		_, err := c.receive(ctx, nil)
		return buf, false, err
	}
	again := maxHeader + int(r.frame.length) // the size of another frame like the last
	spare = spare[:min(len(spare), max(again, transport.BufferSize))]
	n, err := c.receive(ctx, directPiece(spare))
	if err == nil {
		n, whole, err = c.readInto(spare, n)
	}
	return buf[:len(buf)+n], whole, err
}

// readInto parses n bytes that were read into spare, the application's memory, past the inbox. If they begin with an
// uncompressed data frame that begins a message, its payload is moved to the start of spare and unmasked, and what follows
// goes to the inbox. Otherwise all of it goes to the inbox. readInto returns how much of the message is in spare, and
// whether that is the whole message.
//
// This spares a message that comes alone the way through the inbox: borrowing a buffer twice, a second pass over the
// memory, and over TLS a second read.
func (c *Conn) readInto(spare []byte, n int) (length int, whole bool, err error) {
	r := &c.receiver
	size := r.simple(spare[:n])
	if size == 0 || !c.has(delivering) {
		r.inbox.Put(spare[:n])
		return 0, false, nil
	}
	length = int(min(r.frame.length, int64(n-size)))
	if rest := spare[size+length : n]; len(rest) > 0 {
		r.inbox.Put(rest)
	}
	whole, err = c.takeSimple(spare[:length], spare[size:])
	if n == len(spare) && r.left > 0 {
		r.frames = 2 // spare was too small: use the inbox next time, which takes more at once
	}
	if err != nil {
		return 0, false, err
	}
	return length, whole, nil
}

// readFront appends the payload of the frame at the front of the inbox to buf, if the frame is all there, begins a message,
// and is not compressed. Most frames of a burst are like that. It reports whether that is the whole message. If not,
// readMessage continues, or does the general case.
func (c *Conn) readFront(buf []byte) (message []byte, whole bool, err error) {
	r := &c.receiver
	if r.left > 0 || r.message.open || r.ahead.some() || r.parsingDone || !c.has(delivering) {
		return buf, false, nil
	}
	b := r.inbox.Bytes()
	size := r.simple(b)
	if size == 0 || int64(len(b)-size) < r.frame.length {
		return buf, false, nil
	}
	start, n := len(buf), int(r.frame.length)
	message = growFor(buf, n)[:start+n]
	r.inbox.Take(size + n)
	whole, err = c.takeSimple(message[start:], b[size:])
	return message, whole, err
}
