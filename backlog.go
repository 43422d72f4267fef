package websocket

import (
	"slices"

	"github.com/closeonce/websocket/internal/alarm"
	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/transport"
)

// This file is the part of sender for messages that many connections share: the backlog, in which a connection keeps
// references to them behind its queue.

// An account is what goes for all that waits to be written, wherever it does: how much it may be, what keeps it back, and what
// is counted.
type account struct {
	limit int // of size, in bytes
	// size counts the bytes in queue and backlog, those of them that are on their way, and what is reserved.
	size int
	// messages is how many are in queue and backlog.
	messages uint32

	client bool
	// corked: what is queued may wait briefly for more, so that they share a system call.
	corked bool
	// midMessage: a fragmented message is on the wire. Of data frames, only its own may leave.
	midMessage bool
	writer     writerState
	counters   counters // of both directions
}

// A writerState says whether a Writer is open. Then other messages wait for it.
type writerState uint8

const (
	noWriter         writerState = iota
	writerOpen                   // the compressor is free, or the message has begun to leave
	writerCompresses             // the compressor is inside its message: what would move the window waits, but the queue does not
)

// A batch is what leaves in one system call, besides the frame's tail.
type batch struct {
	buf    *transport.Buffer // nil: nothing leaves. With a Tail, which others send too, there is no frame besides
	own    int               // where the frame begins
	queued int               // bytes that were in the queue and the backlog
	ping   uint64            // the number of the Ping; 0: there is none
}

// appendStart appends the header of a frame, with a key if we are the client.
func (a *account) appendStart(b *transport.Buffer, first firstByte, length int) (key mask.Key) {
	if !a.client {
		b.B = appendLength(b.B, byte(first), 0, int64(length))
		return key
	}
	key = b.Keys.Next()
	b.B = append(appendLength(b.B, byte(first), maskBit, int64(length)), key[:]...)
	return key
}

// appendFrame appends a whole frame, masked if we are the client.
func (a *account) appendFrame(b *transport.Buffer, first firstByte, payload []byte) {
	if !a.client {
		b.B = append(appendLength(b.B, byte(first), 0, int64(len(payload))), payload...)
		return
	}
	key := a.appendStart(b, first, len(payload))
	n := len(b.B)
	b.B = slices.Grow(b.B, len(payload))[:n+len(payload)]
	mask.Copy(b.B[n:], payload, key, 0)
}

// A backlog is what waits behind a sender's queue. It is made when a connection needs it first.
type backlog struct {
	topics topics    // those of the groups that the connection is in
	line   *waiting  // nil: nothing waits
	pushed uint64    // how many segments have come, ever
	shed   int64     // how many messages the groups' policies have dropped, ever
	gone   uint64    // bytes of account.size that were written, ever
	traced bool      // a Trace is told of the groups' messages
	left   []*shared // that have begun to leave, and the Trace has yet to be told of
}

// waits reports whether something waits.
func (b *backlog) waits() bool { return b != nil && b.line != nil }

// first returns the segment that leaves next.
func (b *backlog) first() *segment { return &b.line.list[b.line.first] }

// waitsBefore reports whether something waits that was there when pushed had this value.
func (b *backlog) waitsBefore(pushed uint64) bool { return b.waits() && b.first().number <= pushed }

func (b *backlog) push(g segment) {
	if b.line == nil {
		b.line = lines.Get().(*waiting)
	}
	b.pushed++
	g.number = b.pushed
	b.line.push(g)
}

// remove takes a segment off the line, and gives the line's memory back if nothing waits.
func (b *backlog) remove(g *segment) {
	l := b.line
	if l.remove(g); l.first < len(l.list) {
		return
	}
	b.line = nil
	if l.list, l.first, l.empty = l.list[:0], 0, 0; cap(l.list) <= maxLine {
		lines.Put(l)
	}
}

// cost is how much of the queue's limit a reference takes.
func (a *account) cost(f *form) int {
	if a.client {
		return len(f.frame) + f.held + 4 // the masking key
	}
	return len(f.frame) + f.held
}

