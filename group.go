package websocket

import (
	"iter"
	"math"
	"slices"
	"sync"
	"time"
)

// A Group is a set of connections that are sent the same messages: a room, a topic, all subscribers of a feed. The zero
// value is an empty group with the default options. A connection may be in many groups, and leaves them by itself when it
// ends, before its Context is done. All methods may be called from any goroutine at any time, from callbacks too. A Group must not be copied.
//
// A broadcast never waits for a member's peer. It is put on a list, and a goroutine of the group, which exists only while there
// is work, goes round the members and gives each all that it lacks, in one system call where the network takes it: so a
// burst of messages costs each member little more than one. What the network does not take waits with the member, as
// references to frames that all members share, up to the member's QueueLimit and the group's MaxQueued. Policy says what
// happens then. If broadcasts come faster than one goroutine can deliver them, the callers deliver, too. Whoever delivers to a
// member with a full queue waits for another goroutine that is writing to it, for at most a tenth of a second; a FrameWritten of
// a [Trace] that broadcasts may so wait for itself.
//
// Each member gets messages in the order in which they were broadcast, by whichever groups, and in order with what the same
// goroutine writes to it. A policy never drops what [Conn.Write], [Conn.TryWrite] or [Conn.WritePrepared] have accepted.
//
// The fields are options. They are read when the group is used first, and must not be changed after that.
type Group struct {
	// Policy says what happens to a member that has no room for a message. Default: CloseAfterGrace.
	Policy SlowPolicy

	// Grace is how long a member may be full with CloseAfterGrace. Default: 5 s. Negative: no time, as with CloseSlow.
	Grace time.Duration

	// MaxQueued is how many messages of the group may wait for one member, besides the limit in bytes, which is the
	// member's QueueLimit. A message that nothing waits before fits however large it is. Default: 1024. Negative: any
	// number; each takes some 40 bytes besides, so a QueueLimit of 256 KiB that is full of the smallest is 3 MB of memory.
	MaxQueued int

	// OnSlow, if not nil, is called when a member had no room for a message, though it had for those before; not again
	// until half of what waited then has left. It runs in a goroutine of the group, which delivers nothing meanwhile, and
	// so must return soon; it may call any method of the group and of the connection that does not wait. If it panics,
	// the panic is logged by package log, and the connection is closed with 1011 (StatusInternalError). With CloseSlow it may run
	// when the member has been closed, and is none any more; m is how it was.
	OnSlow func(c *Conn, m MemberStats)

	once  sync.Once
	rules rules
	grace time.Duration

	mu          sync.Mutex // guards what follows; nothing is called or waited for under it
	members     []*member
	tail        *posting // the empty one
	posted, all work     // since the beginning: what was broadcast, and what a round has brought to all members
	delivering  bool     // the goroutine runs
	round       []*member
	slow        []slowMember // OnSlow is to be called for them
	lagging     []*member    // in their grace
	timer       *time.Timer  // looks at lagging
	shut        *parting     // nobody may join any more
	leaving     []*member    // who was a member then, until a Close has waited for all of them
	well        int          // so many of those completed the handshake, once that is known
	closed      uint64       // for being slow
}

// GroupStats are the figures of a [Group] since it was first used. Every message that was broadcast counts for each member
// that the group had at that time: it waits, or is in one of Sent, Dropped and Unsent.
type GroupStats struct {
	Members  int        // now
	Messages uint64     // that were broadcast
	Sent     uint64     // messages that began to leave, by members
	Dropped  uint64     // messages that the policy dropped, those that waited for a member that it closed among them
	Unsent   uint64     // messages that did not leave before the member's connection was closed or lost, or it was removed
	Closed   uint64     // members that were closed by the policy
	Policy   SlowPolicy // the policy in effect: CloseSlow instead of CloseAfterGrace, if there is no grace
}

// MemberStats are the figures of one member of a [Group].
type MemberStats struct {
	Queued  int           // messages of the group that wait for it
	Bytes   int           // that wait for it, of other groups and of its own too
	Dropped uint64        // messages that the group's policy dropped
	Full    time.Duration // how long ago a message had no room; 0: all have had, since half of what waited then has left
}

// A member is a connection in a group.
type member struct {
	topic
	group *Group
	conn  *Conn
	index int // in the group's members; -1: it is none any more. The group's mu guards it and what follows

	listed   bool   // in lagging
	farewell func() // tells who serves the connection to end it; nil: the group ends it
}

// A slowMember is a member that had no room, and its figures then.
type slowMember struct {
	*member
	stats MemberStats
}

// work is a number of messages, and their bytes.
type work struct {
	messages uint64
	bytes    int64
}

// A parting is what members are closed with.
type parting struct {
	code   StatusCode
	reason string
}

var errShut error = errClosed{"the group has been shut down"}

const (
	defaultGrace  = 5 * time.Second
	defaultQueued = 1024
)

func (g *Group) init() {
	g.once.Do(func() {
		g.rules.policy = g.Policy
		g.rules.most = orDefault(g.MaxQueued, defaultQueued, math.MaxInt)
		g.grace = orDefault(g.Grace, defaultGrace, 0)
		if g.grace == 0 && g.Policy == CloseAfterGrace {
			g.rules.policy = CloseSlow
		}
		g.tail = new(posting)
	})
}

