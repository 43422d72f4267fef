package scale

import (
	"testing"
	"time"
)

// poll waits until done, or fails after a minute.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !pollFor(time.Minute, done) {
		t.Fatal(what)
	}
}

// pollFor reports whether it is done within the time.
func pollFor(patience time.Duration, done func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < patience; <-tick.C {
		if done() {
			return true
		}
	}
	return done()
}

// pause lets time pass: what is measured takes some.
func pause(d time.Duration) { <-time.After(d) }
