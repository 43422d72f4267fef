package sim

import (
	"context"
	"sync"
	"time"
)

// A clock makes things happen at one instant, in an order that the seed says. Timers of one instant
// go off in an order that the runtime draws, and so would not replay.
type clock struct {
	seed  uint64
	mu    sync.Mutex
	hours map[time.Time][]func()
}

func newClock(seed uint64) *clock { return &clock{seed: seed, hours: map[time.Time][]func(){}} }

// after has f called, d from now. f must not wait.
func (c *clock) after(d time.Duration, f func()) {
	at := time.Now().Add(d)
	c.mu.Lock()
	first := c.hours[at] == nil
	c.hours[at] = append(c.hours[at], f)
	c.mu.Unlock()
	if first {
		time.AfterFunc(d, func() { c.strike(at) })
	}
}

// strike does what is to happen at this instant.
func (c *clock) strike(at time.Time) {
	c.mu.Lock()
	due := c.hours[at]
	delete(c.hours, at)
	c.mu.Unlock()
	r := newRandom(c.seed, uint64(at.UnixNano()))
	r.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, f := range due {
		f()
		if r.chance(30) {
			shake(r)
		}
	}
}

// sleep waits so long.
func (c *clock) sleep(d time.Duration) {
	over := make(chan struct{})
	c.after(d, func() { close(over) })
	<-over
}

// context returns a context that is cancelled d from now.
func (c *clock) context(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, f := newFuse(context.Background())
	c.after(d, f.burn)
	return ctx, f.cancel
}