// Add makes c a member: it gets what is broadcast from then on. If it is one already, nothing happens. If the connection is
// closing or has ended, Add returns the reason. After Shutdown or Close it closes the connection as those did, and returns
// an error that is [net.ErrClosed]. If c is nil, it returns an error.
func (g *Group) Add(c *Conn) error {
	if c == nil {
		return errNoConn
	}
	return g.add(c, nil)
}

// add is Add with what is called when the group says good-bye, rather than that c is closed; nil: it is closed.
func (g *Group) add(c *Conn, farewell func()) error {
	g.init()
	m := &member{group: g, conn: c, index: -1}
	m.topic.of, m.topic.rules = m, &g.rules
	m.at.Store(nowhere)
	c.mu.Lock()
	stopped, t := c.closing.stopped(), c.sender.backlog.topicOf(&g.rules)
	switch {
	case t != nil: // a member, or about to be one by another Add, whose work is done here then
		m = t.of.(*member)
	case !stopped:
		b := c.sender.made()
		b.topics.add(&m.topic)
		b.traced = c.tellsWritten()
	}
	c.unlock()
	if stopped && t == nil {
		return c.queued(errOver)
	}
	// The connection knows of its topic before the group knows of its member. So a Write behind a broadcast finds it.
	shut := g.list(m, farewell)
	c.mu.Lock()
	left := c.sender.backlog.topicOf(&g.rules) != &m.topic // it has ended meanwhile, or was removed
	if shut != nil && !left {
		c.sender.backlog.unsubscribe(&g.rules)
	}
	c.unlock()
	switch {
	case shut != nil:
		c.closeFor(errShut, shut.code, shut.reason)
		return errShut
	case left:
		g.remove(m)
	}
	return nil
}

// list makes m a member from the next broadcast on, if it is none yet, unless the group is shut.
func (g *Group) list(m *member, farewell func()) (shut *parting) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if farewell != nil {
		m.farewell = farewell
	}
	switch {
	case m.index >= 0:
		return nil
	case g.shut == nil:
		m.at.Store(g.tail)
		m.index = len(g.members)
		g.members = append(g.members, m)
	}
	return g.shut
}

// Remove ends c's membership. What was broadcast before is sent. The connection stays open. If c is no member, nothing happens.
func (g *Group) Remove(c *Conn) {
	if c == nil {
		return
	}
	g.init()
	c.pull()
	c.mu.Lock()
	t := c.sender.backlog.unsubscribe(&g.rules)
	c.unlock()
	if t != nil {
		t.of.left()
	}
}

// left is called when the connection has let go of the topic.
func (m *member) left() { m.group.remove(m) }

// remove takes a member off the lists. What was posted and it has not taken counts as dropped.
func (g *Group) remove(m *member) {
	if n := g.unlist(m); n > 0 {
		m.conn.mu.Lock()
		m.conn.sender.counters.add(messagesDropped, n)
		m.conn.mu.Unlock()
	}
}

// unlist is remove, and returns how many messages it has not taken.
func (g *Group) unlist(m *member) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.index < 0 {
		return 0
	}
	skipped := m.skip()
	m.at.Store(nowhere) // what waits of the group must not keep what is posted from now on
	if m.listed {
		m.listed = false
		g.lagging = slices.DeleteFunc(g.lagging, func(o *member) bool { return o == m })
	}
	last := len(g.members) - 1
	g.members[m.index] = g.members[last]
	g.members[m.index].index = m.index
	g.members[last] = nil
	g.members = g.members[:last]
	m.index = -1
	if cap(g.members) > 64 && last < cap(g.members)/4 { // a crowd has left
		g.members, g.round = slices.Clip(slices.Clone(g.members)), nil
	}
	return skipped
}

// Len returns the number of members.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// All returns an iterator over those who are members when it begins, in no order. Members may come and go meanwhile.
func (g *Group) All() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		g.mu.Lock()
		members := slices.Clone(g.members)
		g.mu.Unlock()
		for _, m := range members {
			if !yield(m.conn) {
				return
			}
		}
	}
}

// Stats returns the group's figures.
func (g *Group) Stats() GroupStats {
	g.init()
	g.mu.Lock()
	defer g.mu.Unlock()
	return GroupStats{
		Members:  len(g.members),
		Messages: g.posted.messages,
		Sent:     g.rules.sent.Load(),
		Dropped:  g.rules.dropped.Load(),
		Unsent:   g.rules.unsent.Load(),
		Closed:   g.closed,
		Policy:   g.rules.policy,
	}
}

// Member returns c's figures, and whether it is a member.
func (g *Group) Member(c *Conn) (m MemberStats, ok bool) {
	if c == nil {
		return MemberStats{}, false
	}
	t := now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.sender.backlog.topicOf(&g.rules); o != nil {
		return o.stats(c.sender.size, t), true
	}
	return MemberStats{}, false
}

func (t *topic) stats(bytes int, at int64) MemberStats {
	m := MemberStats{Queued: t.waiting, Bytes: bytes, Dropped: t.dropped}
	if t.fullSince != 0 {
		m.Full = max(1, time.Duration(at-t.fullSince))
	}
	return m
}
