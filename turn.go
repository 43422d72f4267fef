package websocket

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A turn is the right to read frames off, or write frames onto, the net.Conn.
// It is held across I/O, so it is no sync.Mutex: whoever waits for it must be
// able to give up. Waiters are served in order. To take and release a turn that
// nobody waits for is one atomic operation each; a channel of capacity one,
// which this was, costs three times as much, four times for each echo.
type turn struct {
	state atomic.Int32

	mu      sync.Mutex // guards waiters, and the state's way from and to contended
	waiters []chan struct{}
}

const (
	turnFree = iota
	turnHeld
	turnContended // held, and somebody waits
)

// try takes the turn if it is free.
func (t *turn) try() bool { return t.state.CompareAndSwap(turnFree, turnHeld) }

// held reports whether somebody has the turn at this moment.
func (t *turn) held() bool { return t.state.Load() != turnFree }

// release gives the turn to whoever waits for it longest.
func (t *turn) release() {
	if t.state.CompareAndSwap(turnHeld, turnFree) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiters) == 0 { // the last of them has just given up
		t.state.Store(turnFree)
		return
	}
	next := t.waiters[0]
	t.remove(0)
	close(next) // the turn is his
}

// remove takes a waiter out of the line.
func (t *turn) remove(i int) {
	t.waiters = slices.Delete(t.waiters, i, i+1)
	if len(t.waiters) == 0 {
		t.waiters = nil
		t.state.Store(turnHeld)
	}
}

// await waits for the turn, until ctx ends or stop is closed. It reports whether
// the turn was taken.
func (t *turn) await(ctx context.Context, stop <-chan struct{}) bool {
	t.mu.Lock()
	for !t.state.CompareAndSwap(turnContended, turnContended) &&
		!t.state.CompareAndSwap(turnHeld, turnContended) {
		if t.try() {
			t.mu.Unlock()
			return true
		}
	}
	mine := make(chan struct{})
	t.waiters = append(t.waiters, mine)
	t.mu.Unlock()

	select {
	case <-mine:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	t.mu.Lock()
	if i := slices.Index(t.waiters, mine); i >= 0 {
		t.remove(i)
		t.mu.Unlock()
		return false
	}
	t.mu.Unlock()
	t.release() // it was given to us at this moment
	return false
}

// A watch ties the cancellation of one context to an interruption. It stays
// registered between calls, so that a loop that always comes with the same
// context does not pay for a registration each time.
type watch struct {
	done <-chan struct{}
	stop func() bool
}

// covers reports whether ctx needs no new registration: it can't be cancelled,
// or it is the one registered already.
func (w *watch) covers(ctx context.Context) bool {
	done := ctx.Done()
	return done == nil || done == w.done
}

// set replaces the registration by one for ctx.
func (w *watch) set(ctx context.Context, interrupt func()) {
	w.clear()
	w.done = ctx.Done()
	w.stop = context.AfterFunc(ctx, interrupt)
}

// clear ends the registration.
func (w *watch) clear() {
	if w.stop != nil {
		w.stop()
	}
	*w = watch{}
}

// longAgo as a deadline interrupts a blocked call on a net.Conn.
var longAgo = time.Unix(1, 0)

// epoch is what now counts from. Only differences matter.
var epoch = time.Now()

// now is the monotonic clock in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }
