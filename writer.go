package websocket

import (
	"context"
	"errors"
	"io"
	"math"
	stdutf8 "unicode/utf8"

	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/turn"
	"github.com/closeonce/websocket/internal/utf8"
)

// Writer returns a writer for one message whose size need not be known. The message is sent in fragments (RFC 6455, section
// 5.4), or as one frame if it is small. Close ends the message. It must be called, even after an error. Several goroutines
// may use the writer: all of it is one message, and the bytes of each Write stay together. The writer also has a method
// Flush() error, which sends what was written so far as a fragment.
//
// While the writer is open, other messages wait; control frames are sent between its fragments. ctx bounds the wait for
// another Writer to be closed, and all writing. If ctx is done before any of the message has left, none of it is sent. If
// ctx is done later, the data that Write has accepted is sent, text up to the last whole character. Close then ends the
// message, in the background if need be, and returns ctx.Err(). If text is not UTF-8, Write or Close returns an error, and
// nothing from there on is sent. The peer sees a shorter message, or none if nothing had left, and can't tell; close the
// connection if it must know. The connection stays open, unless the option CloseOnCancel is set.
func (c *Conn) Writer(ctx context.Context, typ MessageType) (io.WriteCloser, error) {
	op, err := opcodeOf(typ, nil, true)
	switch {
	case err != nil:
		return nil, err
	case ctx == nil:
		return nil, errNilContext
	case ctx.Err() != nil:
		return nil, sending(c.failed(ctx, c.contextErr(ctx)))
	}
	if c.has(subscribed) {
		c.pull()
	}
	w := &messageWriter{c: c, ctx: ctx, typ: typ, opcode: op, isText: op == opText && !c.anyText()}
	for {
		c.mu.Lock()
		stopped, first := c.closing.stopped(), c.sender.writer == noWriter
		if !stopped && first {
			c.sender.writer = writerOpen
		}
		c.unlock()
		switch {
		case stopped:
			return nil, sending(c.failed(ctx, errOver))
		case first:
			return w, nil
		}
		if err := c.awaitWriter(ctx); err != nil {
			return nil, sending(c.failed(ctx, err))
		}
	}
}

// A messageWriter writes one message in fragments. The fields below turn belong to its holder.
type messageWriter struct {
	c   *Conn
	ctx context.Context

	turn   turn.Turn
	typ    MessageType
	opcode opcode // of the next fragment
	buf    *transport.Buffer
	isText bool
	text   utf8.Validator
	closed bool
	// compressed: the message is compressed, and the compressor has begun it.
	compressed bool
	complete   bool  // the last fragment was sent, or will be
	size       int64 // of the part of the message that was sent, before compression
	kept       int   // how many bytes the compressor has taken that are not in size yet
}

var errWriterClosed = errors.New("websocket: the message's Writer is closed")

// Write appends p to the message.
func (w *messageWriter) Write(p []byte) (int, error) {
	if !w.turn.Await(w.ctx.Done(), nil) {
		return 0, sending(w.c.failed(w.ctx, w.c.contextErr(w.ctx)))
	}
	n, err := w.write(p)
	return n, sending(w.c.failed(w.ctx, err))
}

// write is Write with w's turn, which it gives back.
func (w *messageWriter) write(p []byte) (int, error) {
	defer w.turn.Release()
	if w.closed {
		return 0, errWriterClosed
	}
	if err := w.c.writeErr(w.ctx); err != nil {
		return 0, err
	}
	if w.isText {
		if _, ok := w.text.Write(p); !ok {
			return 0, errNotText
		}
	}
	if w.buf == nil {
		w.buf = transport.Get()
	}
	if len(w.buf.B)+len(p) <= transport.BufferSize {
		w.buf.B = append(w.buf.B, p...)
		return len(p), nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	n := 0
	if len(w.buf.B) == 0 && len(p) >= transport.BufferSize {
		n = w.whole(p)
		if sent, err := w.fragment(w.ctx, p[:n], false); err != nil {
			if sent {
				return n, err
			}
			return 0, err
		}
	}
	w.buf.B = append(w.buf.B, p[n:]...)
	return len(p), nil
}

// whole returns how much of p a fragment may hold. Text is cut between characters, so that a message that ends early is
// still UTF-8.
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
	n := w.whole(w.buf.B)
	if n == 0 {
		return nil
	}
	sent, err := w.fragment(w.ctx, w.buf.B[:n], false)
	if sent {
		w.buf.B = append(w.buf.B[:0], w.buf.B[n:]...)
	}
	return err
}

