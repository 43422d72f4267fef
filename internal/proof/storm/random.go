package storm

import (
	"math/rand/v2"
	"time"
)

// random draws what a program does.
type random struct{ *rand.Rand }

func newRandom(seed, stream uint64) random { return random{rand.New(rand.NewPCG(seed, stream))} }

// chance is true in so many of a hundred cases.
func (r random) chance(percent int) bool { return r.IntN(100) < percent }

// between draws from lo to hi, both included.
func (r random) between(lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// upTo draws a duration from 0 to d.
func (r random) upTo(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d) + 1)) }

// one draws one of the values.
func one[T any](r random, values ...T) T { return values[r.IntN(len(values))] }

// spin is a pause that is too short for a timer: about n nanoseconds, by counting.
func spin(n int) {
	for range n {
	}
}

// pause waits for d, or until stop is closed.
func pause(d time.Duration, stop <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stop:
	}
}
