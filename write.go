package websocket

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/transport"
)

const (
	// copyLimit is up to which size a payload is copied behind its header; a larger one is written from where it lies.
	copyLimit            = 8 << 10
	corkLimit, corkDelay = 16 << 10, time.Millisecond // how much may wait in the queue for company, and how long
)

var errNotText = errors.New("websocket: the text message is not UTF-8; send it as MessageBinary")
var errWouldBlock = errors.New("would block")

// Write sends p as one message in one frame (RFC 6455, section 6.1). Text must be UTF-8. The caller may change p afterwards.
//
// Write returns when the kernel, or the connection's queue, has taken the message: the queue takes it while another write
// is on its way, or for at most a millisecond while messages that were read already wait to be handled, so that the
// answers to them share one system call. If the peer reads slowly, Write waits. Several goroutines may write; messages of
// one goroutine keep their order.
//
// When ctx is done before the first byte was sent, nothing is, unless it was compressed with context takeover; once that
// has left, the rest is sent in the background. Write returns ctx.Err() in both cases, and the connection stays open,
// unless the option CloseOnCancel is set, which ends it. After a Close of either side, Write returns the reason.
func (c *Conn) Write(ctx context.Context, typ MessageType, p []byte) error {
	_, err := c.write(ctx, typ, p, true)
	return err
}

// write is Write, and says besides whether the message leaves, as it may with an error. Write takes no stack beside it.
func (c *Conn) write(ctx context.Context, typ MessageType, p []byte, cancels bool) (sent bool, err error) {
	op, err := opcodeOf(typ, p)
	if err == nil && ctx.Err() != nil {
		err = c.contextErr(ctx)
	}
	if err != nil {
		return false, c.unsent(ctx, err, cancels)
	}
	first := finBit | firstByte(op)
	switch {
	case c.deflate != nil && len(p) >= c.deflate.threshold:
		sent, err = c.writeCompressed(ctx, first, p)
	case c.supervisor.unread.Load()&framesUnread != 0 && c.enqueueCorked(first, p):
		sent = true
	case !c.tryTakeWrite():
		sent, err = c.writeLater(ctx, first, p)
	default:
		sent, err = c.writeFrame(ctx, first, p, false)
	}
	if sent {
		c.wroteMessage(typ, int64(len(p)))
	}
	if err != nil {
		err = c.unsent(ctx, err, cancels)
	}
	return sent, err
}

// TryWrite sends p as one message without ever waiting: the kernel takes it now, or the connection's queue does; it waits
// there until a message that a Writer has begun has ended. If the queue has no room for it, because the peer reads more
// slowly than the application writes, TryWrite returns [ErrQueueFull], and nothing of the message is sent. The queue limit
// is an option, 256 KiB by default; larger messages never fit.
func (c *Conn) TryWrite(typ MessageType, p []byte) error {
	op, err := opcodeOf(typ, p)
	if err != nil {
		return err
	}
	first := finBit | firstByte(op)
	done := false
	if c.deflate != nil && len(p) >= c.deflate.threshold {
		done, err = c.tryWriteCompressed(first, p)
	}
	if !done {
		if err = c.enqueue(first, p, 0); err == nil {
			c.flushNow()
		}
	}
	c.triedToWrite(typ, int64(len(p)), err)
	if err == errOver {
		c.mu.Lock()
		defer c.mu.Unlock()
		return sending(cmp.Or(c.closing.cause, c.closing.result))
	}
	return err
}

// tryTakeWrite takes the write turn for a message, if it is free.
func (c *Conn) tryTakeWrite() bool {
	if !c.writeTurn.Try() {
		return false
	}
	if c.has(writerIsOpen) {
		c.leaveWrite()
		return false
	}
	return true
}

// takeWrite waits for the write turn, and until no Writer is open.
func (c *Conn) takeWrite(ctx context.Context) error {
	for {
		if err := c.awaitWrite(ctx); err != nil {
			return err
		}
		if !c.has(writerIsOpen) {
			return nil
		}
		c.leaveWrite()
		if err := c.awaitWriter(ctx); err != nil {
			return err
		}
	}
}

