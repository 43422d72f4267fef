package websocket

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/alarm"
	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/transport"
)

// This file is the part of sender for messages that many connections share: what groups have posted, and the backlog, in
// which a connection keeps references to them behind its queue.

// A posting is a message of a group, in the list of what the group has posted. The last one is empty: it waits for the
// next message. What all members have taken is garbage.
type posting struct {
	message *shared
	number  uint64 // counts the postings of all groups
	next    atomic.Pointer[posting]
}

// A topic is one connection's membership of a group, as the connection sees it. Conn.mu guards it, but for what says
// otherwise.
type topic struct {
	at    atomic.Pointer[posting] // what it has yet to take. Written under Conn.mu
	rules *rules
	of    audience
	next  *topic // of the same connection

	waiting   int    // messages in the backlog
	dropped   uint64 // by the group's policy
	fullSince int64  // when a message did not fit; 0: all have, since the backlog was half empty
}

// rules are the same for all members of a group, and count for all.
type rules struct {
	policy                SlowPolicy
	most                  int // messages of the group that may wait for a member
	sent, dropped, unsent atomic.Uint64
}

// An audience is the group, for its member's connection. Nothing of it is called under a lock.
type audience interface {
	lags() // a message did not fit, and those before did
	left() // the connection has ended, and is no member any more
}

// lacks reports whether the group has posted what the member has yet to take. It needs no lock.
func (t *topic) lacks() bool { return t.at.Load().next.Load() != nil }

// skip counts as unsent what was posted and not taken.
func (t *topic) skip() {
	n, at := uint64(0), t.at.Load()
	for next := at.next.Load(); next != nil; next = at.next.Load() {
		at = next
		n++
	}
	t.at.Store(at)
	t.rules.unsent.Add(n)
}

// A backlog is what waits behind a sender's queue. It is made when a connection needs it first.
type backlog struct {
	topics *topic   // those of the groups that the connection is in
	line   *waiting // nil: nothing waits
	pushed uint64   // how many segments have come, ever
}

// waiting is memory that is borrowed while something waits.
type waiting struct {
	list  []segment
	first int
}

// A segment is a message that waits: a reference, or bytes that only this connection sends.
type segment struct {
	message *shared
	form    *form
	topic   *topic            // whose policy may drop it; nil: it was promised
	own     *transport.Buffer // frames, encoded
	number  uint64
}

var lines = sync.Pool{New: func() any { return new(waiting) }}

// maxLine is how many segments memory from the pool holds.
const maxLine = 64

// waits reports whether something waits.
func (b *backlog) waits() bool { return b != nil && b.line != nil }

// first returns the segment that leaves next.
func (b *backlog) first() *segment { return &b.line.list[b.line.first] }

// waitsBefore reports whether something waits that was there when pushed had this value.
func (b *backlog) waitsBefore(pushed uint64) bool { return b.waits() && b.first().number <= pushed }

func (b *backlog) push(s segment) {
	if b.line == nil {
		b.line = lines.Get().(*waiting)
	}
	l := b.line
	if l.first > 0 && len(l.list) == cap(l.list) { // what has left makes room
		n := copy(l.list, l.list[l.first:])
		clear(l.list[n:])
		l.list, l.first = l.list[:n], 0
	}
	b.pushed++
	s.number = b.pushed
	l.list = append(l.list, s)
}

// pop forgets the first segment.
func (b *backlog) pop() {
	*b.first() = segment{}
	b.line.first++
	b.release()
}

// release gives the memory back if nothing waits.
func (b *backlog) release() {
	l := b.line
	if l.first < len(l.list) {
		return
	}
	b.line = nil
	if l.list, l.first = l.list[:0], 0; cap(l.list) <= maxLine {
		lines.Put(l)
	}
}

// cost is how much of the queue's limit a reference takes.
func (s *sender) cost(f *form) int {
	if s.client {
		return len(f.frame) + 4 // the masking key
	}
	return len(f.frame)
}

// fits reports whether there is room for n more bytes of shared messages. If nothing waits there is.
func (s *sender) fits(n int) bool { return n <= s.limit-s.size || s.size == 0 }

// behind returns the buffer for bytes that go behind everything that waits.
func (s *sender) behind() **transport.Buffer {
	if !s.backlog.waits() {
		return &s.queue
	}
	list := s.backlog.line.list
	if list[len(list)-1].own == nil {
		s.backlog.push(segment{own: transport.Get()})
		list = s.backlog.line.list
	}
	return &list[len(list)-1].own
}

// refer leaves a reference to a message behind everything that waits, if there is room. No policy drops it.
func (s *sender) refer(m *shared, f *form) bool {
	if !s.fits(s.cost(f)) {
		return false
	}
	s.add(segment{message: m, form: f})
	return true
}

func (s *sender) add(g segment) {
	if s.backlog == nil {
		s.backlog = new(backlog)
	}
	s.backlog.push(g)
	s.size += s.cost(g.form)
	s.corked = false
}

// topics returns the first of the connection's topics.
func (s *sender) topics() *topic {
	if s.backlog == nil {
		return nil
	}
	return s.backlog.topics
}

// A taking is what take stopped at.
type taking struct {
	pack *shared // a message that has to be packed first
	full bool    // there is no room: what waits should be written first, if that takes no waiting
	lags *topic  // a message had no room, and those before had
}

