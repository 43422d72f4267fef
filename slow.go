package websocket

import (
	"log"
	"runtime/debug"
	"slices"
	"time"
)

// SlowPolicy says what a [Group] does with a member that has no room for a message. What is dropped is counted.
type SlowPolicy int

const (
	// CloseAfterGrace drops messages for the member until half of what waits for it has left. If that takes longer than
	// Grace, the member is closed with 1013 (StatusTryAgainLater), and is no member any more.
	CloseAfterGrace SlowPolicy = iota
	// CloseSlow closes the member at once, with 1013 (StatusTryAgainLater). It is no member any more.
	CloseSlow
	// DropNewest drops the message. The member stays.
	DropNewest
	// DropOldest drops the group's messages that have waited longest, until there is room for the new one. The member
	// stays. With MaxQueued it keeps the last so many messages: 1 is for prices and positions, of which only the last counts.
	DropOldest
)

// lags is called when the member has no room for a message.
func (m *member) lags() {
	g := m.group
	if g.OnSlow != nil {
		g.mu.Lock()
		g.slow = append(g.slow, m)
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
	m := g.slow[0]
	g.slow = slices.Delete(g.slow, 0, 1)
	g.mu.Unlock()
	c := m.conn
	t := now()
	c.mu.Lock()
	stats := m.stats(c.sender.size, t)
	c.mu.Unlock()
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
	if m.listed {
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
	g.mu.Unlock()
	var again []*member
	wait := g.grace
	for _, m := range late {
		c := m.conn
		c.mu.Lock()
		full, left := c.sender.full(&m.topic), g.grace-time.Duration(t-m.fullSince)
		c.mu.Unlock()
		switch {
		case full && left <= 0:
			m.close()
		case full:
			again = append(again, m)
			wait = min(wait, left)
			continue
		}
		g.mu.Lock()
		m.listed = false
		g.mu.Unlock()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lagging = append(g.lagging, again...); len(g.lagging) > 0 {
		g.armLocked(wait)
	}
}

// close closes a member that is slow, and ends its membership. What waits for it of the group is dropped, so that our Close
// need not wait behind it.
func (m *member) close() {
	c, g := m.conn, m.group
	c.mu.Lock()
	c.sender.dropAll(&m.topic)
	t, stopped := c.sender.unsubscribe(&g.rules), c.closing.stopped()
	c.unlock()
	if t == nil {
		return // it has left meanwhile
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
