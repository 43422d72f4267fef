package websocket

import (
	"log"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// This file is how a group brings messages to its members, and what it does with those that are slow.

// maxWork bounds what was broadcast and has not been brought to all members.
const maxWorkMessages, maxWorkBytes = 256, 1 << 20

// postings counts the messages of all groups, so that a connection takes those of its groups in their order.
var postings atomic.Uint64

// Broadcast sends p as one message to all members, see [Group]. It returns an error if p can't be sent, as Write would,
// and never because of a member. The caller may change p afterwards.
func (g *Group) Broadcast(typ MessageType, p []byte) error {
	m, err := NewPreparedMessage(typ, p)
	if err != nil {
		return err
	}
	return g.BroadcastPrepared(m)
}

// BroadcastPrepared is [Group.Broadcast] for a message that was prepared, and may be sent elsewhere, too.
func (g *Group) BroadcastPrepared(m *PreparedMessage) error {
	if !m.ready() {
		return errNotPrepared
	}
	g.init()
	g.mu.Lock()
	size := int64(len(m.shared.plain.frame))
	g.posted.add(size)
	if len(g.members) == 0 && !g.delivering {
		g.all = g.posted
		g.mu.Unlock()
		return nil
	}
	p, next := g.tail, new(posting)
	p.message, p.number = &m.shared, postings.Add(1)
	g.tail = next
	p.next.Store(next) // from here on members may take it
	start := !g.delivering
	g.delivering = true
	behind := g.posted.messages-g.all.messages > maxWorkMessages || g.posted.bytes-g.all.bytes > max(maxWorkBytes, size)
	g.mu.Unlock()
	if start {
		go g.deliver()
	}
	if behind {
		g.help()
	}
	return nil
}

func (w *work) add(bytes int64) {
	w.messages++
	w.bytes += bytes
}

// deliver is the group's goroutine. It ends when all members have all messages, or room for them in their queues.
func (g *Group) deliver() {
	done := false
	defer func() {
		if !done { // OnSlow has called runtime.Goexit
			go g.deliver()
		}
	}()
	for g.goRound() {
	}
	done = true
}

// goRound gives each member what it lacks, and reports whether there was something to do.
func (g *Group) goRound() bool {
	for g.tellSlow() {
	}
	g.mu.Lock()
	target := g.posted
	if g.all == target && len(g.slow) == 0 {
		g.delivering = false
		g.mu.Unlock()
		return false
	}
	g.round = append(g.round[:0], g.members...)
	round := g.round
	g.mu.Unlock()
	for _, m := range round {
		if m.lacks() {
			m.conn.pull()
		}
	}
	g.mu.Lock()
	clear(g.round)
	if target.messages > g.all.messages {
		g.all = target
	}
	g.mu.Unlock()
	return true
}

// help goes a round, too.
func (g *Group) help() {
	g.mu.Lock()
	target := g.posted
	round := slices.Clone(g.members)
	g.mu.Unlock()
	for _, m := range round {
		if m.lacks() {
			m.conn.pull()
		}
	}
	g.mu.Lock()
	if target.messages > g.all.messages {
		g.all = target
	}
	g.mu.Unlock()
}

// lags is called when the member has no room for a message.
func (m *member) lags() {
	g := m.group
	if g.OnSlow != nil {
		s, _ := g.Member(m.conn)
		g.mu.Lock()
		g.slow = append(g.slow, slowMember{m, s})
		start := !g.delivering
		g.delivering = true
		g.mu.Unlock()
		if start {
			go g.deliver()
		}
	}
	switch g.rules.policy {
	case CloseSlow:
		m.close()
	case CloseAfterGrace:
		g.watch(m)
	}
}

// tellSlow calls OnSlow for one member, and reports whether there was one.
func (g *Group) tellSlow() bool {
	g.mu.Lock()
	if len(g.slow) == 0 {
		g.mu.Unlock()
		return false
	}
	c, stats := g.slow[0].conn, g.slow[0].stats
	g.slow = slices.Delete(g.slow, 0, 1)
	g.mu.Unlock()
	returned := false
	defer func() {
		if !returned {
			v := recover()
			if v != nil {
				log.Printf("websocket: OnSlow panicked: %v\n%s", v, debug.Stack())
			}
			c.closeFor(&panicError{"OnSlow", v, debug.Stack()}, StatusInternalError, "internal error")
		}
	}()
	g.OnSlow(c, stats)
	returned = true
	return true
}

// watch sees to it that the member is closed if it is full for too long.
func (g *Group) watch(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.listed || m.index < 0 {
		return
	}
	m.listed = true
	g.lagging = append(g.lagging, m)
	if len(g.lagging) == 1 {
		g.armLocked(g.grace)
	}
}

func (g *Group) armLocked(d time.Duration) {
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.endGrace)
	} else {
		g.timer.Reset(d)
	}
}

// endGrace closes the members that have been full for too long.
func (g *Group) endGrace() {
	t := now()
	g.mu.Lock()
	late := g.lagging
	g.lagging = nil
	for _, m := range late {
		m.listed = false // who lags again from now on is watched anew
	}
	g.mu.Unlock()
	var again []*member
	wait := g.grace
	for _, m := range late {
		c := m.conn
		c.mu.Lock()
		full, left := c.sender.backlog.full(&m.topic, c.sender.size), g.grace-time.Duration(t-m.fullSince)
		c.mu.Unlock()
		switch {
		case full && left <= 0:
			m.close()
		case full:
			again = append(again, m)
			wait = min(wait, left)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range again {
		if !m.listed && m.index >= 0 {
			m.listed = true
			g.lagging = append(g.lagging, m)
		}
	}
	if len(g.lagging) > 0 {
		g.armLocked(wait)
	}
}

// close closes a member that is slow, and ends its membership. What waits for it of the group is dropped, so that our Close
// need not wait behind it.
func (m *member) close() {
	c, g := m.conn, m.group
	c.mu.Lock()
	left := c.sender.backlog.topicOf(&g.rules) != &m.topic // and may have joined again, as another member
	if !left {
		c.sender.backlog.dropAll(&m.topic, &c.sender.account)
		c.sender.backlog.unsubscribe(&g.rules)
	}
	stopped := c.closing.stopped()
	c.unlock()
	if left {
		return
	}
	g.remove(m)
	if stopped {
		return
	}
	g.mu.Lock()
	g.closed++
	g.mu.Unlock()
	c.closeFor(errClosed{"the peer reads too slowly; closed with StatusTryAgainLater"}, StatusTryAgainLater, "reading too slowly")
}
