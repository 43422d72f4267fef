package storm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// poll asks a question until the answer is yes, or for too long, or until dead is closed.
func poll(limit time.Duration, dead <-chan struct{}, ok func() bool) bool {
	for wait, until := 50*time.Microsecond, time.Now().Add(limit); ; wait = min(2*wait, 20*time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(until) {
			return false
		}
		pause(wait, dead)
		select {
		case <-dead:
			return ok()
		default:
		}
	}
}

// settled holds a living connection whose writers have stopped, and whose readers have not, against
// the ledgers: everything accepted leaves, and everything that left is read.
func (p *pair) settled() bool {
	w := p.world
	good := true
	for _, e := range p.ends() {
		fail := func(kind, format string, args ...any) {
			if !e.isOver() && !e.other().isOver() {
				w.fail(kind, e.role+": "+format, args...)
			}
			good = false
		}
		var missing []string
		var v view
		if !w.moving(func() bool {
			missing, _ = e.out.missing()
			v = e.wire.seen.view()
			return v.broken || e.isOver() || len(missing) == 0 && !v.open && v.pending == 0
		}) {
			switch {
			case v.open || v.pending > 0:
				fail("unfinished", "a message or a frame was left unfinished; accepted, and not sent: %s", some(missing))
			default:
				fail("stuck-message", "accepted, and not sent: %s", some(missing))
			}
		}
		if !good || v.broken {
			continue
		}
		var begun, sent int
		if !w.moving(func() bool {
			begun, sent = int(e.other().begun.Load()), e.out.count()
			return begun == sent || e.isOver() || e.other().isOver()
		}) {
			fail("undelivered", "%d messages left, and %d were read", sent, begun)
		}
	}
	return good && p.alive()
}

// broken reports whether an end broke the protocol: what follows from that is no fault of its own.
func (p *pair) broken() bool {
	return p.client.wire.seen.view().broken || p.server.wire.seen.view().broken
}

// alive holds that the connection lives.
func (p *pair) alive() bool {
	for _, e := range p.ends() {
		if e.isOver() && !p.mayDie.Load() && !p.broken() {
			p.world.fail("died", "the %s's connection ended: %v", e.role, context.Cause(e.conn.Context()))
			return false
		}
	}
	return !p.client.isOver() && !p.server.isOver()
}

func some(names []string) string {
	slices.Sort(names)
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}

// hears holds that an end answers a Ping of the relay's.
func (e *end) hears(when string) bool {
	w := e.pair.world
	payload := fmt.Sprintf("storm-%d", w.storm.pings.Add(1))
	n := e.heard.pings.add(payload)
	ctx, cancel := context.WithTimeout(context.Background(), w.storm.config.Hearing)
	defer cancel()
	e.heard.inject(wiretest.Ping(payload))
	if e.heard.pings.wait(ctx, n) {
		return true
	}
	if e.isOver() || e.other().isOver() || e.wire.seen.view().closes > 0 || e.heard.seen.view().closes > 0 {
		return true
	}
	e.pair.mayDie.Store(true) // its closing handshake will fail too
	w.fail("deaf", "the %s does not answer a Ping within %v %s\n%s", e.role, w.storm.config.Hearing, when, stacks())
	return false
}

// finish ends a pair and judges it. All its callers must have returned, or be about to.
func (p *pair) finish() {
	w := p.world
	p.ending()
	p.doomed()
	for _, e := range p.ends() {
		e.conn.CloseNow()
	}
	close(p.release)
	for _, e := range p.ends() {
		select {
		case <-e.done:
		case <-time.After(w.storm.config.Patience):
			w.fail("stuck-call", "%s: the context has not ended after CloseNow\n%s", e.role, stacks())
		case <-w.dead:
		}
	}
	if !p.relay.wait(w.storm.config.Patience) && !w.hasFailed("stuck-call") {
		w.fail("left-behind", "the net.Conn was not closed within %v after CloseNow", w.storm.config.Patience)
	}
	for _, e := range p.ends() {
		e.judge()
		v := e.wire.seen.view()
		w.storm.frames.Add(v.frames)
		w.storm.bytes.Add(v.bytes)
		w.storm.messages.Add(int64(e.out.count()))
	}
	broken := p.relay.broken.Load()
	p.relay.cut(false)
	p.relay.broken.Store(broken)
}

