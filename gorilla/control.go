package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/closeonce/websocket"
)

func isControl(messageType int) bool {
	return messageType == CloseMessage || messageType == PingMessage || messageType == PongMessage
}

// WriteControl sends a control frame, after the message or fragment that is being written. It waits until the deadline at most; the
// zero time is none. If another call that writes takes longer, nothing is sent, and the error is temporary. If the peer takes
// too long to read, it is that of all that is written from then on.
func (c *Conn) WriteControl(messageType int, data []byte, deadline time.Time) error {
	switch {
	case !isControl(messageType):
		return errBadWriteOpCode
	case len(data) > maxControlPayload:
		return errInvalidControlFrame
	case !deadline.IsZero() && time.Until(deadline) < 0:
		return errWriteTimeout
	}
	if !c.turn.Try() {
		ctx, cancel := until(deadline)
		defer cancel()
		if !c.turn.Await(ctx.Done(), nil) {
			return errWriteTimeout
		}
	}
	defer c.turn.Release()
	if err := c.permanent(); err != nil {
		return err
	}
	return c.control(messageType, data, func() (context.Context, context.CancelFunc) { return until(deadline) })
}

// until returns a context that is done at the deadline.
func until(deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.Background(), func() {}
	}
	return context.WithDeadline(context.Background(), deadline)
}

// gone is a context that is done: calls under it do not wait.
var gone = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// control sends a control frame. If the kernel does not take it at once, it waits under the context. The caller has the write
// turn.
func (c *Conn) control(messageType int, data []byte, waits func() (context.Context, context.CancelFunc)) error {
	if len(data) > maxControlPayload {
		return errInvalidControlFrame
	}
	err := c.sendControl(messageType, data)
	full := errors.Is(err, websocket.ErrQueueFull)
	if err == nil {
		err = c.c.Flush(gone)
	}
	crossed := func() bool { // the peer's Close is known, which does not say that ours has left
		said := websocket.CloseError{}
		return messageType == CloseMessage && errors.As(err, &said)
	}
	if full || err == gone.Err() || crossed() {
		ctx, cancel := waits()
		defer cancel()
		err = c.c.Flush(ctx)
		for crossed() && ctx.Err() == nil && c.c.Context().Err() == nil {
			err = c.c.Flush(ctx)
		}
		if crossed() && ctx.Err() != nil && c.c.Context().Err() == nil {
			err = ctx.Err() // it waits still
		}
		for full && err == nil {
			err = c.sendControl(messageType, data)
			if full = errors.Is(err, websocket.ErrQueueFull); full || err == nil { // full: another has taken the room
				err = c.c.Flush(ctx)
			}
		}
	}
	switch {
	case err != nil:
		return c.writeFailed(err)
	case messageType == CloseMessage:
		c.writeErr.CompareAndSwap(nil, &permanentError{ErrCloseSent})
	}
	return nil
}

// sendControl hands a control frame to the connection.
func (c *Conn) sendControl(messageType int, data []byte) error {
	switch messageType {
	case PingMessage:
		return c.c.SendPing(data)
	case PongMessage:
		return c.c.SendPong(data)
	}
	code, text := websocket.StatusNoStatusRcvd, ""
	if len(data) > 1 {
		code, text = websocket.StatusCode(binary.BigEndian.Uint16(data)), string(data[2:])
	}
	c.c.CloseWrite(code, text) // an error says only that a code was replaced
	return nil
}
