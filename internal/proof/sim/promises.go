package sim

import (
	"errors"
	"net"
	"time"
)

// promises are those that not every version of the library keeps. All are asked for; the flag -old
// asks for none, which is how a version is tested that came before them.
var promises = struct {
	// controlFirst: a Pong leaves before data that was handed to the network after its Ping was read.
	controlFirst bool
	// eachPing: as long as the network takes bytes, each Ping gets its Pong, while no more than 16 or
	// 2 KiB of them wait.
	eachPing bool
	// acceptedLeaves: messages that Write accepted before the peer's Close was read leave before the answer.
	acceptedLeaves bool
	// closeBeforeCloseNow: a CloseNow does not overtake a Close that has begun, if there is room for its frame.
	closeBeforeCloseNow bool
}{true, true, true, true}

// withoutPromises forgets them.
func withoutPromises() {
	promises.controlFirst, promises.eachPing = false, false
	promises.acceptedLeaves, promises.closeBeforeCloseNow = false, false
}

// judgeOrder: control frames go before data.
func (p *peer) judgeOrder() {
	if p.violatedPeer() || p.opts.end != "tcp" {
		return // elsewhere a batch is handed to the network in pieces, and what comes between changes nothing
	}
	start := p.world.trace.start
	var data []frame // that left since the last Pong
	pings := p.pingsRead()
	for _, f := range p.wire.seen().frames {
		if f.opcode < 8 {
			data = append(data, f)
			continue
		}
		if f.opcode != 10 {
			continue
		}
		for len(pings) > 0 && string(pings[0].payload) != string(f.payload) {
			pings = pings[1:]
		}
		if len(pings) == 0 {
			return // judgePongs has said it
		}
		for _, d := range data {
			if p.sings != nil && d.end-d.start > sharedLies {
				continue // it is written from where it lies, behind what else is in its batch
			}
			if offered := p.end.out.offeredAt(d.start); offered.After(pings[0].read) {
				p.fail("the Pong %q left behind a message that was handed to the network %v after its Ping had been read, at %v",
					f.payload, offered.Sub(pings[0].read), pings[0].read.Sub(start))
				return
			}
		}
		pings, data = pings[1:], nil
	}
}

// sharedLies is from which size on a shared frame is not copied.
const sharedLies = 8 << 10

// A pingRead is a Ping that came, and when the connection is certain to have dealt with it.
type pingRead struct {
	payload []byte
	read    time.Time
}

// pingsRead returns the Pings that p has read.
func (p *peer) pingsRead() (pings []pingRead) {
	for _, f := range p.heard.seen().frames {
		switch {
		case f.opcode == 8:
			return pings
		case f.opcode == 9:
			at := p.end.in.parsedAt(f.end)
			if at.IsZero() {
				return pings
			}
			pings = append(pings, pingRead{f.payload, at})
		}
	}
	return pings
}

// The Pongs that wait, as far as all are sent: see promises.eachPing.
const (
	pongsWait     = 16
	pongBytesWait = 2<<10 - 200
)

// judgeEachPing: as long as the peer takes bytes, each Ping is answered.
func (p *peer) judgeEachPing() {
	if p.violatedPeer() {
		return
	}
	out := p.end.out
	end := p.lastWrite()
	var pongs [][]byte
	for _, f := range p.wire.seen().frames {
		if f.opcode == 10 {
			pongs = append(pongs, f.payload)
		}
	}
	pings := p.pingsRead()
	for len(pings) > 0 {
		n, size := 1, 2+len(pings[0].payload)
		for n < len(pings) && pings[n].read.Equal(pings[0].read) {
			size += 2 + len(pings[n].payload)
			n++
		}
		at := pings[0].read
		many := n > pongsWait || size > pongBytesWait
		for i, ping := range pings[:n] {
			k := 0
			for k < len(pongs) && string(pongs[k]) != string(ping.payload) {
				k++
			}
			if k < len(pongs) {
				pongs = pongs[k+1:]
				continue
			}
			if !many && at.Add(slack).Before(end) && !out.blockedAround(at.Add(-slack), at.Add(slack)) {
				p.fail("the Ping %q has no Pong: it is one of %d read at %v (number %d)", ping.payload, n, at.Sub(p.world.trace.start), i+1)
				return
			}
		}
		pings = pings[n:]
	}
}

// lastWrite returns until when p could write frames other than Close.
func (p *peer) lastWrite() time.Time {
	start := p.world.trace.start
	end := p.over()
	first := func(t time.Time) {
		if !t.IsZero() && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	if ours := p.wire.seen().close(); ours != nil {
		first(start.Add(ours.at))
	}
	p.life.mu.Lock()
	for _, e := range p.life.closes {
		first(e.at)
	}
	p.life.mu.Unlock()
	first(p.end.out.endedByFault())
	first(p.end.in.closedAt())
	return end
}

// judgeAccepted: with a closing handshake, the messages that were accepted before it leave before our Close.
func (p *peer) judgeAccepted() {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	if ours == nil || p.out == nil || p.relays || p.violatedPeer() {
		return
	}
	start := p.world.trace.start
	if p.wire.seen().partial != nil {
		return // a message was left in the middle, and no other may follow
	}
	before := start.Add(ours.at)
	if theirs != nil {
		if at := p.end.in.takenAt(theirs.end); !at.After(before) {
			if !promises.acceptedLeaves {
				return
			}
			before = at
		}
	}
	p.life.mu.Lock()
	for _, e := range p.life.closes {
		if e.now && e.at.Before(before) {
			before = e.at
		}
	}
	p.life.mu.Unlock()
	left := map[*letter]bool{}
	for _, m := range p.wire.seen().messages {
		if l := p.out.find(m.data); l != nil {
			left[l] = true
		}
	}
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	for tag, l := range p.out.letters {
		if l.fate == done && len(l.data) >= minLetter && l.settled.Before(before) && !left[l] {
			p.fail("%s was accepted %v before the Close, and has not left", tag, before.Sub(l.settled))
			return
		}
	}
}

// judgeDue: a Close that is due has left, if the network took bytes.
func (p *peer) judgeDue() {
	if p.wire.seen().close() != nil || p.violatedPeer() || p.end.out.lost() || p.end.in.lost() {
		return
	}
	end := p.over()
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	for _, e := range p.life.closes {
		if e.now {
			return
		}
	}
	if len(p.life.closes) == 0 || end.IsZero() {
		return
	}
	if gone := p.end.in.closedAt(); !gone.IsZero() && gone.Before(end) {
		return // the peer takes nothing any more, and a Ping may have found that out
	}
	e := p.life.closes[0]
	if idle := p.end.out.idleBefore(end, e.at); idle > 500*time.Millisecond {
		p.fail("%s: %s was due since %v, nobody wrote for %v, and it has not left", e.call.who, e.call.what, end.Sub(e.at), idle)
	}
}

// ownClose reports whether the error says that the application closed the connection itself.
func ownClose(err error) bool { return errors.Is(err, net.ErrClosed) }