// fits reports whether there is room for n bytes of shared messages beside size others. If there are no others there is.
func (a *account) fits(n, size int) bool { return n <= a.limit-size || size == 0 }

// behind returns where the buffer is for bytes that go behind everything that waits.
func (b *backlog) behind() **transport.Buffer {
	if l := b.line.list; l[len(l)-1].own == nil {
		b.push(segment{own: new(transport.Buffer)}) // of the bytes' size: there may be one between any two references
	}
	return &b.line.list[len(b.line.list)-1].own
}

// add leaves a reference behind everything that waits.
func (b *backlog) add(g segment, a *account) {
	b.push(g)
	a.size += a.cost(g.form)
	a.messages++
}

// A taking is what take stopped at.
type taking struct {
	pack *shared // a message that has to be packed first
	full bool    // there is no room: what waits should be written first, if that takes no waiting
	lags *topic  // a message had no room, and those before had
}

// take moves what the groups have posted into the backlog, in the order in which it was posted, until nothing is left or
// something else has to be done first. tried says that it was tried to make room: then the next message takes what there is.
func (b *backlog) take(c *closing, a *account, z *deflate.Compressor, threshold int, tried bool) taking {
	for {
		t := b.oldest(c, a)
		if t == nil {
			return taking{}
		}
		p := t.at.Load()
		f := p.message.form(z, threshold)
		switch {
		case f == nil:
			return taking{pack: p.message}
		case !tried && !a.room(t, f):
			return taking{full: true}
		}
		t.at.Store(p.next.Load())
		if !b.admit(t, p.message, f, a) && t.fullSince == 0 {
			t.fullSince, t.half, t.until = alarm.Now(), a.size/2, b.gone+uint64(a.size+1)/2
			return taking{lags: t}
		}
		tried = false
	}
}

// oldest returns the topic that has the message to be taken next, or nil.
func (b *backlog) oldest(c *closing, a *account) (t *topic) {
	for o := b.topics.first; o != nil; o = o.next {
		switch {
		case !o.lacks():
		case c.stopped():
			a.counters.add(messagesDropped, o.skip())
		case t == nil || o.at.Load().number < t.at.Load().number:
			t = o
		}
	}
	return t
}

// room reports whether a message of the topic has room.
func (a *account) room(t *topic, f *form) bool {
	return a.fits(a.cost(f), a.size) && t.waiting < t.rules.most
}

// admit leaves a message of a group in the backlog, or drops it or others by the group's policy. It reports whether there
// was room.
func (b *backlog) admit(t *topic, m *shared, f *form, a *account) bool {
	if t.fullSince != 0 {
		b.full(t, a.size)
	}
	roomy := a.room(t, f)
	if !roomy && t.rules.policy == DropOldest && a.fits(a.cost(f), a.size-t.size) {
		for t.waiting > 0 && !a.room(t, f) {
			b.dropOldest(t, a)
		}
	}
	if !a.room(t, f) {
		b.dropped(t, a)
		return false
	}
	t.waiting++
	t.size += a.cost(f)
	b.add(segment{message: m, form: f, topic: t}, a)
	return roomy
}

// drained notes that so many bytes were written, so that size bytes wait, and which members are full no more.
func (b *backlog) drained(written, size int) {
	if b == nil {
		return
	}
	b.gone += uint64(written)
	for t := b.topics.first; t != nil; t = t.next {
		b.full(t, size)
	}
}

// full reports whether a message did not fit, and half of what waited then has not left since. If others drop what they had there, or give
// back room that they had reserved, what waits becomes less without being written.
func (b *backlog) full(t *topic, size int) bool {
	if b.gone >= t.until || size <= t.half {
		t.fullSince = 0
	}
	return t.fullSince != 0
}

// dropOldest drops the message of the topic that has waited longest.
func (b *backlog) dropOldest(t *topic, a *account) {
	g := b.line.firstOf(t)
	b.forget(g, a)
	b.dropped(t, a)
	b.remove(g)
}