// ending lets a closing handshake that has begun come to its end.
func (p *pair) ending() {
	begun := false
	for _, e := range p.ends() {
		begun = begun || e.hadToClose() || e.violated.Load() || e.wire.seen.view().closes > 0
	}
	if !begun {
		return
	}
	began, both := time.Now(), time.Time{}
	poll(p.client.options.closeTimeout+time.Second, p.world.dead, func() bool {
		if both.IsZero() && p.client.wire.seen.view().closes > 0 && p.server.wire.seen.view().closes > 0 {
			both = time.Now()
		}
		return p.client.isOver() && p.server.isOver()
	})
	if !both.IsZero() && time.Since(both) > 2*time.Second && !p.relay.broken.Load() {
		p.world.fail("slow-end", "both Close frames are through, and the connection lasted %v longer; client ended: %v, server ended: %v; the client sent %s, the server %s",
			time.Since(both).Round(time.Millisecond), p.client.isOver(), p.server.isOver(), p.client.wire.seen.view().closed(began), p.server.wire.seen.view().closed(began))
	}
}

// judge holds what an end wrote, all in all, against what its calls said.
func (e *end) judge() {
	w, p, v, heard := e.pair.world, e.pair, e.wire.seen.view(), e.heard.seen.view()
	if v.broken || w.gone() {
		return
	}
	missing, cut := e.out.missing()
	if len(cut) > 0 {
		w.fail("cut-message", "%s: the calls returned nil, and only parts left: %s", e.role, some(cut))
	}
	if len(missing) > 0 && v.closes > 0 && !v.closeInside {
		kind := "lost-message"
		if heard.closes > 0 && heard.closeAt.Before(v.closeAt) {
			kind = "lost-in-answer"
		}
		w.fail(kind, "%s: accepted, and not sent before the Close frame %d: %s", e.role, v.code, some(missing))
	}
	undisturbed := !p.relay.broken.Load() && !e.wire.slow && !e.other().closedNow.Load()
	if v.closes == 0 && undisturbed {
		switch {
		case e.violated.Load() && !e.closedNow.Load():
			w.fail("close-lost", "%s: it was sent an illegal frame (Close was called with %v), and no Close frame left", e.role, e.asked)
		case e.hadToClose() && !e.closedNow.Load():
			w.fail("close-lost", "%s: Close was called with %v, and no Close frame left", e.role, e.asked)
		case e.hadToClose() && e.overtaken.Load() && p.prompt():
			w.fail("close-overtaken", "%s: Close was called with %v before CloseNow, and no Close frame left", e.role, e.asked)
		case len(missing) > 0 && e.alone.Load() && p.prompt():
			w.fail("closenow-lost", "%s: accepted, and not sent before CloseNow: %s", e.role, some(missing))
		}
	}
	// What the system had taken when the relay was cut is not seen.
	if e.closedWell.Load() && (v.closes == 0 && !p.relay.broken.Load() || heard.closes == 0 && !p.mayDie.Load()) {
		w.fail("close-claimed", "%s: Close returned nil; it sent %d Close frames, the peer %d", e.role, v.closes, heard.closes)
	}
	if v.closes > 0 && !e.hasAsked(v.code) && !(heard.closes > 0 && heard.code == v.code) && v.code != 1000 && !p.mayDie.Load() && !heard.broken {
		w.fail("close-code", "%s: a Close frame with %d, Close was called with %v", e.role, v.code, e.asked)
	}
	// The peer, which did nothing to end the connection, learns the code.
	if o := e.other(); v.closes > 0 && undisturbed && !e.closedNow.Load() && len(o.asked) == 0 && !p.mayDie.Load() {
		if cause := context.Cause(o.conn.Context()); int(websocket.CloseStatus(cause)) != v.code {
			w.fail("code-lost", "%s: it was sent Close %d, and its reason is: %v", o.role, v.code, cause)
		}
	}
}

// prompt reports whether a single attempt to write that does not wait takes all, so
// that even CloseNow has to send what is due.
func (p *pair) prompt() bool {
	return p.world.program.Transport == "tcp" || p.world.program.Transport == "unix"
}
