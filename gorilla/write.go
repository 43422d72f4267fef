package websocket

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// WriteMessage sends a message, or a control frame. A writer of NextWriter that is open is closed first.
func (c *Conn) WriteMessage(messageType int, data []byte) error {
	if err := c.beginMessage(messageType); err != nil {
		return err
	}
	return c.message(messageType, data)
}

// message sends a message whole, or a control frame.
func (c *Conn) message(messageType int, data []byte) error {
	if isControl(messageType) {
		return c.control(messageType, data)
	}
	if err := c.c.Write(c.writeContext(), websocket.MessageType(messageType), data); err != nil {
		return c.writeFailed(err)
	}
	return nil
}

// beginMessage ends the message before, and returns why none may begin.
func (c *Conn) beginMessage(messageType int) error {
	if w := c.writer.Load(); w != nil {
		w.Close()
	}
	if messageType != TextMessage && messageType != BinaryMessage && !isControl(messageType) {
		return errBadWriteOpCode
	}
	return c.permanent()
}

func isControl(messageType int) bool {
	return messageType == CloseMessage || messageType == PingMessage || messageType == PongMessage
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
	if c.deadlined.Load() {
		return c.writes.context()
	}
	return context.Background()
}

// writeFailed returns the error of a call that writes, and of all that follow.
func (c *Conn) writeFailed(err error) error {
	err = c.translate("write", err)
	if _, closed := err.(*CloseError); closed {
		err = ErrCloseSent
	}
	c.writeErr.CompareAndSwap(nil, &permanentError{err})
	return c.permanent()
}

// SetWriteDeadline sets the time after which calls that write fail, for good. The zero time is never.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() || c.deadlined.Load() {
		c.deadlined.Store(true)
		c.writes.set(t)
	}
	return nil
}

// WriteControl sends a control frame. It does not wait: if the peer does not read, and many control frames wait already,
// it returns a time-out.
func (c *Conn) WriteControl(messageType int, data []byte, deadline time.Time) error {
	switch {
	case !isControl(messageType):
		return errBadWriteOpCode
	case len(data) > maxControlPayload:
		return errInvalidControlFrame
	case !deadline.IsZero() && time.Until(deadline) < 0:
		return errWriteTimeout
	}
	if err := c.permanent(); err != nil {
		return err
	}
	return c.control(messageType, data)
}

// control sends a control frame.
func (c *Conn) control(messageType int, data []byte) error {
	var err error
	switch {
	case len(data) > maxControlPayload, messageType == CloseMessage && len(data) == 1:
		return errInvalidControlFrame
	case messageType == PingMessage:
		err = c.c.SendPing(data)
	case messageType == PongMessage:
		err = c.c.SendPong(data)
	default:
		code, text := websocket.StatusNoStatusRcvd, ""
		if len(data) > 0 {
			code, text = websocket.StatusCode(binary.BigEndian.Uint16(data)), string(data[2:])
		}
		c.c.CloseWrite(code, text) // an error says only that a code was replaced
		c.writeErr.CompareAndSwap(nil, &permanentError{ErrCloseSent})
	}
	switch {
	case errors.Is(err, websocket.ErrQueueFull):
		return errWriteTimeout
	case err != nil:
		return c.writeFailed(err)
	}
	return nil
}

// NextWriter returns a writer for the next message. One that is open is closed first.
func (c *Conn) NextWriter(messageType int) (io.WriteCloser, error) {
	if err := c.beginMessage(messageType); err != nil {
		return nil, err
	}
	w := &messageWriter{c: c, typ: messageType}
	c.writer.Store(w)
	return w, nil
}

// A messageWriter writes one message. If the write buffer holds it, it leaves as one frame.
type messageWriter struct {
	c   *Conn
	typ int

	mu     sync.Mutex // guards what follows
	kept   *[]byte    // what has not left; nil: nothing
	core   coreWriter // nil: nothing has left
	closed bool
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
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, errWriteClosed
	}
	if w.kept == nil {
		w.kept = buffers.Get().(*[]byte)
	}
	if isControl(w.typ) || len(*w.kept)+len(p) <= w.c.size {
		*w.kept = append(*w.kept, p...)
		return len(p), nil
	}
	if err := w.fragment(p); err != nil {
		return 0, w.c.writeFailed(err)
	}
	return len(p), nil
}

// fragment sends what is kept, and p.
func (w *messageWriter) fragment(p []byte) error {
	if err := w.open(); err != nil {
		return err
	}
	if _, err := w.core.Write(p); err != nil {
		return err
	}
	return w.core.Flush()
}

// open makes the core's writer, and writes what is kept to it.
func (w *messageWriter) open() error {
	if w.core == nil {
		core, err := w.c.c.Writer(w.c.writes.context(), websocket.MessageType(w.typ))
		if err != nil {
			return err
		}
		w.core = core.(coreWriter)
	}
	if len(*w.kept) == 0 {
		return nil
	}
	_, err := w.core.Write(*w.kept)
	*w.kept = (*w.kept)[:0]
	return err
}

// Close sends the end of the message.
func (w *messageWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errWriteClosed
	}
	w.closed = true
	w.c.writer.CompareAndSwap(w, nil)
	var rest []byte
	if w.kept != nil {
		rest = *w.kept
		defer w.giveBack()
	}
	if w.core == nil {
		if err := w.c.permanent(); err != nil {
			return err
		}
		return w.c.message(w.typ, rest)
	}
	err := w.open()
	if closing := w.core.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return w.c.writeFailed(err)
	}
	return nil
}

// giveBack gives the memory back that was lent.
func (w *messageWriter) giveBack() {
	if *w.kept = (*w.kept)[:0]; cap(*w.kept) <= 64<<10 {
		buffers.Put(w.kept)
	}
	w.kept = nil
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

// A PreparedMessage is a message for many connections, which is framed once and compressed at most once.
type PreparedMessage struct {
	typ    int
	data   []byte
	shared *websocket.PreparedMessage // nil: it is a control frame, or text that is not UTF-8
}

// NewPreparedMessage prepares data as a message, or as a control frame. data may be changed afterwards.
func NewPreparedMessage(messageType int, data []byte) (*PreparedMessage, error) {
	p := &PreparedMessage{typ: messageType}
	switch {
	case isControl(messageType) && len(data) > maxControlPayload:
		return nil, errInvalidControlFrame
	case isControl(messageType):
	case messageType == TextMessage || messageType == BinaryMessage:
		p.shared, _ = websocket.NewPreparedMessage(websocket.MessageType(messageType), data)
	default:
		return nil, errBadWriteOpCode
	}
	if p.shared == nil {
		p.data = bytes.Clone(data)
	}
	return p, nil
}

// WritePreparedMessage sends a prepared message.
func (c *Conn) WritePreparedMessage(pm *PreparedMessage) error {
	if pm.shared == nil {
		return c.WriteMessage(pm.typ, pm.data)
	}
	if err := c.beginMessage(pm.typ); err != nil {
		return err
	}
	if err := c.c.WritePrepared(c.writeContext(), pm.shared); err != nil {
		return c.writeFailed(err)
	}
	return nil
}
