package storm

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// A caller is a goroutine that calls a connection's methods. What it is in is known,
// so that a call that stays is found.
type caller struct {
	end  *end
	name string // unique in its world, without dots

	mu    sync.Mutex
	what  string // the call it is in, "" if none
	began time.Time
	limit time.Duration   // how long it may take whatever happens, 0: for ever
	over  <-chan struct{} // the call's context is done
	due   time.Time       // since when it should return
}

// caller makes a caller of this end.
func (e *end) caller(role string) *caller {
	w := e.pair.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &caller{end: e, name: fmt.Sprintf("%c%d%s", e.role[0], len(w.callers), role)}
	w.callers = append(w.callers, c)
	return c
}

func (c *caller) String() string { return fmt.Sprintf("%s of the %s", c.name, c.end.role) }

// in says that a call begins.
func (c *caller) in(what string, ctx context.Context, limit time.Duration) {
	c.mu.Lock()
	c.what, c.began, c.limit, c.over, c.due = what, time.Now(), limit, nil, time.Time{}
	c.mu.Unlock()
	if ctx != nil {
		over := ctx.Done() // a Conn's own context has a method for this, which may hang
		c.mu.Lock()
		c.over = over
		c.mu.Unlock()
	}
}

// out says that it has returned.
func (c *caller) out() {
	c.mu.Lock()
	c.what = ""
	c.mu.Unlock()
}

// late says why the call should have returned, if it should.
func (c *caller) late(now time.Time, patience time.Duration) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what == "" {
		return ""
	}
	var why string
	select {
	case <-c.over:
		why = "its context has ended"
	default:
	}
	select {
	case <-c.end.done:
		why = "the connection has ended"
	default:
	}
	if doom := c.end.pair.doom.Load(); doom > 0 && now.Sub(c.end.pair.world.began) > time.Duration(doom) {
		why = "the connection was to end"
	}
	if c.limit > 0 && now.Sub(c.began) > c.limit+patience {
		return fmt.Sprintf("%s has not returned after %v", c.what, now.Sub(c.began))
	}
	if why == "" {
		return ""
	}
	if c.due.IsZero() {
		c.due = now
	}
	if now.Sub(c.due) > patience {
		return fmt.Sprintf("%s has not returned for %v though %s", c.what, now.Sub(c.due), why)
	}
	return ""
}

// atOnce is the limit for calls that never wait.
const atOnce = time.Millisecond

// ended reports whether ctx had ended before a call: then the call must not do anything.
func ended(ctx context.Context) bool { return ctx.Err() != nil }

// read is one Read, and enters what it got.
func (c *caller) read(ctx context.Context) error {
	c.in("Read", ctx, 0)
	typ, data, err := c.end.conn.Read(ctx)
	c.out()
	if err == nil {
		c.end.got(data, typ)
	}
	return err
}

// appendRead is one AppendRead into buf's memory.
func (c *caller) appendRead(ctx context.Context, buf []byte) ([]byte, error) {
	before := len(buf)
	c.in("AppendRead", ctx, 0)
	typ, data, err := c.end.conn.AppendRead(ctx, buf)
	c.out()
	if err != nil {
		if len(data) != before {
			c.end.pair.world.fail("misread", "%s: AppendRead returned an error and %d bytes, it was given %d", c, len(data), before)
		}
		return buf, err
	}
	c.end.got(data[before:], typ)
	return data, nil
}

// reader is one Reader, of which at most limit bytes are read.
func (c *caller) reader(ctx context.Context, limit int) error {
	c.in("Reader", ctx, 0)
	typ, r, err := c.end.conn.Reader(ctx)
	c.out()
	if err != nil {
		return err
	}
	c.end.begun.Add(1)
	c.in("Reader's Read", ctx, 0)
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)))
	c.out()
	if err == nil && len(data) < limit { // with an error it was cut short, by its context or by another reader
		c.end.in.got(data, typ)
	}
	return nil
}

// messages reads up to n messages from a loop. A loop that ends by itself is io.EOF.
func (c *caller) messages(ctx context.Context, n int) (err error) {
	err = io.EOF
	c.in("Messages", ctx, 0)
	for m, e := range c.end.conn.Messages(ctx) {
		if e != nil {
			err = e
			break
		}
		c.end.got(m.Data, m.Type)
		if n--; n <= 0 {
			c.out()
			return nil
		}
	}
	c.out()
	return err
}

// write is one Write, and enters what became of the message.
func (c *caller) write(ctx context.Context, typ websocket.MessageType, size int) error {
	number, data := c.end.out.compose(c.name, size, typ, false)
	dead := ended(ctx)
	c.in("Write", ctx, 0)
	err := c.end.conn.Write(ctx, typ, data)
	c.out()
	c.settle(number, err, dead)
	return err
}

