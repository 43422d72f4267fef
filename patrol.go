package websocket

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// A patrol goes round the connections of one http.Server, as far as the application has
// lately come out of Read on them, every readerDelay, and starts the reader goroutine
// where it has not gone back. A connection that it finds in Read it does not visit again
// before a message has come; with none left to visit it stops.
//
// That saves each connection an alarm of its own, which rings in a goroutine: with
// thousands of connections and a few messages a second on each, a tenth of what a
// message costs.
type patrol struct {
	first atomic.Pointer[Conn] // the first to visit; Conn.nextVisit is the next
	timer *time.Timer          // runs while there is a first
}

// patrols has the patrol of each server by weak.Pointer[http.Server]. There is none for
// all: in a bubble of testing/synctest there are timers and goroutines of the bubble's own,
// and only what a server has accepted is sure to share one.
var patrols sync.Map

// patrolOf returns the patrol of the server that handles the request with this context,
// or nil if there is none. A connection that the handler dials is of the same bubble.
func patrolOf(ctx context.Context) *patrol {
	s, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	if s == nil {
		return nil
	}
	key := weak.Make(s)
	if p, ok := patrols.Load(key); ok {
		return p.(*patrol)
	}
	p, loaded := patrols.LoadOrStore(key, newPatrol())
	if !loaded {
		runtime.AddCleanup(s, func(key weak.Pointer[http.Server]) { patrols.Delete(key) }, key)
	}
	return p.(*patrol)
}

func newPatrol() *patrol {
	p := new(patrol)
	p.timer = time.AfterFunc(readerDelay, p.goRound)
	return p
}

// join has c visited once.
func (p *patrol) join(c *Conn) {
	for {
		first := p.first.Load()
		c.nextVisit = first
		if !p.first.CompareAndSwap(first, c) {
			continue
		}
		if first == nil {
			p.timer.Reset(readerDelay)
		}
		return
	}
}

// goRound visits those who have joined.
func (p *patrol) goRound() {
	t := now()
	for c := p.first.Swap(nil); c != nil; {
		next := c.nextVisit
		c.nextVisit = nil
		if !c.gone.Load() {
			c.listened(t)
			if c.away() {
				c.ensureReader()
			}
		}
		c = next
	}
}
