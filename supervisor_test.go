package websocket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestSweeper: many connections of one server, accepted or dialled by its handlers, on which applications read, answer, and
// stay away for a while, or for good. Whatever they do, a Ping is answered soon.
func TestSweeper(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const conns = 40
				ctx := served(bg)
				var peers, apps sync.WaitGroup
				for i := range conns {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					ours, theirs := memconn.Pipe(1 << 10)
					client, role := i%2 == 1, wiretest.Client
					if client {
						role = wiretest.Server
					}
					c := newConn(ours, config{client: client, parent: ctx, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
					p := wiretest.NewPeer(t, theirs, role)
					apps.Go(func() {
						defer c.CloseNow()
						for range 1 + random.IntN(200) {
							if _, _, err := c.Read(bg); err != nil {
								return
							}
							switch random.IntN(10) {
							case 0:
								time.Sleep(time.Duration(random.Int64N(int64(3 * readerDelay))))
							case 1:
								time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
							}
						}
						time.Sleep(time.Minute)
					})
					talk := rand.New(rand.NewPCG(seed, uint64(conns+i)))
					peers.Go(func() {
						for n := range 200 {
							p.SendText("hello")
							time.Sleep(time.Duration(talk.Int64N(int64(2 * readerDelay))))
							if talk.IntN(5) > 0 {
								continue
							}
							began := time.Now()
							p.SendPing(fmt.Sprint(n))
							p.WantPong("soon", fmt.Sprint(n))
							// Not before messages that came before it, but before the application
							// is back: one round finds that it has just left Read, the next
							// that it is away.
							if waited := time.Since(began); waited > 10*readerDelay {
								t.Errorf("connection %d waited %v for Pong %d", i, waited, n)
							}
						}
					})
				}
				peers.Wait()
				apps.Wait()
				time.Sleep(3 * readerDelay)
				if sweeperOf(ctx).first.Load() != nil {
					t.Error("the sweeper goes round for connections that have ended")
				}
			})
		})
	}
}

// TestSweeperEnds: who waits in Read is not visited, and no timer runs for it.
func TestSweeperEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(0)
		ctx := served(bg)
		c := newConn(ours, config{parent: ctx, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
		p := wiretest.NewPeer(t, theirs, wiretest.Client)
		var app sync.WaitGroup
		app.Go(func() {
			for {
				if _, _, err := c.Read(bg); err != nil {
					return
				}
				time.Sleep(2 * readerDelay)
			}
		})
		defer app.Wait()
		defer c.CloseNow()
		visited := func() bool { return sweeperOf(ctx).first.Load() != nil }
		for range 3 {
			time.Sleep(10 * readerDelay)
			if visited() || c.supervisor.scheduled.Load() {
				t.Fatal("a connection in Read is watched")
			}
			p.SendText("hello")
			synctest.Wait()
			if !visited() {
				t.Fatal("nobody looks whether the application comes back")
			}
		}
	})
}

var packageServer http.Server

