package sim

import (
	"context"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
)

// heardClose returns the peer's Close, if p has read it.
func (p *peer) heardClose() *frame {
	s := p.heard.seen()
	for _, f := range s.taken(p.end.in.taken()) {
		if f.opcode == 8 {
			return &f
		}
	}
	return nil
}

// violatedPeer reports whether the peer did what it must not.
func (p *peer) violatedPeer() bool { return p.heard.seen().breach != nil }

// judgeClose: the code in our Close is the application's, or the one that came.
func (p *peer) judgeClose() {
	ours := p.wire.seen().close()
	theirs := p.heardClose()
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	start := p.world.trace.start
	if ours == nil {
		// A Close that came is answered, unless something prevents it.
		if theirs != nil && !p.hindered() {
			p.fail("the peer's Close was not answered")
		}
		return
	}
	code := ours.closeCode()
	for _, e := range p.life.closes {
		if !e.now && e.at.Sub(start) <= ours.at && e.code == code {
			return
		}
	}
	if theirs != nil && theirs.closeCode() == code {
		return
	}
	if p.sings != nil && p.sings.closedByGroup(code, start.Add(ours.at)) {
		return
	}
	switch {
	case code == 1008 && (p.life.noReads || p.heard.seen().maxEmpty > 1000):
	case code == 1009 && (p.heard.seen().largest > p.opts.limit() || p.heard.seen().packed):
	case p.heard.seen().breach != nil && p.heard.seen().breach.code == code:
	default:
		p.fail("sent Close %d, for which there is no reason", code)
	}
}

// hindered reports whether something kept p from answering a Close.
func (p *peer) hindered() bool {
	for _, e := range p.life.closes {
		if e.now || e.call.ctx != nil && e.call.ctx != context.Background() {
			return true
		}
	}
	for _, d := range []*direction{p.link.up, p.link.down} {
		if d.lost() {
			return true
		}
	}
	if theirs := p.heardClose(); theirs != nil {
		// The peer may have gone before the answer could leave.
		if gone := p.end.in.closedAt(); !gone.IsZero() && gone.Sub(p.end.in.takenAt(theirs.end)) < 2*time.Second {
			return true
		}
	}
	// The peer's application may have called CloseWrite and not read on: it takes no answer once its read-ahead is full.
	// p.life.mu is held by the caller.
	if q, end := p.heardBy(), p.life.endedAt; q != p && q.halfClosed() && p.end.out.blockedAround(end.Add(-slack), end) {
		return true
	}
	return p.wire.seen().pending > 0 || p.end.out.stuck() || p.cleaned()
}

// cleaned reports whether the connection was ended by the simulation itself.
func (p *peer) cleaned() bool {
	return strings.Contains(context.Cause(p.conn.Context()).Error(), "without a closing handshake")
}

// maxLook is after how long at most somebody looks whether the application reads (internal/supervisor).
const maxLook = supervisor.ReaderDelay << 4

// judgeTCP: the server closes TCP first, and the client waits for it.
func (p *peer) judgeTCP() {
	w := p.world
	ours, theirs := p.wire.seen().close(), p.heardClose()
	if ours == nil || theirs == nil || p.violatedPeer() {
		return
	}
	closed := p.end.closed().Sub(w.trace.start)
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	for _, e := range p.life.closes {
		if e.now || e.call.ctx != nil && e.call.ctx != context.Background() {
			return
		}
	}
	taken := p.end.in.takenAt(theirs.end).Sub(w.trace.start)
	// When the closing handshake began for us: at the earliest, and at the latest.
	since, latest := min(ours.at, taken), ours.at
	for _, e := range p.life.closes {
		since, latest = min(since, e.at.Sub(w.trace.start)), min(latest, e.at.Sub(w.trace.start))
	}
	if p.role == "server" {
		// "the server MUST close TCP": at once, both frames being through.
		through, patience := max(ours.at, taken), slack
		if p.opts.end == "plain" {
			patience += time.Second // it has no halves: a CloseNow lets arrive what has left, and then closes the whole
		}
		if p.life.halfClosed() { // then messages that are not read hide the peer's Close, and nobody looks at once
			patience += 2 * maxLook
			for _, r := range p.life.got {
				through = max(through, r.at.Sub(w.trace.start))
			}
		}
		if late := closed - through; late > patience && closed-since > p.opts.closeWithin()+slack {
			p.fail("closed TCP %v after the closing handshake", late)
		} else if late > patience && !p.end.out.lost() && !p.end.in.lost() {
			p.fail("closed TCP %v after the closing handshake", late)
		}
		return
	}
	first := p.link.down.closedAt()
	if !first.IsZero() && !p.end.closed().Before(first) {
		return
	}
	// It may give up after the close timeout, which after CloseRead may have begun
	// before our Close left, and after CloseWrite begins later.
	if p.life.noReads || p.life.halfClosed() || p.sings != nil { // nor is it known when a group began to close
		return
	}
	if closed-since < p.opts.closeWithin() && !p.link.down.lost() && !p.link.up.lost() {
		p.fail("closed TCP before the server, %v after the closing handshake began", closed-since)
	}
	if closed-latest > p.opts.closeWithin()+slack {
		p.fail("waited %v for the server to close TCP", closed-latest)
	}
}

// judgeHangUp: after the Close that tells a breach, TCP is closed; the peer has a
// second to read it.
func (p *peer) judgeHangUp() {
	s := p.heard.seen()
	ours := p.wire.seen().close()
	if s.breach == nil || ours == nil || ours.closeCode() != s.breach.code {
		return
	}
	start := p.world.trace.start
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	for _, e := range p.life.closes {
		if e.at.Sub(start) <= ours.at {
			return // it may be the answer to that
		}
	}
	if late := p.end.closed().Sub(start) - ours.at - time.Second; late > slack {
		p.fail("closed TCP %v too late after a breach (%s)", late, s.breach.what)
	}
}
