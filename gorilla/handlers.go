package websocket

import (
	"context"
	"net"
	"time"
)

// handlers are the application's; nil is the default.
type handlers struct {
	ping, pong func(string) error
	close      func(int, string) error
}

// trouble is an error that a handler has returned, or its panic.
type trouble struct {
	err      error
	panicked any
	then     *trouble // what came behind a panic that nobody has seen yet; an error stays. Guarded by Conn.mu
}

// writeWait is how long an answer by a default handler may wait.
const writeWait = time.Second

// pinged handles a Ping, in the goroutine that reads. It reports whether the connection answers.
func (c *Conn) pinged(_ context.Context, payload []byte) bool {
	c.mu.Lock()
	h := c.handlers.ping
	c.mu.Unlock()
	if h == nil {
		return true
	}
	c.handle(func() error { return h(string(payload)) })
	return false
}

// ponged handles a Pong.
func (c *Conn) ponged(_ context.Context, payload []byte) {
	c.mu.Lock()
	h := c.handlers.pong
	c.mu.Unlock()
	if h != nil {
		c.handle(func() error { return h(string(payload)) })
	}
}

// handle runs a handler. An error ends the call that reads, which returns it, and all later ones. A panic goes on in that call,
// and later ones read on.
func (c *Conn) handle(h func() error) {
	if c.failed() {
		return // reading has ended; this came in the same bytes
	}
	defer func() {
		if v := recover(); v != nil {
			c.interrupt(&trouble{panicked: v})
		}
	}()
	if err := h(); err != nil {
		c.interrupt(&trouble{err: err})
	}
}

// failed reports whether a handler has returned an error.
func (c *Conn) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trouble.Load()
	return t != nil && (t.panicked == nil || t.then != nil && t.then.panicked == nil)
}

// interrupt ends the call that reads.
func (c *Conn) interrupt(t *trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first := c.trouble.Load(); first == nil {
		c.trouble.Store(t)
	} else if first.panicked != nil && (first.then == nil || first.then.panicked != nil) {
		first.then = t
	}
	c.reads.interrupt()
}

// panicOn goes on with the panic of a handler, if there was one. What the call has read is not lost: hold keeps it. Without a panic it
// returns the error that a handler has left, if any.
func (c *Conn) panicOn(hold func()) *trouble {
	t := c.trouble.Load()
	if t == nil || t.panicked == nil {
		return t
	}
	hold()
	c.mu.Lock() // with AutoControl another handler may run just now
	c.trouble.Store(t.then)
	if t.then == nil {
		c.reads.resume()
	}
	c.mu.Unlock()
	panic(t.panicked)
}

// PingHandler returns the handler for Pings.
func (c *Conn) PingHandler() func(appData string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handlers.ping == nil {
		return c.answerPing
	}
	return c.handlers.ping
}

// SetPingHandler sets the handler for Pings. It runs in calls that read. nil is the default, which answers with a Pong.
func (c *Conn) SetPingHandler(h func(appData string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers.ping = h
}

// answerPing is the default handler, for those who call it.
func (c *Conn) answerPing(payload string) error {
	err := c.WriteControl(PongMessage, []byte(payload), time.Now().Add(writeWait))
	if e, ok := err.(net.Error); err == ErrCloseSent || ok && e.Timeout() {
		return nil
	}
	return err
}

// PongHandler returns the handler for Pongs.
func (c *Conn) PongHandler() func(appData string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handlers.pong == nil {
		return func(string) error { return nil }
	}
	return c.handlers.pong
}

// SetPongHandler sets the handler for Pongs. It runs in calls that read. nil is the default, which does nothing.
func (c *Conn) SetPongHandler(h func(appData string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers.pong = h
}

// CloseHandler returns the handler for the peer's Close.
func (c *Conn) CloseHandler() func(code int, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handlers.close == nil {
		return c.answerClose
	}
	return c.handlers.close
}

// SetCloseHandler sets the handler for the peer's Close. It runs in the call that reads, and has to send a Close frame, unless
// AutoControl is set. nil is the default, which answers with the same code.
func (c *Conn) SetCloseHandler(h func(code int, text string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers.close = h
}

// answerClose is the default handler.
func (c *Conn) answerClose(code int, _ string) error {
	c.WriteControl(CloseMessage, FormatCloseMessage(code, ""), time.Now().Add(writeWait))
	return nil
}
