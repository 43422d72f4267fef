package sim

import (
	"context"
	"sync"
	"time"
)

// This file holds what came to the members of groups against what was broadcast.

// finish: the network heals, and all read. What was broadcast is accounted for, member by member, and the groups are closed.
func (c *choir) finish(r random, faults bool) {
	w := c.world
	w.trace.event("--- the programs are through; the network heals")
	for _, l := range w.links {
		l.heal()
	}
	stop, cancel := context.WithCancel(context.Background())
	var drains sync.WaitGroup
	for _, p := range w.peers {
		drains.Go(func() { p.drain(stop) })
	}
	time.Sleep(5 * time.Second)
	alive := 0
	for _, s := range c.singers {
		if s.ended() {
			continue
		}
		alive++
		s.allArrived()
		s.far.allArrived()
		c.accounted(s)
	}
	for _, g := range c.groups {
		c.counted(g, alive == len(c.singers))
	}
	var group sync.WaitGroup
	for i, g := range c.groups {
		group.Go(func() { g.end(newRandom(w.seed, uint64(80+i)), !faults) })
		if !w.wait("a group's Close", &group) { // one after another, so that none finds members closed by another
			break
		}
	}
	for _, g := range c.groups { // who comes late is closed, too
		s := one(r, c.singers...)
		before := s.ended()
		if err := g.join(s, "late"); err == nil {
			s.fail("joins %s, which was closed", g.name)
		}
		if time.Sleep(20 * time.Second); !before && !s.ended() {
			s.fail("goes on, though it has come to %s too late", g.name)
		}
	}
	cancel()
	w.wait("drains", &drains)
}

// ended reports whether the pair's connection has ended, or begun to.
func (s *singer) ended() bool {
	for _, p := range []*peer{s.peer, s.far} {
		if !p.over().IsZero() || p.wire.seen().close() != nil || p.closed() || p.end.out.lost() {
			return true
		}
	}
	return false
}

// came returns which letters have left to a singer, and at which place.
func (s *singer) came() map[string]int {
	places := map[string]int{}
	for i, m := range s.wire.seen().messages {
		if tag, ok := tagOf(m.data); ok {
			places[tag] = i
		}
	}
	return places
}

// accounted: what was broadcast while the singer was a member has left to it, or was dropped by a policy and counted.
func (c *choir) accounted(s *singer) {
	sure, may, left := 0, 0, 0
	places := s.came()
	for _, g := range c.groups {
		g.mu.Lock()
		for _, k := range g.casts {
			in, may1 := g.heard(s, k)
			if in {
				sure++
			}
			if may1 {
				may++
			}
			tag, _ := tagOf(k.letter.data)
			if _, came := places[tag]; came {
				left++
				if !may1 {
					s.fail("%s came, and %s is no member of %s", tag, s, g.name)
				}
			}
		}
		g.mu.Unlock()
	}
	stats := s.conn.Stats()
	if n := left + int(stats.DroppedByPolicy); n < sure || n > may {
		s.fail("of %d to %d broadcasts %d have left, and %d were dropped", sure, may, left, stats.DroppedByPolicy)
	}
	if stats.Dropped != stats.DroppedByPolicy || stats.QueuedBytes != 0 || stats.QueuedMessages != 0 {
		s.fail("is idle, and has the figures %+v", stats)
	}
	for _, g := range c.groups {
		if m, ok := g.Member(s.conn); ok && (m.Queued != 0 || m.Bytes != 0) {
			s.fail("is idle, and a member of %s with the figures %+v", g.name, m)
		}
	}
}

// heard reports whether a broadcast surely was for a singer, and whether it may have been. The caller holds mu.
func (g *choirGroup) heard(s *singer, k *cast) (surely, maybe bool) {
	for _, y := range g.stays {
		if y.singer != s || y.comes > k.ended && k.ended > 0 || y.out != 0 && y.out < k.began {
			continue
		}
		maybe = true
		if y.in != 0 && y.in < k.began && (y.leaves == 0 || k.ended > 0 && k.ended < y.leaves) && g.keeps(y) {
			surely = true
		}
	}
	return surely, maybe
}

