package websocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	stdutf8 "unicode/utf8"

	"github.com/closeonce/websocket/internal/supervisor"
	"github.com/closeonce/websocket/internal/transport"
)

var errNotText = errors.New("websocket: the text message is not UTF-8; send it as MessageBinary")

// opcodeOf returns the opcode for a message of p, if it may be written. anyText is the option of that name.
func opcodeOf(typ MessageType, p []byte, anyText bool) (opcode, error) {
	switch {
	case typ != MessageText && typ != MessageBinary:
		return 0, fmt.Errorf("websocket: %v is not a message type to write; use MessageText or MessageBinary", typ)
	case typ == MessageText && !anyText && !stdutf8.Valid(p):
		return 0, errNotText
	}
	return opcode(typ), nil
}

// Write sends p as one message in one frame (RFC 6455, section 6.1). Text must be UTF-8. The caller may change p
// afterwards. No other frame can leave amid a frame: if the peer takes so long for a large one that its Pings would stay without an
// answer for too long, use a [Conn.Writer], between whose fragments Pongs leave.
//
// Write returns when the kernel or the connection's queue has taken the message. The queue takes it if another write is under
// way or messages of a [Group] wait, unless it is to be compressed: then Write waits for its turn. The queue also takes
// messages of up to 4 KiB while received messages wait to be read. They stay there for at most 1 ms, so that the answers share
// one system call. If the peer reads slowly, Write waits. Several goroutines may write; the messages of one keep their order.
//
// When ctx is done, Write returns ctx.Err(), and the connection stays open, unless the option CloseOnCancel is set. If part of
// the message has left, the rest is sent in the background. If nothing has left, the message is not sent, unless it was
// compressed with context takeover: then it is sent in the background. Over a net.Conn that is not a socket, and over TLS except on
// Linux with amd64 or arm64, its first 16 KiB may count as having left before the peer has room for them. After a Close of either side,
// Write returns the reason. Text that is not UTF-8, and a type that is none, are refused; the connection stays open.
func (c *Conn) Write(ctx context.Context, typ MessageType, p []byte) error {
	_, err := c.write(ctx, typ, p, true)
	return err
}

// write is Write, and reports whether the message was sent or will be, which is possible with an error, too. cancels says
// whether CloseOnCancel applies to ctx. Write does nothing but call it, so that it uses little stack while it waits.
func (c *Conn) write(ctx context.Context, typ MessageType, p []byte, cancels bool) (sent bool, err error) {
	op, err := opcodeOf(typ, p, c.anyText())
	switch {
	case ctx == nil:
		return false, errNilContext
	case err == nil && ctx.Err() != nil:
		err = c.contextErr(ctx)
	}
	if err != nil {
		return false, c.unsent(ctx, err, cancels)
	}
	first := finBit | firstByte(op)
	if c.has(subscribed) {
		c.pull()
	}
	switch {
	case c.deflate != nil && c.deflate.compresses(len(p)):
		sent, err = c.writeCompressed(ctx, first, p)
	case c.supervisor.Unread.Load()&supervisor.FramesUnread != 0 && c.enqueueCorked(first, p, len(p)):
		sent = true
	case !c.tryTakeWrite():
		sent, err = c.writeLater(ctx, first, p)
	default:
		sent, err = c.writeFrame(ctx, first, p, len(p), false)
	}
	if sent && c.hooks != nil {
		c.tellWritten(typ, int64(len(p)))
	}
	if err != nil {
		err = c.unsent(ctx, err, cancels)
	}
	return sent, err
}

// setThreshold sets the size of the smallest message that is compressed, as the option CompressionThreshold does.
func (z *compression) setThreshold(n int) {
	def := int64(512)
	if z.out.Takeover() {
		def = 128
	}
	z.threshold.Store(orDefault(int64(n), def, 0))
}

// compresses reports whether a message of n bytes is compressed.
func (z *compression) compresses(n int) bool { return int64(n) >= z.threshold.Load() }

// SetCompressionThreshold sets the size in bytes of the smallest message that is compressed from now on, as the option
// CompressionThreshold does: 0 is the default, and a negative n stands for 0. [math.MaxInt] switches the compression of what is
// sent off. A Writer's message of several fragments is compressed whatever its size. Without permessage-deflate it does nothing.
func (c *Conn) SetCompressionThreshold(n int) {
	if c.deflate != nil {
		c.deflate.setThreshold(n)
	}
}

