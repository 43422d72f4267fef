package websocket

import (
	"context"
	"errors"

	"github.com/closeonce/websocket/internal/transport"
)

// A PreparedMessage is a message that is sent to many connections. It is framed once, and compressed at most once for each
// combination of window and effort that the connections need, when the first of them needs it; a message that is shorter
// than two windows counts them as one. All connections share the result. What clients send is masked, each frame with a key
// of its own (RFC 6455, section 5.3), and so is copied.
//
// On a connection with context takeover the message leaves in the form that refers to nothing before it, and later messages
// may refer to it.
//
// A PreparedMessage does not change. It may be used by several goroutines at once, any number of times, and needs no
// release.
type PreparedMessage struct{ shared shared }

var errNotPrepared = errors.New("websocket: the PreparedMessage was not made by NewPreparedMessage")

// NewPreparedMessage prepares p as one message. Text must be UTF-8. The caller may change p afterwards.
func NewPreparedMessage(typ MessageType, p []byte) (*PreparedMessage, error) {
	op, err := opcodeOf(typ, p, false)
	if err != nil {
		return nil, err
	}
	m := new(PreparedMessage)
	m.shared.init(op, p)
	return m, nil
}

// ready reports whether the message can be sent.
func (m *PreparedMessage) ready() bool { return m != nil && m.shared.plain.frame != nil }

// WritePrepared sends a prepared message as [Conn.Write] sends one, in order with it. It waits, gives up and fails as Write
// does. While another write is on its way the queue takes the message, as a reference: the message is not copied.
func (c *Conn) WritePrepared(ctx context.Context, m *PreparedMessage) error {
	var err error
	if ctx == nil {
		return errNilContext
	} else if !m.ready() {
		err = errNotPrepared
	} else if ctx.Err() != nil {
		err = c.contextErr(ctx)
	} else {
		if c.has(subscribed) {
			c.pull()
		}
		var sent bool
		if sent, err = c.writePrepared(ctx, &m.shared); sent {
			c.tellWritten(MessageType(m.shared.opcode()), int64(len(m.shared.payload())))
		}
	}
	if err != nil {
		err = c.unsent(ctx, err, true)
	}
	return err
}

// TryWritePrepared sends a prepared message without ever waiting, as [Conn.TryWrite] does. The queue takes it as a reference,
// which takes some 64 bytes besides, and if nothing else waits, however large the message is. If the queue has no room it
// returns [ErrQueueFull], and nothing of the message is sent.
func (c *Conn) TryWritePrepared(m *PreparedMessage) error {
	if !m.ready() {
		return errNotPrepared
	}
	if c.has(subscribed) {
		c.pull()
	}
	err := c.enqueuePrepared(&m.shared)
	switch err {
	case nil:
		c.flushNow()
		c.tellWritten(MessageType(m.shared.opcode()), int64(len(m.shared.payload())))
	case ErrQueueFull:
		c.tellSlow()
	}
	return c.queued(err)
}

// writePrepared sends the message, and says besides whether it leaves, as it may with an error.
func (c *Conn) writePrepared(ctx context.Context, m *shared) (sent bool, err error) {
	f := c.form(m)
	if !f.packed && c.unreadFrames() && c.enqueueCorked(f.first(), f.payload(), len(m.payload())) {
		return true, nil
	}
	if !c.tryTakeWrite() {
		if !c.has(writerIsOpen) {
			if err := c.enqueuePrepared(m); err != ErrQueueFull {
				if err == nil {
					c.wakeWriter()
				}
				return err == nil, err
			}
			c.tellSlow()
		}
		if err := c.takeWrite(ctx); err != nil {
			return false, err
		}
	}
	mustSend := f.packed && c.deflate.out.Takeover()
	if mustSend {
		if err := c.clearTheWay(ctx); err != nil {
			return false, err
		}
		c.deflate.out.Record(m.payload()) // it is in the peer's window when it comes
	}
	if c.sender.client {
		return c.writeFrame(ctx, f.first(), f.payload(), len(m.payload()), mustSend)
	}
	o := outFrame{first: f.first(), head: transport.Get(), size: len(m.payload()), mustSend: mustSend, shared: true}
	if len(f.frame) <= copyLimit {
		o.head.B = append(o.head.B, f.frame...)
	} else {
		o.tail = f.frame
	}
	_, err = c.flush(ctx, &o, untilContext)
	c.leaveWrite()
	return err == nil || o.committed, err
}
