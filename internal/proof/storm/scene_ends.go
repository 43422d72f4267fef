package storm

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// ends is short lives: who closes when, with what, and what comes right behind.
func (w *world) ends() {
	for range w.draw.between(3, 12) {
		if w.gone() {
			return
		}
		p := w.pair(w.drawOptions(), w.drawOptions())
		if p == nil {
			return
		}
		endings := []func(*pair){(*pair).allClose, (*pair).overtaken, (*pair).acceptedThenGone, (*pair).violated, (*pair).cutOff, (*pair).unread, (*pair).halfClosed}
		one(w.draw, endings...)(p)
	}
}

// allClose closes from both sides, several times, with writers at work. Nobody is rude.
func (p *pair) allClose() {
	w, r := p.world, p.world.draw
	stop := make(chan struct{})
	var closers, others sync.WaitGroup
	for _, e := range p.ends() {
		number := one(r, 0, 1, 3)
		for range number {
			a := e.actor("w", stop)
			others.Go(func() { a.writes("any") })
		}
		if number > 0 || r.chance(50) { // with a full read-ahead the peer's Close is not seen
			a := e.other().actor("r", stop)
			others.Go(func() { a.reads(nil) })
		}
	}
	short := r.chance(30)
	if short {
		p.mayDie.Store(true) // the handshake has only a second then
	}
	pause(r.upTo(time.Millisecond), w.dead)
	both := r.chance(70)
	for i, e := range p.ends() {
		if i == 1 && !both {
			break
		}
		for range one(r, 1, 2, 5) {
			a := e.actor("c", w.dead)
			closers.Go(func() { a.closesPolitely(short) })
		}
	}
	w.join(&closers)
	p.doomed()
	close(stop)
	w.join(&others)
	p.finish()
}

// closesPolitely is one Close at some moment. If it is not cut short it succeeds.
func (a *actor) closesPolitely(short bool) {
	spin(a.draw.IntN(50_000))
	code, reason := a.code()
	if short && a.draw.chance(60) {
		ctx, cancel := cancelledSoon(context.Background(), a.draw.IntN(50_000))
		defer cancel()
		a.close(ctx, code, reason)
		return
	}
	a.closesWell(code, reason)
}

// overtaken is a handler that returns at once, with a deferred CloseNow, when another goroutine calls Close. Its call
// returned because of the Close, so the Close had begun.
func (p *pair) overtaken() {
	w, r := p.world, p.world.draw
	e := one(r, p.ends()...)
	stop := make(chan struct{})
	var all sync.WaitGroup
	reader := e.other().actor("r", stop)
	all.Go(func() { reader.reads(nil) })
	handler, closer := e.actor("h", stop), e.actor("c", stop)
	how := one(r, "write", "read")
	all.Go(func() {
		for err := error(nil); err == nil; {
			if how == "read" {
				err = handler.read(context.Background())
			} else {
				err = handler.write(context.Background(), handler.typ(), handler.size())
			}
		}
		handler.closeNow()
	})
	pause(r.upTo(2*time.Millisecond), w.dead)
	e.overtaken.Store(true)
	code, reason := closer.code()
	closer.close(nil, code, reason)
	p.doomed()
	w.join(&all)
	close(stop)
	p.finish()
}