// TryWrite sends p as one message, as [Conn.Write] does, but never waits for the peer: the kernel or the connection's queue
// takes it. Only behind messages of a [Group] that have no room may it wait for who is writing, for a tenth of a second.
// If the queue has no room, because the peer reads too slowly, TryWrite returns [ErrQueueFull], and the message is not sent.
// The queue's limit is the option QueueLimit, 256 KiB by default; a larger message never fits (each counts with its header of up to
// 14 bytes). While a Writer is open, messages wait in the queue. Several goroutines may call TryWrite. After a Close of either side it
// returns the reason.
func (c *Conn) TryWrite(typ MessageType, p []byte) error {
	op, err := opcodeOf(typ, p, c.anyText())
	if err != nil {
		return err
	}
	first := finBit | firstByte(op)
	if c.has(subscribed) {
		c.pull()
	}
	done := false
	if c.deflate != nil && c.deflate.compresses(len(p)) {
		done, err = c.tryWriteCompressed(first, p)
	}
	if !done {
		if err = c.enqueue(first, p, len(p), 0); err == nil {
			c.flushNow()
		}
	}
	switch err {
	case nil:
		c.tellWritten(typ, int64(len(p)))
	case ErrQueueFull:
		c.tellSlow()
	}
	return c.queued(err)
}

// tryTakeWrite takes the write turn for a message, if the turn is free and no Writer is open.
func (c *Conn) tryTakeWrite() bool {
	if !c.writeTurn.Try() {
		return false
	}
	if c.has(writerIsOpen | backlogged) {
		c.leaveWrite()
		return false
	}
	return true
}

// takeWrite waits until it has the write turn, no Writer is open, and what was in the backlog before is written.
func (c *Conn) takeWrite(ctx context.Context) error {
	for {
		if err := c.awaitWrite(ctx); err != nil {
			return err
		}
		if !c.has(writerIsOpen) {
			return c.clearBacklog(ctx)
		}
		c.leaveWrite()
		if err := c.awaitWriter(ctx); err != nil {
			return err
		}
	}
}

// awaitWrite waits for the write turn, whether or not a Writer is open. With an error, the caller does not have the turn.
func (c *Conn) awaitWrite(ctx context.Context) error {
	if c.writeTurn.Try() {
		return nil
	}
	stopped := c.awaitable().stopped
	if c.writeTurn.Await(ctx.Done(), stopped) {
		return nil
	}
	return cmp.Or(c.writeErr(ctx), context.Canceled) // a Context of the application's may have taken back that it is done
}

// awaitWriter waits until no Writer is open.
func (c *Conn) awaitWriter(ctx context.Context) error {
	c.mu.Lock()
	if !c.has(writerIsOpen) {
		c.unlock()
		return nil
	}
	m := c.momentsLocked()
	if m.writerClosed == nil {
		m.writerClosed = make(chan struct{})
	}
	closed, stopped := m.writerClosed, m.stopped
	c.unlock()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
	case <-stopped:
	}
	return c.writeErr(ctx)
}

// writeErr returns why a write under ctx can't begin, or nil.
func (c *Conn) writeErr(ctx context.Context) error {
	c.mu.Lock()
	stopped := c.stoppedLocked()
	c.unlock()
	if stopped {
		return errOver
	}
	return ctx.Err()
}

