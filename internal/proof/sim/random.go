package sim

import (
	"math/rand/v2"
	"time"
)

// A random is a stream of choices. Each goroutine and each direction of the
// network has one of its own, so that none depends on what others do.
type random struct{ *rand.Rand }

func newRandom(seed, stream uint64) random {
	return random{rand.New(rand.NewPCG(seed, stream*0x9e3779b97f4a7c15+1))}
}

// chance is true p times in a hundred.
func (r random) chance(p int) bool { return r.IntN(100) < p }

// between returns a number from lo to hi, both included.
func (r random) between(lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// upTo returns a duration of more than zero, up to d, in nanoseconds.
func (r random) upTo(d time.Duration) time.Duration {
	return 1 + time.Duration(r.Int64N(int64(d)))
}

// one returns one of the choices.
func one[T any](r random, choices ...T) T { return choices[r.IntN(len(choices))] }

// yield lets all other goroutines run that can, once. runtime.Gosched would have the scheduler take up
// this one again at a moment that depends on what happened in the runs before; so a goroutine that is
// the last in the line of those that can run wakes it.
func yield() {
	last := make(chan struct{})
	go func() { close(last) }()
	go func() {}() // which goes before it
	<-last
}

// shake yields a drawn number of times, often none.
func shake(r random) {
	for range max(0, r.IntN(10)-4) {
		yield()
	}
}
