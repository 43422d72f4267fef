package sim

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A proxy has a connection to a client and one to a backend, and hands on what comes. It reads and
// writes each under the context of the other, so that the end of one ends what it does with the other.

// proxy runs four of our Conns: the client, the proxy's two, and the backend.
func (w *world) proxy() {
	w.trace.event("a proxy, seed %d", w.seed)
	c := newCrowd(w)
	client, front := w.peer("client"), w.peer("server")
	far := newNamedLink(w.trace, w.seed, "backend: ", 4000)
	far.hardness = w.link.hardness
	up := &observer{trace: w.trace, name: "proxy sends to backend", fromClient: true}
	down := &observer{trace: w.trace, name: "backend sends"}
	w.lay(far, up, down)
	back, backend := w.peerOn(far, up, down, "client"), w.peerOn(far, up, down, "server")
	front.name, back.name, backend.name = "proxy's front", "proxy's back", "backend"
	front.relays, back.relays = true, true
	for i, p := range w.peers {
		p.opts = crowdOptions(newRandom(w.seed, uint64(20+i)), false)
		if p.opts.closeTimeout == forever {
			p.opts.closeTimeout = time.Minute // for the one who closes waits for the proxy, and that for an end that does not read yet
		}
		if p.relays && p.opts.queueLimit < 0 {
			p.opts.queueLimit = 1 << 10
		}
		w.trace.event("%s: %+v", p, p.opts)
	}
	toBackend, toClient := newLedger(), newLedger()
	client.out, front.in, back.out, backend.in = toBackend, toBackend, toBackend, toBackend
	backend.out, back.in, front.out, client.in = toClient, toClient, toClient, toClient
	if !w.connect(client, front) || !w.connect(back, backend) {
		return
	}
	for i, d := range []*direction{w.link.up, w.link.down, far.up, far.down} {
		d.setWeather(c.weather(w.draw, false))
		if w.draw.chance(60) {
			d.joltFrom(newRandom(w.seed, uint64(30+i)))
		}
	}

	defer w.watch()()
	var group sync.WaitGroup
	for _, a := range append(c.actors(client, w.draw.between(1, 4)), c.actors(backend, w.draw.between(1, 4))...) {
		group.Go(a.run)
	}
	c.relay(front, back, &group)
	c.relay(back, front, &group)
	group.Go(func() { c.hangUp(client, backend) })
	w.wait("proxy", &group)
}

// relay hands on what comes from one connection to the other, and closes that when the first ends.
func (c *crowd) relay(from, to *peer, group *sync.WaitGroup) {
	r := newRandom(c.world.seed, uint64(50+from.role[0]))
	group.Go(func() {
		readCtx, done := c.tie(r, to)
		defer done()
		writeCtx, done := c.tie(r, from)
		defer done()
		if r.chance(50) {
			defer from.now("relay")
		}
		for {
			call := from.begin("relay", "Read", readCtx)
			typ, data, err := from.conn.Read(readCtx)
			if err == nil {
				from.got("relay", byte(typ), data, true)
			}
			call.end(err)
			if err == nil {
				call = to.begin("relay", fmt.Sprintf("Write of %d bytes", len(data)), writeCtx)
				err = to.conn.Write(writeCtx, typ, data)
				call.end(err)
			}
			if err != nil {
				break
			}
			if r.chance(5) {
				ctx, cancel := context.WithTimeout(readCtx, time.Minute) // its Pong may be behind what is unread
				call = from.begin("relay", "Ping", ctx)
				call.end(from.conn.Ping(ctx))
				cancel()
			}
			shake(r)
		}
		if r.chance(30) {
			to.now("relay")
		} else {
			to.closeAs("relay", context.Background(), "Close", 1001, "")
		}
	})
}

// tie returns p's Context, or one that is derived from it.
func (c *crowd) tie(r random, p *peer) (context.Context, context.CancelFunc) {
	ctx, cancel := p.conn.Context(), context.CancelFunc(func() {})
	kind := r.IntN(4)
	if kind > 0 {
		ctx = context.WithValue(ctx, under{}, p)
	}
	if kind == 1 {
		ctx, cancel = context.WithCancel(ctx)
	}
	if kind > 1 {
		ctx = slow{ctx, r.IntN(4)}
	}
	return ctx, cancel
}

// now is CloseNow.
func (p *peer) now(who string) {
	c := p.begin(who, "CloseNow", nil)
	p.closing(c, true, 0)
	c.end(p.conn.CloseNow())
}

// hangUp ends it: from one outer end, or from both in the same instant.
func (c *crowd) hangUp(client, backend *peer) {
	r := newRandom(c.world.seed, 41)
	c.clock.sleep(time.Duration(r.between(1, 40)) * c.beat)
	peers := []*peer{client, backend}
	if r.chance(50) {
		peers = peers[r.IntN(2):][:1]
	}
	var group sync.WaitGroup
	for _, p := range peers {
		how, code := r.IntN(3), one(r, 1000, 4001)
		group.Go(func() {
			switch how {
			case 0:
				p.closeAs("main", context.Background(), "Close", code, "")
			case 1:
				p.now("main")
			default:
				p.link.reset()
			}
		})
		shake(r)
	}
	group.Wait()
	// The others read until they learn of it.
	for _, p := range []*peer{client, backend} {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
		p.drain(ctx)
	}
}

// lay makes the observers see what passes on the link.
func (w *world) lay(l *link, up, down *observer) {
	down.onDeflate = func() {
		up.mu.Lock()
		up.deflate = true
		up.mu.Unlock()
	}
	l.up.see, l.down.see = up.see, down.see
	handshake := fair
	handshake.latency = 100 * time.Microsecond // the ends do not begin at the same nanosecond
	l.up.setWeather(handshake)
	l.down.setWeather(handshake)
	w.links = append(w.links, l)
}
