package storm

import (
	"context"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// proxy is two connections with a proxy between them, which reads from and writes to each under the other's context. It is
// played several times, with short lives: what matters is how they end.
func (w *world) proxy() {
	for range w.draw.between(3, 12) {
		if w.gone() {
			return
		}
		w.proxyOnce()
	}
}

func (w *world) proxyOnce() {
	r := w.draw
	left := w.pair(w.drawOptions(), w.drawOptions())
	right := w.pair(w.drawOptions(), w.drawOptions())
	if left == nil || right == nil {
		return
	}
	// The proxy is the left one's server and the right one's client.
	a, b := left.server, right.client
	a.out.foreign, b.out.foreign = true, true
	stop := make(chan struct{})
	var proxies, writers, readers sync.WaitGroup
	for range one(r, 1, 1, 2) {
		x, y := a.actor("x", stop), b.actor("y", stop)
		proxies.Go(func() { x.forwards(y) })
		proxies.Go(func() { y.forwards(x) })
	}
	for _, e := range []*end{left.client, right.server} {
		reader := e.actor("r", stop)
		readers.Go(func() { reader.reads(nil) })
		for range one(r, 0, 0, 1, 3) {
			writer := e.actor("w", stop)
			writer.think = one(r, 0, time.Millisecond)
			writers.Go(func() { writer.writes("any") })
		}
	}
	pause(r.upTo(one(r, 100*time.Microsecond, time.Millisecond, 20*time.Millisecond)), w.dead)
	left.mayDie.Store(true)
	right.mayDie.Store(true)
	w.hangUp(left.client, right.server)
	left.doomed()
	right.doomed()
	close(stop)
	if w.join(&writers) && w.join(&proxies) {
		// The proxies have ended both connections.
		w.join(&readers)
	}
	left.finish()
	right.finish()
}

// hangUp ends the proxy's connections from outside, both at about the same moment.
func (w *world) hangUp(l, r *end) {
	var both sync.WaitGroup
	kind := w.draw.IntN(4)
	for _, e := range []*end{l, r} {
		c, spins := e.actor("h", w.dead), w.draw.IntN(20_000)
		both.Go(func() {
			spin(spins)
			switch kind {
			case 0:
				e.pair.relay.cut(true)
			case 1:
				e.pair.relay.cut(false)
			case 2:
				c.closeNow()
			default:
				c.close(nil, websocket.StatusGoingAway, "")
			}
		})
	}
	w.join(&both)
}

// forwards reads from one connection and writes to the other until one of them ends, and
// then ends both.
func (a *actor) forwards(to *actor) {
	defer a.closeNow()
	defer to.closeNow()
	from, target := a.end.pair.world, to.end.conn
	in := from.draws(a, target)
	out := from.draws(a, a.end.conn)
	defer in.cancel()
	defer out.cancel()
	for {
		a.in("Read", in.ctx, 0)
		typ, data, err := a.end.conn.Read(in.ctx)
		a.out()
		if err != nil {
			return
		}
		a.end.got(data, typ)
		a.in("Write", out.ctx, 0)
		err = target.Write(out.ctx, typ, data)
		a.out()
		if err != nil {
			return
		}
	}
}

// A crossed context is that of a connection, or one derived from it.
type crossed struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func (w *world) draws(a *actor, c *websocket.Conn) crossed {
	switch a.draw.IntN(4) {
	case 0:
		ctx, cancel := context.WithCancel(c.Context())
		return crossed{ctx, cancel}
	case 1:
		ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
		return crossed{ctx, cancel}
	default:
		return crossed{c.Context(), func() {}}
	}
}
