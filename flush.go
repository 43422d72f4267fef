package websocket

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/transport"
)

// How frames leave, and how the connection ends: a Close that has left may end it, and the end makes a last attempt to write.

// patience is how long a flush waits.
type patience uint8

const (
	tryOnce      patience = iota // not at all
	untilContext                 // until ctx is done or either side closes; if ctx is nil, until the connection has ended
	untilGone                    // until the net.Conn is closed
)

// flush writes everything that is pending, and f if it is not nil, in one system call. It is the only function that
// writes frames. The caller has the write turn. It reports whether there was something to write.
//
// If it returns early, either nothing of f has left and f is not sent, or the writer goroutine sends the rest. A nil ctx is
// that of the writer goroutine and of flushes without a call.
func (c *Conn) flush(ctx context.Context, f *outFrame, p patience) (wrote bool, err error) {
	c.mu.Lock()
	if c.sender.rest != nil && (f == nil || !c.closing.stopped()) {
		c.unlock()
		if err := c.flushRest(ctx, p); err != nil {
			return true, err
		}
		wrote = true
		c.mu.Lock()
	}
	if f != nil && c.closing.stopped() || c.closing.noWrites {
		c.unlock()
		return false, errOver
	}
	if f == nil {
		c.dropAnswers()
	}
	b := c.sender.collect(&c.closing, f, c.compressor())
	matters := b.queued > 0 || b.ping != 0 || c.closing.ours == leaving // c.wrote has something to do
	c.unlock()
	if b.buf == nil {
		return wrote, nil
	}
	c.hooks.framesLeave(b.buf, f)
	// Nearly always the kernel takes all of it at the first attempt. That is made here, because it needs little stack here.
	if f == nil || f.tail == nil {
		err = c.send(ctx, b.buf, b.buf.Tail, p, c.transport.TryWrite(b.buf, b.buf.Tail))
	} else if !c.sender.client {
		err = c.send(ctx, b.buf, f.tail, p, c.transport.TryWrite(b.buf, f.tail))
	} else {
		err = c.sendMasked(ctx, b.buf, f, p)
	}
	if err != nil {
		c.suspend(b, f)
		return true, err
	}
	c.hooks.framesLeft(0)
	if matters {
		c.tellCasts()
		c.wrote(b)
	}
	transport.Put(b.buf)
	return true, nil
}

// dropAnswers drops Pongs and Pings if the peer has closed TCP: it would answer them with a reset, and what of its bytes is unread
// would be lost. If none is, or there is more to write, it does nothing. It is called with mu, and lets go of it meanwhile.
func (c *Conn) dropAnswers() {
	if s := &c.sender; !s.pongsWait() && s.ping == 0 || c.closing.ours == due || s.dataLeaves(&c.closing) {
		return
	}
	c.unlock()
	gone, rest := c.transport.PeerClosed()
	c.mu.Lock()
	if gone && (rest || c.supervisor.Unread.Load() != 0) {
		c.sender.takeControl()
	}
}

// flushRest writes the rest of a batch that was written in part.
func (c *Conn) flushRest(ctx context.Context, p patience) error {
	c.mu.Lock()
	if c.sender.rest == nil {
		c.unlock()
		return nil
	}
	r := c.sender.rest
	b := batch{buf: &transport.Buffer{B: r.b, Tail: r.tail}, ping: r.ping, queued: r.queued}
	c.sender.rest = nil
	c.unlock()
	if err := c.send(ctx, b.buf, r.tail, p, c.transport.TryWrite(b.buf, r.tail)); err != nil {
		c.suspend(b, nil)
		return err
	}
	c.hooks.framesLeft(0)
	c.tellCasts()
	c.wrote(b)
	return nil
}

// suspend leaves the rest of a batch to the writer goroutine.
func (c *Conn) suspend(b batch, f *outFrame) {
	c.mu.Lock()
	whole := c.sender.suspend(b, f)
	left, ended := 0, c.closing.ended
	if !whole {
		left = len(c.sender.rest.b) + len(c.sender.rest.tail)
	}
	if ended {
		c.sender.drop()
	}
	c.unlock()
	c.hooks.framesSuspended(f != nil && !f.committed, left, ended)
	c.tellCasts()
	if whole {
		c.wrote(b)
	}
}

// wrote is called when a whole batch was written.
func (c *Conn) wrote(b batch) {
	c.mu.Lock()
	c.sender.wrote(b.queued)
	a := c.closing.wrote() // from here to perform nothing of the application's runs, which might not return
	c.unlock()
	if b.ping != 0 {
		taken, outstanding := c.transport.Taken()
		c.keepalive.PingLeft(b.ping, now(), taken, outstanding)
	}
	c.perform(a)
}

