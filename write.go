package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdutf8 "unicode/utf8"

	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/utf8"
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
	sent, err = c.writeMessage(ctx, typ, p)
	if err != nil {
		err = c.verdict(ctx, err)
	}
	return sent, err
}

func (c *Conn) writeMessage(ctx context.Context, typ MessageType, p []byte) (sent bool, err error) {
	op, err := opcodeOf(typ)
	if err != nil {
		return false, err
	}
	if op == opText && !stdutf8.Valid(p) {
		return false, errNotText
	}
	if err := c.over(ctx); err != nil {
		return false, err
	}
	h := header{fin: true, opcode: op}
	if c.deflate != nil && len(p) >= c.deflate.threshold {
		return c.writeCompressed(ctx, h, p)
	}
	for {
		if !c.writeTurn.try() {
			if queued, err := c.queueBehind(h, p); queued || err != nil {
				return queued, err
			}
			if err := c.awaitWrite(ctx); err != nil {
				return false, err
			}
		}
		// The write turn is ours.
		if c.writerOpen() {
			c.leaveWrite()
			if err := c.awaitWriter(ctx); err != nil {
				return false, err
			}
			continue
		}
		if c.queueForCompany(h, p) {
			c.leaveWrite()
			return true, nil
		}
		return c.writeFrame(ctx, h, p, parcel{last: true})
	}
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
	h := header{fin: true, opcode: op}
	if c.deflate != nil && len(p) >= c.deflate.threshold {
		if done, err := c.tryWriteCompressed(h, p); done {
			return err
		}
	}
	if err := c.enqueue(h, p); err != nil {
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
func (c *Conn) enqueue(h header, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isStopped {
		return c.stoppedReason()
	}
	if !c.enqueueLocked(h, p, c.settings.queueLimit) {
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
func (c *Conn) queueBehind(h header, p []byte) (bool, error) {
	c.mu.Lock()
	if c.isStopped {
		defer c.mu.Unlock()
		return false, c.stoppedReason()
	}
	queued := c.out.writer == nil && c.enqueueLocked(h, p, c.settings.queueLimit)
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

// writerOpen reports whether a Writer is open: other messages wait for it.
func (c *Conn) writerOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.writer != nil
}

// queueForCompany leaves a small message in the queue while more frames that
// were read already wait to be handled: the answers to them leave together. It
// saves a system call for each but the last. The caller holds the write turn.
func (c *Conn) queueForCompany(h header, p []byte) bool {
	if !c.waiting.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	if c.isStopped || o.queue != nil && !o.lazy || !c.enqueueLocked(h, p, lazySize) {
		return false
	}
	o.lazy = true
	c.lazy.Store(true)
	if c.alarms.at[alarmFlush] == 0 {
		c.setAlarmLocked(alarmFlush, lazyDelay)
	}
	return true
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

// awaitWriter waits until no Writer is open.
func (c *Conn) awaitWriter(ctx context.Context) error {
	c.mu.Lock()
	if c.out.writer == nil {
		c.mu.Unlock()
		return nil
	}
	if c.out.writerDone == nil {
		c.out.writerDone = make(chan struct{})
	}
	done, stopped := c.out.writerDone, c.stoppedLocked()
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return c.gaveUp(ctx)
	case <-stopped:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.stoppedReason()
	}
}

// writeFrame sends one data frame and gives the write turn back.
func (c *Conn) writeFrame(ctx context.Context, h header, payload []byte, p parcel) (sent bool, err error) {
	p.frame = getBuffer()
	inBackground := !c.resumes && ctx.Done() != nil && ctx.Done() != c.done
	switch {
	case len(payload) <= copyLimit, c.raw == nil && len(payload) <= bufferSize, inBackground:
		p.frame.b = c.appendFrame(p.frame.b, h, payload)
	default:
		h.length = int64(len(payload))
		if c.client {
			h.masked, h.key = true, mask.NewKey()
			p.key = h.key
		}
		p.frame.b = appendHeader(p.frame.b, h)
		p.tail = payload
	}
	if inBackground {
		return c.writeInBackground(ctx, p)
	}
	_, err = c.depart(ctx, &p, true)
	c.leaveWrite()
	return err == nil || p.begun, err
}

// writeInBackground is for a net.Conn on which a write can't be interrupted
// without breaking it, as crypto/tls: a goroutine writes, the caller may go.
func (c *Conn) writeInBackground(ctx context.Context, p parcel) (sent bool, err error) {
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

// Writer returns a writer for one message whose size need not be known: what is
// written to it leaves in fragments (RFC 6455, section 5.4), or as one frame if it
// is small. ctx bounds the wait for another Writer to be closed, and all
// writing; Close ends the message and must be called.
//
// While the Writer is open, other messages wait; control frames pass between its
// fragments. If ctx ends in the middle of the message, the part that was
// accepted is sent, and Close still ends the message: the peer then has a shorter
// one. To tell it otherwise, close the connection.
//
// The Writer is for one goroutine at a time.
func (c *Conn) Writer(ctx context.Context, typ MessageType) (io.WriteCloser, error) {
	op, err := opcodeOf(typ)
	if err != nil {
		return nil, err
	}
	if err := c.over(ctx); err != nil {
		return nil, err
	}
	w := &messageWriter{c: c, ctx: ctx, opcode: op, isText: op == opText}
	for {
		c.mu.Lock()
		stopped, first := c.isStopped, c.out.writer == nil
		if !stopped && first {
			c.out.writer = w
		}
		err := c.stoppedReason()
		c.mu.Unlock()
		if stopped {
			return nil, c.verdict(ctx, err)
		}
		if first {
			return w, nil
		}
		if err := c.awaitWriter(ctx); err != nil {
			return nil, c.verdict(ctx, err)
		}
	}
}

// A messageWriter writes one message in fragments.
type messageWriter struct {
	c      *Conn
	ctx    context.Context
	opcode opcode // of the next fragment
	buf    *buffer
	isText bool
	text   utf8.Validator
	closed bool
	// compressed: the message is, and the compressor is in the middle of it.
	compressed bool
}

var errWriterClosed = errors.New("websocket: the message's Writer is closed")

// Write appends p to the message.
func (w *messageWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errWriterClosed
	}
	if err := w.c.over(w.ctx); err != nil {
		return 0, err
	}
	if w.isText {
		if _, ok := w.text.Write(p); !ok {
			return 0, errNotText
		}
	}
	if w.buf == nil {
		w.buf = getBuffer()
	}
	if len(w.buf.b)+len(p) <= bufferSize {
		w.buf.b = append(w.buf.b, p...)
		return len(p), nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	n := 0
	if len(w.buf.b) == 0 && len(p) >= bufferSize {
		n = w.whole(p)
		if sent, err := w.fragment(w.ctx, p[:n], false); err != nil {
			if sent {
				return n, err
			}
			return 0, err
		}
	}
	w.buf.b = append(w.buf.b, p[n:]...)
	return len(p), nil
}

// whole returns how much of p may end a fragment. Text is cut between
// characters, so that a message that has to end early is still UTF-8.
func (w *messageWriter) whole(p []byte) int {
	if w.isText {
		for i := len(p) - 1; i >= max(0, len(p)-stdutf8.UTFMax); i-- {
			if stdutf8.RuneStart(p[i]) {
				if !stdutf8.FullRune(p[i:]) {
					return i
				}
				break
			}
		}
	}
	return len(p)
}

// flush sends what is buffered as a fragment.
func (w *messageWriter) flush() error {
	n := w.whole(w.buf.b)
	if n == 0 {
		return nil
	}
	sent, err := w.fragment(w.ctx, w.buf.b[:n], false)
	if sent {
		w.buf.b = append(w.buf.b[:0], w.buf.b[n:]...)
	}
	return err
}

// Close ends the message.
func (w *messageWriter) Close() error {
	if w.closed {
		return errWriterClosed
	}
	w.closed = true
	err := w.c.over(w.ctx)
	if err == nil {
		err = w.c.writeStopped()
	}
	if err == nil && w.isText && !w.text.Done() {
		err = errNotText
	}
	if err != nil && w.opcode != opContinuation {
		// Nothing of the message has left: so nothing will.
		if w.compressed {
			w.c.deflate.out.Abandon()
		}
		w.finish()
		return err
	}
	var payload []byte
	if w.buf != nil {
		payload = w.buf.b
	}
	if err != nil {
		// The message is on the wire, and must end for others to follow.
		go func() {
			w.fragment(w.c.ctx, payload[:w.whole(payload)], true)
			w.finish()
		}()
		return err
	}
	_, err = w.fragment(w.ctx, payload, true)
	w.finish()
	return err
}

// fragment sends one frame of the message. It reports whether the frame leaves,
// which it may with an error too.
func (w *messageWriter) fragment(ctx context.Context, payload []byte, fin bool) (sent bool, err error) {
	c := w.c
	if !c.writeTurn.try() {
		if err := c.awaitWrite(ctx); err != nil {
			return false, c.verdict(ctx, err)
		}
	}
	h := header{fin: fin, opcode: w.opcode}
	p := parcel{follow: w.opcode == opContinuation, last: fin}
	if c.deflate != nil {
		packed := getBuffer()
		defer putBuffer(packed)
		payload, h.rsv1 = w.compress(packed, payload, fin)
		p.firm = w.compressed
		if len(payload) == 0 && !fin {
			c.leaveWrite() // the compressor keeps it for now
			return true, nil
		}
	}
	sent, err = c.writeFrame(ctx, h, payload, p)
	if sent {
		w.opcode = opContinuation
	}
	return sent, c.verdict(ctx, err)
}

// compress is called for each fragment, with the write turn, and returns the
// payload to send and whether the frame begins a compressed message. A message that
// fits into one fragment is compressed if Write would; a longer one always is.
func (w *messageWriter) compress(packed *buffer, p []byte, fin bool) ([]byte, bool) {
	z := &w.c.deflate.out
	first := w.opcode != opContinuation
	switch {
	case w.compressed && fin:
		packed.b = z.AppendFinish(z.AppendChunk(packed.b, p))
		return packed.b, first
	case w.compressed:
		packed.b = z.AppendChunk(packed.b, p)
		return packed.b, first
	case !first:
		return p, false
	case fin && len(p) >= w.c.deflate.threshold:
		if packed.b, w.compressed = z.AppendMessage(packed.b, p); w.compressed {
			return packed.b, true
		}
		return p, false
	case fin:
		return p, false
	}
	w.compressed = true
	packed.b = z.AppendChunk(packed.b, p)
	return packed.b, true
}

// finish lets other messages pass.
func (w *messageWriter) finish() {
	if w.buf != nil {
		putBuffer(w.buf)
		w.buf = nil
	}
	c := w.c
	c.mu.Lock()
	c.out.writer = nil
	if c.out.writerDone != nil {
		close(c.out.writerDone)
		c.out.writerDone = nil
	}
	pending := c.pendingLocked()
	c.mu.Unlock()
	if pending {
		c.kick()
	}
}