// take moves what the groups have posted into the backlog, in the order in which it was posted, until nothing is left or
// something else has to be done first. tried says that it was tried to make room: then the next message takes what there is.
func (s *sender) take(c *closing, z *deflate.Compressor, threshold int, tried bool) taking {
	for {
		t := s.oldest(c)
		if t == nil {
			return taking{}
		}
		p := t.at.Load()
		f := p.message.form(z, threshold)
		switch {
		case f == nil:
			return taking{pack: p.message}
		case !tried && !s.room(t, f):
			return taking{full: true}
		}
		t.at.Store(p.next.Load())
		if !s.admit(t, p.message, f) && t.fullSince == 0 {
			t.fullSince = alarm.Now()
			return taking{lags: t}
		}
		tried = false
	}
}

// oldest returns the topic that has the message to be taken next, or nil.
func (s *sender) oldest(c *closing) (t *topic) {
	for o := s.topics(); o != nil; o = o.next {
		switch {
		case !o.lacks():
		case c.stopped():
			o.skip()
		case t == nil || o.at.Load().number < t.at.Load().number:
			t = o
		}
	}
	return t
}

// room reports whether a message of the topic has room.
func (s *sender) room(t *topic, f *form) bool { return s.fits(s.cost(f)) && t.waiting < t.rules.most }

// admit leaves a message of a group in the backlog, or drops it or others by the group's policy. It reports whether there
// was room.
func (s *sender) admit(t *topic, m *shared, f *form) bool {
	if t.fullSince != 0 {
		s.full(t)
	}
	roomy := s.room(t, f)
	if !roomy && t.rules.policy == DropOldest {
		for t.waiting > 0 && !s.room(t, f) {
			s.dropOldest(t)
		}
	}
	if !s.room(t, f) {
		t.drop()
		return false
	}
	t.waiting++
	s.add(segment{message: m, form: f, topic: t})
	return roomy
}

// full reports whether the member has been full, and no half of it has drained since.
func (s *sender) full(t *topic) bool {
	if s.size <= s.limit/2 && t.waiting <= t.rules.most/2 {
		t.fullSince = 0
	}
	return t.fullSince != 0
}

// drop counts a message that is dropped.
func (t *topic) drop() {
	t.dropped++
	t.rules.dropped.Add(1)
}

// dropOldest drops the message of the topic that has waited longest.
func (s *sender) dropOldest(t *topic) {
	l := s.backlog.line
	i := l.first + slices.IndexFunc(l.list[l.first:], func(g segment) bool { return g.topic == t })
	s.size -= s.cost(l.list[i].form)
	t.waiting--
	t.drop()
	if i == l.first {
		s.backlog.pop()
		return
	}
	l.list = slices.Delete(l.list, i, i+1)
}

// collectBacklog puts what waits behind the queue into the batch, as much as one holds. A large frame is written from
// where it lies. What is compressed gets into the compressor's window here, because from here on it leaves.
func (s *sender) collectBacklog(c *closing, b *batch, z *deflate.Compressor) {
	if !c.mayLeave(sendQueued) {
		s.abandon()
		return
	}
	for s.backlog.waits() && b.tail == nil {
		g := s.backlog.first()
		n, large := 0, false
		if g.own != nil {
			n = len(g.own.B)
		} else {
			n = s.cost(g.form)
			large = !s.client && n > copyLimit && !c.over // at the end there is one attempt
		}
		switch {
		case b.buf == nil:
			b.buf = transport.Get()
		case len(b.buf.B)+n > transport.BufferSize && !large && !c.over:
			return
		}
		b.queued += n
		if large {
			b.tail = g.form.frame
		}
		s.encode(g, b, z)
		s.backlog.pop()
	}
}

// encode puts a segment into the batch, if it is not there.
func (s *sender) encode(g *segment, b *batch, z *deflate.Compressor) {
	switch {
	case g.own != nil:
		b.buf.B = append(b.buf.B, g.own.B...)
		transport.Put(g.own)
		return
	case s.client:
		s.appendFrame(b.buf, g.form.first(), g.form.payload())
	case b.tail == nil:
		b.buf.B = append(b.buf.B, g.form.frame...)
	}
	if g.form.packed {
		z.Record(g.message.payload())
	}
	if g.topic != nil {
		g.topic.waiting--
		g.topic.rules.sent.Add(1)
	}
}

// abandon forgets what waits: it may not leave any more.
func (s *sender) abandon() {
	for s.backlog.waits() {
		if g := s.backlog.first(); g.own != nil {
			s.size -= len(g.own.B)
			transport.Put(g.own)
		} else {
			s.size -= s.cost(g.form)
			if g.topic != nil {
				g.topic.waiting--
				g.topic.rules.unsent.Add(1)
			}
		}
		s.backlog.pop()
	}
}

// topicOf returns the topic with these rules, or nil.
func (s *sender) topicOf(r *rules) *topic {
	for t := s.topics(); t != nil; t = t.next {
		if t.rules == r {
			return t
		}
	}
	return nil
}

func (s *sender) subscribe(t *topic) {
	if s.backlog == nil {
		s.backlog = new(backlog)
	}
	at := &s.backlog.topics
	for *at != nil {
		at = &(*at).next
	}
	*at = t
}

// unsubscribe takes the topic with these rules off the list, and returns it.
func (s *sender) unsubscribe(r *rules) *topic {
	if s.backlog == nil {
		return nil
	}
	for at := &s.backlog.topics; *at != nil; at = &(*at).next {
		if t := *at; t.rules == r {
			*at = t.next
			return t
		}
	}
	return nil
}

// dropAll drops the topic's messages that wait.
func (s *sender) dropAll(t *topic) {
	for t.waiting > 0 {
		s.dropOldest(t)
	}
}
