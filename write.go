package websocket

import (
	"context"
	"errors"
	"fmt"
	stdutf8 "unicode/utf8"
)

// copyLimit is up to which size a payload is copied behind its header; a
// larger one is written from where it lies.
const copyLimit = 8 << 10

var errNotText = errors.New("websocket: the text message is not UTF-8; send it as MessageBinary")

// opcodeOf returns the opcode for a message type that may be written.
func opcodeOf(typ MessageType) (opcode, error) {
	if typ != MessageText && typ != MessageBinary {
		return 0, fmt.Errorf("websocket: %v is no message type to write; use MessageText or MessageBinary", typ)
	}
	return opcode(typ), nil
}

// Write sends p as one message in one frame (RFC 6455, section 6.1). Text must
// be UTF-8. p may be used again when Write returns.
//
// Write returns when the kernel, or the connection's queue, has taken the
// message: the queue takes it while another write is on its way, or for at most
// a millisecond while messages that were read already wait to be handled, so
// that the answers to them share one system call. If the peer reads slowly, Write
// waits. Several goroutines may write; messages of one goroutine keep their order.
//
// When ctx ends before the first byte was sent, nothing is sent; after that, the
// rest is sent in the background. Write returns ctx.Err() in both cases, and the
// connection lives. After a Close of either side, Write returns the reason.
func (c *Conn) Write(ctx context.Context, typ MessageType, p []byte) error {
	_, err := c.write(ctx, typ, p)
	return err
}

// write is Write, and says besides whether the message leaves: with an error it
// may, if its first byte had left before ctx ended.
func (c *Conn) write(ctx context.Context, typ MessageType, p []byte) (sent bool, err error) {
	op, err := opcodeOf(typ)
	if err == nil && op == opText && !stdutf8.Valid(p) {
		err = errNotText
	}
	if err == nil {
		err = c.over(ctx)
	}
	if err != nil {
		return false, err
	}
	l := finBit | lead(op)
	switch {
	case c.deflate != nil && len(p) >= c.deflate.threshold:
		sent, err = c.writeCompressed(ctx, l, p)
	case c.waiting.Load() && c.queueForCompany(l, p):
		sent = true
	case !c.tryTakeWrite():
		sent, err = c.writeLater(ctx, l, p)
	default:
		sent, err = c.writeFrame(ctx, l, p, false)
	}
	if err != nil {
		err = c.verdict(ctx, err)
	}
	return sent, err
}

// tryTakeWrite takes the write turn for a message, if that takes no waiting.
func (c *Conn) tryTakeWrite() bool {
	if !c.writeTurn.try() {
		return false
	}
	if c.writerOpen() {
		c.leaveWrite()
		return false
	}
	return true
}

// takeWrite waits for the write turn, and until no Writer is open.
func (c *Conn) takeWrite(ctx context.Context) error {
	for {
		if !c.writeTurn.try() {
			if err := c.awaitWrite(ctx); err != nil {
				return err
			}
		}
		if !c.writerOpen() {
			return nil
		}
		c.leaveWrite()
		if err := c.awaitWriter(ctx); err != nil {
			return err
		}
	}
}

// writeLater is for a message that can't leave at once: the queue takes it, or it
// waits for its turn.
func (c *Conn) writeLater(ctx context.Context, l lead, p []byte) (sent bool, err error) {
	if queued, err := c.queueBehind(l, p); queued || err != nil {
		return queued, err
	}
	if err := c.takeWrite(ctx); err != nil {
		return false, err
	}
	return c.writeFrame(ctx, l, p, false)
}

// TryWrite sends p as one message without ever waiting: the kernel takes it now,
// or the connection's queue does. If the queue has no room for it, because the
// peer reads more slowly than the application writes, TryWrite returns
// [ErrQueueFull], and nothing of the message is sent. The queue limit is an
// option, 256 KiB by default; larger messages never fit.
func (c *Conn) TryWrite(typ MessageType, p []byte) error {
	op, err := opcodeOf(typ)
	if err != nil {
		return err
	}
	if op == opText && !stdutf8.Valid(p) {
		return errNotText
	}
	l := finBit | lead(op)
	if c.deflate != nil && len(p) >= c.deflate.threshold {
		if done, err := c.tryWriteCompressed(l, p); done {
			return err
		}
	}
	if err := c.enqueue(l, p); err != nil {
		return err
	}
	if c.raw == nil {
		c.kick()
	} else if c.writeTurn.try() {
		c.depart(nobody, nil, false)
		c.leaveWrite()
	}
	return nil
}