// acceptedThenGone is an application that answers, and ends the connection at once without a handshake. What was accepted
// leaves: there is room for it.
func (p *pair) acceptedThenGone() {
	w, r := p.world, p.world.draw
	e := one(r, p.ends()...)
	peer, app := e.other().actor("w", w.dead), e.actor("a", w.dead)
	p.mayDie.Store(true)
	number := r.IntN(8)
	for range number {
		if peer.write(context.Background(), peer.typ(), peer.draw.between(32, 200)) != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for range min(number, r.IntN(4)) {
		app.read(ctx)
	}
	for range r.between(1, 3) {
		if r.chance(50) {
			app.tryWrite(app.typ(), app.draw.between(32, 500))
		} else {
			app.write(context.Background(), app.typ(), app.draw.between(32, 500))
		}
	}
	e.alone.Store(true)
	app.closeNow()
	p.finish()
}

// violated is a peer that breaks the protocol at about the moment in which the application closes.
func (p *pair) violated() {
	w, r := p.world, p.world.draw
	e := one(r, p.ends()...)
	p.mayDie.Store(true)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, x := range p.ends() {
		a := x.actor("r", stop)
		all.Go(func() { a.reads(nil) })
	}
	for range one(r, 0, 1, 4) {
		a := e.actor("w", stop)
		all.Go(func() { a.writes("any") })
	}
	closes, a, spins := r.chance(70), e.actor("c", stop), r.IntN(50_000)
	pause(r.upTo(time.Millisecond), w.dead)
	all.Go(func() {
		if closes {
			spin(spins)
			a.close(nil, websocket.StatusNormalClosure, "")
		}
	})
	spin(r.IntN(50_000))
	e.violated.Store(true)
	e.heard.inject(wiretest.Frame{FIN: true, Opcode: 3})
	p.doomed()
	pause(r.upTo(3*time.Millisecond), w.dead)
	close(stop)
	w.join(&all)
	p.finish()
}

// cutOff is a connection that breaks while everybody calls and closes.
func (p *pair) cutOff() {
	w, r := p.world, p.world.draw
	p.mayDie.Store(true)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, e := range p.ends() {
		for range one(r, 1, 3, 8) {
			a := e.actor("w", stop)
			a.wild = 30
			all.Go(func() { a.writes("any") })
		}
		a := e.actor("r", stop)
		all.Go(func() { a.reads(nil) })
		b, rude, spins := e.actor("c", stop), r.chance(30), r.IntN(100_000)
		all.Go(func() {
			spin(spins)
			if rude {
				b.closeNow()
			} else {
				code, reason := b.code()
				b.close(nil, code, reason)
			}
		})
	}
	pause(r.upTo(time.Millisecond), w.dead)
	p.relay.cut(r.chance(50))
	p.doomed()
	w.join(&all)
	close(stop)
	p.finish()
}

// halfClosed is an application that says with CloseWrite that it has nothing more to say, and reads on, until the peer's Close.
// What the peer had sent before is read, all of it.
func (p *pair) halfClosed() {
	w, r := p.world, p.world.draw
	e := one(r, p.ends()...)
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, x := range p.ends() {
		for range one(r, 0, 1, 4) {
			a := x.actor("w", stop)
			writers.Go(func() { a.writes("any") })
		}
	}
	peer, app := e.other().actor("r", stop), e.actor("r", stop)
	readers.Go(func() { peer.reads(nil) })
	readers.Go(func() { app.reads(nil) })
	pause(r.upTo(2*time.Millisecond), w.dead)
	code, reason := app.code()
	for range one(r, 1, 1, 3) {
		a := e.actor("h", stop)
		writers.Go(func() { a.closeWrite(code, reason) })
	}
	both := r.chance(30) // a Close of the peer's crosses ours, or begins
	if a := e.other().actor("c", stop); both {
		writers.Go(func() { a.closesPolitely(false) })
	}
	w.join(&writers)
	p.doomed()
	close(stop)
	w.join(&readers)
	if v := e.heard.seen.view(); !both && v.closes > 0 && !v.broken && !p.relay.broken.Load() {
		read, sent := int(e.begun.Load()), e.other().out.count()
		if read < sent || read > sent && !v.closeInside { // a Reader may have begun the message that the Close cut short
			w.fail("undelivered", "%s: %d messages left before the answer to its CloseWrite, and %d were read", e.role, sent, read)
		}
	}
	p.finish()
}

// unread is an application that does not read, until the read-ahead is full, and then says with CloseRead that
// it never will. The peer's Close is seen all the same.
func (p *pair) unread() {
	w, r := p.world, p.world.draw
	e := one(r, p.ends()...)
	p.mayDie.Store(true) // with 1008, as soon as a message is seen
	peer, app := e.other().actor("w", w.dead), e.actor("a", w.dead)
	for range one(r, 0, 3, 200) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		err := peer.write(ctx, peer.typ(), peer.draw.between(32, 2000))
		cancel()
		if err != nil {
			break
		}
	}
	for range one(r, 1, 3, 50) {
		app.closeRead(e.conn.Context())
	}
	p.doomed()
	began := time.Now()
	err := peer.close(nil, websocket.StatusNormalClosure, "")
	if err != nil && strings.Contains(err.Error(), "timeout") {
		w.fail("close-failed", "the %s's Close, with a peer that only calls CloseRead, returned %v; it sent %s, the peer %s", e.other().role, err,
			e.heard.seen.view().closed(began), e.wire.seen.view().closed(began))
	}
	p.finish()
}
