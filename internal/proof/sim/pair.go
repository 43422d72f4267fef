package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// pair runs two of our Conns against each other.
func (w *world) pair() {
	w.trace.event("a pair of ours, seed %d", w.seed)
	client, server := w.peer("client"), w.peer("server")
	toServer, toClient := newLedger(), newLedger()
	client.out, server.in = toServer, toServer
	client.in, server.out = toClient, toClient
	if !w.connect(client, server) {
		return
	}
	faults, closers := w.draw.chance(25), w.draw.chance(35)
	up, down := w.drawWeather(faults), w.drawWeather(faults)
	w.trace.event("weather from the client: %+v", up)
	w.trace.event("weather from the server: %+v", down)
	w.link.up.setWeather(up)
	w.link.down.setWeather(down)

	actors := w.actors(client, w.draw.between(0, 4), up.biggest(), closers)
	actors = append(actors, w.actors(server, w.draw.between(0, 4), down.biggest(), closers)...)
	var group sync.WaitGroup
	for _, a := range actors {
		group.Go(a.run)
	}
	if !w.wait("programs", &group) {
		return
	}
	w.after(client, server)
}

// after goes on when the programs of a pair are through.
func (w *world) after(client, server *peer) {
	time.Sleep(time.Microsecond) // what happens at this moment has happened
	lost := w.link.up.lost() || w.link.down.lost()
	if client.closed() || server.closed() || !client.over().IsZero() || !server.over().IsZero() || w.up.seen().close() != nil || w.down.seen().close() != nil {
		w.trace.event("--- the programs have ended the connection")
		w.ending(client, server, lost)
		return
	}
	if lost {
		w.trace.event("--- the network is lost")
		w.lostNetwork(client, server)
		return
	}
	w.trace.event("--- the programs are through; the network heals")
	w.link.heal()
	w.harvest(client, server)
}

// ending waits for the end that the programs began.
func (w *world) ending(client, server *peer, lost bool) {
	if w.draw.chance(50) {
		time.Sleep(time.Second)
	}
	if lost {
		w.lostNetwork(client, server)
		return
	}
	w.link.heal()
	var group sync.WaitGroup
	for _, p := range []*peer{client, server} {
		group.Go(func() { p.drain(context.Background()) })
	}
	w.wait("ending", &group)
}

// lostNetwork: nothing arrives in some direction, or the connection was reset.
// Who has keepalive finds out, who has not is closed by the application.
func (w *world) lostNetwork(client, server *peer) {
	var group sync.WaitGroup
	for _, p := range []*peer{client, server} {
		group.Go(func() { p.drain(context.Background()) })
		if alive := p.opts.aliveWithin(); alive == 0 || alive == boundless || p.halfClosed() {
			group.Go(func() {
				time.Sleep(2 * time.Minute)
				if !p.over().IsZero() {
					return
				}
				p.closeAs("main", context.Background(), "Close", 1001, "")
			})
		}
	}
	w.wait("lost network", &group)
}

// drain reads until the connection ends.
func (p *peer) drain(stop context.Context) error {
	for {
		c := p.begin("drain", "Read", stop)
		typ, data, err := p.conn.Read(stop)
		if err == nil {
			p.got("drain", byte(typ), data, true)
		}
		c.end(err)
		if err != nil {
			return err
		}
	}
}

// harvest: everything must have arrived, the connection lives and is closed.
func (w *world) harvest(client, server *peer) {
	peers := []*peer{client, server}
	// The application reads nothing for a while; if not much is unread, pings
	// pass all the same.
	if w.load {
		time.Sleep(time.Second) // what was queued leaves
	}
	if w.draw.chance(50) && w.up.unread(client, server) && w.down.unread(server, client) {
		var group sync.WaitGroup
		if w.draw.chance(50) {
			for _, p := range peers {
				group.Go(func() { p.mustPing("while nobody reads", time.Minute) })
			}
		} else { // one end at a time: so the other has only the Ping that comes to make it read
			group.Go(func() {
				for _, p := range peers {
					p.mustPing("while nobody reads", 10*time.Second)
				}
			})
		}
		w.wait("pings", &group)
	}

	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	ends := map[*peer]error{}
	var mu sync.Mutex
	var drains sync.WaitGroup
	for _, p := range peers {
		drains.Go(func() {
			err := p.drain(stop)
			mu.Lock()
			ends[p] = err
			mu.Unlock()
		})
	}
	time.Sleep(5 * time.Second)
	for _, p := range peers {
		if !p.over().IsZero() || p.wire.seen().close() != nil {
			if p.tooBig() || p.heardBy().tooBig() || p.noReads() || p.heardBy().noReads() {
				w.wait("limit", &drains)
				return
			}
			if cause := context.Cause(p.conn.Context()); w.load && (w.pingTimeout(client) || w.pingTimeout(server)) {
				// The other application has read nothing for so long that no Ping got through.
				p.event("ended by keepalive: %v", cause)
			} else {
				p.fail("the connection ended though nobody closed it: %v", cause)
			}
			cancel()
			w.wait("unasked end", &drains)
			return
		}
	}
	for _, p := range peers {
		p.allArrived()
	}

	if w.draw.chance(30) && !client.noReads() && !server.noReads() {
		p := peers[w.draw.IntN(2)]
		group := new(sync.WaitGroup)
		group.Go(p.pingedInTheMiddle)
		w.wait("a Writer", group)
	}
	if w.draw.chance(30) {
		longest := max(client.opts.aliveWithin(), server.opts.aliveWithin())
		if longest == boundless {
			longest = time.Minute
		}
		w.trace.event("--- silence for %v", 3*longest)
		time.Sleep(3 * longest)
	}
	var group sync.WaitGroup
	for _, p := range peers {
		group.Go(func() { p.mustPing("in fair weather", time.Minute) })
	}
	if !w.wait("pings", &group) {
		return
	}
	if !client.over().IsZero() || !server.over().IsZero() {
		w.trace.fail("the connection did not survive silence: %v, %v", context.Cause(client.conn.Context()), context.Cause(server.conn.Context()))
	}

	w.trace.event("--- closing")
	code := one(w.draw, 1000, 1001, 3001, 4999, 1005)
	reason := one(w.draw, "", "bye", "grüße €")
	if code == 1005 {
		reason = ""
	}
	closers := peers
	both := w.draw.chance(25)
	if !both {
		closers = peers[w.draw.IntN(2):][:1]
	}
	half := !both && w.draw.chance(25)
	if half {
		reason = ""
		closers[0].halfCloseAs("closer", code)
		w.wait("drains", &drains)
		if got := websocket.CloseStatus(ends[closers[0]]); int(got) != code {
			closers[0].fail("after CloseWrite with %d Read said %v", code, ends[closers[0]])
		}
	}
	for _, p := range closers {
		for i := range w.draw.between(1, 3) {
			group.Go(func() {
				if err := p.closeAs(fmt.Sprintf("closer%d", i+1), context.Background(), "Close", code, reason); err != nil {
					p.fail("Close in fair weather: %v", err)
				}
			})
		}
	}
	w.wait("closing", &group)
	w.wait("drains", &drains)
	if !both {
		closer, other := closers[0], closers[0].heardBy()
		mu.Lock()
		err := ends[other]
		mu.Unlock()
		if got := websocket.CloseStatus(err); int(got) != code {
			other.fail("the peer closed with %d, Read said %v", code, err)
		}
		if sent := closer.wire.seen().close(); sent != nil && len(sent.payload) > 2 && string(sent.payload[2:]) != reason {
			closer.fail("the reason %q left as %q", reason, sent.payload[2:])
		}
	}
}