// enqueue leaves a message in the queue.
func (c *Conn) enqueue(l lead, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isStopped {
		return c.stoppedReason()
	}
	if !c.enqueueLocked(l, p, c.settings.queueLimit) {
		return ErrQueueFull
	}
	c.out.lazy = false
	c.urgent.Store(true)
	return nil
}

// writeStopped says why nothing can be written any more, or nil.
func (c *Conn) writeStopped() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isStopped {
		return c.stoppedReason()
	}
	return nil
}

// queueBehind leaves a message in the queue while somebody else writes.
func (c *Conn) queueBehind(l lead, p []byte) (bool, error) {
	c.mu.Lock()
	if c.isStopped {
		defer c.mu.Unlock()
		return false, c.stoppedReason()
	}
	queued := c.out.writer == nil && c.enqueueLocked(l, p, c.settings.queueLimit)
	if queued {
		c.out.lazy = false
		c.urgent.Store(true)
	}
	c.mu.Unlock()
	if queued {
		c.kick()
	}
	return queued, nil
}

// queueForCompany leaves a small message in the queue while more frames that
// were read already wait to be handled: the answers to them leave together. It
// saves a system call for each but the last. The caller has seen that frames wait. He
// needs no write turn: what is on its way already leaves before the queue.
func (c *Conn) queueForCompany(l lead, p []byte) bool {
	c.mu.Lock()
	o := &c.out
	queued := !c.isStopped && o.writer == nil && (o.queue == nil || o.lazy) && c.enqueueLocked(l, p, lazySize)
	if queued && !o.lazy {
		o.lazy = true
		c.lazy.Store(true)
		if c.alarms.at[alarmFlush] == 0 {
			c.setAlarmLocked(alarmFlush, lazyDelay)
		}
	}
	c.mu.Unlock()
	return queued
}

// awaitWrite waits for the write turn.
func (c *Conn) awaitWrite(ctx context.Context) error {
	c.mu.Lock()
	stopped := c.stoppedLocked()
	c.mu.Unlock()
	if c.writeTurn.await(ctx, stopped) {
		return nil
	}
	if err := c.over(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stoppedReason()
}

// writeFrame sends one data frame and gives the write turn back. A firm one must
// leave even if ctx ends: its compression has moved a window.
func (c *Conn) writeFrame(ctx context.Context, l lead, payload []byte, firm bool) (sent bool, err error) {
	if !c.resumes && !c.ownContext(ctx) && ctx.Done() != nil {
		return c.writeInBackground(ctx, l, payload, firm)
	}
	p := parcel{lead: l, frame: getBuffer(), firm: firm}
	if len(payload) <= copyLimit || c.raw == nil && len(payload) <= bufferSize {
		c.appendFrame(p.frame, l, payload)
	} else {
		p.key = c.appendStart(p.frame, l, len(payload))
		p.tail = payload
	}
	_, err = c.depart(ctx, &p, true)
	c.leaveWrite()
	return err == nil || p.begun, err
}

// writeInBackground is writeFrame for a net.Conn on which a write can't be
// interrupted without breaking it, as crypto/tls: a goroutine writes a copy, the
// caller may go.
func (c *Conn) writeInBackground(ctx context.Context, l lead, payload []byte, firm bool) (sent bool, err error) {
	p := parcel{lead: l, frame: getBuffer(), firm: firm}
	c.appendFrame(p.frame, l, payload)
	written := make(chan error, 1)
	go func() {
		_, err := c.depart(nobody, &p, true)
		c.leaveWrite()
		written <- err
	}()
	c.mu.Lock()
	stopped := c.stoppedLocked()
	c.mu.Unlock()
	select {
	case err := <-written:
		return err == nil, err
	case <-ctx.Done():
		return true, c.gaveUp(ctx)
	case <-stopped:
	}
	select {
	case err := <-written:
		return err == nil, err
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return true, c.stoppedReason()
}
