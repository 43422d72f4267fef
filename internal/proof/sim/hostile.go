package sim

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// run plays the script.
func (r *raw) run(stop chan struct{}) {
	var reading sync.WaitGroup
	reading.Go(r.read)
	for _, s := range r.script {
		time.Sleep(s.after)
		r.world.trace.event("hostile: %s, %d bytes", s.what, len(s.bytes))
		r.conn.SetWriteDeadline(time.Now().Add(2 * time.Minute))
		n, err := r.conn.Write(s.bytes)
		if err != nil {
			r.world.trace.event("hostile: %d bytes of it went out: %v", n, err)
			if r.controls && errors.Is(err, os.ErrDeadlineExceeded) {
				r.world.trace.fail("our side stopped reading Pings")
			}
			break
		}
	}
	select {
	case <-stop:
	case <-time.After(r.draw.upTo(time.Second)):
	}
	switch r.finally {
	case "EOF":
		r.conn.Close()
	case "half":
		r.conn.(interface{ CloseWrite() error }).CloseWrite()
		time.Sleep(r.draw.upTo(300 * time.Millisecond))
	case "reset":
		r.world.link.reset()
	}
	close(r.lateness)
	<-stop
	r.conn.Close()
	reading.Wait()
}

// read reads what it is sent, and answers if it is polite.
func (r *raw) read() {
	switch r.reads {
	case "never":
		return
	case "late":
		<-r.lateness
	}
	p := make([]byte, 4096)
	limit := 1 << 30
	if r.reads == "first" {
		limit = newRandom(r.world.seed, 9).between(1, 2000)
	}
	answered := 0
	wire := r.world.peers[0].wire
	reply := &raw{draw: newRandom(r.world.seed, 8), masks: r.masks} // r.draw is the writer's
	for limit > 0 {
		n, err := r.conn.Read(p[:min(len(p), limit)])
		limit -= n
		if err == io.EOF {
			r.world.trace.event("hostile: sees EOF")
		}
		if err != nil {
			return
		}
		if !r.answers {
			continue
		}
		frames := wire.seen().taken(r.end.in.taken())
		for _, f := range frames[answered:] {
			switch f.opcode {
			case 9:
				if !r.inDebt {
					r.conn.Write(reply.frameOf(0x8A, f.payload))
				}
			case 8:
				if !r.inDebt {
					r.conn.Write(reply.frameOf(0x88, f.payload))
				}
			}
		}
		answered = len(frames)
	}
}