// awaitWrite waits for the write turn. Who is handed it while giving up has it, and gives it back as always.
func (c *Conn) awaitWrite(ctx context.Context) error {
	if c.writeTurn.Try() {
		return nil
	}
	stopped := c.awaitable().stopped
	if c.writeTurn.Await(ctx.Done(), stopped) {
		return nil
	}
	return c.writeErr(ctx)
}

// writeErr returns why a write under ctx can't begin.
func (c *Conn) writeErr(ctx context.Context) error {
	c.mu.Lock()
	stopped := c.closing.stopped()
	c.unlock()
	if stopped {
		return errOver
	}
	return ctx.Err()
}

// writeLater leaves a message that can't leave at once in the queue, or waits.
func (c *Conn) writeLater(ctx context.Context, first firstByte, p []byte) (sent bool, err error) {
	if !c.has(writerIsOpen) {
		if err := c.enqueue(first, p, 0); err != ErrQueueFull {
			if err == nil {
				c.wakeWriter()
			}
			return err == nil, err
		}
		c.slow()
	}
	if err := c.takeWrite(ctx); err != nil {
		return false, err
	}
	return c.writeFrame(ctx, first, p, false)
}

// enqueue leaves a message in the queue, where reserved bytes are taken for it already.
func (c *Conn) enqueue(first firstByte, p []byte, reserved int) error {
	c.mu.Lock()
	defer c.unlock()
	if c.closing.stopped() {
		return errOver
	}
	if !c.sender.enqueue(first, p, c.sender.limit, reserved) {
		return ErrQueueFull
	}
	c.sender.corked = false
	return nil
}

// enqueueCorked leaves a small message in the queue while more frames that were read already wait to be handled: the
// answers to them leave together, and save a system call for each but the last. The queue leaves before the next wait for
// bytes, or after corkDelay, or with whoever writes meanwhile.
func (c *Conn) enqueueCorked(first firstByte, p []byte) bool {
	if len(p) > corkLimit/4 {
		return false
	}
	c.mu.Lock()
	s := &c.sender
	queued := !c.closing.stopped() && s.writer == nil && (s.corked || s.queue == nil && !s.pongsWait()) &&
		s.enqueue(first, p, min(corkLimit, s.limit), 0)
	cork := queued && !s.corked
	s.corked = s.corked || queued
	c.unlock()
	if cork {
		c.alarms.SetOnce(now(), alarmCork, corkDelay)
	}
	return queued
}

// writeFrame sends one data frame and gives the write turn back. If mustSend is set, it leaves even if ctx is done.
func (c *Conn) writeFrame(ctx context.Context, first firstByte, payload []byte, mustSend bool) (sent bool, err error) {
	f := outFrame{first: first, head: transport.Get(), payload: len(payload), mustSend: mustSend}
	switch s := &c.sender; {
	case len(payload) <= copyLimit || len(payload) <= transport.BufferSize && !c.transport.Gathers():
		s.appendFrame(f.head, first, payload)
	case s.client || c.transport.Gathers():
		f.key = s.appendStart(f.head, first, len(payload))
		f.tail = payload
	default:
		s.appendStart(f.head, first, len(payload))
		n := copy(f.head.B[len(f.head.B):cap(f.head.B)], payload)
		f.head.B = f.head.B[:len(f.head.B)+n]
		f.tail = payload[n:]
	}
	_, err = c.flush(ctx, &f, untilContext)
	c.leaveWrite()
	return err == nil || f.committed, err
}

// patience is how long a flush waits.
type patience uint8

const (
	tryOnce      patience = iota // not at all
	untilContext                 // until its context is done, or no message is accepted any more; with none, until the end
	untilGone                    // until the net.Conn is closed
)

