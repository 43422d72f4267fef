package websocket

import (
	"context"
	"time"
)

// A turn is the right to read frames off, or write frames onto, the net.Conn.
// It is a channel and no sync.Mutex, because it is held across I/O: whoever
// waits for it must be able to give up. Waiters are served in order.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// try takes the turn if it is free.
func (t turn) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// release gives the turn to whoever waits for it longest.
func (t turn) release() { <-t }

// held reports whether somebody has the turn at this moment.
func (t turn) held() bool { return len(t) == 1 }

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
