package storm

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// pause is applications that are seldom in a call: they give a Read up, come back, stay
// away. Whatever they do, a Ping must be answered.
func (w *world) pause() {
	r := w.draw
	var all sync.WaitGroup
	var pairs []*pair
	until := time.Now().Add(one(r, 200*time.Millisecond, 500*time.Millisecond, 800*time.Millisecond))
	for range one(r, 2, 8, 16) {
		p := w.pair(w.drawOptions(), w.drawOptions())
		if p == nil {
			continue
		}
		pairs = append(pairs, p)
		mood := pauseMood{away: one(r, 0, 25*time.Millisecond, 40*time.Millisecond, 60*time.Millisecond), talk: one(r, 0, 10, 40), closeRead: r.chance(15)}
		for _, e := range p.ends() {
			a := e.actor("r", w.dead)
			a.largest = one(r, 300, 3000)
			all.Go(func() { a.pauses(until, mood) })
		}
	}
	w.join(&all)
	for _, p := range pairs {
		if !w.gone() && p.alive() {
			w.closeCrowd(p)
		}
		p.finish()
	}
}

// pauseMood is how the two applications of a pair behave.
type pauseMood struct {
	away      time.Duration // how long they are out of calls, at most
	talk      int           // how often they write, of a hundred
	closeRead bool          // they never read
}

// pauses is one application of the scene.
func (a *actor) pauses(until time.Time, mood pauseMood) {
	silent := mood.closeRead
	for round := 0; time.Now().Before(until) && !a.stopped(); round++ {
		pause(a.draw.upTo(mood.away), a.stop)
		if silent {
			a.onlyCloseRead()
		} else {
			a.givesUp(a.draw.IntN(60_000))
			// A full read-ahead would be a good reason not to hear.
			unread := a.end.out.count() - int(a.end.other().begun.Load())
			if unread < 8 && a.draw.chance(mood.talk) {
				a.write(context.Background(), a.typ(), a.size())
			}
		}
		if a.draw.chance(10) {
			ctx, cancel := context.WithTimeout(context.Background(), a.end.pair.world.storm.config.Hearing)
			a.ping(ctx)
			cancel()
		}
		if !a.end.hears(fmt.Sprintf("in round %d, with the application out of Read", round)) {
			return
		}
	}
}

// onlyCloseRead is what an application does that only writes, again and again.
func (a *actor) onlyCloseRead() {
	ctx, cancel := a.context()
	defer cancel()
	a.closeRead(ctx)
}

// givesUp is a call that reads, with a context that ends at about the same moment.
func (a *actor) givesUp(spins int) {
	ctx, cancel := cancelledSoon(context.Background(), spins)
	defer cancel()
	switch a.draw.IntN(8) {
	case 0:
		a.appendRead(ctx, nil)
	case 1:
		a.reader(ctx, a.draw.IntN(a.largest))
	case 2:
		a.messages(ctx, 2)
	case 3:
		short, cancel := context.WithTimeout(context.Background(), a.draw.upTo(200*time.Microsecond))
		a.read(short)
		cancel()
	default:
		a.read(ctx)
	}
}