// flush writes everything that is pending, and f if it is not nil, in one system call. It is the only function that
// writes frames. The caller has the write turn. It reports whether there was something to write.
//
// If it returns early, nothing of f has left, or the rest of it is left for the writer goroutine, which has no context.
func (c *Conn) flush(ctx context.Context, f *outFrame, p patience) (wrote bool, err error) {
	c.mu.Lock()
	if c.sender.rest != nil && (f == nil || !c.closing.stopped()) {
		c.unlock()
		if err := c.flushRest(ctx, p); err != nil {
			return true, err
		}
		c.mu.Lock()
	}
	if f != nil && c.closing.stopped() || c.closing.noWrites {
		c.unlock()
		return false, errOver
	}
	b := c.sender.collect(&c.closing, f)
	matters := b.queued > 0 || b.ping != 0 || c.closing.ours == leaving // somebody waits to hear that it is written
	c.unlock()
	if b.buf == nil {
		return false, nil
	}
	c.framesLeave(b.buf.B)
	// Nearly always it is one attempt, which the kernel takes whole. Made here, it needs little stack.
	if f == nil || f.tail == nil {
		err = c.send(ctx, b.buf, nil, p, c.transport.TryWrite(b.buf, nil))
	} else if !c.sender.client {
		err = c.send(ctx, b.buf, f.tail, p, c.transport.TryWrite(b.buf, f.tail))
	} else {
		err = c.sendMasked(ctx, b.buf, f, p)
	}
	if err != nil {
		c.suspend(b, f)
		return true, err
	}
	c.framesWritten(0)
	if matters {
		c.wrote(b)
	}
	transport.Put(b.buf)
	return true, nil
}

// flushRest writes what is left of frames that were written in part.
func (c *Conn) flushRest(ctx context.Context, p patience) error {
	c.mu.Lock()
	if c.sender.rest == nil {
		c.unlock()
		return nil
	}
	b := batch{buf: &transport.Buffer{B: c.sender.rest.b}, ping: c.sender.rest.ping, queued: c.sender.rest.queued}
	c.sender.rest = nil
	c.unlock()
	if err := c.send(ctx, b.buf, nil, p, c.transport.TryWrite(b.buf, nil)); err != nil {
		c.suspend(b, nil)
		return err
	}
	c.framesWritten(0)
	c.wrote(b)
	return nil
}

// suspend leaves the rest of a batch to the writer goroutine.
func (c *Conn) suspend(b batch, f *outFrame) {
	c.mu.Lock()
	whole, ended := c.sender.suspend(b, f), c.closing.ended
	left := c.sender.rest
	if ended {
		c.sender.drop()
	}
	c.unlock()
	c.framesSuspended(f, left, ended)
	if whole {
		c.wrote(b)
	}
}

// wrote is called when all that had begun to leave is written.
func (c *Conn) wrote(b batch) {
	c.mu.Lock()
	c.sender.wrote(b.queued)
	a := c.closing.wrote()
	c.unlock()
	if b.ping != 0 {
		taken, outstanding := c.transport.Taken()
		c.keepalive.PingLeft(b.ping, now(), taken, outstanding)
	}
	c.perform(a)
}

// send sees an attempt to write b and then tail through, if it has not done all. b.N is how many bytes of both were taken.
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
		// The interruption may have hit the holder of the turn before.
		if err := c.mayGoOn(ctx, p); err != nil {
			return err
		}
		err := c.transport.Write(c.foreign(ctx), b, tail)
		if err == nil {
			return nil
		}
		if err != transport.ErrInterrupted {
			return c.writeFailed(err)
		}
	}
}

// mayGoOn says why a write that may have to wait should not go on, or nil.
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

// sendMasked writes b and then f's tail, masked on its way through a borrowed buffer: so a client needs no memory of the
// message's size. With an error, b holds all that is left of the frame, masked.
func (c *Conn) sendMasked(ctx context.Context, b *transport.Buffer, f *outFrame, p patience) error {
	large := transport.GetLarge()
	defer transport.PutLarge(large)
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

// writeFailed is called when the net.Conn took no more.
func (c *Conn) writeFailed(err error) error {
	stalled := c.supervisor.stalled.Load()
	c.mu.Lock()
	a := c.closing.noWrite(connectionLost(err), stalled)
	c.unlock()
	c.perform(a)
	return errOver
}