// TestSweeperOf: a server has one sweeper, and takes it along when it goes.
func TestSweeperOf(t *testing.T) {
	of := func(s *http.Server) *sweeper {
		return sweeperOf(context.WithValue(bg, http.ServerContextKey, s))
	}
	if sweeperOf(bg) != nil || of(nil) != nil {
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
	supervisor
	interrupt chan struct{}
	quit      chan struct{}
	looks     atomic.Int32 // looks that are to come
	tooMany   atomic.Bool  // there were two at once
	fill      atomic.Int32 // how often the read-ahead will be full
	readers   sync.WaitGroup
}

func (w *watchedReader) rest() {
	if w.scheduled.Load() && w.expecting.Load() == 0 {
		return
	}
	switch w.next(false) {
	case stepLook:
		w.schedule()
	case stepRead:
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
	away, again := w.away()
	if again {
		w.schedule()
	}
	if away {
		w.startReader()
	}
}

func (w *watchedReader) startReader() {
	switch taken, left := w.takeForReader(false); {
	case taken:
		w.readers.Go(w.readAhead)
	case left:
		w.release()
	}
}

func (w *watchedReader) readAhead() {
	for w.wanting.Load() == 0 {
		if w.fill.Add(-1) >= 0 {
			w.stalled.Store(true)
			break
		}
		select {
		case <-w.interrupt:
		case <-w.quit:
			return // with the turn: it reads on
		}
	}
	w.running.Store(false)
	w.release()
}

func (w *watchedReader) release() {
	w.turn.Release()
	w.rest()
}

// read is a call of the application's.
func (w *watchedReader) read(done <-chan struct{}) {
	if !w.turn.Try() {
		w.wanting.Add(1)
		if w.running.Load() {
			select {
			case w.interrupt <- struct{}{}:
			default:
			}
		}
		got := w.turn.Await(done, nil)
		w.wanting.Add(-1)
		if !got {
			w.rest()
			return
		}
	}
	w.readSince.Store(true)
	w.stalled.Store(false)
	w.release()
}

func (w *watchedReader) ping() {
	w.expecting.Add(1)
	w.rest()
	runtime.Gosched()
	w.expecting.Add(-1)
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
		w.scheduled.Store(true)
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
			return w.running.Load() || !w.turn.Held()
		}
		for range 1_000_000 {
			if rested() {
				break
			}
			runtime.Gosched()
		}
		describe := func() string {
			return fmt.Sprintf("held %v, running %v, scheduled %v, stalled %v, wanting %d, expecting %d, %d looks", w.turn.Held(),
				w.running.Load(), w.scheduled.Load(), w.stalled.Load(), w.wanting.Load(), w.expecting.Load(), w.looks.Load())
		}
		looks := 0
		for ; !(w.turn.Held() && w.running.Load()) && !(w.stalled.Load() && !w.turn.Held()); looks++ {
			if looks > 1_000_000 || w.tooMany.Load() {
				break
			}
			w.lookOnce()
			runtime.Gosched()
		}
		if !w.turn.Held() && !w.stalled.Load() || w.tooMany.Load() {
			t.Fatalf("round %d: nobody reads: %s", round, describe())
		}
		close(w.quit)
		w.readers.Wait()
		if w.tooMany.Load() || w.wanting.Load() != 0 || w.expecting.Load() != 0 {
			t.Fatalf("round %d: in the end %s", round, describe())
		}
	}
}

// TestSupervisorDecides is next and takeForReader, for every state that they look at.
func TestSupervisorDecides(t *testing.T) {
	for bits := range 1 << 6 {
		on := func(i int) bool { return bits>>i&1 != 0 }
		held, wanting, expecting, scheduled, stalled, drops := on(0), on(1), on(2), on(3), on(4), on(5)
		state := func() *supervisor {
			s := new(supervisor)
			if held {
				s.turn.Try()
			}
			if wanting {
				s.wanting.Add(1)
			}
			if expecting {
				s.expecting.Add(1)
			}
			s.scheduled.Store(scheduled)
			s.stalled.Store(stalled)
			return s
		}
		why := fmt.Sprintf("held %v, wanting %v, expecting %v, scheduled %v, stalled %v, drops %v", held, wanting, expecting, scheduled, stalled, drops)
		full := stalled && !drops

		s, want := state(), stepNone
		switch {
		case held, wanting, full:
		case expecting:
			want = stepRead
		case !scheduled:
			want = stepLook
		}
		if got := s.next(drops); got != want {
			t.Errorf("%s: next is %d, want %d", why, got, want)
		}
		if s.scheduled.Load() != (scheduled || want == stepLook) {
			t.Errorf("%s: next leaves scheduled %v", why, s.scheduled.Load())
		}
		if free := !s.turn.Held(); free && want == stepNone && !(scheduled || wanting || full) {
			t.Errorf("%s: the rule is broken", why)
		}

		s = state()
		taken, left := s.takeForReader(drops)
		if taken != (!held && !wanting && !full) || left != (!held && (wanting || full)) || s.running.Load() != taken || s.turn.Held() != (held || taken || left) {
			t.Errorf("%s: taken %v, left %v", why, taken, left)
		}

		for _, since := range []bool{false, true} {
			s = state()
			s.readSince.Store(since)
			away, again := s.away()
			if away != (!held && !stalled && !since) || again != (!held && !stalled && since) || s.scheduled.Load() != again || again && s.readSince.Load() {
				t.Errorf("%s, read since %v: away %v, again %v", why, since, away, again)
			}
		}
	}
}

// TestBackoff: an application that is always found in Read is looked at less often, up to a bound, until it stays away.
func TestBackoff(t *testing.T) {
	var s supervisor
	last := s.delay()
	if last != readerDelay {
		t.Errorf("the first look comes after %v", last)
	}
	for range 10 {
		s.trust()
		if d := s.delay(); d < last || d > readerDelay<<maxBackoff {
			t.Errorf("after %v, %v", last, d)
		} else {
			last = d
		}
	}
	if last != readerDelay<<maxBackoff {
		t.Errorf("at most %v", last)
	}
	s.takeForReader(false)
	if s.delay() != readerDelay {
		t.Errorf("after it stayed away: %v", s.delay())
	}
}
