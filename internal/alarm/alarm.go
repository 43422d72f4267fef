// Package alarm has one timer for everything that is to happen later on a connection.
package alarm

import (
	"math"
	"sync"
	"time"
)

// Kinds is how many kinds of alarm a Set has.
const Kinds = 4

// A Kind names what is to happen.
type Kind uint8

// Due is a set of kinds whose time has come.
type Due uint8

// Has reports whether the kind is in the set.
func (d Due) Has(k Kind) bool { return d&(1<<k) != 0 }

// Of returns the set of these kinds.
func Of(kinds ...Kind) (d Due) {
	for _, k := range kinds {
		d |= 1 << k
	}
	return d
}

// A Set is up to one alarm of each kind over one timer, which is armed for the earliest. Setting an alarm later than
// the timer goes off touches no timer, so an alarm may be moved for each message. It guards itself.
type Set struct {
	mu    sync.Mutex
	timer *time.Timer
	at    [Kinds]int64 // by Now; 0: not set; negative: put off until then
	armed int64        // when the timer goes off; 0: it is not armed; ended: it never will
}

// ended is the value of armed after End.
const ended = -1

// Init says what the timer runs, and sets the first alarm. The function calls Take to learn what is due.
func (s *Set) Init(ring func(), t int64, k Kind, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[k] = later(t, d)
	s.armed = s.at[k]
	s.timer = time.AfterFunc(d, ring)
}

// Set sets the alarm of one kind to d from t, which is now. A later time takes the place of an earlier one.
func (s *Set) Set(t int64, k Kind, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(t, k, later(t, d))
}

// SetOnce is Set unless the alarm is set already.
func (s *Set) SetOnce(t int64, k Kind, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[k] == 0 {
		s.setLocked(t, k, later(t, d))
	}
}

// SetEarlier is Set unless the alarm is set to an earlier time.
func (s *Set) SetEarlier(t int64, k Kind, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := later(t, d); s.at[k] == 0 || at < max(s.at[k], -s.at[k]) {
		s.setLocked(t, k, at)
	}
}

func (s *Set) setLocked(t int64, k Kind, at int64) {
	if s.armed == ended {
		return
	}
	s.at[k] = at
	if s.armed == 0 || at < s.armed {
		s.armLocked(t, at)
	}
}

func (s *Set) armLocked(t, at int64) {
	s.armed = at
	s.timer.Reset(time.Duration(at - t))
}

// Take returns the alarms that are due at t, which is now, and arms the timer for the others. Those of the patient kinds that are
// more than asleep late are put off by as much, once: the process could not run, and what they would judge by may have
// happened and be yet to be seen.
func (s *Set) Take(t int64, patient Due, asleep time.Duration) (due Due) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed == ended {
		return 0
	}
	s.armed = 0
	var next int64
	for k, at := range s.at {
		if at > 0 && patient.Has(Kind(k)) && t-at > int64(asleep) {
			at = -later(t, asleep)
			s.at[k] = at
		}
		at = max(at, -at)
		switch {
		case at == 0:
		case at <= t:
			s.at[k] = 0
			due |= 1 << k
		case next == 0 || at < next:
			next = at
		}
	}
	if next != 0 {
		s.armLocked(t, next)
	}
	return due
}

// End stops the timer for good.
func (s *Set) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = ended
	s.timer.Stop()
}

// later returns t + d, or the end of time: "never" is a duration of math.MaxInt64 for many.
func later(t int64, d time.Duration) int64 {
	if d > 0 && t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}

// epoch is what Now counts from. Only differences matter.
var epoch = time.Now()

// start is Now's value at the epoch: in a bubble of testing/synctest the clock shows an earlier time, and no time is 0.
const start = 1 << 62

// Now is the monotonic clock in nanoseconds. It is positive.
func Now() int64 { return start + int64(time.Since(epoch)) }