// hostile runs one of our Conns against a peer that keeps no rules.
func (w *world) hostile(role string) {
	w.trace.event("a hostile peer against our %s, seed %d", role, w.seed)
	p := w.peer(role)
	r := &raw{world: w, draw: newRandom(w.seed, 7), masks: role == "server"}
	r.reads = one(w.draw, "always", "always", "always", "never", "first")
	r.answers = w.draw.chance(60)
	r.finally, r.lateness = one(w.draw, "silence", "silence", "EOF", "half", "reset"), make(chan struct{})
	if r.finally == "half" && w.draw.chance(50) {
		r.reads = "late"
	}
	p.out = newLedger()
	p.heard.judges = true
	p.heard.quiet = true
	if !w.meet(p, r) {
		return
	}
	r.write(p.opts.limit())
	w.trace.event("the hostile peer reads %s, answers %t, finally %s", r.reads, r.answers, r.finally)

	weather := w.drawWeather(false)
	weather.stallTo = 0
	if r.flooded || r.controls {
		weather = fair
	}
	w.trace.event("weather: %+v", weather)
	w.link.up.setWeather(weather)
	w.link.down.setWeather(weather)
	if r.reads != "always" && w.draw.chance(70) {
		p.end.out.setWeather(fair)
	}

	drains := w.draw.chance(70)
	var group, raws sync.WaitGroup
	stop := make(chan struct{})
	raws.Go(func() { r.run(stop) })
	actors := w.actors(p, w.draw.between(0, 3), min(weather.biggest(), 20_000), w.draw.chance(15))
	for _, a := range actors {
		if !drains {
			a.mood.read, a.mood.appendRead, a.mood.reader, a.mood.messages = 0, 0, 0, 0
		}
		group.Go(a.run)
	}
	if r.reads == "late" { // a Close waits behind a message when the peer closes its half of TCP
		small := fair
		small.window = 300
		p.end.out.setWeather(small)
		writer := w.actors(p, 1, 20_000, false)[0]
		writer.who, writer.mood = "late", mood{write: 1}
		group.Go(writer.run)
		when := w.draw.upTo(500 * time.Millisecond)
		group.Go(func() {
			time.Sleep(when)
			p.closeAs("late closer", context.Background(), "Close", 4000, "enough")
		})
	}
	if drains {
		time.Sleep(w.draw.upTo(time.Second))
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			p.drain(ctx)
		})
	}
	if !w.wait("programs", &group) {
		close(stop)
		raws.Wait()
		return
	}
	time.Sleep(w.draw.upTo(one(w.draw, time.Millisecond, time.Second, 3*time.Minute)))
	p.bounded(r, drains)
	s := p.heard.seen()
	refused := s.breach != nil || s.largest > p.opts.limit() // the Close may be on its way behind the Pong
	if p.over().IsZero() && !p.closed() && !p.noReads() && r.reads == "always" && !refused && s.close() == nil && p.wire.seen().close() == nil && drains {
		p.answered("in the end")
	}
	if p.over().IsZero() {
		if w.draw.chance(30) {
			c := p.begin("main", "CloseNow", nil)
			p.closing(c, true, 0)
			c.end(p.conn.CloseNow())
		} else {
			group.Go(func() { p.closeAs("main", context.Background(), "Close", 1001, "the end") })
			w.wait("closing", &group)
		}
	}
	p.punished(r, drains)
	if r.finally == "half" {
		p.judgeHalf()
	}
	close(stop)
	raws.Wait()
}

// judgeHalf: a Close that was due when the peer closed its half of TCP has its time to leave, as long as the peer takes bytes.
func (p *peer) judgeHalf() {
	if p.wire.seen().close() != nil || p.violatedPeer() || p.tooBig() || p.heardClose() != nil || p.end.out.lost() || p.end.in.lost() {
		return // or its time began earlier
	}
	half, over := p.end.in.closedAt(), p.over()
	p.life.mu.Lock()
	closes := p.life.closes
	p.life.mu.Unlock()
	shortened := func(e ending) bool { return e.now || !strings.HasPrefix(e.call.what, "Close with") }
	if len(closes) == 0 || half.IsZero() || over.Before(half) || slices.ContainsFunc(closes, shortened) {
		return
	}
	if due := closes[0]; due.at.Before(half) && over.Sub(due.at) < p.opts.closeWithin()-slack {
		p.fail("%s: %s was due %v before the peer closed its half of TCP, and was given up %v later",
			due.call.who, due.call.what, half.Sub(due.at), over.Sub(half))
	}
}

// meet makes the Conn, and leaves the other end to the raw peer.
func (w *world) meet(p *peer, r *raw) bool {
	var err error
	var c *websocket.Conn
	if p.role == "server" {
		r.end = w.link.client()
		r.conn = tcpEnd{r.end}
		w.down.handshake = true
		var br *bufio.Reader
		if w.draw.chance(30) {
			// Frames come right behind the handshake.
			s := segment{what: "text", bytes: r.frameOf(0x81, r.text())}
			r.conn.Write(s.bytes)
			w.trace.event("hostile: %s at once", s.what)
			br = bufio.NewReaderSize(dress(p.end, p.opts.end), 4096)
			br.Peek(1)
		}
		c, err = accept(dress(p.end, p.opts.end), request(), br, p.opts)
	} else {
		r.end = w.link.server()
		r.conn = tcpEnd{r.end}
		w.up.handshake, w.down.handshake = true, true
		answered := make(chan error, 1)
		go func() {
			_, err := answer(r.conn)
			answered <- err
		}()
		c, err = dial(context.Background(), dress(p.end, p.opts.end), p.opts)
		if e := <-answered; err == nil {
			err = e
		}
	}
	if err != nil {
		w.trace.fail("handshake: %v", err)
		return false
	}
	p.attach(c)
	return true
}