// Flush sends what was written so far as a fragment, text up to the last whole character. If the message is compressed, the
// compressor may keep the end of it.
func (w *messageWriter) Flush() error {
	if !w.turn.Await(w.ctx.Done(), nil) {
		return sending(w.c.failed(w.ctx, w.c.contextErr(w.ctx)))
	}
	err := error(nil)
	switch {
	case w.closed:
		err = errWriterClosed
	case w.buf != nil:
		err = w.flush()
	}
	w.turn.Release()
	return sending(w.c.failed(w.ctx, err))
}

// Close ends the message.
func (w *messageWriter) Close() error {
	w.turn.Await(nil, nil) // a concurrent Write ends at the latest when its context is done
	sent, err := w.close()
	if sent {
		w.ended()
	}
	return sending(w.c.failed(w.ctx, err))
}

// close is Close with w's turn, which it gives back. It reports whether the end of the message was sent or will be.
func (w *messageWriter) close() (sent bool, err error) {
	defer w.turn.Release()
	if w.closed {
		return false, errWriterClosed
	}
	w.closed = true
	err = w.c.writeErr(w.ctx)
	if err == nil && w.isText && !w.text.Done() {
		err = errNotText
	}
	var payload []byte
	if w.buf != nil {
		payload = w.buf.B
	}
	if err == nil {
		sent, err = w.fragment(w.ctx, payload, true)
	}
	switch {
	case sent:
		w.finish()
	case w.opcode != opContinuation: // nothing of the message has left, and nothing will
		if w.compressed {
			w.c.deflate.out.Abandon()
		}
		w.finish()
	default:
		// Part of the message has left. It must be ended before other messages can follow.
		go func() {
			w.fragment(w.c.Context(), payload[:w.whole(payload)], true)
			w.finish()
			if w.complete {
				w.ended()
			}
		}()
	}
	return sent, err
}

// ended tells a Trace of the message, when its last fragment was sent or will be.
func (w *messageWriter) ended() {
	w.c.tellWritten(w.typ, w.size)
}

// fragment sends one frame of the message. It reports whether the frame was sent or will be, which is possible with an
// error, too.
func (w *messageWriter) fragment(ctx context.Context, payload []byte, fin bool) (sent bool, err error) {
	c := w.c
	if err := c.awaitWrite(ctx); err != nil {
		return false, err
	}
	if w.opcode != opContinuation && !w.compressed { // later nothing of it may leave
		if err := c.clearBacklog(ctx); err != nil {
			return false, err
		}
	}
	first, size := firstByte(w.opcode), len(payload)
	if fin {
		first |= finBit
	}
	if c.deflate != nil {
		if err := c.clearTheWay(ctx); err != nil {
			return false, err
		}
		packed := transport.Get()
		defer transport.Put(packed)
		var begins bool
		if payload, begins = w.compress(packed, payload, fin); begins {
			first |= rsv1Bit
		}
		if len(payload) == 0 && !fin {
			c.holdBacklog()
			c.leaveWrite() // the compressor keeps it for now
			w.kept += size
			return true, nil
		}
	}
	whole := fin && w.opcode != opContinuation
	sent, err = c.writeFrame(ctx, first, payload, w.kept+size, w.compressed && (!whole || c.deflate.out.Takeover()))
	if sent {
		w.opcode, w.complete = opContinuation, fin
		w.size, w.kept = w.size+int64(w.kept+size), 0
	}
	return sent, err
}

