package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// slack is how much later than it must a call may return. In virtual time
// computing takes none.
const slack = time.Millisecond

// judge holds the whole run against the promises.
func (w *world) judge() {
	for _, p := range w.peers {
		if p.conn == nil {
			continue
		}
		p.judgeWire()
		p.judgeLetters()
		p.judgeReceipts()
		p.judgeCalls()
		p.judgePongs()
		p.judgeClose()
		p.judgeTCP()
		p.judgeHangUp()
	}
}

// judgeWire: what we send is legal.
func (p *peer) judgeWire() {
	s := p.wire.seen()
	if s.breach != nil {
		p.fail("sent what RFC 6455 forbids: %s", s.breach.what)
	}
}

// judgeLetters: the messages on the wire are those that were handed over, whole,
// once, and in each writer's order.
func (p *peer) judgeLetters() {
	if p.out == nil {
		return
	}
	last := map[string]int{}
	count := map[*letter]int{}
	for _, m := range p.wire.seen().messages {
		l := p.out.find(m.data)
		if l == nil {
			p.out.mu.Lock()
			known := len(m.data) >= minLetter
			for _, l := range p.out.letters {
				if l.fate != never && l.matches(m.data) {
					known = false
				}
			}
			p.out.mu.Unlock()
			if known {
				p.fail("sent a message that nobody wrote: %d bytes %.30q", len(m.data), m.data)
			}
			continue
		}
		tag := l.from + "." + strconv.Itoa(l.number)
		if count[l]++; count[l] > 1 {
			p.fail("sent %s twice", tag)
		}
		if l.fate == never {
			p.fail("sent %s, though Write had refused it", tag)
		}
		if byte(l.typ) != m.opcode {
			p.fail("sent %s with opcode %d, its type is %v", tag, m.opcode, l.typ)
		}
		if !l.matches(m.data) {
			p.fail("sent %s changed: %d bytes, not %d; %s", tag, len(m.data), len(l.data), difference(m.data, l.data))
		}
		if l.number < last[l.from] {
			p.fail("sent %s after %s.%d", tag, l.from, last[l.from])
		}
		last[l.from] = l.number
	}
}

// difference says where two byte strings part.
func difference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "they differ from byte " + strconv.Itoa(i) + " on"
		}
	}
	return "one is the start of the other"
}

// judgeReceipts: what the application got are messages that were sent to it,
// each once, whole, and none left out.
func (p *peer) judgeReceipts() {
	sent := p.heard.seen()
	messages := sent.messages
	if sent.partial != nil && !sent.packed {
		messages = append(messages[:len(messages):len(messages)], wireMessage{data: sent.partial, opcode: sent.messageType(), frames: -1})
	}
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	used := make([]bool, len(messages))
	places := map[string][]int{} // of whole messages, by type and content
	for i, m := range messages {
		if m.frames >= 0 {
			key := string(m.opcode) + string(m.data)
			places[key] = append(places[key], i)
		}
	}
	var vague []receipt // starts of messages: they may fit several
	for _, r := range p.life.got {
		if !r.whole {
			vague = append(vague, r)
			continue
		}
		if int64(len(r.data)) > p.opts.limit() {
			p.fail("%s got a message of %d bytes, the read limit is %d", r.who, len(r.data), p.opts.limit())
		}
		key := string(r.typ) + string(r.data)
		if len(places[key]) == 0 {
			p.fail("%s got a message that was not sent, or twice: type %d, %d bytes %.30q", r.who, r.typ, len(r.data), r.data)
			continue
		}
		used[places[key][0]] = true
		places[key] = places[key][1:]
	}
	sort.SliceStable(vague, func(i, j int) bool { return len(vague[i].data) > len(vague[j].data) })
	for _, r := range vague {
		found := false
		for i, m := range messages {
			if !used[i] && m.opcode == r.typ && bytes.HasPrefix(m.data, r.data) {
				used[i], found = true, true
				break
			}
		}
		// The start of a frame that is not whole yet is not among the messages.
		if !found && sent.pending == 0 && !sent.packed {
			p.fail("%s got the start of a message that was not sent, or twice: type %d, %d bytes %.30q", r.who, r.typ, len(r.data), r.data)
		}
	}
	holes := 0
	for i := range used {
		if !used[i] {
			holes++
		} else if holes > 0 {
			p.fail("%d messages before %.30q were not received", holes, messages[i].data)
			break
		}
	}
	// Each reader gets its messages in the order in which they were sent.
	place := map[string]int{}
	next := map[string]int{}
	for i, m := range messages {
		if tag, ok := tagOf(m.data); ok && p.in != nil {
			place[tag] = i
		}
	}
	for _, r := range p.life.got {
		tag, ok := tagOf(r.data)
		if i, sent := place[tag]; ok && sent {
			if i < next[r.who] {
				p.fail("%s got %s too late", r.who, tag)
			}
			next[r.who] = i
		}
	}
}

// messageType is the opcode of the message under way.
func (s seen) messageType() byte {
	for i := len(s.frames) - 1; i >= 0; i-- {
		if op := s.frames[i].opcode; op == 1 || op == 2 {
			return op
		}
	}
	return 0
}

