package sim

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// A crowd is a pair of ours under load: many callers on one connection, small queues, links that
// stop, contexts that many calls share. All that happens does so at the beats of one clock: callers
// pause for a number of beats, contexts end at one, and so does what the conductor does. So things
// meet in one instant that elsewhere hardly ever do, and the order in them is drawn: by how often a
// goroutine lets others run before its next step.
type crowd struct {
	world  *world
	clock  *clock
	beat   time.Duration
	flocks [2]flock
	style  string // line, streams, visits or mixed: what most callers do
	faults bool   // the network may fail
	polite bool   // after a Close nobody calls any more
	ends   bool   // the conductor ends the connection with its last beat
}

// forever is what an application writes that means never.
const forever = time.Duration(math.MaxInt64)

// crowdOptions draws the options of one end of a crowd.
func crowdOptions(r random, faults bool) options {
	o := drawOptions(r)
	o.server = r.chance(50)
	o.readLimit = one[int64](r, 0, 0, -1, math.MaxInt64, 1<<20)
	o.queueLimit = one(r, -1, 64, 200, 200, 1<<10, 1<<10, 4<<10, 16<<10, 0)
	o.threshold = one(r, 0, 1, 30, 1000)
	if !faults && r.chance(10) {
		o.closeTimeout = forever
	}
	switch {
	case faults: // must be found out
		o.keepAlive = max(o.keepAlive, 0)
	case r.chance(10):
		o.keepAlive = forever
	}
	return o
}

// crowdWeather draws how one direction behaves.
func (c *crowd) weather(r random, faults bool) weather {
	x := weather{
		window:     one(r, 40, 300, 300, 1000, 2000, 2000, 4<<10, 16<<10, 64<<10),
		latency:    one(r, 0, 0, time.Microsecond, time.Microsecond, c.beat),
		writePiece: one(r, 0, 0, 0, 1000),
		readPiece:  one(r, 0, 0, 0, 2000),
	}
	if c.style == "streams" {
		x.window = one(r, 4<<10, 16<<10, 40<<10, 64<<10)
	}
	if faults && r.chance(50) {
		if n := r.between(100, 20_000); r.chance(50) {
			x.cutAfter = n
		} else {
			x.resetAfter = n
		}
	}
	return x
}

func newCrowd(w *world) *crowd {
	c := &crowd{
		style:  one(w.draw, "line", "line", "line", "streams", "streams", "streams", "visits", "visits", "mixed"),
		polite: w.draw.chance(70),
		world:  w, clock: newClock(w.seed), ends: w.draw.chance(50),
		beat: one(w.draw, 20*time.Microsecond, time.Millisecond, time.Millisecond, 5*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond),
	}
	if c.style == "line" {
		c.ends = w.draw.chance(85)
	}
	return c
}

// crowd runs a pair of our Conns under load.
func (w *world) crowd() {
	w.trace.event("a crowd, seed %d", w.seed)
	c := newCrowd(w)
	faults := w.draw.chance(10)
	c.faults, w.load = faults, true
	client, server := w.peer("client"), w.peer("server")
	for i, p := range []*peer{client, server} {
		p.opts = crowdOptions(newRandom(w.seed, uint64(20+i)), faults)
		w.trace.event("%s: %+v", p.role, p.opts)
	}
	toServer, toClient := newLedger(), newLedger()
	client.out, server.in = toServer, toServer
	client.in, server.out = toClient, toClient
	if !w.connect(client, server) {
		return
	}
	up, down := c.weather(w.draw, faults), c.weather(w.draw, faults)
	w.trace.event("beat %v, weather from the client: %+v, from the server: %+v", c.beat, up, down)
	for i, d := range []*direction{w.link.up, w.link.down} {
		d.setWeather([]weather{up, down}[i])
		if w.draw.chance(60) {
			d.joltFrom(newRandom(w.seed, uint64(30+i)))
		}
	}

	many, few := client, server
	if w.draw.chance(50) {
		many, few = few, many
	}
	actors := c.actors(many, w.draw.between(3, one(w.draw, 6, 10, 20)))
	actors = append(actors, c.actors(few, w.draw.between(1, 4))...)
	defer w.watch()()
	var group sync.WaitGroup
	for _, a := range actors {
		group.Go(a.run)
	}
	group.Go(c.conduct)
	over, stop := context.WithCancel(context.Background())
	for _, p := range w.peers {
		if p.heardBy().opts.closeTimeout == forever {
			go p.readLate(over)
		}
	}
	defer stop()
	if !w.wait("programs", &group) {
		return
	}
	w.after(client, server)
}

