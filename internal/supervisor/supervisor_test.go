package supervisor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"
)

var packageServer http.Server

// TestSweeperOf: a server has one sweeper, and takes it along when it goes.
func TestSweeperOf(t *testing.T) {
	of := func(s *http.Server) *sweeper {
		return sweeperOf(context.WithValue(context.Background(), http.ServerContextKey, s))
	}
	if sweeperOf(context.Background()) != nil || of(nil) != nil {
		t.Error("a sweeper of no server")
	}
	if p := of(&packageServer); p == nil || of(&packageServer) != p {
		t.Error("a server in a variable of a package has no sweeper, or several")
	}
	a, b := new(http.Server), new(http.Server)
	if p := of(a); of(b) == p || of(a) != p {
		t.Error("the sweepers of two servers are mixed up")
	}
	key := weak.Make(a)
	for range 200 {
		if _, ok := sweepers.Load(key); !ok {
			return
		}
		runtime.GC()
		runtime.Gosched()
	}
	t.Error("a server is gone, and its sweeper is still there")
}

// A watchedReader does with a supervisor what Conn does, but reads nothing: the reader goroutine waits to be interrupted.
type watchedReader struct {
	Supervisor
	interrupt chan struct{}
	quit      chan struct{}
	looks     atomic.Int32 // looks that are to come
	tooMany   atomic.Bool  // there were two at once
	fill      atomic.Int32 // how often the read-ahead will be full
	readers   sync.WaitGroup
}

func (w *watchedReader) rest() {
	if w.Scheduled.Load() && w.Expecting.Load() == 0 {
		return
	}
	switch w.Next(false) {
	case Look:
		w.schedule()
	case Read:
		w.startReader()
	}
}

func (w *watchedReader) schedule() {
	if w.looks.Add(1) > 1 {
		w.tooMany.Store(true)
	}
}

// lookOnce is the look that was asked for, if one was.
func (w *watchedReader) lookOnce() {
	if !w.looks.CompareAndSwap(1, 0) {
		return
	}
	away, again := w.Away()
	if again {
		w.schedule()
	}
	if away {
		w.startReader()
	}
}

func (w *watchedReader) startReader() {
	switch taken, left := w.TakeForReader(false); {
	case taken:
		w.readers.Go(w.readAhead)
	case left:
		w.release()
	}
}

func (w *watchedReader) readAhead() {
	for w.Wanting.Load() == 0 {
		if w.fill.Add(-1) >= 0 {
			w.Stalled.Store(true)
			break
		}
		select {
		case <-w.interrupt:
		case <-w.quit:
			return // with the turn: it reads on
		}
	}
	w.Running.Store(false)
	w.release()
}

func (w *watchedReader) release() {
	w.Turn.Release()
	w.rest()
}

// read is a call of the application's.
func (w *watchedReader) read(done <-chan struct{}) {
	if !w.Turn.Try() {
		w.Wanting.Add(1)
		if w.Running.Load() {
			select {
			case w.interrupt <- struct{}{}:
			default:
			}
		}
		got := w.Turn.Await(done, nil)
		w.Wanting.Add(-1)
		if !got {
			w.rest()
			return
		}
	}
	w.ReadSince.Store(true)
	w.Stalled.Store(false)
	w.release()
}

func (w *watchedReader) ping() {
	w.Expecting.Add(1)
	w.rest()
	runtime.Gosched()
	w.Expecting.Add(-1)
}

