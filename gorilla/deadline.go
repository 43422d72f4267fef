package websocket

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A deadline is a moment that can be moved, from which on calls fail. Each call of the core runs under the context of the time. Moving
// the deadline costs no timer and no memory: the timer is left as it is if it fires before the new moment, and looks again then; and the
// context stays, unless it is done.
type deadline struct {
	mu    sync.Mutex
	at    time.Time // zero: never
	fires time.Time // when the timer does; zero: it is not set
	timer *time.Timer
	final bool // by stop: moving it changes nothing

	interrupted atomic.Bool

	now atomic.Pointer[period] // written with mu; nil until somebody asks
}

// set moves the deadline.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.final {
		return
	}
	if p := d.now.Load(); p != nil && p.over.Load() {
		d.now.Store(nil)
	}
	d.at = t
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		d.periodLocked().end()
	case d.timer == nil:
		d.timer, d.fires = time.AfterFunc(wait, d.look), t
	case d.fires.IsZero() || t.Before(d.fires):
		d.timer.Reset(wait)
		d.fires = t
	}
}

// look is called by the timer.
func (d *deadline) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fires = time.Time{}
	if d.at.IsZero() || d.periodLocked().over.Load() {
		return
	}
	if wait := time.Until(d.at); wait > 0 {
		d.timer.Reset(wait)
		d.fires = d.at
		return
	}
	d.periodLocked().end()
}

// interrupt has the call that is under way return before it waits for the peer, and all later ones, until resume takes this back. It is
// called where a call of the core runs a handler.
func (d *deadline) interrupt() { d.interrupted.Store(true) }

func (d *deadline) resume() { d.interrupted.Store(false) }

// stop stops the timer, which would keep the connection in memory.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.fires, d.final = time.Time{}, time.Time{}, true
	if d.timer != nil {
		d.timer.Stop()
	}
}

// context returns the context for a call that begins.
func (d *deadline) context() context.Context {
	if p := d.now.Load(); p != nil {
		return p
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.periodLocked()
}

func (d *deadline) periodLocked() *period {
	p := d.now.Load()
	if p == nil {
		p = &period{of: d, done: make(chan struct{})}
		d.now.Store(p)
	}
	return p
}

// A period is the context of calls until the deadline passes. It is done for good then: who has seen that it is done may ask for
// the reason later.
type period struct {
	of   *deadline
	done chan struct{}
	over atomic.Bool // done is closed, or will be at once

	mu    sync.Mutex
	after *waiter
}

var _ context.Context = (*period)(nil)

// end ends the calls that are under way. The functions run in goroutines of their own, since the deadline's mu is held.
func (p *period) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over.Swap(true) {
		return
	}
	close(p.done)
	for w := p.after; w != nil; w = w.next {
		go w.f()
	}
	p.after = nil
}

// Deadline says that there is none, because it may be moved.
func (p *period) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nil.
func (p *period) Value(any) any { return nil }

// Done returns the channel that is closed when the deadline passes.
func (p *period) Done() <-chan struct{} { return p.done }

// Err returns os.ErrDeadlineExceeded after the deadline, and while calls are interrupted.
func (p *period) Err() error {
	if p.over.Load() || p.of.interrupted.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// A waiter is a function that is to be called when the deadline passes.
type waiter struct {
	of   *period
	f    func()
	next *waiter
}

// AfterFunc has f called when the deadline passes. It is what context.AfterFunc looks for.
func (p *period) AfterFunc(f func()) (stop func() bool) {
	w := &waiter{of: p, f: f}
	p.mu.Lock()
	over := p.over.Load()
	if !over {
		w.next, p.after = p.after, w
	}
	p.mu.Unlock()
	if over {
		go f()
	}
	return w.stop
}

// stop takes a waiter back. It reports whether it was not called, nor taken back before.
func (w *waiter) stop() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	for at := &w.of.after; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			return true
		}
	}
	return false
}
