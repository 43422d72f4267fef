package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/transport"
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

// Read waits for the next message and returns it whole (RFC 6455, section 6.2).
//
// When ctx is done, Read returns ctx.Err(); nothing is lost then, the next Read goes on where this one stopped, and the
// connection stays open, unless the option CloseOnCancel is set, which ends it. Several goroutines may read; each gets
// whole messages. A message that a [Conn.Reader] left unread in the middle is skipped.
//
// After the peer's Close, Read returns what came before it, then an error that holds a [CloseError]; that, and any other
// reason for the connection's end that is known, comes before ctx.Err(). A message larger than the read limit closes the
// connection, see [Conn.SetReadLimit]. Text is UTF-8; other text closes the connection with 1007.
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

// AppendRead is [Conn.Read] into the caller's memory: it appends the message to buf and returns the result. It allocates
// only if buf's capacity is too small. With an error it returns buf as it was given.
func (c *Conn) AppendRead(ctx context.Context, buf []byte) (MessageType, []byte, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, buf, c.failed(ctx, err)
	}
	message, whole, err := c.awaitFrame(ctx, buf)
	if err == nil && !whole {
		message, whole, err = c.readFront(message)
	}
	typ := MessageType(c.receiver.message.typ)
	if err == nil && !whole {
		typ, message, err = c.readMessage(ctx, message, len(buf))
	}
	c.leaveRead()
	if err != nil {
		return 0, buf, c.failed(ctx, err)
	}
	return typ, message, nil
}

// explain returns the caller's error: errOver becomes the reason.
func (c *Conn) explain(ctx context.Context, err error) error {
	if err == errOver {
		return c.reason(ctx)
	}
	return err
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
// It ends without an error when the peer closes the connection with StatusNormalClosure, StatusGoingAway or no status,
// and with one last error otherwise, ctx.Err() included. The memory of a message is used again for the next; copy what
// is to stay. Breaking out of the loop leaves the connection as it is; a new loop goes on with the next message.
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

// readBorrowed is Read into borrowed memory.
func (c *Conn) readBorrowed(ctx context.Context) (MessageType, *transport.Buffer, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, nil, c.failed(ctx, err)
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
	c.leaveRead()
	if err != nil {
		return 0, nil, c.failed(ctx, err)
	}
	return typ, b, nil
}

// errDiscarded is what a message's reader returns when it lost its message.
var errDiscarded = errors.New("websocket: this message was discarded by a later Read or Reader")

// Reader waits for the next message and returns a reader for its payload, which may be read while the message is still
// coming. ctx bounds the wait and all reading from it.
//
// A message need not be read to its end: the next Read or Reader skips the rest, and this message's reader returns an
// error from then on. The read limit counts here too.
func (c *Conn) Reader(ctx context.Context) (MessageType, io.Reader, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, nil, c.failed(ctx, err)
	}
	err := c.beginMessage(ctx)
	if err == nil && c.receiver.message.appending {
		err = c.inflateRest(ctx)
	}
	m := &c.receiver.message
	if err == nil {
		m.resume = false
	}
	typ, number := MessageType(m.typ), m.number
	c.leaveRead()
	if err != nil {
		return 0, nil, c.failed(ctx, err)
	}
	return typ, &messageReader{c: c, ctx: ctx, number: number}, nil
}

// A messageReader reads the payload of one message.
type messageReader struct {
	c      *Conn
	ctx    context.Context
	number uint32
	done   atomic.Bool // its end was read
}

// Read reads payload; it returns io.EOF at the message's end.
func (r *messageReader) Read(p []byte) (int, error) {
	if r.done.Load() {
		return 0, io.EOF
	}
	c := r.c
	if err := c.takeRead(r.ctx); err != nil {
		return 0, c.failed(r.ctx, err)
	}
	n, err := r.read(p)
	c.leaveRead()
	return n, c.failed(r.ctx, err)
}

// read is Read with the read turn.
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
	if done {
		r.done.Store(true)
		r.c.endMessage()
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, err
}

// takeRead waits for the read turn.
func (c *Conn) takeRead(ctx context.Context) error {
	if ctx.Err() != nil {
		if err := c.readContextErr(ctx); err != nil {
			return err
		}
	}
	// Who calls Read again and again must not keep the reader goroutine from what it has to do.
	if c.has(closedByUs) || c.has(deaf) && c.supervisor.unread.Load() == 0 {
		return errOver
	}
	if !c.supervisor.turn.Try() {
		if err := c.awaitRead(ctx); err != nil {
			return err
		}
	}
	if c.has(closedByUs) { // what still comes is not for the application
		c.leaveRead()
		return errOver
	}
	return nil
}

