package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// A world is one run of a seed.
type world struct {
	seed  uint64
	plays string // what it shall play; empty: what the seed says
	draw  random
	load  bool // there is a crowd
	trace *trace
	link  *link
	links []*link   // that and, if there is a proxy, the one behind it
	up    *observer // what the client sends
	down  *observer // what the server sends
	peers []*peer   // those that are ours
	sings *choir    // nil: there is none
}

// Run runs one seed inside a bubble, and returns its trace and what failed.
func newWorld(seed uint64) *world {
	tr := &trace{}
	return &world{seed: seed, draw: newRandom(seed, 1), trace: tr}
}

func (w *world) run() {
	w.trace.start = time.Now()
	w.link = newLink(w.trace, w.seed)
	w.link.hardness = w.draw.chance(50)
	w.up = &observer{trace: w.trace, name: "client sends", fromClient: true}
	w.down = &observer{trace: w.trace, name: "server sends"}
	w.lay(w.link, w.up, w.down)
	// Seeds play what they played before there were choirs, and half of the rest what they played before there were crowds.
	load, choir := newRandom(w.seed, 98).IntN(100), newRandom(w.seed, 97).IntN(100) < 20
	switch n := w.draw.IntN(100); {
	case w.plays == "choir", w.plays == "" && choir:
		w.choir()
	case w.plays == "crowd", w.plays == "" && load < 40:
		w.crowd()
	case w.plays == "proxy", w.plays == "" && load < 50:
		w.proxy()
	case n < 55:
		w.pair()
	case n < 80:
		w.hostile("server")
	default:
		w.hostile("client")
	}
	w.clean()
	w.judge()
}

// peer makes one of the peers that are ours, without its Conn.
func (w *world) peer(role string) *peer {
	return w.peerOn(w.link, w.up, w.down, role)
}

// peerOn makes one of the peers at the ends of a link.
func (w *world) peerOn(l *link, up, down *observer, role string) *peer {
	p := &peer{world: w, role: role, name: role, link: l, opts: drawOptions(w.draw)}
	p.opts.server = newRandom(w.seed, 99).chance(50) // not from w.draw: seeds play what they played
	if role == "client" {
		p.end, p.wire, p.heard = l.client(), up, down
		if w.draw.chance(10) {
			p.opts.end = "stream"
		}
	} else {
		p.end, p.wire, p.heard = l.server(), down, up
	}
	w.trace.event("%s: %+v", role, p.opts)
	w.peers = append(w.peers, p)
	return p
}

// attach gives the peer its Conn.
func (p *peer) attach(c *websocket.Conn) {
	p.conn = c
	p.life.attached = time.Now()
	context.AfterFunc(c.Context(), func() {
		p.life.mu.Lock()
		p.life.endedAt = time.Now()
		p.life.mu.Unlock()
		p.event("the connection has ended: %v", context.Cause(c.Context()))
	})
}

// connect makes the Conns of a pair.
func (w *world) connect(client, server *peer) bool {
	client.wire.handshake, server.wire.handshake = true, true
	served := make(chan error, 1)
	go func() {
		nc := dress(server.end, server.opts.end)
		br := bufio.NewReader(nc)
		r, err := http.ReadRequest(br)
		if err == nil {
			var c *websocket.Conn
			if c, err = accept(nc, r, br, server.opts); err == nil {
				server.attach(c)
			}
		}
		served <- err
	}()
	c, err := dial(context.Background(), dress(client.end, client.opts.end), client.opts)
	if err2 := <-served; err2 != nil {
		err = err2
	}
	if err != nil {
		w.trace.fail("handshake: %v", err)
		return false
	}
	client.attach(c)
	return true
}

// drawWeather draws how one direction behaves. Without faults everything
// arrives, sooner or later.
func (w *world) drawWeather(faults bool) weather {
	r := w.draw
	x := weather{
		window:     one(r, 1, 20, 300, 4<<10, 16<<10, 64<<10, 64<<10),
		latency:    one(r, 0, 0, time.Microsecond, 5*time.Millisecond, 300*time.Millisecond),
		writePiece: one(r, 0, 0, 1, 3, 50, 1000),
		pause:      one(r, 0, 0, time.Millisecond),
		readPiece:  one(r, 0, 0, 1, 5, 100, 2000),
	}
	if r.chance(20) {
		x.stallFrom = r.upTo(2 * time.Second)
		x.stallTo = x.stallFrom + r.upTo(one(r, time.Second, 20*time.Second))
	}
	if faults {
		switch r.IntN(6) {
		case 0:
			x.cutAfter = r.between(1, one(r, 100, 3000, 50_000))
		case 1:
			x.resetAfter = r.between(1, one(r, 100, 3000, 50_000))
		}
	}
	return x
}

