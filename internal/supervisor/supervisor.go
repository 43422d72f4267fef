// Package supervisor knows whether somebody reads from a connection, and who looks next whether somebody does.
package supervisor

import (
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/turn"
)

// While the application is not in Read, a goroutine of the connection's own reads, so that pings are answered, Pongs and
// Closes seen. The Supervisor says when. It guards itself: its fields are atomic, and the order in which they are changed
// and looked at is what counts.
//
// The rule: while the read turn is free, either somebody will look (Scheduled), or a call is about to take it (Wanting),
// or the read-ahead is full (Stalled), or nobody needs to read. Whoever lets go of the turn, or stops wanting it, calls
// Next and does what it says.
type Supervisor struct {
	Turn turn.Turn

	Wanting   atomic.Int32  // calls that wait for the turn
	Expecting atomic.Int32  // reasons to read now: calls that wait for control frames, and the end
	Running   atomic.Bool   // the reader goroutine has the turn
	Scheduled atomic.Bool   // somebody will look
	ReadSince atomic.Bool   // the application has let go of the turn since somebody looked
	Stalled   atomic.Bool   // the read-ahead is full
	Unread    atomic.Uint32 // what has come and was not taken by the application
	backoff   atomic.Int32  // doubles the delay of the next look so many times

	owner   Owner
	sweeper *sweeper    // nil: there is none
	next    *Supervisor // on the sweeper's list
}

// An Owner is the connection, as far as it is told to do something.
type Owner interface {
	// ReadAhead is the reader goroutine. It has the turn.
	ReadAhead()
	// Look is the look, at this time.
	Look(t int64)
}

// What is unread.
const (
	FramesUnread uint32 = 1 << iota // frames behind the one that the application is at
	MessageOpen                     // the message that it is at
)

const (
	// ReaderDelay is about how long no Read must have been there for the reader goroutine to start; an application that
	// comes back at once never meets it.
	ReaderDelay = 20 * time.Millisecond
	// maxBackoff is how often that delay may double on a connection without a sweeper: once for each look that finds the
	// application back in Read. A connection with a message now and then would be looked at for each of them.
	maxBackoff = 4
)

// A Step is what has to be done so that somebody reads.
type Step uint8

const (
	Nothing Step = iota // it is seen to
	Look                // have somebody look: by Visit, or else after Delay
	Read                // take the turn for the reader goroutine, and start it
)

// Init says who the owner is. The first look is the owner's affair: on a sweeper's list, a connection that is soon gone
// would be kept in memory.
func (s *Supervisor) Init(owner Owner) {
	s.owner = owner
	s.Scheduled.Store(true)
}

// Next says what has to be done so that somebody reads. drops says that what has come, read or not, is for nobody: then
// a full read-ahead is no reason not to read.
func (s *Supervisor) Next(drops bool) Step {
	switch {
	case s.Turn.Held(), s.Wanting.Load() > 0, s.Stalled.Load() && !drops:
		return Nothing
	case s.Expecting.Load() > 0:
		return Read
	case s.Scheduled.CompareAndSwap(false, true):
		return Look
	}
	return Nothing
}

// Away is the look: it reports whether the application has been away for so long that the connection shall read itself.
// If not, again says whether somebody has to look once more. Who lets go of the turn does that before it asks whether
// somebody will look: so it is either seen here, or asks again.
func (s *Supervisor) Away() (away, again bool) {
	s.Scheduled.Store(false)
	switch {
	case s.Turn.Held(), s.Stalled.Load():
		return false, false
	case s.ReadSince.Load():
		s.ReadSince.Store(false)
		return false, s.Scheduled.CompareAndSwap(false, true)
	}
	return true, false
}

// TakeForReader takes the turn for the reader goroutine, if it is free and a call is not about to take it. If somebody
// has come in between, left says that the turn was taken and has to be given back.
func (s *Supervisor) TakeForReader(drops bool) (taken, left bool) {
	if !s.Turn.Try() {
		return false, false
	}
	if s.Wanting.Load() > 0 || s.Stalled.Load() && !drops {
		return false, true
	}
	s.backoff.Store(0)
	s.Running.Store(true)
	return true, false
}

// StartReader starts the reader goroutine, for which the turn was taken.
func (s *Supervisor) StartReader() { go s.owner.ReadAhead() }

// Trust is called when the application is found in Read: it may be looked at less often.
func (s *Supervisor) Trust() {
	if n := s.backoff.Load(); n < maxBackoff {
		s.backoff.Store(n + 1)
	}
}

// Delay is after how long to look.
func (s *Supervisor) Delay() time.Duration { return ReaderDelay << s.backoff.Load() }