// bounded: an application that reads nothing makes the connection take no more
// than the read-ahead and a buffer.
func (p *peer) bounded(r *raw, drains bool) {
	if drains || !r.flooded || p.closed() || p.noReads() || !p.over().IsZero() || p.heard.seen().breach != nil || p.wire.seen().close() != nil {
		return
	}
	if n := p.end.in.taken(); n > 150<<10 {
		p.fail("took %d bytes that nobody reads", n)
	}
}

// punished: a peer that broke the protocol was told so, and TCP was closed.
func (p *peer) punished(r *raw, drains bool) {
	s := p.heard.seen()
	if !drains {
		return
	}
	if s.breach == nil {
		p.overLimit(r, s)
		return
	}
	if p.end.in.taken() < s.breach.at {
		return
	}
	p.life.mu.Lock()
	closes, noReads := len(p.life.closes) > 0, p.life.noReads
	p.life.mu.Unlock()
	if closes || noReads || p.end.out.lost() || p.end.in.lost() {
		return
	}
	ours := p.wire.seen().close()
	if ours == nil {
		full := p.end.out.blockedAround(p.over().Add(-slack), p.over()) // the network took too little in the close timeout
		if r.reads == "always" && r.finally != "EOF" && r.finally != "reset" && p.wire.seen().pending == 0 && !full {
			p.fail("did not answer a breach (%s) with Close", s.breach.what)
		}
		return
	}
	if code := ours.closeCode(); code != s.breach.code && !(code == 1009 && s.largest > p.opts.limit()) && !(code == 1008 && s.maxEmpty > 4000) {
		p.fail("answered a breach (%s) with %d, not %d", s.breach.what, code, s.breach.code)
	}
	cause := context.Cause(p.conn.Context())
	var broke websocket.ProtocolError
	switch {
	case cause == nil:
		p.fail("answered a breach (%s) with Close, and does not end", s.breach.what)
	case errors.As(cause, &broke):
		if int(broke.Code) != ours.closeCode() {
			p.fail("sent Close %d, and says %v", ours.closeCode(), cause)
		}
	case errors.Is(cause, websocket.ErrMessageTooBig):
	default:
		p.fail("the cause after a breach (%s) is %v", s.breach.what, cause)
	}
}

// overLimit: a message over a limit is refused, whoever sends it.
func (p *peer) overLimit(r *raw, s seen) {
	p.life.mu.Lock()
	asked := p.life.noReads
	for _, e := range p.life.closes {
		asked = asked || e.call.who != "main"
	}
	p.life.mu.Unlock()
	if asked || s.close() != nil || r.reads != "always" || r.finally != "silence" || p.end.in.lost() || p.end.out.lost() {
		return
	}
	ours := p.wire.seen().close()
	if ours == nil && (p.wire.seen().pending > 0 || p.end.out.stuck()) {
		return // there was no room for it
	}
	if s.largest > p.opts.limit() && (ours == nil || ours.closeCode() != 1009) {
		p.fail("a message of %d bytes was announced, over the limit of %d, and not refused", s.largest, p.opts.limit())
	}
	if s.maxEmpty > 5000 && s.largest <= p.opts.limit() && (ours == nil || ours.closeCode() != 1008) {
		p.fail("a message had %d empty fragments, and was not refused", s.maxEmpty)
	}
}
