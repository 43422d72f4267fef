package websocket

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// takeTurn waits for the write turn, until the write deadline.
func (c *Conn) takeTurn() error {
	if c.turn.Try() || c.turn.Await(c.writeContext().Done(), nil) {
		return nil
	}
	return c.writeFailed(os.ErrDeadlineExceeded)
}

// WriteMessage sends a message, or a control frame. A writer of NextWriter that is open is closed first.
func (c *Conn) WriteMessage(messageType int, data []byte) error {
	if err := c.takeTurn(); err != nil {
		return err
	}
	defer c.turn.Release()
	err := c.beginMessage(messageType)
	switch {
	case err != nil:
		return err
	case isControl(messageType):
		return c.message(messageType, data)
	}
	// What message does, one call less deep: the goroutine may wait for messages, and would keep 2 KiB more of stack.
	if err = c.c.Write(c.writeContext(), websocket.MessageType(messageType), data); err != nil {
		err = c.writeFailed(err)
	}
	return err
}

// message sends a message whole, or a control frame. The caller has the write turn.
func (c *Conn) message(messageType int, data []byte) error {
	if isControl(messageType) {
		if err := c.writeContext().Err(); err != nil && len(data) <= maxControlPayload {
			return c.writeFailed(err)
		}
		return c.control(messageType, data, func() (context.Context, context.CancelFunc) { return c.writeContext(), func() {} })
	}
	if err := c.c.Write(c.writeContext(), websocket.MessageType(messageType), data); err != nil {
		return c.writeFailed(err)
	}
	return nil
}

// beginMessage ends the message before, and returns why none may begin. The caller has the write turn.
func (c *Conn) beginMessage(messageType int) error {
	if c.writer != nil {
		c.writer.close()
	}
	if messageType != TextMessage && messageType != BinaryMessage && !isControl(messageType) {
		return errBadWriteOpCode
	}
	return c.permanent()
}

// permanent returns the error of everything that is written, if there is one.
func (c *Conn) permanent() error {
	if e := c.writeErr.Load(); e != nil {
		return e.error
	}
	return nil
}

// writeContext is the context of a call that writes. It is one that is never done as long as there is no deadline: then the
// core has nothing to watch.
func (c *Conn) writeContext() context.Context {
	if d := c.writes.Load(); d != nil {
		return d.context()
	}
	return context.Background()
}

// writeDeadline returns the write deadline, which most connections never need.
func (c *Conn) writeDeadline() *deadline {
	if d := c.writes.Load(); d != nil {
		return d
	}
	c.writes.CompareAndSwap(nil, new(deadline))
	return c.writes.Load()
}

// writeFailed returns the error of a call that writes. After a time-out, and after the end of the connection, it is that of all
// that follow too. Otherwise something may still be sent: the answer to the peer's Close frame, or other text than that which
// is not UTF-8, and which connections of From refuse.
func (c *Conn) writeFailed(err error) error {
	told := c.translate("write", err)
	if timeout, ok := told.(net.Error); ok && timeout.Timeout() || c.c.Context().Err() != nil {
		c.writeErr.CompareAndSwap(nil, &permanentError{told})
	}
	return cmp.Or(c.permanent(), told)
}

// SetWriteDeadline sets the time after which calls that write fail, for good. The zero time is never.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && c.writes.Load() == nil {
		return nil
	}
	d := c.writeDeadline()
	if d.set(t); c.closed.Load() {
		d.stop()
	}
	return nil
}

// NextWriter returns a writer for the next message. One that is open is closed first.
func (c *Conn) NextWriter(messageType int) (io.WriteCloser, error) {
	if err := c.takeTurn(); err != nil {
		return nil, err
	}
	defer c.turn.Release()
	if err := c.beginMessage(messageType); err != nil {
		return nil, err
	}
	c.writer = &messageWriter{c: c, typ: messageType, compress: !c.uncompressed.Load()}
	return c.writer, nil
}