// biggest is which messages the weather bears in reasonable time.
func (x weather) biggest() int {
	n := x.window
	for _, piece := range []int{x.writePiece, x.readPiece} {
		if piece > 0 {
			n = min(n, piece)
		}
	}
	switch {
	case n <= 5:
		return 300
	case n <= 300:
		return 5000
	case n <= 2000:
		return 30_000
	}
	return 100_000
}

// actors draws the goroutines of a peer's application.
func (w *world) actors(p *peer, n int, biggest int, closers bool) []*actor {
	var all []*actor
	for i := range n {
		a := &actor{
			peer: p, who: fmt.Sprintf("%c%d", p.role[0], i+1),
			draw:  newRandom(w.seed, uint64(10+i)+uint64(p.role[0])*100),
			steps: w.draw.between(1, 10), biggest: biggest,
			think: one(w.draw, time.Microsecond, time.Millisecond, 50*time.Millisecond, time.Second, 5*time.Second),
		}
		switch w.draw.IntN(6) {
		case 0, 1:
			a.mood = mood{read: 4, appendRead: 3, reader: 4, messages: 1, ping: 1}
		case 2, 3:
			a.mood = mood{write: 8, tryWrite: 3, stream: 3, ping: 1}
		case 4:
			a.mood = mood{write: 8, read: 8, ping: 2}
		case 5:
			a.mood = mood{read: 3, appendRead: 1, reader: 2, messages: 1, write: 3, tryWrite: 2, stream: 2, ping: 2}
		}
		if closers {
			switch w.draw.IntN(8) {
			case 0, 1, 2:
				a.mood.close = 2
			case 3:
				a.mood.closeContext = 2
			case 4:
				a.mood.closeNow = 1
			case 5:
				if w.draw.chance(40) {
					a.mood.cread = 2
				}
			case 6:
				a.mood.closeWrite = 2
			}
		}
		all = append(all, a)
	}
	return all
}

// patience is how long a run may take, in virtual time.
const patience = 30 * time.Minute

// wait waits for the group, and fails if it takes too long.
func (w *world) wait(what string, group *sync.WaitGroup) bool {
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	select {
	case <-finished:
		return true
	case <-time.After(patience):
	}
	w.trace.fail("%s: not all calls have returned after %v", what, patience)
	for _, p := range w.peers {
		p.life.mu.Lock()
		for _, c := range p.life.calls {
			if c.ended.IsZero() {
				w.trace.event("%s: %s: %s has not returned, since %v", p, c.who, c.what, c.began.Sub(w.trace.start))
			}
		}
		p.life.mu.Unlock()
	}
	buf := make([]byte, 1<<18)
	w.trace.event("goroutines:\n%s", buf[:runtime.Stack(buf, true)])
	for _, p := range w.peers {
		p.conn.CloseNow()
	}
	for _, l := range w.links {
		l.reset()
	}
	<-finished
	return false
}

// clean ends everything, so that no goroutine is left when the bubble ends.
func (w *world) clean() {
	for _, p := range w.peers {
		if p.conn != nil {
			p.conn.CloseNow()
		}
	}
	time.Sleep(2 * time.Second) // longer than a Conn lingers
	for _, l := range w.links {
		l.client().Close()
		l.server().Close()
	}
	for _, p := range w.peers {
		if p.conn == nil {
			continue
		}
		if p.over().IsZero() {
			p.fail("CloseNow did not end the connection")
		}
		p.afterlife()
	}
}

// afterlife holds what calls on an ended connection return against its cause.
func (p *peer) afterlife() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cause := context.Cause(p.conn.Context())
	check := func(what string, err error) {
		if err == nil {
			p.fail("%s on an ended connection returned no error", what)
		} else if !tells(what, err, cause) {
			p.fail("%s on an ended connection returned %q, the cause is %q", what, err, cause)
		}
	}
	for n := 0; ; n++ {
		c := p.begin("afterwards", "Read", ctx)
		typ, data, err := p.conn.Read(ctx)
		if err == nil {
			p.got("afterwards", byte(typ), data, true)
		}
		c.end(err)
		if err != nil {
			check("Read", err)
			break
		}
		if n > 100_000 {
			p.fail("Read on an ended connection does not come to an end")
			break
		}
	}
	check("Write", p.conn.Write(ctx, websocket.MessageBinary, []byte("after")))
	check("TryWrite", p.conn.TryWrite(websocket.MessageBinary, []byte("after")))
	_, err := p.conn.Writer(ctx, websocket.MessageBinary)
	check("Writer", err)
	check("Ping", p.conn.Ping(ctx))
	_, r, err := p.conn.Reader(ctx)
	if err == nil { // the start of a message that never came whole
		_, err = io.Copy(io.Discard, r)
	}
	check("Reader", err)
	p.conn.Close(1000, "")
	p.conn.CloseNow()
	if again := context.Cause(p.conn.Context()); again.Error() != cause.Error() {
		p.fail("the cause %q became %q", cause, again)
	}
}
