package sim

import (
	"context"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// This file is how the groups of a choir are closed, and what must hold then.

// end closes the group, perhaps by several calls, and holds what they return against what became of the members. fair says
// that the network carries everything, and all read.
func (g *choirGroup) end(r random, fair bool) {
	w := g.choir.world
	code, how := one(r, 1001, 1001, 4000), r.IntN(3)
	var patience time.Duration
	if !fair && r.chance(50) {
		patience = r.upTo(one(r, time.Millisecond, time.Second, 20*time.Second))
	}
	var group sync.WaitGroup
	calls := one(r, 1, 1, 2)
	for range r.IntN(3) { // with nothing in between: it must be sent before the Close
		g.cast(nil, g.choir.letter("e"+g.name[6:], int(g.choir.moment.Load()), r, 300), true)
	}
	for range calls {
		group.Go(func() {
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if patience > 0 {
				ctx, cancel = context.WithTimeout(ctx, patience)
			}
			defer cancel()
			if how == 0 && code == 1001 {
				g.close(ctx, code, fair && calls == 1, func() (int, error) { return g.Shutdown(ctx) })
			} else {
				g.close(ctx, code, fair && calls == 1, func() (int, error) { return g.Close(ctx, websocket.StatusCode(code), "the end") })
			}
		})
	}
	group.Wait()
	if n := g.Len(); fair && n != 0 {
		w.trace.fail("%s has %d members after its Close", g.name, n)
	}
}

// close is one call of Close or Shutdown. all says that it must close all members well.
func (g *choirGroup) close(ctx context.Context, code int, all bool, do func() (int, error)) {
	w := g.choir.world
	began := time.Now()
	var surely []*singer
	most, longest := 0, time.Duration(0)
	g.mu.Lock()
	g.shut = append(g.shut, shutting{began, g.choir.moment.Add(1), code})
	for _, s := range g.choir.singers {
		longest = max(longest, s.opts.closeWithin())
		in, may := false, false
		for _, y := range g.stays {
			may = may || y.singer == s
			in = in || y.singer == s && y.in > 0 && y.leaves == 0 && g.keeps(y)
		}
		if may {
			most++
		}
		if in && !s.ended() {
			surely = append(surely, s)
		}
	}
	g.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok { // who is left then is ended as by CloseNow
		for _, s := range g.choir.singers {
			s.life.mu.Lock()
			s.life.closes = append(s.life.closes, ending{at: deadline, now: true, call: &call{who: g.name, what: "the end of patience"}})
			s.life.mu.Unlock()
		}
	}
	w.trace.event("%s: Close with %d ...", g.name, code)
	closed, err := do()
	w.trace.event("%s: Close: %d of %d, %v", g.name, closed, len(surely), err)
	took := time.Since(began)
	if deadline, ok := ctx.Deadline(); ok {
		longest = min(longest, deadline.Sub(began))
	}
	if late := took - longest; late > 2*slack {
		w.trace.fail("%s: Close returned %v too late", g.name, late)
	}
	if err != nil && ctx.Err() == nil {
		w.trace.fail("%s: Close: %v", g.name, err)
	}
	if closed > most || all && closed < len(surely) {
		w.trace.fail("%s: Close has closed %d of %d to %d members well", g.name, closed, len(surely), most)
	}
	for _, s := range surely {
		if s.conn.Context().Err() == nil && g.stillIn(s) {
			s.fail("goes on after the Close of %s, of which it is a member", g.name)
		}
	}
}

// keeps reports whether only Remove ends this membership, while the connection lasts. The caller holds mu.
func (g *choirGroup) keeps(y *stay) bool {
	return y.slowAt.IsZero() || !g.closesSlow() && !g.removes
}

// stillIn reports whether a singer that was a member has not left.
func (g *choirGroup) stillIn(s *singer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, y := range g.stays {
		if y.singer == s && (y.leaves != 0 || !g.keeps(y)) {
			return false
		}
	}
	return true
}
