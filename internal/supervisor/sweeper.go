package supervisor

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/closeonce/websocket/internal/alarm"
)

// A sweeper has the connections of one http.Server look, as far as the application has lately come out of Read on them,
// every ReaderDelay. A connection that it finds in Read it does not visit again before a message has come; with none left
// to visit it stops.
//
// That saves each connection a timer of its own, which runs in a goroutine: with thousands of connections and a few
// messages a second on each, a tenth of what a message costs.
type sweeper struct {
	first atomic.Pointer[Supervisor] // the first to visit; its next is the next
	timer *time.Timer                // runs while there is a first
}

// sweepers has the sweeper of each server by weak.Pointer[http.Server]. There is none for all: in a bubble of
// testing/synctest there are timers and goroutines of the bubble's own, and only what a server has accepted is sure to
// share one.
var sweepers sync.Map

// sweeperOf returns the sweeper of the server that handles the request with this context, or nil if there is none. A
// connection that the handler dials is of the same bubble.
func sweeperOf(ctx context.Context) *sweeper {
	s, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	if s == nil {
		return nil
	}
	key := weak.Make(s)
	if p, ok := sweepers.Load(key); ok {
		return p.(*sweeper)
	}
	p, loaded := sweepers.LoadOrStore(key, newSweeper())
	if !loaded {
		runtime.AddCleanup(s, func(key weak.Pointer[http.Server]) { sweepers.Delete(key) }, key)
	}
	return p.(*sweeper)
}

func newSweeper() *sweeper {
	p := new(sweeper)
	p.timer = time.AfterFunc(ReaderDelay, p.sweep)
	return p
}

// UseSweeper has the sweeper of the server that handles the request with this context look from now on, if there is one.
func (s *Supervisor) UseSweeper(ctx context.Context) {
	if s.sweeper == nil {
		s.sweeper = sweeperOf(ctx)
	}
}

// Visit has the sweeper look once, and reports whether there is one. The look is scheduled, and so the connection on no
// list.
func (s *Supervisor) Visit() bool {
	if s.sweeper == nil {
		return false
	}
	s.sweeper.join(s)
	return true
}

// join has a connection visited once.
func (p *sweeper) join(s *Supervisor) {
	for {
		first := p.first.Load()
		s.next = first
		if !p.first.CompareAndSwap(first, s) {
			continue
		}
		if first == nil {
			p.timer.Reset(ReaderDelay)
		}
		return
	}
}

// sweep visits those that have joined.
func (p *sweeper) sweep() {
	t := alarm.Now()
	for s := p.first.Swap(nil); s != nil; {
		next := s.next
		s.next = nil
		s.owner.Look(t)
		s = next
	}
}

// Visiting reports whether the sweeper of the server that handles the request with this context has a connection to visit.
func Visiting(ctx context.Context) bool {
	p := sweeperOf(ctx)
	return p != nil && p.first.Load() != nil
}
