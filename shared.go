package websocket

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/transport"
)

// A shared is a message framed for many connections.
type shared struct {
	plain form
	lone  bool // one connection alone sends it

	mu     sync.Mutex           // held while a form is added
	packed atomic.Pointer[form] // the compressed forms, a list
}

// A form is a whole frame of a server.
type form struct {
	frame []byte
	start int // where the payload begins

	packed bool // it is compressed
	bits   int  // with this window
	effort deflate.Effort
	useful bool // and shorter than the message
	held   int  // bytes of the message that nobody else needs, and that wait with it
	next   *form
}

func (f *form) first() firstByte { return firstByte(f.frame[0]) }
func (f *form) payload() []byte  { return f.frame[f.start:] }

func (m *shared) payload() []byte { return m.plain.payload() }

func (m *shared) opcode() opcode { return m.plain.first().opcode() }

func (m *shared) init(op opcode, p []byte) { m.plain = newForm(finBit|firstByte(op), p) }

// newForm makes a frame with a copy of p.
func newForm(first firstByte, p []byte) form {
	var head [maxHeader]byte
	h := appendHeader(head[:0], header{fin: first.fin(), rsv1: first.rsv1(), opcode: first.opcode(), length: int64(len(p))})
	return form{frame: slices.Concat(h, p), start: len(h)}
}

// form returns the form in which a connection with this compressor sends the message; nil: it has to be packed first.
func (m *shared) form(z *deflate.Compressor, threshold int) *form {
	if z == nil || len(m.payload()) < threshold {
		return &m.plain
	}
	bits, effort := m.window(z)
	for f := m.packed.Load(); f != nil; f = f.next {
		switch {
		case f.bits != bits || f.effort != effort:
		case f.useful:
			return f
		default:
			return &m.plain
		}
	}
	return nil
}

// window returns with which window, as the exponent of 2, and which effort the compressor would compress the message alone.
// Windows that are larger than the message make no difference.
func (m *shared) window(z *deflate.Compressor) (int, deflate.Effort) {
	window, effort := z.Settings()
	return min(window, max(handshake.MinWindowBits, bits.Len(uint(max(len(m.payload()), 1)-1)))), effort
}

// pack makes the form for a connection with this compressor. Others who need it meanwhile wait.
func (m *shared) pack(z *deflate.Compressor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.form(z, 0) != nil {
		return
	}
	bits, effort := m.window(z)
	b := transport.Get()
	defer transport.Put(b)
	f := new(form)
	var useful bool
	if b.B, useful = deflate.NewCompressor(bits, false, effort).AppendMessage(b.B, m.payload()); useful {
		*f = newForm(m.plain.first()|rsv1Bit, b.B)
	}
	if m.lone {
		f.held = len(m.plain.frame)
	}
	f.packed, f.bits, f.effort, f.useful, f.next = true, bits, effort, useful, m.packed.Load()
	m.packed.Store(f)
}

// waiting is what a backlog keeps, in memory that is borrowed while something waits.
type waiting struct {
	list  []segment // sorted by number
	first int       // where the first one that waits is
	empty int       // how many have left, or were dropped, and are in the list still
}

// A segment is a message that waits: a reference, or bytes that only this connection sends. One with neither is empty: it stays
// where it was until room is needed, so that dropping a message moves no others.
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

func (g segment) empty() bool { return g.form == nil && g.own == nil }

// push appends a segment. If the memory is full, and a quarter of it or more is empty segments, those that wait move together.
// So room for one segment costs a few moves, and what is empty takes little memory.
func (l *waiting) push(g segment) {
	if len(l.list) == cap(l.list) && l.empty >= (len(l.list)+3)/4 {
		l.list = slices.DeleteFunc(l.list, segment.empty)
		l.first, l.empty = 0, 0
	}
	l.list = append(l.list, g)
}

// remove makes a segment empty.
func (l *waiting) remove(g *segment) {
	*g = segment{number: g.number}
	l.empty++
	for l.first < len(l.list) && l.list[l.first].empty() {
		l.first++
	}
}

