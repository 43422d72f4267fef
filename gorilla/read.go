package websocket

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"time"
)

// ReadMessage waits for the next message and returns it.
func (c *Conn) ReadMessage() (messageType int, p []byte, err error) {
	c.reader = nil
	switch {
	case c.readErr != nil:
		return noFrame, nil, c.readErr
	case c.held != nil:
		typ, r, _ := c.NextReader()
		p, err = io.ReadAll(r)
		return typ, p, err
	}
	typ, p, err := c.c.Read(c.reads.context())
	if err != nil || c.trouble.Load() != nil {
		return noFrame, nil, c.readTroubled(int(typ), bytes.NewReader(p), err)
	}
	return int(typ), p, nil
}

// NextReader waits for the next message and returns a reader for it. The reader of the message before ends.
func (c *Conn) NextReader() (messageType int, r io.Reader, err error) {
	c.reader = nil
	switch {
	case c.readErr != nil:
		return noFrame, nil, c.readErr
	case c.held != nil:
		c.reader, c.held = c.held, nil
		return c.reader.typ, c.reader, nil
	}
	typ, core, err := c.c.Reader(c.reads.context())
	if err != nil || c.trouble.Load() != nil {
		return noFrame, nil, c.readTroubled(int(typ), core, err)
	}
	c.reader = &messageReader{c, int(typ), core}
	return int(typ), c.reader, nil
}

// readTroubled is readFailed for a call that has brought a message if err is nil. It goes on with the panic of a handler, if there was
// one; the next call gets the message then.
func (c *Conn) readTroubled(typ int, core io.Reader, err error) error {
	t := c.panicOn(func() {
		if err == nil {
			c.held = &messageReader{c, typ, core}
		}
	})
	return c.readFailed(t, err)
}

// A messageReader reads one message.
type messageReader struct {
	c    *Conn
	typ  int
	core io.Reader
}

// Read returns io.EOF at the end of the message, and when another one has begun.
func (r *messageReader) Read(p []byte) (int, error) {
	c := r.c
	switch {
	case c.reader != r:
		return 0, io.EOF
	case c.readErr != nil:
		return 0, c.readErr
	}
	n, err := r.core.Read(p)
	if err != nil || c.trouble.Load() != nil {
		return r.stopped(p[:n], err)
	}
	return n, nil
}

// stopped returns what Read returns if its message has ended, or something has gone wrong. got are the bytes that came.
func (r *messageReader) stopped(got []byte, err error) (int, error) {
	c := r.c
	t := c.panicOn(func() {
		if len(got) > 0 {
			r.core = io.MultiReader(bytes.NewReader(bytes.Clone(got)), r.core)
		}
	})
	switch {
	case t != nil:
		return 0, c.readFailed(t, err)
	case err == io.EOF:
		c.reader = nil
		return len(got), err
	}
	return len(got), c.readFailed(nil, err)
}

// readFailed returns the error of a call that reads, and of all that follow. t is what a handler has left, and err the error
// of the core, if any.
func (c *Conn) readFailed(t *trouble, err error) error {
	if t != nil {
		c.readErr = t.err
		return c.readErr
	}
	c.readErr = c.translate("read", err)
	if said, ok := c.readErr.(*CloseError); ok && said != errUnexpectedEOF {
		if err := c.CloseHandler()(said.Code, said.Text); err != nil {
			c.readErr = err
		}
	}
	return c.readErr
}

// SetReadDeadline sets the time after which calls that read fail, for good. The zero time is never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	c.reads.set(t)
	return nil
}

// SetReadLimit sets how many bytes a message may have. 0 is no limit.
func (c *Conn) SetReadLimit(limit int64) {
	if limit <= 0 {
		limit = -1
	}
	c.c.SetReadLimit(limit)
}

// ReadJSON reads the next message and decodes it into v.
func (c *Conn) ReadJSON(v interface{}) error {
	_, r, err := c.NextReader()
	if err != nil {
		return err
	}
	if err = json.NewDecoder(r).Decode(v); err == io.EOF {
		return io.ErrUnexpectedEOF // the message has no value
	}
	return err
}

// ReadJSON is c.ReadJSON.
//
// Deprecated: Use c.ReadJSON.
func ReadJSON(c *Conn, v interface{}) error { return c.ReadJSON(v) }

// JoinMessages returns a reader for the messages that come, one after the other, each with term behind it.
func JoinMessages(c *Conn, term string) io.Reader { return &joined{c: c, term: term} }

type joined struct {
	c    *Conn
	term string
	now  io.Reader // the message that is being read; nil: the next is to be waited for
}

func (j *joined) Read(p []byte) (int, error) {
	if j.now == nil {
		_, r, err := j.c.NextReader()
		if err != nil {
			return 0, err
		}
		j.now = io.MultiReader(r, strings.NewReader(j.term))
	}
	n, err := j.now.Read(p)
	if err == io.EOF {
		j.now, err = nil, nil
	}
	return n, err
}