// A messageWriter writes one message. If the write buffer holds it, it leaves as one frame.
type messageWriter struct {
	c        *Conn
	typ      int
	compress bool // what EnableWriteCompression said when the message began

	// What follows belongs to the write turn.
	kept *[]byte    // what has not left; nil: nothing
	core coreWriter // nil: nothing has left
	err  error      // of all calls from now on; nil: the writer is open
}

// A coreWriter is what websocket.Conn.Writer returns.
type coreWriter interface {
	io.WriteCloser
	Flush() error
}

// buffers lends memory for what writers keep.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Write appends p to the message.
func (w *messageWriter) Write(p []byte) (int, error) {
	if err := w.c.takeTurn(); err != nil {
		return 0, err
	}
	defer w.c.turn.Release()
	if w.err != nil {
		return 0, w.err
	}
	if w.kept == nil {
		w.kept = buffers.Get().(*[]byte)
	}
	if isControl(w.typ) || len(*w.kept)+len(p) <= w.c.size {
		*w.kept = append(*w.kept, p...)
		return len(p), nil
	}
	if err := w.fragment(p); err != nil {
		return 0, w.failed(err)
	}
	return len(p), nil
}

// fragment sends what is kept, and p.
func (w *messageWriter) fragment(p []byte) error {
	defer w.choose()()
	if err := w.open(); err != nil {
		return err
	}
	if _, err := w.core.Write(p); err != nil {
		return err
	}
	return w.core.Flush()
}

// choose has the message compressed or not, as EnableWriteCompression said when it began. The function that it returns takes
// this back.
func (w *messageWriter) choose() (back func()) {
	if w.compress == !w.c.uncompressed.Load() {
		return func() {}
	}
	w.c.setCompression(w.compress)
	return func() { w.c.setCompression(!w.c.uncompressed.Load()) }
}

// open makes the core's writer, and writes what is kept to it.
func (w *messageWriter) open() error {
	if w.core == nil {
		core, err := w.c.c.Writer(w.c.writeDeadline().context(), websocket.MessageType(w.typ))
		if err != nil {
			return err
		}
		w.core = core.(coreWriter)
	}
	if w.kept == nil || len(*w.kept) == 0 {
		return nil
	}
	_, err := w.core.Write(*w.kept)
	*w.kept = (*w.kept)[:0]
	return err
}

// failed ends the writer, and returns the error for err. If nothing more can be written, the message stays without an end, so
// that the peer does not take what has left of it for all.
func (w *messageWriter) failed(err error) error {
	c := w.c
	err = c.writeFailed(err)
	w.ended(err)
	if w.core != nil && c.permanent() == nil {
		w.core.Close()
	}
	return err
}

// ended notes that the writer is closed: all calls return err.
func (w *messageWriter) ended(err error) {
	w.err = err
	if w.c.writer == w {
		w.c.writer = nil
	}
	if w.kept != nil {
		if *w.kept = (*w.kept)[:0]; cap(*w.kept) <= 64<<10 {
			buffers.Put(w.kept)
		}
		w.kept = nil
	}
}

// Close sends the end of the message.
func (w *messageWriter) Close() error {
	if err := w.c.takeTurn(); err != nil {
		return err
	}
	defer w.c.turn.Release()
	return w.close()
}

// close is Close with the write turn.
func (w *messageWriter) close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.c.permanent(); err != nil {
		return w.failed(err)
	}
	defer w.choose()()
	if w.core == nil {
		var all []byte
		if w.kept != nil {
			all = *w.kept
		}
		err := w.c.message(w.typ, all)
		w.ended(errWriteClosed)
		return err
	}
	err := w.open()
	if err == nil {
		err = w.core.Close()
	}
	if err != nil {
		return w.failed(err)
	}
	w.ended(errWriteClosed)
	return nil
}

// WriteJSON encodes v and sends it as a text message.
func (c *Conn) WriteJSON(v interface{}) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	return c.WriteMessage(TextMessage, b.Bytes())
}

// WriteJSON is c.WriteJSON.
//
// Deprecated: Use c.WriteJSON.
func WriteJSON(c *Conn, v interface{}) error { return c.WriteJSON(v) }
