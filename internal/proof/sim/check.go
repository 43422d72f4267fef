package sim

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strconv"

	"github.com/closeonce/websocket"
)

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
		p.judgeAccepted()
		p.judgeDue()
		if promises.controlFirst {
			p.judgeOrder()
		}
		if promises.eachPing {
			p.judgeEachPing()
		}
	}
	if w.sings != nil {
		w.sings.judgeOrder()
		w.sings.judgeFarewell()
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
	all := p.hearsAll()
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
	if i := slices.Index(used, false); all && i >= 0 && messages[i].frames >= 0 { // the last one may have been cut short
		p.fail("%.30q was sent before the answer to CloseWrite, and not received", messages[i].data)
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

// hearsAll reports whether the application has read to the end of what was sent to it: it has called CloseWrite, and read on
// until the peer's Close, which was not answered by anything else.
func (p *peer) hearsAll() bool {
	return p.halfClosed() && !p.closedWhole() && !p.noReads() && !p.violatedPeer() && !p.tooBig() && p.heardClose() != nil &&
		websocket.CloseStatus(context.Cause(p.conn.Context())) == websocket.StatusCode(p.heardClose().closeCode())
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