// counted: the group's figures say what became of each message, and no more than what became of it.
func (c *choir) counted(g *choirGroup, allAlive bool) {
	stats := g.Stats()
	g.mu.Lock()
	defer g.mu.Unlock()
	sure, may, left := 0, 0, 0
	for _, s := range c.singers {
		places := s.came()
		for _, k := range g.casts {
			in, may1 := g.heard(s, k)
			if in && !s.ended() {
				sure++
			}
			if may1 {
				may++
			}
			tag, _ := tagOf(k.letter.data)
			if _, came := places[tag]; came {
				left++
			}
		}
	}
	waiting := 0
	for conn := range g.All() {
		m, _ := g.Member(conn)
		waiting += m.Queued
	}
	if int(stats.Messages) != len(g.casts) {
		c.world.trace.fail("%s: %d broadcasts, and the figures %+v", g.name, len(g.casts), stats)
	}
	if n := int(stats.Sent+stats.Dropped+stats.Unsent) + waiting; n < sure || n > may {
		c.world.trace.fail("%s: %d deliveries are accounted for, there were %d to %d: %+v", g.name, n, sure, may, stats)
	}
	if int(stats.Sent) < left || allAlive && int(stats.Sent) != left {
		c.world.trace.fail("%s: %d have left, and the figures are %+v", g.name, left, stats)
	}
}

// judgeFarewell: what was broadcast before a group's Close has left before its Close frame, if nothing else has closed the
// connection, or was dropped by a policy.
func (c *choir) judgeFarewell() {
	for _, s := range c.singers {
		ours, theirs := s.wire.seen().close(), s.heardClose()
		if ours == nil || theirs == nil || theirs.at <= ours.at || len(s.life.closes)+len(s.far.life.closes) > 0 || s.end.out.lost() || s.violatedPeer() ||
			ours.closeCode() == 1013 || !s.closedByGroup(ours.closeCode(), c.world.trace.start.Add(ours.at)) {
			continue
		}
		if s.wire.seen().cutShort() {
			continue // nothing may leave between the fragments of a Writer's message, so what waits behind it is dropped
		}
		places := s.came()
		first, sure, left := int64(0), 0, 0
		for _, g := range c.groups {
			for _, y := range g.stays {
				for _, k := range g.shut {
					if y.singer == s && (first == 0 || k.moment < first) {
						first = k.moment
					}
				}
			}
		}
		for _, g := range c.groups {
			for _, k := range g.casts {
				tag, _ := tagOf(k.letter.data)
				if _, came := places[tag]; came {
					left++
				}
				if in, _ := g.heard(s, k); in && k.ended != 0 && k.ended < first {
					sure++
				}
			}
		}
		if dropped := int(s.conn.Stats().DroppedByPolicy); left+dropped < sure {
			s.fail("of %d broadcasts before its group's Close %d have left, and %d were dropped", sure, left, dropped)
		}
	}
}

// judgeOrder: all members get the messages in one order, and it is that in which they were broadcast.
func (c *choir) judgeOrder() {
	var all []*cast
	for _, g := range c.groups {
		all = append(all, g.casts...)
	}
	for i, s := range c.singers {
		places := s.came()
		for _, a := range all {
			tagA, _ := tagOf(a.letter.data)
			at, came := places[tagA]
			if !came || a.ended == 0 {
				continue
			}
			for _, b := range all {
				tagB, _ := tagOf(b.letter.data)
				if then, came := places[tagB]; came && a.ended < b.began && then < at {
					s.fail("got %s, which was broadcast after %s, before it", tagB, tagA)
					return
				}
			}
		}
		for _, o := range c.singers[:i] {
			for _, g := range c.groups {
				g.sameOrder(s, places, o, o.came())
			}
		}
	}
}

// sameOrder: two members get what both get in the same order.
func (g *choirGroup) sameOrder(s *singer, here map[string]int, o *singer, there map[string]int) {
	order := make([]string, len(s.wire.seen().messages))
	for _, k := range g.casts {
		tag, _ := tagOf(k.letter.data)
		if at, came := here[tag]; came {
			order[at] = tag
		}
	}
	last, lastTag := -1, ""
	for _, tag := range order {
		at, came := there[tag]
		if tag == "" || !came {
			continue
		}
		if at < last {
			s.fail("got %s before %s, and %s after it", lastTag, tag, o)
			return
		}
		last, lastTag = at, tag
	}
}

// closedByGroup reports whether a group may have closed the connection with this code by then. It is asked when all is over.
func (s *singer) closedByGroup(code int, by time.Time) bool {
	for _, g := range s.choir.groups {
		for _, y := range g.stays {
			if y.singer != s {
				continue
			}
			for _, k := range g.shut {
				if k.code == code && !k.at.After(by) && (y.out == 0 || y.out > k.moment) {
					return true
				}
			}
			if code == 1013 && g.closesSlow() && !y.slowAt.IsZero() && !y.slowAt.Add(g.patience()-slack).After(by) {
				return true
			}
		}
	}
	return false
}
