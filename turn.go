package websocket

import (
	"context"
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

	mu    sync.Mutex // guards the line, and the state's way from and to contended
	first *waiter
}

// A waiter stands in line for a turn.
type waiter struct {
	next *waiter
	mine chan struct{} // closed when the turn is his
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
	if t.first == nil { // the last of them has just given up
		t.state.Store(turnFree)
		return
	}
	next := t.first
	t.removeLocked(next)
	close(next.mine)
}

// removeLocked takes a waiter out of the line, and reports whether he stood in it.
func (t *turn) removeLocked(w *waiter) bool {
	for at := &t.first; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			if t.first == nil {
				t.state.Store(turnHeld)
			}
			return true
		}
	}
	return false
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
	w := &waiter{mine: make(chan struct{})}
	at := &t.first
	for *at != nil {
		at = &(*at).next
	}
	*at = w
	t.mu.Unlock()

	select {
	case <-w.mine:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	t.mu.Lock()
	gone := t.removeLocked(w)
	t.mu.Unlock()
	if !gone {
		t.release() // it was given to us at this moment
	}
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