// writeLater is for a message that found the write turn taken, or a Writer open. It puts the message into the queue. If the
// queue is full, or a Writer is open, it waits for the turn and sends the message itself.
func (c *Conn) writeLater(ctx context.Context, first firstByte, p []byte) (sent bool, err error) {
	if !c.has(writerIsOpen) {
		if err := c.enqueue(first, p, len(p), 0); err != ErrQueueFull {
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
	return c.writeFrame(ctx, first, p, len(p), false)
}

// enqueue puts a message into the queue. Of the queue's room, reserved bytes were reserved for it before. size is
// the message's size before compression.
func (c *Conn) enqueue(first firstByte, p []byte, size, reserved int) error {
	c.mu.Lock()
	defer c.unlock()
	if c.stoppedLocked() {
		return errOver
	}
	if !c.sender.enqueue(first, p, size, reserved) {
		return ErrQueueFull
	}
	return nil
}

// enqueueCorked puts a small message into the queue and leaves it there for a moment. Write calls it while frames that have
// arrived wait to be read: the answers to them then share one system call. The queue is sent before the next wait for
// bytes, or with the next flush, or after corkDelay.
func (c *Conn) enqueueCorked(first firstByte, p []byte, size int) bool {
	if len(p) > corkLimit/4 {
		return false
	}
	c.mu.Lock()
	queued, corks := false, false
	if !c.stoppedLocked() && !c.has(writerIsOpen|backlogged) {
		queued, corks = c.sender.enqueueCorked(first, p, size)
	}
	if !corks {
		c.mu.Unlock() // the flags stay as they are
		return queued
	}
	c.unlock()
	c.alarms.SetOnce(now(), alarmCork, corkDelay)
	return true
}

// writeFrame sends one data frame, with the write turn, which it gives back. size is the payload's size before compression.
// If mustSend is set, the frame is sent even if ctx is done.
func (c *Conn) writeFrame(ctx context.Context, first firstByte, payload []byte, size int, mustSend bool) (sent bool, err error) {
	f := outFrame{first: first, size: size, mustSend: mustSend}
	c.sender.encodeFrame(&f, payload, c.transport.Gathers())
	_, err = c.flush(ctx, &f, untilContext)
	c.leaveWrite()
	return err == nil || f.committed, err
}

// writeCompressed sends one message, compressed if that makes it smaller. It compresses
// with the write turn: with context takeover, messages must leave in the order in which
// they were compressed.
func (c *Conn) writeCompressed(ctx context.Context, first firstByte, p []byte) (sent bool, err error) {
	if err := c.takeWrite(ctx); err != nil {
		return false, err
	}
	if err := c.clearTheWay(ctx); err != nil {
		return false, err
	}
	packed := transport.Get()
	defer transport.Put(packed)
	var smaller bool
	size := len(p)
	if packed.B, smaller = c.deflate.out.AppendMessage(packed.B, p); smaller {
		first, p = first|rsv1Bit, packed.B
	}
	if c.supervisor.Unread.Load()&supervisor.FramesUnread != 0 && c.enqueueCorked(first, p, size) {
		c.leaveWrite()
		return true, nil
	}
	return c.writeFrame(ctx, first, p, size, smaller && c.deflate.out.Takeover())
}

// clearTheWay writes the rest of a batch that was written in part. It is called with the write turn, and gives it back if it
// fails. A payload that has moved the compressor's window must be sent. So it is not compressed before nothing is in its way.
func (c *Conn) clearTheWay(ctx context.Context) error {
	err := c.writeErr(ctx)
	if err == nil {
		err = c.flushRest(ctx, untilContext)
	}
	if err == nil {
		err = c.writeErr(ctx)
	}
	if err != nil {
		c.leaveWrite()
	}
	return err
}

// deflateSlack is by how many bytes compression may make a message longer.
const deflateSlack = 16

// tryWriteCompressed compresses a message and puts it into the queue. Without the write turn it can't know the order in
// which messages are compressed: if the turn is taken, it returns false, and TryWrite sends the message uncompressed. It
// reserves room before it compresses, because a message that has moved the compressor's window must be sent.
func (c *Conn) tryWriteCompressed(first firstByte, p []byte) (bool, error) {
	if !c.tryTakeWrite() {
		if c.has(backlogged) {
			return true, c.tryWriteBehind(first, p)
		}
		return false, nil
	}
	defer c.leaveWrite()
	room := len(p) + maxHeader + deflateSlack
	c.mu.Lock()
	stopped := c.stoppedLocked()
	reserved := !stopped && c.sender.reserve(room)
	c.unlock()
	switch {
	case stopped:
		return true, errOver
	case !reserved:
		return true, ErrQueueFull
	}
	packed := transport.Get()
	defer transport.Put(packed)
	var smaller bool
	size := len(p)
	if packed.B, smaller = c.deflate.out.AppendMessage(packed.B, p); smaller {
		first, p = first|rsv1Bit, packed.B
	}
	if err := c.enqueue(first, p, size, room); err != nil {
		return true, err
	}
	if c.transport.Tries() {
		c.flush(nil, nil, tryOnce)
	}
	return true, nil
}

// unsent returns the error of a Write under ctx. cancels says whether CloseOnCancel applies to ctx.
//
//go:noinline
func (c *Conn) unsent(ctx context.Context, err error, cancels bool) error {
	if cancels {
		return sending(c.failedUnder(ctx, err))
	}
	return sending(c.explain(ctx, err))
}