// readContextErr returns why a read under ctx, which is done, fails, or nil. A context that is done because the connection
// has ended is no reason while there are messages to read.
func (c *Conn) readContextErr(ctx context.Context) error {
	c.mu.Lock()
	cause, ours := c.closing.cause, c.closing.by == us
	c.unlock()
	switch {
	case cause == nil:
		return ctx.Err()
	case ours, c.supervisor.unread.Load() == 0:
		return errOver
	case c.owns(ctx), context.Cause(ctx) == cause:
		return nil
	}
	return ctx.Err()
}

// awaitRead is takeRead when somebody has the turn. If that is the reader goroutine, it is asked to step aside.
func (c *Conn) awaitRead(ctx context.Context) error {
	s := &c.supervisor
	s.wanting.Add(1)
	if s.running.Load() {
		c.transport.InterruptRead()
	}
	var err error
	got := s.turn.Await(ctx.Done(), nil)
	if !got {
		if err = c.readContextErr(ctx); err == nil { // the connection has ended: whoever has the turn lets go
			got = s.turn.Await(nil, nil)
		}
	}
	s.wanting.Add(-1)
	if !got {
		c.rest() // the reader goroutine may have stepped aside for us
	}
	return err
}

// leaveRead gives the read turn back after a call of the application's.
func (c *Conn) leaveRead() {
	if !c.supervisor.readSince.Load() {
		c.supervisor.readSince.Store(true)
	}
	if c.has(hasPending) {
		c.flushNow() // Pongs do not wait for the application
	}
	c.releaseRead()
}

// awaitFrame waits for the first bytes of the next message, where it can: close to the application's call. A goroutine's
// stack shrinks when little of it is in use while it waits; waiting where frames are parsed keeps 2 KiB more of it for
// each connection. It returns buf with what has come of the message behind it, and whether that is all of it.
func (c *Conn) awaitFrame(ctx context.Context, buf []byte) (message []byte, whole bool, err error) {
	r := &c.receiver
	if !r.inbox.Empty() || r.message.open || r.ahead.some() || r.over {
		return buf, false, nil
	}
	alone := r.frames <= 1 // one frame came when bytes were last waited for
	r.frames = 0
	spare := buf[len(buf):cap(buf)]
	if !alone || int64(len(spare))-maxHeader < r.frame.length || r.left > 0 || c.deflate != nil {
		_, err := c.receive(ctx, nil)
		return buf, false, err
	}
	again := maxHeader + int(r.frame.length) // of a frame like the last
	spare = spare[:min(len(spare), max(again, transport.BufferSize))]
	n, err := c.receive(ctx, directPiece(spare))
	if err == nil {
		n, whole, err = c.readInto(spare, n)
	}
	return buf[:len(buf)+n], whole, err
}

// readInto is for the n bytes that came straight into the memory that the application wants the message in, because there
// is enough of it for another frame like the last. If they begin with a data frame, its payload is unmasked to where it
// belongs, and what follows goes to the inbox; if not, all of it does. It returns how much of the message there is, and
// whether that is all.
//
// That saves a message that comes alone its way through the inbox: borrowing a buffer twice, a second pass over its
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
		r.frames = 2 // too little memory: next time the inbox takes more at once
	}
	if err != nil {
		return 0, false, err
	}
	return length, whole, nil
}

// readFront appends the message at the front of the inbox to buf, if it is all there and nothing else is about it: so it
// is with most that come in bursts. It saves them the way through the pieces of a message.
func (c *Conn) readFront(buf []byte) (message []byte, whole bool, err error) {
	r := &c.receiver
	if r.left > 0 || r.message.open || r.ahead.some() || r.over || !c.has(delivering) {
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

// takeSimple takes payload of a frame that begins a message. If there is more of the message, readMessage goes on with it.
func (c *Conn) takeSimple(dst, src []byte) (whole bool, err error) {
	r := &c.receiver
	r.begin()
	c.frameRead(dataFrame, r.frame.opcode, nil)
	if err := r.enter(r.record()); err != nil {
		return false, c.refuse(err)
	}
	if err := r.take(dst, src); err != nil {
		return false, c.failRead(err)
	}
	if r.left > 0 || !r.frame.fin {
		r.message.resume = true
		return false, nil
	}
	c.endMessage()
	return true, nil
}

// growFor makes room for n bytes behind buf. The next message may come with its header into the same memory.
func growFor(buf []byte, n int) []byte {
	if cap(buf)-len(buf) >= n {
		return buf
	}
	if buf != nil {
		n += maxHeader
	}
	return slices.Grow(buf, n)
}