// tellCasts calls the Trace's MessageWritten for the groups' messages that have left, or begun to.
func (c *Conn) tellCasts() {
	if !c.tellsWritten() {
		return
	}
	c.mu.Lock()
	var left []*shared
	if b := c.sender.backlog; b != nil {
		left, b.left = b.left, nil
	}
	c.mu.Unlock()
	for _, m := range left {
		c.tellWritten(MessageType(m.opcode()), int64(len(m.payload())))
	}
}

// send completes a write of b and then tail, after a first attempt. done says that the attempt wrote everything; if not,
// b.N is how many bytes it wrote.
func (c *Conn) send(ctx context.Context, b *transport.Buffer, tail []byte, p patience, done bool) error {
	switch {
	case done:
		return nil
	case p == tryOnce && b.Err == nil:
		return errWouldBlock
	}
	return c.sendRest(ctx, b, tail, p)
}

// sendRest waits for the kernel to take the rest.
func (c *Conn) sendRest(ctx context.Context, b *transport.Buffer, tail []byte, p patience) error {
	for {
		// An interruption may have hit the previous holder of the turn, so look first.
		if err := c.mayGoOn(ctx, p); err != nil {
			return err
		}
		c.writeTurn.Block(true)
		err := c.transport.Write(c.lifetime.Foreign(ctx), b, tail)
		c.writeTurn.Block(false)
		if err == nil {
			return nil
		}
		if err != transport.ErrInterrupted {
			return c.writeFailed(err)
		}
	}
}

// mayGoOn returns why a write must not wait for the kernel any longer, or nil.
func (c *Conn) mayGoOn(ctx context.Context, p patience) error {
	c.mu.Lock()
	over, stopped, ended := c.closing.over, c.closing.stopped(), c.closing.ended
	c.unlock()
	switch {
	case ended, over && p != untilGone, stopped && ctx != nil:
		return errOver
	case ctx == nil:
		return nil
	}
	return ctx.Err()
}

// sendMasked writes b and then f's tail. It masks the tail piece by piece in a borrowed buffer, so that a client needs no
// memory of the message's size. After an error, b holds the rest of the frame, masked.
func (c *Conn) sendMasked(ctx context.Context, b *transport.Buffer, f *outFrame, p patience) error {
	large := transport.GetLarge()
	defer transport.PutPiece(large)
	small := b.B[:0]
	b.B = append(large.B, b.B...)
	pos, tail := 0, f.tail
	f.tail = nil
	for {
		k := min(cap(b.B)-len(b.B), len(tail))
		start := len(b.B)
		b.B = b.B[:start+k]
		pos = mask.Copy(b.B[start:], tail[:k], f.key, pos)
		tail = tail[k:]
		if err := c.send(ctx, b, nil, p, c.transport.TryWrite(b, nil)); err != nil {
			start = len(b.B)
			b.B = slices.Concat(b.B, tail)
			mask.XOR(b.B[start:], f.key, pos)
			return err
		}
		f.committed = true
		if len(tail) == 0 {
			b.B = small
			return nil
		}
		b.B = b.B[:0]
	}
}

// writeFailed handles an error of the net.Conn from a write, and returns errOver.
func (c *Conn) writeFailed(err error) error {
	c.mu.Lock()
	a := c.closing.noWrite(connectionLost(err), c.supervisor.Stalled.Load())
	c.unlock()
	c.perform(a)
	return errOver
}

// flushNow writes what is pending, as far as that is possible without waiting. The writer goroutine writes the rest. If the
// write turn is taken, flushNow does nothing: leaveWrite looks for pending frames when its holder gives it back.
func (c *Conn) flushNow() {
	if !c.transport.Tries() {
		c.wakeWriter()
		return
	}
	if c.writeTurn.Try() {
		c.flush(nil, nil, tryOnce)
		c.leaveWrite()
	}
}

// wakeWriter starts the writer goroutine, unless the write turn is taken.
func (c *Conn) wakeWriter() {
	if c.writeTurn.Try() {
		go c.writeOut()
	}
}

// writeOut is the writer goroutine. It has the write turn, and ends when nothing is pending, or when somebody waits for the turn: calls
// that queue more all the time must not keep it for ever.
func (c *Conn) writeOut() {
	for {
		if c.has(ending) {
			c.lastWords(untilGone)
			break
		}
		if wrote, err := c.flush(nil, nil, untilContext); err != nil || !wrote || c.writeTurn.Awaited() {
			break
		}
	}
	c.leaveWrite()
}