// firstOf returns the topic's segment that has waited longest. There is one. What a call has passed, the next does not look
// at again.
func (l *waiting) firstOf(t *topic) *segment {
	list := l.list[l.first:]
	i, _ := slices.BinarySearchFunc(list, t.searched, func(g segment, number uint64) int { return cmp.Compare(g.number, number) })
	for list[i].topic != t {
		i++
	}
	t.searched = list[i].number
	return &list[i]
}

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
	size      int    // of the queue's limit that they take
	searched  uint64 // of its segments that wait, none has a smaller number
	dropped   uint64 // by the group's policy
	fullSince int64  // when a message did not fit; 0: all have, since half of what waited then has left
	half      int    // of what waited then, in bytes
	until     uint64 // so much has been written when backlog.gone is this
}

// SlowPolicy says what a [Group] does with a member that has no room for a message: its queue is full, and the kernel takes no
// more for it, or an open [Conn.Writer] keeps the queue back. In some places nobody knows what the kernel takes, since a
// goroutine writes; there the queue must hold a burst. These are Windows, TLS except on Linux with amd64 or arm64, and every
// net.Conn that is not TCP, a Unix socket or TLS over one. What is dropped is counted.
type SlowPolicy int

const (
	// CloseAfterGrace drops messages that have no room. If half of what waited for the member when it dropped the first one
	// has not left within Grace, the member is closed with 1013 (StatusTryAgainLater), and is no member any more. Of what is
	// written in one system call, up to a whole large message, all counts as waiting until the last of it is taken.
	CloseAfterGrace SlowPolicy = iota
	// CloseSlow closes the member at once, with 1013 (StatusTryAgainLater). It is no member any more.
	CloseSlow
	// DropNewest drops the message. The member stays.
	DropNewest
	// DropOldest drops the group's messages that have waited longest, until there is room for the new one. If other messages
	// take so much that dropping all of these makes no room, they stay, and the new one is dropped. The member stays. With
	// MaxQueued it keeps the last so many messages: 1 is for prices and positions, of which only the last counts.
	DropOldest
)

// String returns the constant's name.
func (p SlowPolicy) String() string {
	if names := [...]string{"CloseAfterGrace", "CloseSlow", "DropNewest", "DropOldest"}; p >= 0 && int(p) < len(names) {
		return names[p]
	}
	return "SlowPolicy(?)"
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

// topics are those of the groups that one connection is in, a list.
type topics struct{ first *topic }

// of returns the topic with these rules, or nil.
func (l *topics) of(r *rules) *topic {
	for t := l.first; t != nil; t = t.next {
		if t.rules == r {
			return t
		}
	}
	return nil
}

func (l *topics) add(t *topic) {
	at := &l.first
	for *at != nil {
		at = &(*at).next
	}
	*at = t
}

// remove takes the topic with these rules off the list, and returns it.
func (l *topics) remove(r *rules) *topic {
	for at := &l.first; *at != nil; at = &(*at).next {
		if t := *at; t.rules == r {
			*at = t.next
			return t
		}
	}
	return nil
}

// lacks reports whether the group has posted what the member has yet to take. It needs no lock.
func (t *topic) lacks() bool { return t.at.Load().next.Load() != nil }

// nowhere is where a topic is of which the connection takes no more: nothing is ever posted behind it.
var nowhere = new(posting)

// skip counts as unsent what was posted and not taken, and returns how many messages that were.
func (t *topic) skip() (n int64) {
	at := t.at.Load()
	for next := at.next.Load(); next != nil; next = at.next.Load() {
		at = next
		n++
	}
	t.at.Store(at)
	t.rules.unsent.Add(uint64(n))
	return n
}

// less forgets a message of the backlog that took so much of the queue's limit.
func (t *topic) less(size int) {
	t.waiting--
	t.size -= size
}

// drop counts a message that is dropped.
func (t *topic) drop() {
	t.dropped++
	t.rules.dropped.Add(1)
}