// tryWrite is one TryWrite.
func (c *caller) tryWrite(typ websocket.MessageType, size int) error {
	number, data := c.end.out.compose(c.name, size, typ, false)
	c.in("TryWrite", nil, atOnce)
	err := c.end.conn.TryWrite(typ, data)
	c.out()
	c.settle(number, err, err == websocket.ErrQueueFull)
	return err
}

// writePrepared is one WritePrepared.
func (c *caller) writePrepared(ctx context.Context, typ websocket.MessageType, size int) error {
	number, m := c.prepare(typ, size)
	dead := ended(ctx)
	c.in("WritePrepared", ctx, 0)
	err := c.end.conn.WritePrepared(ctx, m)
	c.out()
	c.settle(number, err, dead)
	return err
}

// tryWritePrepared is one TryWritePrepared.
func (c *caller) tryWritePrepared(typ websocket.MessageType, size int) error {
	number, m := c.prepare(typ, size)
	c.in("TryWritePrepared", nil, atOnce)
	err := c.end.conn.TryWritePrepared(m)
	c.out()
	c.settle(number, err, err == websocket.ErrQueueFull)
	return err
}

// prepare enters a message, and prepares it.
func (c *caller) prepare(typ websocket.MessageType, size int) (int, *websocket.PreparedMessage) {
	number, data := c.end.out.compose(c.name, size, typ, false)
	m, err := websocket.NewPreparedMessage(typ, data)
	if err != nil {
		panic(err)
	}
	return number, m
}

// settle enters what a call said of a message. Nothing leaves if it failed before it began.
func (c *caller) settle(number int, err error, nothing bool) {
	f := unsure
	switch {
	case err == nil:
		f = accepted
	case nothing:
		f = refused
	}
	c.end.out.settle(c.name, number, f)
}

// stream writes a message through a Writer, in so many parts. Between them it calls between.
func (c *caller) stream(ctx context.Context, typ websocket.MessageType, size, parts int, between func()) error {
	c.in("Writer", ctx, 0)
	wr, err := c.end.conn.Writer(ctx, typ)
	c.out()
	if err != nil {
		return err
	}
	number, data := c.end.out.compose(c.name, size, typ, true)
	for i := range parts {
		if err != nil {
			break
		}
		from, to := len(data)*i/parts, len(data)*(i+1)/parts
		if i == 0 {
			to = max(to, min(smallestLetter, len(data)))
		} else {
			from = max(from, min(smallestLetter, len(data)))
		}
		if to <= from {
			continue
		}
		c.in("Writer's Write", ctx, 0)
		_, err = wr.Write(data[from:to])
		c.out()
		between()
	}
	c.in("Writer's Close", ctx, 0)
	if e := wr.Close(); err == nil {
		err = e
	}
	c.out()
	c.settle(number, err, false)
	return err
}

// ping is one Ping.
func (c *caller) ping(ctx context.Context) error {
	c.in("Ping", ctx, 0)
	err := c.end.conn.Ping(ctx)
	c.out()
	return err
}

// closeRead is one CloseRead. What it returns must end with the connection or with ctx.
func (c *caller) closeRead(ctx context.Context) context.Context {
	c.in("CloseRead", nil, atOnce)
	defer c.out()
	return c.end.conn.CloseRead(ctx)
}

// close is one Close, or CloseContext if ctx is not nil.
func (c *caller) close(ctx context.Context, code websocket.StatusCode, reason string) error {
	e := c.end
	e.noteClose(code)
	var err error
	if ctx == nil {
		c.in("Close", nil, e.options.closeTimeout)
		err = e.conn.Close(code, reason)
	} else {
		c.in("CloseContext", ctx, e.options.closeTimeout)
		err = e.conn.CloseContext(ctx, code, reason)
	}
	c.out()
	if err == nil {
		e.closedWell.Store(true)
	}
	return err
}

// closeWrite is one CloseWrite.
func (c *caller) closeWrite(code websocket.StatusCode, reason string) {
	c.end.noteClose(code)
	c.in("CloseWrite", nil, atOnce)
	err := c.end.conn.CloseWrite(code, reason)
	c.out()
	if err != nil {
		c.end.pair.world.fail("close-failed", "%s: CloseWrite returned %v", c, err)
	}
}

// closeNow is one CloseNow.
func (c *caller) closeNow() {
	c.end.closedNow.Store(true)
	c.in("CloseNow", nil, atOnce)
	c.end.conn.CloseNow()
	c.out()
}
