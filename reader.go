package websocket

import (
	"context"
	"errors"
	"io"
)

// errDiscarded is what a message's reader returns when it lost its message.
var errDiscarded = errors.New("websocket: this message was discarded by a later Read or Reader")

// Reader waits for the next message and returns a reader for its payload, which
// may be read while the message is still coming. ctx bounds the wait and all
// reading from it.
//
// A message need not be read to its end: the next Read or Reader skips the
// rest, and this message's reader returns an error from then on. The read limit
// counts here too.
func (c *Conn) Reader(ctx context.Context) (MessageType, io.Reader, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, nil, err
	}
	defer c.leaveRead()
	if err := c.beginMessage(ctx); err != nil {
		return 0, nil, err
	}
	m := &c.in.message
	if m.appending {
		if err := c.gather(ctx); err != nil {
			return 0, nil, err
		}
	}
	m.resume = false
	return m.typ, &messageReader{c: c, ctx: ctx, number: m.number}, nil
}

// A messageReader reads the payload of one message.
type messageReader struct {
	c      *Conn
	ctx    context.Context
	number uint64
	done   bool
}

// Read reads payload; it returns io.EOF at the message's end.
func (r *messageReader) Read(p []byte) (int, error) {
	if r.done {
		return 0, io.EOF
	}
	c := r.c
	if err := c.takeRead(r.ctx); err != nil {
		return 0, err
	}
	defer c.leaveRead()
	m := &c.in.message
	if m.number != r.number {
		return 0, errDiscarded
	}
	if len(p) == 0 {
		return 0, nil
	}
	if n := m.takePartial(p); n > 0 {
		return n, nil
	}
	n, done, err := c.produce(r.ctx, p)
	if done {
		r.done = true
		c.endMessage()
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, err
}

// takePartial moves to p what a Read that gave up had of the message.
func (m *message) takePartial(p []byte) int {
	n := copy(p, m.partial)
	m.partial = m.partial[n:]
	return n
}

// produce reads at least one byte of the message into dst, or finds that it is
// done: then there may be bytes too.
func (c *Conn) produce(ctx context.Context, dst []byte) (n int, done bool, err error) {
	if c.in.message.compressed {
		return c.inflateSome(ctx, dst)
	}
	more, err := c.morePayload(ctx)
	if err != nil || !more {
		return 0, err == nil, err
	}
	n, err = c.payload(ctx, dst)
	return n, false, err
}

// readStream reads into p from messages of one type, as if they were a stream.
func (c *Conn) readStream(ctx context.Context, typ MessageType, p []byte) (int, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, err
	}
	n, err := c.streamPayload(ctx, typ, p)
	c.leaveRead()
	if err == errMessageType {
		c.CloseContext(ctx, StatusUnsupportedData, "unexpected message type")
	}
	return n, err
}

var errMessageType = errors.New("websocket: NetConn got a message of the other type; closed with StatusUnsupportedData")

// streamPayload is readStream's work, with the read turn.
func (c *Conn) streamPayload(ctx context.Context, typ MessageType, p []byte) (int, error) {
	m := &c.in.message
	for {
		if !m.open {
			if err := c.nextFrame(ctx); err != nil {
				return 0, err
			}
			m.resume = true // another NetConn or Read may go on with it
		}
		if m.typ != typ {
			return 0, errMessageType
		}
		if m.appending {
			if err := c.gather(ctx); err != nil {
				return 0, err
			}
		}
		if len(p) == 0 {
			return 0, nil
		}
		if n := m.takePartial(p); n > 0 {
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