// TestSomebodyReads: while calls read and give up, ping, and looks come in between, the rule holds: whenever they all rest,
// somebody reads, or somebody will look, or the read-ahead is full. And if the application stays away, somebody reads.
func TestSomebodyReads(t *testing.T) {
	for round := range uint64(4000) {
		w := &watchedReader{interrupt: make(chan struct{}, 1), quit: make(chan struct{})}
		random := rand.New(rand.NewPCG(round, 0))
		if random.IntN(4) == 0 {
			w.fill.Store(1)
		}
		w.Scheduled.Store(true)
		w.looks.Store(1)
		var all sync.WaitGroup
		for i := range 4 {
			random := rand.New(rand.NewPCG(round, uint64(1+i)))
			all.Go(func() {
				for range 1 + random.IntN(4) {
					done := make(chan struct{})
					switch random.IntN(4) {
					case 0:
						w.read(done)
					case 1:
						go close(done)
						w.read(done)
					case 2:
						w.ping()
					default:
						w.lookOnce()
					}
				}
			})
		}
		all.Wait()
		// A reader that was made to step aside may be on its way: it rests when the turn's state says so.
		rested := func() bool {
			return w.Running.Load() || !w.Turn.Held()
		}
		for range 1_000_000 {
			if rested() {
				break
			}
			runtime.Gosched()
		}
		describe := func() string {
			return fmt.Sprintf("held %v, running %v, scheduled %v, stalled %v, wanting %d, expecting %d, %d looks", w.Turn.Held(),
				w.Running.Load(), w.Scheduled.Load(), w.Stalled.Load(), w.Wanting.Load(), w.Expecting.Load(), w.looks.Load())
		}
		looks := 0
		for ; !(w.Turn.Held() && w.Running.Load()) && !(w.Stalled.Load() && !w.Turn.Held()); looks++ {
			if looks > 1_000_000 || w.tooMany.Load() {
				break
			}
			w.lookOnce()
			runtime.Gosched()
		}
		if !w.Turn.Held() && !w.Stalled.Load() || w.tooMany.Load() {
			t.Fatalf("round %d: nobody reads: %s", round, describe())
		}
		close(w.quit)
		w.readers.Wait()
		if w.tooMany.Load() || w.Wanting.Load() != 0 || w.Expecting.Load() != 0 {
			t.Fatalf("round %d: in the end %s", round, describe())
		}
	}
}

// TestSupervisorDecides is next and takeForReader, for every state that they look at.
func TestSupervisorDecides(t *testing.T) {
	for bits := range 1 << 6 {
		on := func(i int) bool { return bits>>i&1 != 0 }
		held, wanting, expecting, scheduled, stalled, drops := on(0), on(1), on(2), on(3), on(4), on(5)
		state := func() *Supervisor {
			s := new(Supervisor)
			if held {
				s.Turn.Try()
			}
			if wanting {
				s.Wanting.Add(1)
			}
			if expecting {
				s.Expecting.Add(1)
			}
			s.Scheduled.Store(scheduled)
			s.Stalled.Store(stalled)
			return s
		}
		why := fmt.Sprintf("held %v, wanting %v, expecting %v, scheduled %v, stalled %v, drops %v", held, wanting, expecting, scheduled, stalled, drops)
		full := stalled && !drops

		s, want := state(), Nothing
		switch {
		case held, wanting, full:
		case expecting:
			want = Read
		case !scheduled:
			want = Look
		}
		if got := s.Next(drops); got != want {
			t.Errorf("%s: next is %d, want %d", why, got, want)
		}
		if s.Scheduled.Load() != (scheduled || want == Look) {
			t.Errorf("%s: next leaves scheduled %v", why, s.Scheduled.Load())
		}
		if free := !s.Turn.Held(); free && want == Nothing && !(scheduled || wanting || full) {
			t.Errorf("%s: the rule is broken", why)
		}

		s = state()
		taken, left := s.TakeForReader(drops)
		if taken != (!held && !wanting && !full) || left != (!held && (wanting || full)) || s.Running.Load() != taken || s.Turn.Held() != (held || taken || left) {
			t.Errorf("%s: taken %v, left %v", why, taken, left)
		}

		for _, since := range []bool{false, true} {
			s = state()
			s.ReadSince.Store(since)
			away, again := s.Away()
			if away != (!held && !stalled && !since) || again != (!held && !stalled && since) || s.Scheduled.Load() != again || again && s.ReadSince.Load() {
				t.Errorf("%s, read since %v: away %v, again %v", why, since, away, again)
			}
		}
	}
}

// TestBackoff: an application that is always found in Read is looked at less often, up to a bound, until it stays away.
func TestBackoff(t *testing.T) {
	var s Supervisor
	last := s.Delay()
	if last != ReaderDelay {
		t.Errorf("the first look comes after %v", last)
	}
	for range 10 {
		s.Trust()
		if d := s.Delay(); d < last || d > ReaderDelay<<maxBackoff {
			t.Errorf("after %v, %v", last, d)
		} else {
			last = d
		}
	}
	if last != ReaderDelay<<maxBackoff {
		t.Errorf("at most %v", last)
	}
	s.TakeForReader(false)
	if s.Delay() != ReaderDelay {
		t.Errorf("after it stayed away: %v", s.Delay())
	}
}
