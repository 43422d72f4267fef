package websocket

import (
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/turn"
)

// While the application is not in Read, a goroutine of the connection's own reads, so that pings are answered, Pongs and
// Closes seen. The supervisor knows whether somebody reads, and who looks next whether somebody does. It guards itself:
// its fields are atomic, and the order in which they are changed and looked at is what counts.
//
// The rule: while the read turn is free, either somebody will look (scheduled), or a call is about to take it (wanting),
// or the read-ahead is full (stalled), or nobody needs to read. Whoever lets go of the turn, or stops wanting it, calls
// next and does what it says.
type supervisor struct {
	turn turn.Turn

	wanting   atomic.Int32  // calls that wait for the turn
	expecting atomic.Int32  // reasons to read now: calls that wait for control frames, and the end
	running   atomic.Bool   // the reader goroutine has the turn
	scheduled atomic.Bool   // somebody will look
	readSince atomic.Bool   // the application has let go of the turn since somebody looked
	stalled   atomic.Bool   // the read-ahead is full
	unread    atomic.Uint32 // what has come and was not taken by the application
	backoff   atomic.Int32  // doubles the delay of the next look so many times

	sweeper *sweeper // nil: there is none
}

// What is unread.
const (
	framesUnread uint32 = 1 << iota // frames behind the one that it is at
	messageOpen                     // the message that it is at
)

const (
	// readerDelay is about how long no Read must have been there for the reader goroutine to start; an application that
	// comes back at once never meets it.
	readerDelay = 20 * time.Millisecond
	// maxBackoff is how often that delay may double on a connection without a sweeper: once for each look that finds the
	// application back in Read. A connection with a message now and then would be looked at for each of them.
	maxBackoff = 4
)

// step is what has to be done so that somebody reads.
type step uint8

const (
	stepNone step = iota // nothing: it is seen to
	stepLook             // have somebody look, after delay
	stepRead             // start the reader goroutine
)

// next says what has to be done so that somebody reads. drops says that what has come, read or not, is for nobody: then
// a full read-ahead is no reason not to read.
func (s *supervisor) next(drops bool) step {
	switch {
	case s.turn.Held(), s.wanting.Load() > 0, s.stalled.Load() && !drops:
		return stepNone
	case s.expecting.Load() > 0:
		return stepRead
	case s.scheduled.CompareAndSwap(false, true):
		return stepLook
	}
	return stepNone
}

// away is the look: it reports whether the application has been away for so long that the connection shall read itself.
// If not, again says whether somebody has to look once more. Who lets go of the turn does that before it asks whether
// somebody will look: so it is either seen here, or asks again.
func (s *supervisor) away() (away, again bool) {
	s.scheduled.Store(false)
	switch {
	case s.turn.Held(), s.stalled.Load():
		return false, false
	case s.readSince.Load():
		s.readSince.Store(false)
		return false, s.scheduled.CompareAndSwap(false, true)
	}
	return true, false
}

// takeForReader takes the turn for the reader goroutine, if it is free and a call is not about to take it. If somebody
// has come in between, left says that the turn was taken and has to be given back.
func (s *supervisor) takeForReader(drops bool) (taken, left bool) {
	if !s.turn.Try() {
		return false, false
	}
	if s.wanting.Load() > 0 || s.stalled.Load() && !drops {
		return false, true
	}
	s.backoff.Store(0)
	s.running.Store(true)
	return true, false
}

// trust is called when the application is found in Read: it may be looked at less often.
func (s *supervisor) trust() {
	if n := s.backoff.Load(); n < maxBackoff {
		s.backoff.Store(n + 1)
	}
}

// delay is after how long to look.
func (s *supervisor) delay() time.Duration { return readerDelay << s.backoff.Load() }
