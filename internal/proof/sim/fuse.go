package sim

import (
	"context"
	"sync"
	"time"
)

// A fuse tells the checks when a context was cancelled, for contexts whose end is not a deadline.
type fuse struct {
	mu     sync.Mutex
	at     time.Time
	cancel context.CancelFunc
}

// fuseKey is the key of a context's fuse.
type fuseKey struct{}

// newFuse returns a context that ends when burn is called.
func newFuse(parent context.Context) (context.Context, *fuse) {
	f := new(fuse)
	ctx, cancel := context.WithCancel(context.WithValue(parent, fuseKey{}, f))
	f.cancel = cancel
	return ctx, f
}

// burn ends the context, if the call that had it has not given it up.
func (f *fuse) burn() {
	f.mu.Lock()
	if f.at.IsZero() {
		f.at = time.Now()
	}
	f.mu.Unlock()
	f.cancel()
}

// burnt returns when it was; zero: it was not.
func (f *fuse) burnt() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// A flock is a context that many calls share. When it ends, the next call gets a new one.
type flock struct {
	mu   sync.Mutex
	over bool // nobody will end another context
	ctx  context.Context
	fuse *fuse
}

// context returns it, or otherwise if nobody would end it.
func (f *flock) context(otherwise context.Context) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return otherwise
	}
	if f.ctx == nil {
		f.ctx, f.fuse = newFuse(context.Background())
	}
	return f.ctx
}

// scatter ends the context of all calls that have it.
func (f *flock) scatter(last bool) {
	f.mu.Lock()
	f.over = last
	burning := f.fuse
	f.ctx, f.fuse = nil, nil
	f.mu.Unlock()
	if burning != nil {
		burning.burn()
	}
}

// A slow context is one of an application's own kind, whose methods take their time: other
// goroutines run before they return. Package context calls them, and so may whoever calls it.
type slow struct {
	context.Context
	yields int
}

func (s slow) yield() {
	for range s.yields {
		yield()
	}
}

func (s slow) Done() <-chan struct{} {
	s.yield()
	return s.Context.Done()
}

func (s slow) Err() error {
	s.yield()
	return s.Context.Err()
}

func (s slow) Value(key any) any {
	s.yield()
	return s.Context.Value(key)
}

// AfterFunc is what package context looks for.
func (s slow) AfterFunc(f func()) (stop func() bool) {
	s.yield()
	undo := context.AfterFunc(s.Context, f)
	return func() bool {
		s.yield()
		return undo()
	}
}

// under is the key of the peer whose connection's context a call was given.
type under struct{}

// endOfContext returns when the call's context ended, or will at the latest; zero: never.
func (c *call) endOfContext() time.Time {
	if c.ctx == nil {
		return time.Time{}
	}
	first := c.until
	add := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if f, ok := c.ctx.Value(fuseKey{}).(*fuse); ok {
		add(f.burnt())
	}
	if c.other != nil && c.other != c.peer {
		add(c.other.over())
	}
	return first
}
