package websocket

import (
	"context"
	"slices"
	"time"
)

// connContext is a Conn as the context that ends with it. It is the Conn itself,
// and costs memory only once somebody asks for its Done channel or hangs something
// on its end: a connection that waits in its own context needs neither.
type connContext Conn

// listeners are who wants to know of the connection's end. c.mu guards after.
type listeners struct {
	done  chan struct{}
	after []*func()
}

// Context returns a context that is cancelled when the connection has ended,
// whoever ended it. [context.Cause] of it is the error that every call on the
// connection returns from then on. It has the values of the request's context
// on a server, and of Dial's context on a client, but not their cancellation.
func (c *Conn) Context() context.Context { return (*connContext)(c) }

// ownContext reports whether ctx ends with the connection and not before: it is
// the connection's own, or one with values on top of it. Nothing has to interrupt
// a call under it.
func (c *Conn) ownContext(ctx context.Context) bool {
	if own, ok := ctx.(*connContext); ok {
		return (*Conn)(own) == c
	}
	done := ctx.Done() // which makes listeners, if it is ours
	l := c.listeners.Load()
	return l != nil && done == l.done
}

// done returns a channel that is closed when the connection has ended.
func (c *Conn) done() <-chan struct{} {
	if l := c.listeners.Load(); l != nil {
		return l.done
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listenersLocked().done
}

func (c *Conn) listenersLocked() *listeners {
	l := c.listeners.Load()
	if l == nil {
		l = &listeners{done: make(chan struct{})}
		if c.gone.Load() {
			close(l.done)
		}
		c.listeners.Store(l)
	}
	return l
}

// finishContext makes the context end.
func (c *Conn) finishContext() {
	c.mu.Lock()
	c.gone.Store(true)
	var after []*func()
	if l := c.listeners.Load(); l != nil {
		close(l.done)
		after, l.after = l.after, nil
	}
	c.mu.Unlock()
	for _, f := range after {
		go (*f)()
	}
}

// Deadline, Done, Err and Value make it a [context.Context].
func (x *connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (x *connContext) Done() <-chan struct{} { return (*Conn)(x).done() }

func (x *connContext) Err() error {
	if x.gone.Load() {
		return context.Canceled
	}
	return nil
}

// Value takes no lock: package context calls it while a call that holds c.mu
// registers for a context derived from this one.
func (x *connContext) Value(key any) any {
	if !x.gone.Load() {
		return x.values.Value(key)
	}
	// context.Cause asks a cancelled context of package context's own for the cause,
	// by a key that is not known here.
	ended, cancel := context.WithCancelCause(x.values)
	cancel(x.cause) // nobody changes it any more
	return ended.Value(key)
}

// AfterFunc is what package context looks for, so that a context derived from this
// one needs no goroutine to learn of its end.
func (x *connContext) AfterFunc(f func()) (stop func() bool) {
	c := (*Conn)(x)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone.Load() {
		go f()
		return func() bool { return false }
	}
	l := c.listenersLocked()
	l.after = append(l.after, &f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(l.after, &f)
		if i < 0 {
			return false
		}
		l.after = slices.Delete(l.after, i, i+1)
		return true
	}
}

// String says what it is where contexts are printed.
func (x *connContext) String() string { return "websocket.Conn.Context" }