// dropped counts a message that the policy drops.
func (b *backlog) dropped(t *topic, a *account) {
	t.drop()
	b.shed++
	a.counters.add(messagesDropped, 1)
}

// forget gives back the room of a reference.
func (b *backlog) forget(g *segment, a *account) {
	a.size -= a.cost(g.form)
	a.messages--
	if g.topic != nil {
		g.topic.less(a.cost(g.form))
	}
}

// collect puts what waits into the batch, as much as one holds. A large frame is written from where it lies. What is compressed
// gets into the compressor's window here, because from here on it leaves; without one nothing compressed follows.
func (b *backlog) collect(c *closing, out *batch, a *account, z *deflate.Compressor) {
	if !c.mayLeave(sendQueued) {
		b.abandon(a)
		return
	}
	for b.waits() && (out.buf == nil || out.buf.Tail == nil) {
		g := b.first()
		n, size, large := 0, 0, false // what it takes of the limit, and of the batch
		if g.own != nil {
			n = len(g.own.B)
			size = n
		} else {
			n = a.cost(g.form)
			size = n - g.form.held
			large = !a.client && size > sharedLimit && !c.over // at the end there is one attempt
		}
		switch {
		case out.buf == nil:
			out.buf = transport.Get()
		case len(out.buf.B)+size > transport.BufferSize && !large && !c.over:
			return
		}
		out.queued += n
		if large {
			out.buf.Tail = g.form.frame
		}
		a.encode(g, out, z)
		if b.traced && g.topic != nil {
			b.left = append(b.left, g.message)
		}
		b.remove(g)
	}
}

// sharedLimit is up to which size a shared frame is copied behind others.
const sharedLimit = 8 << 10

// encode puts a segment into the batch, if it is not there, and counts it.
func (a *account) encode(g *segment, out *batch, z *deflate.Compressor) {
	if g.own != nil {
		out.buf.B = append(out.buf.B, g.own.B...)
		a.leaves(g.own.Messages, g.own.Payload)
		transport.Put(g.own)
		return
	}
	a.leaves(1, len(g.message.payload()))
	switch {
	case a.client:
		a.appendFrame(out.buf, g.form.first(), g.form.payload())
	case out.buf.Tail == nil:
		out.buf.B = append(out.buf.B, g.form.frame...)
	}
	if g.form.packed && z != nil {
		z.Record(g.message.payload())
	}
	if g.topic != nil {
		g.topic.less(a.cost(g.form))
		g.topic.rules.sent.Add(1)
	}
}

// leaves counts messages that begin to leave, each in a frame.
func (a *account) leaves(messages uint32, payload int) {
	a.messages -= messages
	a.counters.add(framesWritten, int64(messages))
	a.counters.add(messagesWritten, int64(messages))
	a.counters.add(payloadWritten, int64(payload))
}

// abandon forgets what waits: it may not leave any more.
func (b *backlog) abandon(a *account) {
	for b.waits() {
		g := b.first()
		if g.own != nil {
			a.size -= len(g.own.B)
			a.messages -= g.own.Messages
			a.counters.add(messagesDropped, int64(g.own.Messages))
			transport.Put(g.own)
		} else {
			b.forget(g, a)
			a.counters.add(messagesDropped, 1)
			if g.topic != nil {
				g.topic.rules.unsent.Add(1)
			}
		}
		b.remove(g)
	}
}

// topicOf returns the topic with these rules, or nil.
func (b *backlog) topicOf(r *rules) *topic {
	if b == nil {
		return nil
	}
	return b.topics.of(r)
}

// unsubscribe takes the topic with these rules off the list, and returns it.
func (b *backlog) unsubscribe(r *rules) *topic {
	if b == nil {
		return nil
	}
	return b.topics.remove(r)
}

// dropAll drops the topic's messages that wait.
func (b *backlog) dropAll(t *topic, a *account) {
	for t.waiting > 0 {
		b.dropOldest(t, a)
	}
}