// leaveWrite gives the write turn back. It is the only function that does. Then it starts the writer goroutine if frames are
// pending. None is missed, because code that adds a pending frame does so first, and then tries to take the turn.
func (c *Conn) leaveWrite() {
	if c.has(ending) {
		c.lastWords(tryOnce)
	}
	c.writeTurn.Release()
	if c.has(hasPending | ending) {
		c.wakeWriter()
	}
}

// lastWords makes the last attempt to write what is pending, before the net.Conn is closed. With tryOnce, it leaves the
// attempt to the writer goroutine if a write to this net.Conn may block.
func (c *Conn) lastWords(p patience) {
	c.mu.Lock()
	due := !c.closing.noWrites && c.sender.waits(&c.closing)
	c.unlock()
	if due && p == tryOnce && !c.transport.Tries() {
		return
	}
	wrote, err := false, error(nil)
	if due {
		wrote, err = c.flush(nil, nil, p)
	}
	c.mu.Lock()
	a := c.closing.gone(wrote && err == nil || c.closing.ours == written)
	c.unlock()
	c.perform(a)
}

// perform does the acts that a method of closing returned. The caller may hold either turn, but not mu.
func (c *Conn) perform(a acts) {
	if a&bound != 0 {
		c.alarms.SetOnce(now(), alarmClose, orDefault(c.closeTimeout, lingerTime, 0))
	}
	if a&hurry != 0 {
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
	}
	// Only holders of a turn need waking. A call that takes one after this checks the state before it waits.
	if a&interruptWrite != 0 && c.writeTurn.Held() {
		c.transport.InterruptWrite()
	}
	if a&interruptRead != 0 && c.supervisor.Turn.Held() {
		c.transport.InterruptRead()
	}
	if a&keepReading != 0 {
		c.supervisor.Expecting.Add(1) // for as long as the connection lives
		c.rest()
	}
	if a&wakeWriter != 0 {
		c.flushNow()
	}
	if a&endContext != 0 { // before Close returns
		c.leaveGroups()
		c.lifetime.Finish(&c.closing.cause)
	}
	if a&lastTry != 0 {
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
		if c.writeTurn.Try() {
			c.leaveWrite()
		}
		if c.has(ending) { // the attempt is made in the background; Close does not wait for it
			c.mu.Lock()
			c.closing.hungUp = true
			c.unlock()
		}
	}
	if a&(closeGently|closeHard|linger) != 0 {
		c.hangUp(a)
	}
}

// end ends the connection without a closing handshake, by one of closing's events: end or, for CloseNow, abandon.
func (c *Conn) end(event func(*closing, error) acts, reason error) {
	c.mu.Lock()
	a := event(&c.closing, reason)
	c.unlock()
	c.perform(a)
}

// closeFor starts the closing handshake from our side.
func (c *Conn) closeFor(cause error, code StatusCode, reason string) {
	c.mu.Lock()
	a := c.closing.begin(cause, string(appendClose(nil, code, reason)))
	c.unlock()
	c.perform(a)
}

// fail fails the WebSocket connection because of a violation by the peer (RFC 6455, section 7.1.7), and returns errOver.
func (c *Conn) fail(err error) error {
	code, reason := StatusProtocolError, err.Error()
	switch err := err.(type) {
	case ProtocolError:
		code, reason = err.Code, err.Reason
	case sizeError:
		code, reason = StatusMessageTooBig, err.reason()
	}
	payload := string(appendClose(nil, code, reason[:min(len(reason), maxCloseReason)]))
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	a := c.closing.fail(err, payload)
	c.unlock()
	c.perform(a)
	return errOver
}

// failed returns the error that a call under ctx returns to the application for err, or nil if err is nil.
func (c *Conn) failed(ctx context.Context, err error) error {
	if err == nil { // this much is inlined
		return nil
	}
	return c.failedUnder(ctx, err)
}

// failedUnder is failed for an error. If ctx has ended the call and CloseOnCancel is set, it ends the connection, as CloseNow
// does. Other calls then return net.ErrClosed and not ctx's error, since their own contexts may not be done.
func (c *Conn) failedUnder(ctx context.Context, err error) error {
	err = c.explain(ctx, err)
	// Not after the end: then contexts derived from Conn.Context are done because of it.
	if c.closeOnCancel && !c.lifetime.Past() && errors.Is(err, ctx.Err()) {
		c.end((*closing).abandon, errClosed{fmt.Sprintf("the connection was closed here, since the context of a call ended (%v)", context.Cause(ctx))})
	}
	return err
}
