// Package lifetime has the context that ends with a connection.
package lifetime

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Context is cancelled when a connection has ended. It costs memory only once somebody asks for the Done channel, or
// hangs something on the end: a connection that waits in its own context needs neither. It guards itself.
type Context struct {
	values    context.Context
	cause     atomic.Pointer[error] // why it has ended; nil: it has not
	listeners atomic.Pointer[listeners]
}

// bounded is a context that ends with another or with the connection.
type bounded struct{ of, ctx context.Context }

// listeners are who wants to know of the connection's end.
type listeners struct {
	done    chan struct{}
	bounded atomic.Pointer[bounded] // the last that UntilEnd returned

	mu    sync.Mutex // guards what follows; nothing else is locked or called under it
	past  bool
	first *listener
}

// A listener is a function to be called. They are a list, so that one that is taken back leaves nothing.
type listener struct {
	f          func()
	prev, next *listener
}

// Init gives the context its values, those of another: but not its end.
func (t *Context) Init(values context.Context) { t.values = context.WithoutCancel(values) }

// Values returns the context that Value asks.
func (t *Context) Values() context.Context { return t.values }

// Finish makes the context end. cause is not changed any more.
func (t *Context) Finish(cause *error) {
	t.cause.Store(cause)
	if l := t.listeners.Load(); l != nil {
		l.end()
	}
}

// Past reports whether it has ended.
func (t *Context) Past() bool { return t.cause.Load() != nil }

// listen returns the listeners, which it makes when somebody needs them first.
func (t *Context) listen() *listeners {
	if l := t.listeners.Load(); l != nil {
		return l
	}
	t.listeners.CompareAndSwap(nil, &listeners{done: make(chan struct{})})
	l := t.listeners.Load()
	if t.Past() { // it has ended meanwhile
		l.end()
	}
	return l
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

// Deadline, Done, Err and Value make it a [context.Context].
func (t *Context) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done is a channel that is closed when the context ends.
func (t *Context) Done() <-chan struct{} { return t.listen().done }

// Err is context.Canceled when it has ended.
func (t *Context) Err() error {
	if t.Past() {
		return context.Canceled
	}
	return nil
}

// Value takes no lock: package context calls it with locks of its own.
func (t *Context) Value(key any) any {
	cause := t.cause.Load()
	if cause == nil {
		return t.values.Value(key)
	}
	// context.Cause asks a cancelled context of package context's own for the cause, by a key that is not known here.
	ended, cancel := context.WithCancelCause(t.values)
	cancel(*cause)
	return ended.Value(key)
}

// AfterFunc is what package context looks for, so that a context derived from this one needs no goroutine to learn of
// its end.
func (t *Context) AfterFunc(f func()) (stop func() bool) { return t.listen().add(f) }

// String says what it is where contexts are printed.
func (t *Context) String() string { return "websocket.Conn.Context" }

// Is reports whether ctx is this context.
func (t *Context) Is(ctx context.Context) bool {
	x, ok := ctx.(*Context)
	return ok && x == t
}

// Foreign returns ctx, or nil if nothing has to interrupt a call on the connection under it: it never ends, or with the
// connection and not before, as this context does and one with values on top of it.
func (t *Context) Foreign(ctx context.Context) context.Context {
	if ctx == nil || t.Is(ctx) { // whose Done channel is not made in vain
		return nil
	}
	done := ctx.Done()
	if l := t.listeners.Load(); done == nil || l != nil && done == l.done {
		return nil
	}
	return ctx
}

// Bounded returns what UntilEnd has returned for the same ctx, or nil: asking again costs nothing.
func (t *Context) Bounded(ctx context.Context) context.Context {
	if b := t.listen().bounded.Load(); b != nil && same(b.of, ctx) {
		return b.ctx
	}
	return nil
}

// UntilEnd returns a context that ends with ctx or with the connection, and calls ended then. It lets go of the connection
// when ctx ends.
func (t *Context) UntilEnd(ctx context.Context, ended func()) context.Context {
	l := t.listen()
	b := &bounded{of: ctx}
	var cancel context.CancelCauseFunc
	b.ctx, cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(t, func() { cancel(context.Cause(t)) })
	l.bounded.Store(b) // before it can be taken back
	context.AfterFunc(b.ctx, func() {
		stop()
		ended()
		l.bounded.CompareAndSwap(b, nil)
	})
	return b.ctx
}

// same reports whether two contexts are one. Those of types that can't be compared are not.
func same(a, b context.Context) (is bool) {
	defer func() { recover() }()
	return a == b
}

// WithValues returns a context that ends with the connection and has the values of ctx, which can't be cancelled, on top
// of its own. It costs no registration.
func (t *Context) WithValues(ctx context.Context) context.Context { return withValues{t, ctx} }

type withValues struct {
	*Context
	values context.Context
}

func (x withValues) Value(key any) any {
	if v := x.values.Value(key); v != nil {
		return v
	}
	return x.Context.Value(key)
}