// readLate reads in the end, so that a Close of the other end that waits for ever comes to something.
func (p *peer) readLate(stop context.Context) {
	select {
	case <-stop.Done():
	case <-time.After(4 * time.Minute):
		p.drain(stop)
	}
}

// actors draws the callers at one end.
func (c *crowd) actors(p *peer, n int) []*actor {
	r := c.world.draw
	var all []*actor
	closers := r.chance(25)
	for i := range n {
		a := &actor{
			peer: p, crowd: c, who: fmt.Sprintf("%c%d", p.role[0], i+1),
			draw:  newRandom(c.world.seed, uint64(10+i)+uint64(p.role[0])*100),
			steps: r.between(1, one(r, 6, 15, 40)), biggest: one(r, 60, 300, 1000, 5000),
			think:   time.Duration(one(r, 0, 1, 1, 1, 2, 3, 10)) * c.beat,
			patient: r.chance(60),
		}
		kind := r.IntN(6)
		if c.style != "mixed" && r.chance(60) {
			kind = map[string]int{"line": 1, "streams": 3, "visits": 6}[c.style]
		}
		switch kind {
		case 0:
			a.mood = mood{read: 5, appendRead: 3, reader: 3, messages: 1, ping: 1}
		case 1, 2:
			a.mood = mood{write: 20, tryWrite: 8, ping: 2}
		case 3:
			a.mood = mood{stream: 4, write: 3, tryWrite: 2}
			a.biggest = one(r, 1000, 45_000, 60_000)
			a.patient = r.chance(20)
		case 4:
			a.mood = mood{read: 3, appendRead: 1, reader: 2, messages: 1, write: 4, tryWrite: 2, ping: 2}
		case 5:
			a.mood = mood{tryWrite: 6, write: 2}
		case 6: // looks in now and then
			a.mood, a.visits, a.patient = mood{read: 5, reader: 1, appendRead: 1}, true, false
			a.think = one(r, 10*time.Millisecond, 100*time.Millisecond, time.Second)/c.beat*c.beat + c.beat
		}
		if c.style == "line" {
			a.mood.stream = 0
		}
		a.mood.limit = 1
		if closers {
			switch r.IntN(12) {
			case 0:
				a.mood.close = 1
			case 1:
				a.mood.closeContext = 1
			case 2:
				a.mood.closeMany = 1
			case 3:
				a.mood.leave = 1
			case 4:
				if r.chance(30) {
					a.mood.cread, a.mood.closeNow = 1, 1
				}
			case 5:
				a.mood.closeWrite = 1
			}
		}
		all = append(all, a)
	}
	return all
}

