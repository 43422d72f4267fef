// Package turn has the lock under which one goroutine at a time reads or writes frames.
package turn

import (
	"sync"
	"sync/atomic"
)

// A Turn is the right to read frames off, or write frames onto, a connection. It is held across I/O, so it is not a
// sync.Mutex: a waiter must be able to give up. Waiters are served in order. Taking and releasing an uncontended Turn
// is one atomic operation each; a channel of capacity one costs three times as much.
//
// The zero value is free.
type Turn struct {
	state atomic.Int32
	// tenure counts how often the turn was given back, times two. It is one more if the holder may have the turn for long.
	tenure atomic.Uint32

	mu    sync.Mutex // guards the line, and the transitions to and from contended
	first *waiter
}

// A waiter stands in line for a Turn.
type waiter struct {
	next *waiter
	mine chan struct{} // closed when the waiter has been handed the turn
}

const (
	free = iota
	held
	contended // held, and somebody waits
)

// Try takes the turn if it is free.
func (t *Turn) Try() bool { return t.state.CompareAndSwap(free, held) }

// Held reports whether somebody has the turn at this moment.
func (t *Turn) Held() bool { return t.state.Load() != free }

// Awaited reports whether somebody waits for the turn at this moment.
func (t *Turn) Awaited() bool { return t.state.Load() == contended }

// Release hands the turn to the waiter that has waited longest, or frees it.
func (t *Turn) Release() {
	t.tenure.Store((t.tenure.Load() | 1) + 1) // nobody else writes more than the last bit
	if t.state.CompareAndSwap(held, free) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil { // the last waiter has just left the line
		t.state.Store(free)
		return
	}
	next := t.first
	t.removeLocked(next)
	close(next.mine)
}

// Block says that the holder, who calls it, may have the turn for long, or no longer.
func (t *Turn) Block(long bool) {
	if long {
		t.tenure.Or(1)
	} else {
		t.tenure.And(^uint32(1))
	}
}

// Blocked reports whether the holder may have the turn for long.
func (t *Turn) Blocked() bool { return t.tenure.Load()&1 != 0 }

// Tenure is another number each time that the turn was given back.
func (t *Turn) Tenure() uint32 { return t.tenure.Load() &^ 1 }

// Blame says of whoever holds the turn since Tenure returned this that he may have it for long.
func (t *Turn) Blame(tenure uint32) { t.tenure.CompareAndSwap(tenure, tenure|1) }

// Await waits for the turn until done or stop is closed, and reports whether the caller has the turn now. A waiter
// that is handed the turn in the moment in which it gives up has it: the caller then gives it back in the way in which
// it always does, and looks for what waits.
func (t *Turn) Await(done, stop <-chan struct{}) bool {
	w := t.enter()
	if w == nil {
		return true
	}
	select {
	case <-w.mine:
		return true
	case <-done:
	case <-stop:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.removeLocked(w)
}

// enter puts a new waiter at the end of the line. It returns nil if the turn was free and is now the caller's.
func (t *Turn) enter() *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.state.CompareAndSwap(contended, contended) && !t.state.CompareAndSwap(held, contended) {
		if t.Try() {
			return nil
		}
	}
	w := &waiter{mine: make(chan struct{})}
	at := &t.first
	for *at != nil {
		at = &(*at).next
	}
	*at = w
	return w
}

// removeLocked takes a waiter out of the line, and reports whether it was there.
func (t *Turn) removeLocked(w *waiter) bool {
	for at := &t.first; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			if t.first == nil {
				t.state.Store(held)
			}
			return true
		}
	}
	return false
}
