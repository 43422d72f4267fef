package websocket

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A deadline is a context that is done from a moment on that can be moved: calls of the core run under it. Moving it costs
// no timer and no memory, because the timer is left as it is if it fires before the new moment: it looks again then.
type deadline struct {
	mu    sync.Mutex
	at    time.Time // zero: never
	fires time.Time // when the timer does; zero: it is not set
	timer *time.Timer
	final bool // by interrupt: moving it changes nothing
	after map[*func()]struct{}

	// Written with mu, and read without.
	done   atomic.Pointer[chan struct{}] // nil until somebody asks
	passed atomic.Bool                   // done is closed
}

var _ context.Context = (*deadline)(nil)

// set moves the deadline.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.final {
		return
	}
	if d.passed.Load() {
		d.done.Store(nil)
		d.passed.Store(false)
	}
	d.at = t
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		d.passLocked()
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
	if d.at.IsZero() || d.passed.Load() {
		return
	}
	if wait := time.Until(d.at); wait > 0 {
		d.timer.Reset(wait)
		d.fires = d.at
		return
	}
	d.passLocked()
}

// passLocked ends the calls that are under way. The functions run in goroutines of their own, since mu is held.
func (d *deadline) passLocked() {
	if d.passed.Swap(true) {
		return
	}
	close(d.doneLocked())
	for f := range d.after {
		go (*f)()
	}
	d.after = nil
}

// interrupt ends the calls that are under way, and all later ones.
func (d *deadline) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passLocked()
	d.final = true
}

// resume takes interrupt back.
func (d *deadline) resume() {
	d.mu.Lock()
	d.final = false
	at := d.at
	d.mu.Unlock()
	d.set(at)
}

// stop stops the timer, which would keep the connection in memory.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.fires, d.final = time.Time{}, time.Time{}, true
	if d.timer != nil {
		d.timer.Stop()
	}
}

// Deadline says that there is none, because it may be moved.
func (d *deadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nil.
func (d *deadline) Value(any) any { return nil }

// Done returns the channel that is closed when the deadline passes.
func (d *deadline) Done() <-chan struct{} {
	if done := d.done.Load(); done != nil {
		return *done
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.doneLocked()
}

func (d *deadline) doneLocked() chan struct{} {
	done := d.done.Load()
	if done == nil {
		done = new(chan struct{})
		*done = make(chan struct{})
		d.done.Store(done)
	}
	return *done
}

// Err returns os.ErrDeadlineExceeded after the deadline.
func (d *deadline) Err() error {
	if d.passed.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// AfterFunc has f called when the deadline passes; package context asks for it, and needs no goroutine then.
func (d *deadline) AfterFunc(f func()) (stop func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed.Load() {
		go f()
		return func() bool { return false }
	}
	if d.after == nil {
		d.after = map[*func()]struct{}{}
	}
	key := &f
	d.after[key] = struct{}{}
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		_, waits := d.after[key]
		delete(d.after, key)
		return waits
	}
}
