package websocket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A lifetime is what the connection's Context ends by. It costs memory only once somebody asks for the Done channel, or
// hangs something on its end: a connection that waits in its own context needs neither. It guards itself.
type lifetime struct {
	past      atomic.Bool
	listeners atomic.Pointer[listeners]
}

// bounded is a context that ends with another or with the connection.
type bounded struct{ of, ctx context.Context }

// listeners are who wants to know of the connection's end.
type listeners struct {
	done    chan struct{}
	bounded atomic.Pointer[bounded] // the last that untilEnd returned

	mu    sync.Mutex // guards what follows; nothing else is locked or called under it
	past  bool
	first *listener
}

// A listener is a function to be called. They are a list, so that one that is taken back leaves nothing.
type listener struct {
	f          func()
	prev, next *listener
}

// listen returns the listeners, which it makes when somebody needs them first.
func (t *lifetime) listen() *listeners {
	if l := t.listeners.Load(); l != nil {
		return l
	}
	t.listeners.CompareAndSwap(nil, &listeners{done: make(chan struct{})})
	l := t.listeners.Load()
	if t.past.Load() { // it has ended meanwhile
		l.end()
	}
	return l
}

// finish makes the context end.
func (t *lifetime) finish() {
	t.past.Store(true)
	if l := t.listeners.Load(); l != nil {
		l.end()
	}
}

func (l *listeners) end() {
	l.mu.Lock()
	past, first := l.past, l.first
	l.past, l.first = true, nil
	l.mu.Unlock()
	if past {
		return
	}
	close(l.done)
	for e := first; e != nil; e = e.next { // nobody changes the list any more
		go e.f()
	}
}

// add has f called in a goroutine of its own at the end.
func (l *listeners) add(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.past {
		go f()
		return func() bool { return false }
	}
	e := &listener{f: f, next: l.first}
	if l.first != nil {
		l.first.prev = e
	}
	l.first = e
	return func() bool { return l.remove(e) }
}

// remove takes a listener back, and reports whether it was not called, nor taken back before.
func (l *listeners) remove(e *listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.past || e.f == nil {
		return false
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	*e = listener{}
	return true
}

// connContext is a Conn as the context that ends with it.
type connContext Conn

// Context returns a context that is cancelled when the connection has ended, whoever ended it: when both Close frames are
// through, or no Close will come. [context.Cause] of it is the error that every call on the connection returns from then
// on. It has the values of the request's context on a server, and of Dial's context on a client, but not their
// cancellation.
func (c *Conn) Context() context.Context { return (*connContext)(c) }

// owns reports whether ctx is the connection's own.
func (c *Conn) owns(ctx context.Context) bool {
	x, ok := ctx.(*connContext)
	return ok && x == (*connContext)(c)
}

// foreign returns ctx, or nil if nothing has to interrupt a call under it: it never ends, or with the connection and not
// before, as the connection's own does and one with values on top of it.
func (c *Conn) foreign(ctx context.Context) context.Context {
	if ctx == nil || c.owns(ctx) { // whose Done channel is not made in vain
		return nil
	}
	done := ctx.Done()
	if l := c.lifetime.listeners.Load(); done == nil || l != nil && done == l.done {
		return nil
	}
	return ctx
}

// Deadline, Done, Err and Value make it a [context.Context].
func (x *connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (x *connContext) Done() <-chan struct{} { return x.lifetime.listen().done }

func (x *connContext) Err() error {
	if x.lifetime.past.Load() {
		return context.Canceled
	}
	return nil
}

// Value takes no lock: package context calls it with locks of its own.
func (x *connContext) Value(key any) any {
	if !x.lifetime.past.Load() {
		return x.values.Value(key)
	}
	// context.Cause asks a cancelled context of package context's own for the cause, by a key that is not known here.
	ended, cancel := context.WithCancelCause(x.values)
	cancel(x.closing.cause) // nobody changes it any more
	return ended.Value(key)
}

// AfterFunc is what package context looks for, so that a context derived from this one needs no goroutine to learn of
// its end.
func (x *connContext) AfterFunc(f func()) (stop func() bool) { return x.lifetime.listen().add(f) }

// String says what it is where contexts are printed.
func (x *connContext) String() string { return "websocket.Conn.Context" }

// untilEnd returns a context that ends with ctx or with the connection: for the same ctx the same one, so that asking
// again costs nothing. It lets go of the connection when ctx ends.
func (c *Conn) untilEnd(ctx context.Context) context.Context {
	l := c.lifetime.listen()
	if b := l.bounded.Load(); b != nil && same(b.of, ctx) {
		return b.ctx
	}
	b := &bounded{of: ctx}
	ended := c.Context()
	var cancel context.CancelCauseFunc
	b.ctx, cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(ended, func() { cancel(context.Cause(ended)) })
	context.AfterFunc(b.ctx, func() {
		stop()
		c.failed(ctx, ctx.Err())
		l.bounded.CompareAndSwap(b, nil)
	})
	l.bounded.Store(b)
	return b.ctx
}

// failed returns the error of a call of the application's under ctx, or nil if err is.
func (c *Conn) failed(ctx context.Context, err error) error {
	if err == nil { // so far it is inlined
		return nil
	}
	return c.failedUnder(ctx, err)
}

// failedUnder explains the error. With CloseOnCancel it ends the connection as CloseNow does, if it is ctx that has ended
// the call. Calls that are pending then, and later ones, do not return ctx's error: theirs may be alive.
func (c *Conn) failedUnder(ctx context.Context, err error) error {
	err = c.explain(ctx, err)
	// After the end there is only the server's close of TCP to wait for; contexts of ours have ended with the connection.
	if c.closeOnCancel && !c.lifetime.past.Load() && errors.Is(err, ctx.Err()) {
		c.end(errClosed{fmt.Sprintf("the connection was closed here, since the context of a call ended (%v)", context.Cause(ctx))})
	}
	return err
}

// unsent returns the error of a Write under ctx. cancels says that CloseOnCancel goes for ctx.
//
//go:noinline
func (c *Conn) unsent(ctx context.Context, err error, cancels bool) error {
	if cancels {
		return sending(c.failedUnder(ctx, err))
	}
	return sending(c.explain(ctx, err))
}

// same reports whether two contexts are one. Those of types that can't be compared are not.
func same(a, b context.Context) (is bool) {
	defer func() { recover() }()
	return a == b
}

// A readClosed is the context that CloseRead returns for one that can't be cancelled: it ends with the connection, and
// costs no registration.
type readClosed struct {
	*connContext
	values context.Context
}

func (x readClosed) Value(key any) any {
	if v := x.values.Value(key); v != nil {
		return v
	}
	return x.connContext.Value(key)
}
