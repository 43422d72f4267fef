package storm

import (
	"context"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// flood is more than the peer takes: full queues, stalls, contexts that end while a
// call waits for room. When the weather is fair again all must be whole.
func (w *world) flood() {
	r := w.draw
	client, server := w.drawOptions(), w.drawOptions()
	for _, o := range []*options{&client, &server} {
		o.buffer = one(r, 4<<10, 16<<10, 64<<10)
		o.queueLimit = one(r, 1<<10, 8<<10, 64<<10, -1)
	}
	p := w.pair(client, server)
	if p == nil {
		return
	}
	stop, fair := make(chan struct{}), make(chan struct{})
	var writers, weather, readers sync.WaitGroup
	for _, e := range p.ends() {
		p.floodFrom(e, stop, &writers)
		for range one(r, 1, 1, 3) {
			a := e.actor("r", stop)
			a.largest = 50_000
			readers.Go(func() { a.reads(nil) })
		}
		if r.chance(80) {
			draw := w.random()
			pings := e.heard // the Pongs need the write turn too
			weather.Go(func() { e.wire.storms(draw, pings, fair) })
		}
	}
	pause(r.upTo(one(r, 50*time.Millisecond, 200*time.Millisecond, 600*time.Millisecond)), w.dead)
	close(stop)
	if r.chance(50) { // the writers give up in the middle of the storm
		pause(r.upTo(20*time.Millisecond), w.dead)
	}
	close(fair)
	if w.join(&weather) && w.joinSoon(&writers, "the peer reads") && p.settled() {
		p.afterFlood()
	}
	p.doomed()
	for _, e := range p.ends() {
		e.actor("n", w.dead).closeNow()
	}
	w.join(&readers)
	p.finish()
}

// floodFrom starts the writers of one end.
func (p *pair) floodFrom(e *end, stop chan struct{}, writers *sync.WaitGroup) {
	r := p.world.draw
	wild := one(r, 20, 60, 95)
	kinds := one(r, []string{"write"}, []string{"stream"}, []string{"write", "stream", "try", "any"}, []string{"stream", "try"})
	largest := one(r, 500, 5000, 60_000)
	for range one(r, 1, 2, 4, 12, 30) {
		a := e.actor("w", stop)
		a.wild, a.largest = wild, largest
		a.think = one(r, 0, time.Millisecond, 10*time.Millisecond)
		kind := one(r, kinds...)
		writers.Go(func() { a.writes(kind) })
	}
	if r.chance(50) {
		a := e.actor("p", stop)
		a.wild = wild
		writers.Go(a.pings)
	}
}

// storms stalls and slows a pipe down, again and again. Meanwhile the end that writes into it is pinged.
func (p *pipe) storms(r random, pings *pipe, fair <-chan struct{}) {
	defer p.flow()
	defer p.trickle(0, 0)
	for {
		select {
		case <-fair:
			return
		default:
		}
		switch r.IntN(3) {
		case 0:
			p.trickle(r.between(1, 3000), r.upTo(time.Millisecond))
		case 1:
			p.trickle(0, 0)
		}
		p.stall()
		if r.chance(50) {
			pings.inject(wiretest.Ping("weather"))
		}
		pause(r.upTo(one(r, time.Millisecond, 10*time.Millisecond, 60*time.Millisecond)), fair)
		p.flow()
		pause(r.upTo(one(r, 500*time.Microsecond, 10*time.Millisecond)), fair)
	}
}

// afterFlood holds that the connection is as good as new.
func (p *pair) afterFlood() {
	w := p.world
	for _, e := range p.ends() {
		a := e.actor("f", w.dead)
		ctx, cancel := context.WithTimeout(context.Background(), w.storm.config.Patience)
		if err := a.write(ctx, websocket.MessageText, 100); err != nil {
			w.fail("stuck-message", "the %s's Write after a flood: %v", e.role, err)
		}
		cancel()
	}
	if !p.settled() {
		return
	}
	for _, e := range p.ends() {
		e.hears("after a flood")
	}
	w.closeCrowd(p)
}