// judgeCalls: every call has returned in time, with its context's error, or the
// connection's one and only cause.
func (p *peer) judgeCalls() {
	cause := context.Cause(p.conn.Context())
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	var deadline time.Time // when the application's first Close must be over
	for _, e := range p.life.closes {
		if !e.now {
			deadline = e.at.Add(p.opts.closeWithin())
			break
		}
	}
	for _, c := range p.life.calls {
		if c.ended.IsZero() {
			p.fail("%s: %s never returned", c.who, c.what)
			continue
		}
		bound := p.life.endedAt
		if !c.until.IsZero() && (bound.IsZero() || c.until.Before(bound)) {
			bound = c.until
		}
		if strings.HasPrefix(c.what, "Close") && !deadline.IsZero() && deadline.Before(bound) {
			bound = deadline
		}
		if c.ctx == nil && !strings.HasPrefix(c.what, "Close ") {
			bound = c.began
		}
		if bound.Before(c.began) {
			bound = c.began
		}
		if late := c.ended.Sub(bound); late > slack {
			p.fail("%s: %s returned %v too late, at %v", c.who, c.what, late, c.ended.Sub(p.world.trace.start))
		}
		p.judgeError(c, cause)
	}
}

// judgeError: what a call returned is one of what it may.
func (p *peer) judgeError(c *call, cause error) {
	err := c.err
	isClose := strings.HasPrefix(c.what, "Close")
	switch {
	case err == nil:
		if isClose && c.what != "CloseNow" && c.what != "CloseRead" && !p.shookHands() && !p.violatedPeer() {
			p.fail("%s: %s returned nil, but the closing handshake is not complete", c.who, c.what)
		}
		return
	case isClose:
		if p.shookHands() && p.handsBefore(c.ended) && len(p.life.closes) > 0 && !p.violatedPeer() && !errors.Is(cause, websocket.ErrMessageTooBig) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			p.fail("%s: %s returned %v, though the closing handshake was complete", c.who, c.what, err)
		}
		return
	case c.ctx != nil && c.ctx.Err() != nil && errors.Is(err, c.ctx.Err()):
		return
	case errors.Is(err, websocket.ErrQueueFull):
		if !strings.HasPrefix(c.what, "TryWrite") {
			p.fail("%s: %s: the queue is full", c.who, c.what)
		}
		return
	case err == io.EOF && c.what == "Reader's Read":
		return
	case strings.Contains(err.Error(), "was discarded") && c.what == "Reader's Read":
		return
	case strings.Contains(err.Error(), "is not UTF-8; send it") && c.what == "Writer's Close":
		return // a piece failed, and the text stops in the middle of a character
	case strings.Contains(err.Error(), "is not UTF-8; send it"):
		p.fail("%s: %s: %v", c.who, c.what, err)
		return
	}
	if strings.HasPrefix(c.what, "TryWrite") && strings.Contains(err.Error(), "connection was lost") {
		return // it can't wait for the cause to be found out
	}
	if err.Error() != cause.Error() {
		p.fail("%s: %s returned %q, the cause is %q", c.who, c.what, err, cause)
	}
	switch {
	case errors.Is(err, net.ErrClosed), websocket.CloseStatus(err) != -1, errors.Is(err, websocket.ErrPingTimeout), errors.Is(err, websocket.ErrMessageTooBig):
	case errors.As(err, new(websocket.ProtocolError)):
	case strings.Contains(err.Error(), "connection was lost"), strings.Contains(err.Error(), "close timeout"):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // CloseContext's
	default:
		p.fail("%s: %s returned %q, which is of no known kind", c.who, c.what, err)
	}
}

// shookHands reports whether both Close frames are through, as far as p knows.
func (p *peer) shookHands() bool {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	return ours != nil && theirs != nil
}

// handsBefore reports whether they were through well before t.
func (p *peer) handsBefore(t time.Time) bool {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	s := p.world.trace.start.Add(time.Second)
	return ours != nil && theirs != nil && s.Add(ours.at).Before(t) && p.end.in.takenAt(theirs.end).Add(time.Second).Before(t)
}

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

// judgePongs: each Pong answers a Ping that had come, in order, none twice.
func (p *peer) judgePongs() {
	if p.violatedPeer() {
		return // what came after the breach is not known
	}
	var pings []frame
	for _, f := range p.heard.seen().frames {
		if f.opcode == 9 {
			pings = append(pings, f)
		}
	}
	next := 0
	for _, f := range p.wire.seen().frames {
		if f.opcode != 10 {
			continue
		}
		for next < len(pings) && string(pings[next].payload) != string(f.payload) {
			next++
		}
		if next == len(pings) {
			p.fail("the Pong %q answers no Ping, or one twice, or in the wrong order", f.payload)
			return
		}
		if pings[next].at > f.at {
			p.fail("the Pong %q left before its Ping came", f.payload)
		}
		next++
	}
}

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
	w := p.world
	for _, d := range []*direction{w.link.up, w.link.down} {
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
	return p.wire.seen().pending > 0 || p.end.out.stuck() || p.cleaned()
}

// cleaned reports whether the connection was ended by the simulation itself.
func (p *peer) cleaned() bool {
	return strings.Contains(context.Cause(p.conn.Context()).Error(), "without a closing handshake")
}

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
		through := max(ours.at, taken)
		if late := closed - through; late > slack && closed-since > p.opts.closeWithin()+slack {
			p.fail("closed TCP %v after the closing handshake", late)
		} else if late > slack && !p.end.out.lost() && !p.end.in.lost() {
			p.fail("closed TCP %v after the closing handshake", late)
		}
		return
	}
	first := w.link.down.closedAt()
	if !first.IsZero() && !p.end.closed().Before(first) {
		return
	}
	// It may give up after the close timeout, which after CloseRead may have begun
	// before our Close left.
	if p.life.noReads {
		return
	}
	if closed-since < p.opts.closeWithin() && !w.link.down.lost() && !w.link.up.lost() {
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
