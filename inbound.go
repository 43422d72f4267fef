package websocket

import (
	"context"
	"errors"
	"io"

	"github.com/closeonce/websocket/internal/transport"
)

// This file is how frames arrive: how calls take the read turn, how they wait for bytes, and how they get to the next data
// frame and its payload.

// beginRead is takeRead. Its error is the one that the call returns to the application.
func (c *Conn) beginRead(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if err := c.takeRead(ctx); err != nil {
		return c.failedUnder(ctx, err)
	}
	return nil
}

// endRead is leaveRead. It returns the error that the call returns to the application for err.
func (c *Conn) endRead(ctx context.Context, err error) error {
	c.leaveRead()
	return c.failed(ctx, err)
}

// takeRead waits for the read turn.
func (c *Conn) takeRead(ctx context.Context) error {
	if ctx.Err() != nil {
		if err := c.readContextErr(ctx); err != nil {
			return err
		}
	}
	// Checked before taking the turn: calls of Read in a loop must not keep it from the reader goroutine.
	if c.has(closedByUs) || c.has(deaf) && c.supervisor.Unread.Load() == 0 {
		return errOver
	}
	if !c.supervisor.Turn.Try() {
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

// readContextErr returns why a read fails whose ctx is done, or nil if it may go on. It may if ctx is done because the
// connection has ended, and there are still messages to read.
func (c *Conn) readContextErr(ctx context.Context) error {
	c.mu.Lock()
	cause, ours := c.closing.cause, c.closing.closedByUs()
	c.unlock()
	switch {
	case cause == nil:
		return ctx.Err()
	case ours, c.supervisor.Unread.Load() == 0:
		return errOver
	case c.lifetime.Is(ctx), context.Cause(ctx) == cause:
		return nil
	}
	return ctx.Err()
}

// awaitRead waits for the read turn. If the reader goroutine has it, awaitRead asks it to step aside.
func (c *Conn) awaitRead(ctx context.Context) error {
	s := &c.supervisor
	s.Wanting.Add(1)
	if s.Running.Load() {
		c.transport.InterruptRead()
	}
	var err error
	got := s.Turn.Await(ctx.Done(), nil)
	if !got {
		if err = c.readContextErr(ctx); err == nil { // the connection has ended, so the holder soon gives the turn back
			got = s.Turn.Await(nil, nil)
		}
	}
	s.Wanting.Add(-1)
	if !got {
		c.rest() // the reader goroutine may have stepped aside for us
	}
	return err
}

// leaveRead gives the read turn back after a call of the application's.
func (c *Conn) leaveRead() {
	if !c.supervisor.ReadSince.Load() {
		c.supervisor.ReadSince.Store(true)
	}
	if c.has(hasPending) {
		c.flushNow() // Pongs do not wait for the application
	}
	c.releaseRead()
}

// receive waits for bytes and reads them: into dst, or into the inbox if dst is nil. ctx is that of a call, or nil for the
// reader goroutine. receive returns early if ctx is done, or if the reader goroutine should step aside; nothing is lost then.
func (c *Conn) receive(ctx context.Context, dst []byte) (int, error) {
	// To end the wait, the state is changed first and the read interrupted then. We hold the turn, so the interruption
	// reaches us. So if nothing has begun to end yet, it is safe to wait without asking mayWait.
	quiet := ctx != nil && c.has(delivering) && ctx.Err() == nil
	for {
		if !quiet {
			if err := c.mayWait(ctx); err != nil {
				return 0, err
			}
		}
		quiet = false
		if c.has(hasPending | hasCorked) {
			c.flushNow() // corked frames too: no more will join them before the wait
		}
		if c.receiver.fresh != (fresh{}) {
			c.publish()
		}
		if ctx != nil && c.receiver.midway() && c.keepalive.Hearing() {
			c.keepalive.Listened(now()) // the supervisor, which looks after messages, does not
		}
		n, err := c.transport.Read(c.lifetime.Foreign(ctx), dst)
		if n > 0 {
			c.receiver.fresh.bytes += uint32(n)
			c.heard(ctx)
			return n, nil
		}
		if c.readFailed(err) {
			return 0, errOver
		}
	}
}

// fill reads more bytes into the inbox.
func (c *Conn) fill(ctx context.Context) error {
	_, err := c.receive(ctx, nil)
	return err
}

// heard notes for the keepalive that bytes have arrived.
func (c *Conn) heard(ctx context.Context) {
	if ctx == nil {
		c.keepalive.Heard(now())
	} else {
		c.keepalive.Came()
	}
}

// errStepAside tells the reader goroutine to give the read turn back.
var errStepAside = errors.New("step aside")

// mayWait returns why the holder of the read turn should not wait for bytes, or nil.
func (c *Conn) mayWait(ctx context.Context) error {
	switch {
	case c.has(noReads):
		return errOver
	case ctx == nil && (c.supervisor.Wanting.Load() > 0 || c.passive && c.supervisor.Expecting.Load() == 0 || c.has(dropping) && c.receiver.ahead.some()):
		return errStepAside // for a call that wants to read, or to drop the read-ahead, or to leave a passive connection alone
	case ctx == nil:
		return nil
	case c.has(known):
		return errOver
	case ctx.Err() != nil:
		return c.contextErr(ctx)
	}
	return nil
}

// readFailed is called when a read returned no bytes. It reports whether the net.Conn failed, and then ends the connection.
func (c *Conn) readFailed(err error) bool {
	if err == nil || err == transport.ErrInterrupted {
		return false
	}
	c.noteUnread()
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	a := c.closing.noRead(connectionLost(c.receiver.cutOff(err)), err == io.EOF)
	c.unlock()
	c.perform(a)
	return true
}

// nextFrame goes to the next data frame: in the read-ahead if there is one, or else on the wire.
func (c *Conn) nextFrame(ctx context.Context) error {
	r := &c.receiver
	if c.has(dropping) {
		c.dropUnread()
	}
	var frame record
	if r.ahead.some() {
		frame = r.ahead.pop()
		c.madeRoom()
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

// payload reads at least one byte of the current frame's payload into dst.
func (c *Conn) payload(ctx context.Context, dst []byte) (int, error) {
	if f := &c.receiver.message.frame; f.n > 0 {
		n := c.receiver.ahead.take(dst[:min(len(dst), int(f.n))])
		f.n -= int32(n)
		c.madeRoom()
		return n, nil
	}
	return c.wirePayload(ctx, dst)
}

// madeRoom is called when the application has taken something from the read-ahead. It may wait for more in the same call.
func (c *Conn) madeRoom() {
	if c.supervisor.Stalled.Load() && !c.receiver.ahead.full() {
		c.supervisor.Stalled.Store(false)
	}
}

// nextWireFrame reads up to the payload of the next data frame. It handles control frames on the way, and skips data that
// is discarded.
func (c *Conn) nextWireFrame(ctx context.Context) error {
	r := &c.receiver
	for {
		for r.left > 0 { // skip the rest of a frame that is not wanted
			if r.skipBuffered(); r.left > 0 {
				if err := c.fill(ctx); err != nil {
					return err
				}
			}
		}
		if r.parsingDone {
			return errOver
		}
		what, op, payload, err := r.next(c.deflate != nil)
		c.hooks.frameRead(what, op, len(payload), &r.frame)
		switch {
		case err != nil:
			return c.failRead(err)
		case what == needBytes:
			if !r.inMessage {
				r.inbox.Release() // after a Ping, too, the wait for a message holds no buffer
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

// wanted reports whether a data frame is for the application. After CloseRead, a new message closes the connection.
func (c *Conn) wanted(op opcode) bool {
	c.mu.Lock()
	delivers, closeRead := c.closing.delivers(), c.closing.closeRead
	c.unlock()
	if closeRead && op != opContinuation {
		c.unexpected()
	}
	return delivers
}

// wirePayload reads at least one byte of the payload of the frame on the wire into dst, and unmasks it. Some payload must be
// left.
func (c *Conn) wirePayload(ctx context.Context, dst []byte) (int, error) {
	r := &c.receiver
	if int64(len(dst)) > r.left {
		dst = dst[:r.left]
	}
	if r.inbox.Empty() && len(dst) >= directRead {
		r.inbox.Release() // who waits here has dst, and needs no buffer besides
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
		c.transport.InMessage()
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

// directRead is the smallest rest of a payload that is read straight into the caller's memory, past the inbox.
const directRead = transport.BufferSize

// maxDirectRead is about the most that one direct read reads, so that it is unmasked and checked while in the CPU's cache.
const maxDirectRead = 128 << 10

// directPiece returns the part of dst for the next direct read. It leaves no small rest.
func directPiece(dst []byte) []byte {
	if len(dst) < maxDirectRead+directRead {
		return dst
	}
	return dst[:maxDirectRead]
}

// takeSimple takes the payload at src of a frame that begins a message. If that is not the whole message, readMessage
// continues with it.
func (c *Conn) takeSimple(dst, src []byte) (whole bool, err error) {
	r := &c.receiver
	r.begin()
	c.hooks.frameRead(dataFrame, r.frame.opcode, 0, &r.frame)
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

// endMessage is called when the message was read to its end.
func (c *Conn) endMessage() {
	m := &c.receiver.message
	size := m.size
	if m.compressed {
		size = c.deflate.message.size
		c.deflate.message.end()
	}
	if !m.counted {
		if !c.receiver.fresh.addMessage(size) {
			c.countSize(size)
		}
		c.hooks.messageRead(MessageType(m.typ), size)
	}
	m.end()
}

// countSize counts the size of a message if fresh can't hold it.
func (c *Conn) countSize(size int64) {
	c.mu.Lock()
	c.sender.counters.add(payloadRead, size)
	c.mu.Unlock()
}

// dropUnread drops everything that was received and not read. After CloseRead, dropping the start of a message closes the
// connection, as a message that arrives later does.
func (c *Conn) dropUnread() {
	if c.receiver.message.compressed {
		c.deflate.message.end()
	}
	some := c.receiver.dropAhead()
	c.supervisor.Stalled.Store(false)
	c.mu.Lock()
	unexpected := some && c.closing.closeRead
	c.unlock()
	if unexpected {
		c.unexpected()
	}
}
