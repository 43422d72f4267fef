package websocket

import (
	"context"
	"errors"
	"io"
	stdutf8 "unicode/utf8"

	"github.com/closeonce/websocket/internal/utf8"
)

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
			c.writing.Store(true)
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
	gone   chan struct{} // closed when others may pass; made when needed, c.mu guards it
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
			w.fragment(w.c.Context(), payload[:w.whole(payload)], true)
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
	l := lead(w.opcode)
	if fin {
		l |= finBit
	}
	if c.deflate != nil {
		if err := c.finishRest(ctx); err != nil {
			c.leaveWrite()
			return false, c.verdict(ctx, err)
		}
		packed := getBuffer()
		defer putBuffer(packed)
		var first bool
		if payload, first = w.compress(packed, payload, fin); first {
			l |= rsv1Bit
		}
		if len(payload) == 0 && !fin {
			c.leaveWrite() // the compressor keeps it for now
			return true, nil
		}
	}
	sent, err = c.writeFrame(ctx, l, payload, w.compressed)
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
	c.writing.Store(false)
	if w.gone != nil {
		close(w.gone)
	}
	pending := c.pendingLocked()
	c.mu.Unlock()
	if pending {
		c.kick()
	}
}

// writerOpen reports whether a Writer is open: other messages wait for it.
func (c *Conn) writerOpen() bool { return c.writing.Load() }

// awaitWriter waits until no Writer is open.
func (c *Conn) awaitWriter(ctx context.Context) error {
	c.mu.Lock()
	w := c.out.writer
	if w == nil {
		c.mu.Unlock()
		return nil
	}
	if w.gone == nil {
		w.gone = make(chan struct{})
	}
	done, stopped := w.gone, c.stoppedLocked()
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