// heardBy returns the other peer of a pair.
func (p *peer) heardBy() *peer {
	for _, q := range p.world.peers {
		if q != p && q.link == p.link {
			return q
		}
	}
	return p
}

func (p *peer) noReads() bool {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return p.life.noReads
}

// tooBig reports whether a message was announced to p that is over its limit.
func (p *peer) tooBig() bool { return p.heard.seen().largest > p.opts.limit() }

// unread reports whether little enough was sent for the read-ahead to hold, with the 16
// bytes that each frame costs in it.
func (o *observer) unread(from, to *peer) bool {
	n := 0
	for _, f := range o.seen().frames {
		n += len(f.payload)
	}
	frames := len(o.seen().frames)
	return n+frames*16 < 32<<10 && frames < 500 && o.seen().pending == 0
}

// mustPing fails if a Ping is not answered.
func (p *peer) mustPing(when string, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	before := p.pongs()
	c := p.begin("main", "Ping", ctx)
	err := p.conn.Ping(ctx)
	c.end(err)
	if err != nil && p.wire.seen().close() == nil && p.heard.seen().close() == nil {
		p.fail("Ping %s: %v", when, err)
	}
	if err == nil && p.pongs() == before {
		p.fail("Ping %s returned, but no Pong came", when)
	}
}

// pingedInTheMiddle has p write a message in fragments, in the middle of which the
// other end is to get its Ping answered.
func (p *peer) pingedInTheMiddle() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m := p.out.compose(newRandom(p.world.seed, 11), "middle", 1, websocket.MessageBinary, 70_000)
	w, err := p.conn.Writer(ctx, m.typ)
	if err == nil {
		_, err = w.Write(m.data[:69_000])
	}
	if err == nil {
		p.event("a Writer has written a part")
		p.heardBy().mustPing("in the middle of a message", time.Minute)
		_, err = w.Write(m.data[69_000:])
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.fail("a Writer in fair weather: %v", err)
		return
	}
	p.out.settle(m, done)
}

// allArrived: in fair weather, with the connection alive, what was written has
// left and was received.
func (p *peer) allArrived() {
	s := p.wire.seen()
	if s.pending > 0 {
		p.fail("a frame was left in the middle: %d bytes", s.pending)
	}
	if s.partial != nil {
		p.fail("a message was left in the middle: %d bytes %.30q", len(s.partial), s.partial)
	}
	p.allLeft("5 s after the last call")
	q := p.heardBy()
	dropped := q.noReads() // CloseRead drops the rest of a message in whose middle a Read was
	q.life.mu.Lock()
	got := len(q.life.got)
	q.life.mu.Unlock()
	if got != len(s.messages) && !(dropped && got == len(s.messages)-1) {
		q.fail("%d messages were sent, %d were received", len(s.messages), got)
	}
	q.answered("5 s after the last call")
}

// allLeft: the messages whose Write returned nil were on the wire.
func (p *peer) allLeft(when string) {
	seen := map[*letter]bool{}
	for _, m := range p.wire.seen().messages {
		if l := p.out.find(m.data); l != nil {
			seen[l] = true
		}
	}
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	for tag, l := range p.out.letters {
		if l.fate == done && len(l.data) >= minLetter && !seen[l] {
			p.fail("%s was written, and has not left %s", tag, when)
		}
	}
}

// answered: the newest Ping that came has a Pong.
func (p *peer) answered(when string) {
	var last, pong *frame
	for _, f := range p.heard.seen().taken(p.end.in.taken()) {
		if f.opcode == 9 {
			last = &f
		}
	}
	if last == nil {
		return
	}
	frames := p.wire.seen().frames
	for i := range frames {
		if frames[i].opcode == 10 {
			pong = &frames[i]
		}
	}
	if pong == nil || string(pong.payload) != string(last.payload) {
		p.fail("the Ping %q has no Pong %s", last.payload, when)
	}
}
