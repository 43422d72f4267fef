package storm

import (
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// crowd is many callers on one connection: writers of all kinds, readers and pingers at both
// ends. It ends with a Close in the middle of it, or is held against the ledgers first.
func (w *world) crowd() {
	r := w.draw
	p := w.pair(w.drawOptions(), w.drawOptions())
	if p == nil {
		return
	}
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, e := range p.ends() {
		p.crowdOf(e, stop, &writers, &readers)
	}
	life := one(r, 3*time.Millisecond, 20*time.Millisecond, 60*time.Millisecond, 250*time.Millisecond)
	listening := r.chance(40)
	pause(r.upTo(life), w.dead)
	if listening {
		for _, e := range p.ends() {
			e.hears("in a crowd that reads")
		}
	}
	if r.chance(60) {
		w.closeCrowd(p)
		close(stop)
		w.join(&writers)
	} else {
		close(stop)
		if w.joinSoon(&writers, "the peer reads") && p.settled() {
			for _, e := range p.ends() {
				e.hears("after the last call of a crowd")
			}
			w.closeCrowd(p)
		}
	}
	w.join(&readers)
	p.finish()
}

// crowdOf starts one end's callers.
func (p *pair) crowdOf(e *end, stop chan struct{}, writers, readers *sync.WaitGroup) {
	r := p.world.draw
	number := one(r, 0, 1, 2, 4, 6, 12, 24)
	kinds := one(r, []string{"write"}, []string{"write", "any"}, []string{"write", "try", "stream", "any"},
		[]string{"prepared", "stream", "any"})
	wild := one(r, 0, 0, 20, 60)
	largest := one(r, 300, 3000, 20_000, 100_000)
	think := one(r, 0, 0, time.Millisecond)
	for range number {
		a := e.actor("w", stop)
		a.largest, a.think = largest, think
		if r.chance(70) {
			a.wild = wild
		}
		kind := one(r, kinds...)
		writers.Go(func() { a.writes(kind) })
	}
	for range one(r, 0, 1, 1, 4) {
		a := e.actor("p", stop)
		a.wild = wild
		writers.Go(a.pings)
	}
	impatient := one(r, 0, 0, 30)
	for range one(r, 1, 1, 2, 4) {
		a := e.actor("r", stop)
		a.wild, a.largest = impatient, largest
		readers.Go(func() { a.reads(nil) })
	}
}

// closeCrowd closes a pair from one of its ends, whose peer lives and reads. Close must succeed.
func (w *world) closeCrowd(p *pair) {
	e := one(w.draw, p.ends()...)
	a := e.actor("c", w.dead)
	code, reason := a.code()
	a.closesWell(code, reason)
	p.doomed()
}

// closesWell is a Close that has to succeed.
func (a *actor) closesWell(code websocket.StatusCode, reason string) {
	e := a.end
	began := time.Now()
	err := a.close(nil, code, reason)
	if err == nil || e.pair.mayDie.Load() || e.pair.broken() || e.pair.world.gone() {
		return
	}
	e.pair.world.fail("close-failed", "the %s's Close(%d) returned %v after %v; it sent %s, the peer %s", e.role, code, err,
		time.Since(began).Round(time.Millisecond), e.wire.seen.view().closed(began), e.heard.seen.view().closed(began))
}
