package websocket

import (
	"cmp"
	"context"
	"fmt"
)

// Close performs the closing handshake (RFC 6455, section 7.1.2): it sends a
// Close frame with code and reason, waits for the peer's, and closes TCP; a
// client waits for the server to close TCP first.
//
// It returns nil if both Close frames were exchanged, whoever began. It waits
// at most the close timeout (an option, 5 s by default), then ends the
// connection anyway and returns an error. Messages that Write accepted before
// are sent first; what the peer sends meanwhile is read and dropped.
//
// Close makes a blocked Write return. Every call on the connection returns an
// error that is [net.ErrClosed] from then on. Several Closes, at once or one
// after the other, send one frame, and all return what the first returned.
//
// A reason has at most 123 bytes of UTF-8, and the code must be one that may be
// sent: 1000-1003, 1007-1014, 3000-4999, or StatusNoStatusRcvd for a Close
// frame without code. For others Close returns an error, having closed the
// connection with the nearest that may.
func (c *Conn) Close(code StatusCode, reason string) error {
	return c.CloseContext(context.Background(), code, reason)
}

// CloseContext is [Conn.Close], and waits no longer than ctx: then it returns the
// context's error, and the handshake has a last second in the background before
// the connection ends. With a context that has ended it just sends the Close frame.
func (c *Conn) CloseContext(ctx context.Context, code StatusCode, reason string) error {
	code, reason, misuse := checkClose(code, reason)
	c.mu.Lock()
	if c.ended {
		defer c.mu.Unlock()
		return cmp.Or(misuse, c.closeErr)
	}
	if c.cause == nil {
		c.cause = errClosed{fmt.Sprintf("the connection was closed here with %v", code)}
		c.local = true
		c.beginCloseLocked(code, reason)
	}
	c.expect.Add(1) // the peer's Close
	c.mu.Unlock()
	c.kick()
	c.ensureReader()

	var err error
	if c.settings.closeTimeout > 0 {
		select {
		case <-c.done():
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		err = c.closeErr
	} else {
		// c.expect stays up: the reader goroutine sees it through.
		if c.alarms.at[alarmClose] > now()+int64(lingerTime) {
			c.setAlarmLocked(alarmClose, lingerTime)
		}
	}
	return cmp.Or(misuse, err)
}

// CloseNow ends the connection at once, without a closing handshake: TCP is
// closed, every call returns. It never blocks and returns nil; it may be called
// in any state, any number of times. After Close or an error it does nothing.
func (c *Conn) CloseNow() error {
	c.end(errClosedNow)
	return nil
}

var errClosedNow error = errClosed{"the connection was closed here without a closing handshake"}

// CloseRead says that the application expects no more messages, only to write.
// A message that comes all the same closes the connection with 1008
// (StatusPolicyViolation). The context it returns has the values of ctx and
// ends with it or with the connection. It may be called more than once.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(c.Context(), func() { cancel(context.Cause(c.Context())) })
	c.mu.Lock()
	first := !c.closeRead
	if first {
		c.closeRead = true
		c.calm.Store(false)
		c.expect.Add(1) // the peer's Close; for as long as the connection lives
	}
	c.mu.Unlock()
	if first {
		c.pokeRead() // a reader that is under way looks again
		c.ensureReader()
	}
	return ctx
}

// unwanted closes the connection because of a message after CloseRead.
func (c *Conn) unwanted() {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = errClosed{"the peer sent a message after CloseRead; closed with StatusPolicyViolation"}
		c.local = true
		c.beginCloseLocked(StatusPolicyViolation, "unexpected data message")
	}
	c.mu.Unlock()
	c.kick()
}

// beginCloseLocked makes our Close frame the next to leave but what is queued
// already, and bounds the handshake in time. The caller has set the cause and
// kicks the writer.
func (c *Conn) beginCloseLocked(code StatusCode, reason string) {
	c.calm.Store(false)
	c.out.closing = true
	c.urgent.Store(true)
	c.out.close = new(controlPayload)
	c.out.close.set(appendClose(nil, code, reason))
	c.stopLocked()
	if c.resumes {
		c.pokeWriteLocked() // a blocked Write lets go of its turn
	}
	if c.local {
		c.pokeReadLocked() // and a blocked Read of its: it gets an error
	}
	c.boundCloseLocked()
}

// boundCloseLocked bounds the closing handshake in time, if it is not yet.
func (c *Conn) boundCloseLocked() {
	if c.alarms.at[alarmClose] == 0 {
		c.setAlarmLocked(alarmClose, orDefault(c.settings.closeTimeout, lingerTime, 0))
	}
}
