package transport

import (
	"context"
	"sync"
	"time"
)

// An interruption makes one kind of call, Read or Write, return early. Anybody may ask for it at any time. It hits the
// call that is under way, or the next one. Whoever is hit clears it and looks whether it was meant: so who asks changes
// first what the call looks at, and then asks.
//
// It works by a deadline in the past. The net.Conn's methods are foreign code, which is not called under a lock: one
// goroutine at a time sets the deadline, again until it is as it was asked for last.
type interruption struct {
	mu    sync.Mutex
	asked bool          // a call shall return
	past  bool          // the deadline is in the past
	busy  bool          // somebody is setting the deadline
	quiet chan struct{} // closed when nobody is any more; made by those who wait for that

	// The context whose end asks, too. It stays registered between calls, so that a loop that always comes with the same
	// context pays for one registration.
	ended bool
	done  <-chan struct{}
	stop  func() bool
}

// ask interrupts the call that is under way, or the next one. set sets the deadline.
func (i *interruption) ask(set func(time.Time) error) {
	i.mu.Lock()
	i.asked = true
	i.settle(set)
	i.mu.Unlock()
}

// clear is called after a time-out, and reports whether it was an interruption. If not, somebody else has set a
// deadline.
func (i *interruption) clear(set func(time.Time) error) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	ours := i.asked || i.past || i.busy
	i.asked = false
	i.settle(set)
	for i.busy {
		if i.quiet == nil {
			i.quiet = make(chan struct{})
		}
		quiet := i.quiet
		i.mu.Unlock()
		<-quiet
		i.mu.Lock()
	}
	return ours
}

// settle makes the deadline what was asked for. It is called with mu, and lets go of it meanwhile.
func (i *interruption) settle(set func(time.Time) error) {
	if i.busy {
		return // who is at it sees what was asked for
	}
	i.busy = true
	for i.past != i.asked {
		past := i.asked
		i.mu.Unlock()
		if past {
			set(longAgo)
		} else {
			set(time.Time{})
		}
		i.mu.Lock()
		i.past = past
	}
	i.busy = false
	if i.quiet != nil {
		close(i.quiet)
		i.quiet = nil
	}
}

// watch makes the end of ctx ask, from now on, instead of that of the context before. Only the holder of the turn calls
// it.
func (i *interruption) watch(ctx context.Context, ask func()) {
	done := ctx.Done()
	var stop func() bool
	if c, ok := ctx.(afterFuncer); ok {
		// Both directions go to another goroutine: it may call with who knows what held, and be called while our caller
		// holds what it wants.
		takeBack := c.AfterFunc(func() { go ask() })
		stop = func() bool { go takeBack(); return true }
	} else {
		stop = context.AfterFunc(ctx, ask)
	}
	i.mu.Lock()
	old, ended := i.stop, i.ended
	if !ended {
		i.done, i.stop = done, stop
	}
	i.mu.Unlock()
	if ended {
		stop()
	} else if old != nil {
		old()
	}
}

// An afterFuncer is a context that can do by itself what context.AfterFunc does. It is asked directly: what package context puts
// in between takes 300 bytes, and so much of the stack that a goroutine that waits would keep 2 KiB more.
type afterFuncer interface {
	AfterFunc(func()) (stop func() bool)
}

// covers reports whether the end of the context with this Done channel asks already.
func (i *interruption) covers(done <-chan struct{}) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return done == i.done
}

// end lets go of the context: the connection has ended.
func (i *interruption) end() {
	i.mu.Lock()
	old := i.stop
	i.ended, i.done, i.stop = true, nil, nil
	i.mu.Unlock()
	if old != nil {
		old()
	}
}

// longAgo as a deadline interrupts a blocked call on a net.Conn.
var longAgo = time.Unix(1, 0)