// conduct goes through some rounds. In each it stops the link, or one direction of it, for some beats, in
// which callers come to stand in line; then it lets it go on, ends the contexts that many share, and in
// the last round perhaps closes the connection: all at one instant, in a drawn order. In the end all is open.
func (c *crowd) conduct() {
	w := c.world
	r := newRandom(w.seed, 40)
	gates := []*direction{w.link.up, w.link.down}
	rounds := r.between(1, 6)
	for round := range rounds {
		last := round == rounds-1
		for _, d := range gates {
			if r.chance(60) || last && c.ends {
				d.shutGate()
				shake(r)
			}
		}
		c.clock.sleep(c.beat * time.Duration(r.between(1, 8)))
		var acts []func()
		for _, d := range gates {
			if r.chance(50) {
				acts = append(acts, func() { d.widen(one(r, 200, 3000, 70_000)) })
			}
			if r.chance(80) || last {
				acts = append(acts, d.openGate)
			}
		}
		for i := range c.flocks {
			if r.chance(60) {
				acts = append(acts, func() { c.flocks[i].scatter(false) })
			}
		}
		if c.ends && last {
			acts = append(acts, func() { c.finale(r) })
		}
		if c.ends && last && r.chance(50) {
			// Whoever is in the middle of a write goes on just before the others give up.
			c.closeAsRoomComes(r, gates)
		}
		r.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
		for _, act := range acts {
			act()
			if r.chance(40) {
				shake(r)
			}
		}
		c.clock.sleep(c.beat * time.Duration(r.between(1, 3)))
	}
	for i := range c.flocks {
		c.flocks[i].scatter(true)
	}
}

// closeAsRoomComes makes room and begins to close with nothing in between.
func (c *crowd) closeAsRoomComes(r random, gates []*direction) {
	for _, d := range gates {
		d.widen(70_000)
	}
	c.finale(r)
}

// finale ends the connection, from one end or from both, in the background.
func (c *crowd) finale(r random) {
	peers := c.world.peers
	if r.chance(70) {
		peers = peers[r.IntN(2):][:1]
	}
	code := one(r, 1000, 1001, 4000)
	for _, p := range peers {
		times := one(r, 1, 1, 1, 2, 4)
		for i := range times {
			go p.closeAs(fmt.Sprintf("finale%d", i+1), context.Background(), "Close", code, "")
		}
		shake(r)
	}
}

// context draws a context that fits the crowd, see actor.context.
func (c *crowd) context(a *actor) (ctx context.Context, cancel func()) {
	r := a.draw
	ctx, cancel = a.habit, func() {}
	n := r.IntN(100)
	switch {
	case c.style == "streams" && a.mood.stream > 0 && r.chance(60):
		n = one(r, 45, 75, 75, 75) // its end meets what the conductor does
	case c.style == "visits" && a.visits && r.chance(80):
		n = 60 // it ends while the call begins
	}
	if a.patient && n < 80 && n%4 > 0 {
		n = 0
	}
	switch {
	case n < 30:
	case n < 34:
		ctx, cancel = context.WithTimeout(context.Background(), max(1, time.Duration(r.IntN(6))*c.beat))
	case n < 52:
		ctx, cancel = c.clock.context(time.Duration(1+r.IntN(6)) * c.beat)
	case n < 68:
		var f *fuse
		ctx, f = newFuse(context.Background())
		times := 1 + r.IntN(3)
		seed := r.Uint64()
		go func() {
			for s := newRandom(seed, 1); times > 0; times-- {
				shake(s)
			}
			f.burn()
		}()
	case n < 80:
		ctx = c.flocks[r.IntN(len(c.flocks))].context(a.habit)
	case n < 84:
		var f *fuse
		ctx, f = newFuse(context.Background())
		f.burn()
	case n < 90:
		ctx, cancel = c.under(a, a.peer)
	case n < 96:
		ctx, cancel = c.under(a, a.peer.heardBy())
	}
	if r.chance(25) {
		ctx = slow{ctx, r.IntN(4)}
	}
	return ctx, cancel
}

// under returns a context that ends with p's connection.
func (c *crowd) under(a *actor, p *peer) (context.Context, func()) {
	if c.ends && !c.faults && a.draw.chance(50) {
		return p.conn.Context(), func() {}
	}
	ctx := context.WithValue(p.conn.Context(), under{}, p)
	return context.WithTimeout(ctx, 3*time.Minute)
}

// rest is the pause between two calls.
func (a *actor) rest() {
	if a.crowd == nil {
		time.Sleep(a.draw.upTo(a.think))
		return
	}
	if beats := int(a.think / a.crowd.beat); beats > 0 && a.draw.chance(70) {
		a.crowd.clock.sleep(time.Duration(a.draw.between(1, beats)) * a.crowd.beat)
	}
	shake(a.draw)
}
