package storm

import (
	"context"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// group is some connections of which one end each is a member of a Group. All that happens in a crowd happens there, while
// others broadcast. Members come and go. It ends with a Close or the group's Shutdown in the middle of it,
// or is held against the ledgers first.
func (w *world) group() {
	r := w.draw
	policy := one(r, websocket.DropNewest, websocket.DropNewest, websocket.DropOldest, websocket.CloseAfterGrace, websocket.CloseSlow)
	c := &chorus{world: w, group: &websocket.Group{Policy: policy, MaxQueued: one(r, 0, 0, 2, 50)}}
	var pairs []*pair
	for range one(r, 1, 2, 2, 4) {
		p := w.pair(w.drawOptions(), w.drawOptions())
		if p == nil {
			break
		}
		pairs = append(pairs, p)
		p.mayDie.Store(policy == websocket.CloseSlow)
		e := one(r, p.server, p.server, p.client)
		if err := c.group.Add(e.conn); err != nil {
			w.fail("stuck-call", "Add gave %v", err)
			break
		}
		c.members = append(c.members, e)
	}
	if len(c.members) > 0 && len(c.members) == len(pairs) {
		w.sing(c, pairs)
	}
	for _, p := range pairs {
		p.finish()
	}
}

// sing is what happens to a group with members.
func (w *world) sing(c *chorus, pairs []*pair) {
	r := w.draw
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, p := range pairs {
		for _, e := range p.ends() {
			p.crowdOf(e, stop, &writers, &readers)
		}
	}
	for range one(r, 1, 1, 3) {
		a := one(r, c.members...).actor("b", stop)
		a.largest = one(r, 300, 3000, 20_000, 100_000)
		a.think = one(r, 0, time.Millisecond, time.Millisecond)
		writers.Go(func() { a.broadcasts(c) })
	}
	if r.chance(30) {
		c.restless = one(r, c.members...)
		a := c.restless.actor("j", stop)
		writers.Go(func() { a.comesAndGoes(c.group) })
	}
	pause(r.upTo(one(r, 3*time.Millisecond, 20*time.Millisecond, 60*time.Millisecond)), w.dead)
	switch r.IntN(10) {
	case 0, 1, 2, 3:
		w.closeCrowd(one(r, pairs...))
	case 4, 5, 6:
		w.shutDown(c)
	}
	close(stop)
	if w.joinSoon(&writers, "the peers read") {
		for i, p := range pairs {
			if p.doom.Load() == 0 && p.settled() {
				c.heard(c.members[i])
				w.closeCrowd(p)
			}
		}
	}
	for _, p := range pairs {
		p.doomed()
		for _, e := range p.ends() {
			e.conn.Close(websocket.StatusNormalClosure, "")
		}
	}
	w.join(&readers)
}

// shutDown closes the group in the middle of it, from one or two callers. All members get their Close, and none is left.
func (w *world) shutDown(c *chorus) {
	r := w.draw
	for _, e := range c.members {
		e.noteClose(websocket.StatusGoingAway)
		if e == c.restless { // it may be no member at this moment
			e.pair.mayDie.Store(true)
			e.actor("c", w.dead).close(nil, websocket.StatusGoingAway, "")
		}
	}
	var calls sync.WaitGroup
	for range one(r, 1, 2) {
		a := one(r, c.members...).actor("g", w.dead)
		calls.Go(func() {
			a.in("Shutdown", nil, a.end.options.closeTimeout)
			defer a.out()
			closed, err := c.group.Shutdown(context.Background())
			if err != nil || closed > len(c.members) {
				w.fail("close-failed", "Shutdown of %d members gave %d, %v", len(c.members), closed, err)
			}
		})
	}
	for _, e := range c.members {
		e.pair.doomed()
	}
	if !w.join(&calls) {
		return
	}
	for _, e := range c.members {
		if !e.pair.mayDie.Load() && e.conn.Context().Err() == nil { // else a policy may have closed it before
			w.fail("close-failed", "the %s is a member, and goes on after Shutdown", e.role)
		}
	}
	if err := c.group.Add(one(r, c.members...).conn); err == nil {
		w.fail("close-failed", "Add after Shutdown gave no error")
	}
}

// A chorus is a group and what is known of it.
type chorus struct {
	world    *world
	group    *websocket.Group
	members  []*end
	restless *end // comes and goes; nil: nobody does
}

// broadcast is one message to all members. It is entered wherever it may come.
func (a *actor) broadcast(c *chorus) error {
	typ := a.typ()
	number, data := a.end.out.compose(a.name, a.size(), typ, false)
	for _, e := range c.members {
		e.out.expect(a.name, number, len(data))
	}
	if a.draw.chance(50) {
		a.in("Broadcast", nil, atOnce)
		defer a.out()
		return c.group.Broadcast(typ, data)
	}
	m, err := websocket.NewPreparedMessage(typ, data)
	if err != nil {
		return err
	}
	a.in("BroadcastPrepared", nil, atOnce)
	defer a.out()
	return c.group.BroadcastPrepared(m)
}

// broadcasts broadcasts until it shall stop, and between it writes to its own connection: both keep their order.
func (a *actor) broadcasts(c *chorus) {
	for !a.stopped() {
		if err := a.broadcast(c); err != nil {
			a.end.pair.world.fail("stuck-call", "Broadcast gave %v", err)
			return
		}
		if a.draw.chance(20) {
			ctx, cancel := a.context()
			err := a.write(ctx, a.typ(), a.size())
			cancel()
			if !patient(err) {
				return
			}
		}
		a.rest()
	}
}

// comesAndGoes joins and leaves until it shall stop.
func (a *actor) comesAndGoes(g *websocket.Group) {
	for !a.stopped() {
		pause(a.draw.upTo(3*time.Millisecond), a.stop)
		a.in("Remove", nil, atOnce)
		g.Remove(a.end.conn)
		a.out()
		pause(a.draw.upTo(time.Millisecond), a.stop)
		a.in("Add", nil, atOnce)
		g.Add(a.end.conn)
		a.out()
	}
}

// heard holds that what was broadcast has left to a member that stayed, or was dropped.
func (c *chorus) heard(e *end) {
	if e == c.restless {
		return
	}
	all, sent, dropped := 0, 0, 0
	if c.world.moving(func() bool {
		m, in := c.group.Member(e.conn)
		if !in || e.isOver() || e.other().isOver() {
			return true
		}
		all, sent = e.out.casts()
		dropped = int(m.Dropped)
		return all == sent+dropped
	}) {
		return
	}
	c.world.fail("stuck-message", "%s: of %d broadcasts %d were sent, and %d dropped", e.role, all, sent, dropped)
}