// compress compresses one fragment, with the write turn. It returns the payload to send, and whether the frame begins a
// compressed message. A message of one fragment is compressed if Write would compress it; a longer one always is.
func (w *messageWriter) compress(packed *transport.Buffer, p []byte, fin bool) ([]byte, bool) {
	z := &w.c.deflate.out
	first := w.opcode != opContinuation
	switch {
	case w.compressed && fin:
		packed.B = z.AppendFinish(z.AppendChunk(packed.B, p))
		return packed.B, first
	case w.compressed:
		packed.B = z.AppendChunk(packed.B, p)
		return packed.B, first
	case !first:
		return p, false
	case fin && w.c.deflate.compresses(len(p)):
		if packed.B, w.compressed = z.AppendMessage(packed.B, p); w.compressed {
			return packed.B, true
		}
		return p, false
	case fin, w.c.deflate.threshold.Load() == math.MaxInt:
		return p, false
	}
	w.compressed = true
	packed.B = z.AppendChunk(packed.B, p)
	return packed.B, true
}

// finish closes the Writer, so that other messages can be sent.
func (w *messageWriter) finish() {
	if w.buf != nil {
		transport.Put(w.buf)
		w.buf = nil
	}
	c := w.c
	c.mu.Lock()
	c.sender.writer = noWriter
	if m := c.moments; m != nil && m.writerClosed != nil {
		close(m.writerClosed)
		m.writerClosed = nil
	}
	c.unlock()
	if c.has(hasPending) {
		c.wakeWriter()
	}
}

// Flush waits until the kernel has taken all that was accepted before: messages in the queue and of groups, answers to Pings, and
// the frames of SendPing, SendPong and CloseWrite. Pongs and Pings that were dropped (see [Conn.SendPing]) are not waited for, nor
// told. Messages behind a Writer that is open are not waited for. See
// Trace.FrameWritten for what counts as taken.
//
// When ctx is done, Flush returns ctx.Err(), or the reason if the end has begun; the connection stays open in any case, and the
// frames are sent in the background. If ctx is done already, Flush does not wait, and returns nil if nothing has to be waited
// for. If the connection has ended without a closing handshake, or a Close can't leave within a second, it returns the reason.
func (c *Conn) Flush(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if c.has(subscribed) {
		c.pull()
	}
	c.mu.Lock()
	c.sender.corked = false
	c.unlock()
	frames, mark := int64(-1), uint64(0) // that had left, and that had come to the backlog
	closes := c.awaitable().closes
	for left := false; !left; {
		switch got := c.writeTurn.Await(ctx.Done(), closes); {
		case got:
		case ctx.Err() != nil:
			return sending(c.contextErr(ctx))
		default: // a Close is waited for as by all calls, and with it what is before it
			return c.flushed(ctx, c.reason(ctx, nil))
		}
		c.mu.Lock() // with the turn, nothing is under way
		s, now := &c.sender, c.sender.counters.get(framesWritten)
		if frames < 0 {
			frames, mark = now, s.backlog.mark()
		}
		// The first batch has all that was pending, but for what was far behind in the backlog.
		left = !s.pending(&c.closing) ||
			now > frames && s.rest == nil && c.closing.ours != due && !(s.backlogLeaves(&c.closing) && s.backlog.waitsBefore(mark))
		c.mu.Unlock()
		if !left {
			go c.writeOut() // it has the turn now: given back, that would go round those who flush, and nobody would write
			continue
		}
		c.leaveWrite()
	}
	return c.flushed(ctx, nil)
}

// flushed returns the result of a Flush. err is why it does not know that all has left; nil: it does.
func (c *Conn) flushed(ctx context.Context, err error) error {
	c.mu.Lock()
	lost := c.closing.noWrites || c.closing.over && !c.closing.handshakeDone
	closed := c.closing.ours == written // behind all that was accepted
	c.unlock()
	switch {
	case lost && err == nil:
		err = c.reason(ctx, nil)
	case !lost && closed:
		err = nil
	}
	return sending(err)
}
