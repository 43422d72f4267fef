package sim

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
)

// A choir is some pairs of ours of which one end each may be a member of groups, with drawn policies. Its actors broadcast,
// send prepared messages, join and leave, besides what actors of a pair do. It ends with a Close of the groups in the middle
// of all that, or after the network has healed: then all that was sung is accounted for, see sung.go.
type choir struct {
	world   *world
	singers []*singer
	groups  []*choirGroup
	moment  atomic.Int64 // puts in order what happens at one instant
}

// A singer is the end of a pair that may be a member.
type singer struct {
	*peer
	choir *choir
	far   *peer
}

// A choirGroup is a group and what is known of it.
type choirGroup struct {
	websocket.Group
	choir   *choir
	name    string
	removes bool // OnSlow may end a membership

	mu    sync.Mutex
	casts []*cast
	stays []*stay
	shut  []shutting
}

// A cast is one broadcast. Its times are moments of the choir; 0: not yet.
type cast struct {
	letter       *letter
	began, ended int64
}

// A stay is a singer's membership.
type stay struct {
	singer                 *singer
	comes, in, leaves, out int64 // moments: Add begins and has returned nil, Remove begins and has returned; 0: not yet
	slowAt                 time.Time
}

// A shutting is a Close of the group.
type shutting struct {
	at     time.Time
	moment int64
	code   int
}

// newGroup draws a group.
func (c *choir) newGroup(r random) *choirGroup {
	g := &choirGroup{choir: c, name: fmt.Sprintf("group %d", len(c.groups)+1)}
	g.Policy = one(r, websocket.DropNewest, websocket.DropNewest, websocket.DropOldest, websocket.DropOldest, websocket.CloseAfterGrace, websocket.CloseSlow)
	g.MaxQueued = one(r, 0, 0, 1, 2, 3, 20, -1)
	g.Grace = one(r, 0, -1, time.Second, 40*time.Second)
	answer, text := r.IntN(8), []byte("from OnSlow")
	g.removes = answer == 0
	var times atomic.Int32
	g.OnSlow = func(conn *websocket.Conn, m websocket.MemberStats) {
		c.world.trace.event("%s: %s is slow: %+v", g.name, c.of(conn), m)
		g.noteSlow(c.of(conn))
		if times.Add(1) > 3 {
			return
		}
		switch answer { // what a callback may do
		case 0:
			g.Remove(conn)
		case 1:
			g.cast(nil, g.choir.letter("o"+g.name[6:], int(times.Load()), r, 40), true)
		case 2:
			conn.TryWrite(websocket.MessageText, text)
		case 3:
			if !g.closesSlow() {
				g.join(c.of(conn), "OnSlow")
			}
		}
	}
	c.groups = append(c.groups, g)
	return g
}

// of returns the singer with this connection.
func (c *choir) of(conn *websocket.Conn) *singer {
	for _, s := range c.singers {
		if s.conn == conn {
			return s
		}
	}
	return nil
}

// letter composes a letter that is in every singer's ledger: it may come to each.
func (c *choir) letter(from string, number int, r random, n int) *letter {
	typ := one(r, websocket.MessageText, websocket.MessageBinary)
	m := c.singers[0].out.compose(r, from, number, typ, n)
	tag, _ := tagOf(m.data)
	for _, s := range c.singers {
		own := *m
		own.fate = unsure
		s.out.mu.Lock()
		s.out.letters[tag] = &own
		s.out.mu.Unlock()
	}
	return m
}

// cast broadcasts a letter. by, if it is not nil, is who does.
func (g *choirGroup) cast(by *actor, m *letter, prepared bool) {
	k := &cast{letter: m, began: g.choir.moment.Add(1)}
	g.mu.Lock()
	g.casts = append(g.casts, k)
	g.mu.Unlock()
	var call *call
	if by != nil {
		call = by.begin(by.who, fmt.Sprintf("Broadcast of %s.%d, %d bytes, to %s", m.from, m.number, len(m.data), g.name), nil)
	}
	var err error
	if prepared {
		var p *websocket.PreparedMessage
		if p, err = websocket.NewPreparedMessage(m.typ, m.data); err == nil {
			err = g.BroadcastPrepared(p)
		}
	} else {
		err = g.Broadcast(m.typ, m.data)
	}
	if call != nil {
		call.end(nil)
	}
	if err != nil {
		g.choir.world.trace.fail("%s: Broadcast: %v", g.name, err)
	}
	g.mu.Lock()
	k.ended = g.choir.moment.Add(1)
	g.mu.Unlock()
}

// join makes a singer a member.
func (g *choirGroup) join(s *singer, who string) error {
	y := &stay{singer: s, comes: g.choir.moment.Add(1)}
	g.mu.Lock()
	g.stays = append(g.stays, y)
	g.mu.Unlock()
	call := s.begin(who, "Add to "+g.name, nil)
	err := g.Add(s.conn)
	call.end(nil)
	closes := false // a group: it may be closing the connection
	for _, o := range g.choir.groups {
		o.mu.Lock()
		closes = closes || len(o.shut) > 0 || o.closesSlow()
		o.mu.Unlock()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		y.in = g.choir.moment.Add(1)
	} else if len(g.shut) > 0 && errors.Is(err, net.ErrClosed) {
		g.shut = append(g.shut, shutting{call.began, y.comes, g.shut[0].code}) // it was closed as the group was
	} else if strings.Contains(err.Error(), "connection was lost") && (!s.end.in.closedAt().IsZero() || s.end.out.lost()) {
		// A write has failed, and what the peer has said is still looked for.
	} else if s.conn.Context().Err() == nil && s.wire.seen().close() == nil && s.heard.seen().close() == nil && !s.closed() && !closes {
		s.fail("%s: Add: %v", g.name, err)
	}
	return err
}

// leave ends its membership.
func (g *choirGroup) leave(s *singer, who string) {
	g.mu.Lock()
	now := g.choir.moment.Add(1)
	var mine []*stay
	for _, y := range g.stays {
		if y.singer == s && y.leaves == 0 {
			y.leaves = now
			mine = append(mine, y)
		}
	}
	g.mu.Unlock()
	call := s.begin(who, "Remove from "+g.name, nil)
	g.Remove(s.conn)
	call.end(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, y := range mine {
		y.out = g.choir.moment.Add(1)
	}
}

// noteSlow notes that a singer is slow, and that OnSlow may end its membership.
func (g *choirGroup) noteSlow(s *singer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, y := range g.stays {
		if y.singer == s && y.slowAt.IsZero() {
			y.slowAt = time.Now()
		}
	}
}

// closesSlow reports whether the group closes who is slow.
func (g *choirGroup) closesSlow() bool {
	return g.Policy == websocket.CloseSlow || g.Policy == websocket.CloseAfterGrace
}

// patience is for how long the group bears who is slow.
func (g *choirGroup) patience() time.Duration {
	switch {
	case g.Policy == websocket.CloseSlow || g.Grace < 0:
		return 0
	case g.Grace == 0:
		return 5 * time.Second
	}
	return g.Grace
}

// choir runs some pairs with groups.
func (w *world) choir() {
	w.trace.event("a choir, seed %d", w.seed)
	c := &choir{world: w}
	w.sings = c
	r := newRandom(w.seed, 60)
	faults := r.chance(25)
	for i := range r.between(1, 5) {
		if !c.addPair(r, i, faults) {
			return
		}
	}
	for range one(r, 1, 1, 2, 3) {
		g := c.newGroup(newRandom(w.seed, uint64(61+len(c.groups))))
		w.trace.event("%s: %v, %d queued, grace %v", g.name, g.Policy, g.MaxQueued, g.Grace)
		for _, s := range c.singers {
			if r.chance(85) {
				g.join(s, "main")
			}
		}
	}
	defer w.watch()()
	var group sync.WaitGroup
	for _, a := range c.actors(r) {
		group.Go(a.run)
	}
	early := r.chance(40)
	if early {
		time.Sleep(r.upTo(one(r, 10*time.Millisecond, time.Second, 20*time.Second)))
		for _, g := range c.groups {
			if r.chance(70) {
				group.Go(func() { g.end(newRandom(w.seed, uint64(70+len(g.name))), false) })
			}
		}
	}
	if !w.wait("programs", &group) {
		return
	}
	c.finish(r, faults)
}

// addPair adds a pair. One of its ends may be a member.
func (c *choir) addPair(r random, i int, faults bool) bool {
	w := c.world
	l, up, down := w.link, w.up, w.down
	if i > 0 {
		name := string(rune('a' + i))
		l = newNamedLink(w.trace, w.seed, name+": ", uint64(8000+4000*i))
		l.hardness = w.link.hardness
		up = &observer{trace: w.trace, name: "client " + name + " sends", fromClient: true}
		down = &observer{trace: w.trace, name: "server " + name + " sends"}
		w.lay(l, up, down)
	}
	client, server := w.peerOn(l, up, down, "client"), w.peerOn(l, up, down, "server")
	for _, p := range []*peer{client, server} {
		p.name = fmt.Sprintf("%s %c", p.role, 'a'+i)
		p.opts.queueLimit = one(r, 0, 0, 1<<10, 8<<10, -1, 200)
		p.opts.readLimit = one[int64](r, 0, -1, 1<<20) // what may be sent; watch takes a violation for deafness
	}
	toServer, toClient := newLedger(), newLedger()
	client.out, server.in = toServer, toServer
	client.in, server.out = toClient, toClient
	if !w.connect(client, server) {
		return false
	}
	s := &singer{peer: server, choir: c, far: client}
	if r.chance(25) {
		s = &singer{peer: client, choir: c, far: server}
	}
	s.peer.sings = s
	c.singers = append(c.singers, s)
	x, y := w.drawWeather(faults && r.chance(40)), w.drawWeather(faults && r.chance(40))
	w.trace.event("%s: weather from the client: %+v, from the server: %+v", s, x, y)
	l.up.setWeather(x)
	l.down.setWeather(y)
	return true
}

// actors draws who does something.
func (c *choir) actors(r random) (all []*actor) {
	w := c.world
	for i, s := range c.singers {
		closers := r.chance(15)
		biggest := min(s.link.up.weather.biggest(), s.link.down.weather.biggest())
		mine := w.actors(s.peer, r.between(1, 3), biggest, closers)
		for _, a := range mine {
			a.singer = s
			if r.chance(60) {
				a.mood.write, a.mood.cast, a.mood.prepared = a.mood.write+2, 6, 2
				a.steps = r.between(3, 25)
			}
			if r.chance(15) {
				a.mood.restless = 2
			}
		}
		if r.chance(80) {
			mine = append(mine, w.actors(s.far, r.between(1, 2), biggest, closers)...)
		}
		for k, a := range mine {
			a.who = fmt.Sprintf("%s%c", a.who, 'a'+i)
			a.draw = newRandom(w.seed, uint64(900+20*i+k))
			a.think = one(r, time.Microsecond, time.Microsecond, time.Millisecond, 50*time.Millisecond, time.Second)
		}
		all = append(all, mine...)
	}
	return all
}

// The acts of an actor of a choir.

func (a *actor) castOne() {
	c := a.singer.choir
	g := one(a.draw, c.groups...)
	g.cast(a, c.next(a), a.draw.chance(50))
	switch a.draw.IntN(10) { // with nothing in between: it must stay behind
	case 0, 1:
		a.write()
	case 2:
		a.tryWrite()
	case 3:
		a.writePrepared()
	case 4:
		a.stream()
	case 5:
		g.cast(a, c.next(a), a.draw.chance(50))
	}
}

// next composes the actor's next letter to all.
func (c *choir) next(a *actor) *letter {
	a.count++
	return c.letter(a.who, a.count, a.draw, min(a.size(), 20_000))
}

func (a *actor) writePrepared() {
	m := a.compose(a.size())
	p, err := websocket.NewPreparedMessage(m.typ, m.data)
	if err != nil {
		a.fail("%s: NewPreparedMessage: %v", a.who, err)
		return
	}
	if a.draw.chance(40) {
		c := a.begin(a.who, fmt.Sprintf("TryWritePrepared of %s.%d, %d bytes", m.from, m.number, len(m.data)), nil)
		err := a.conn.TryWritePrepared(p)
		a.settle(m, err, false)
		c.end(err)
		return
	}
	ctx, cancel := a.context()
	defer cancel()
	over := ctx.Err() != nil
	c := a.begin(a.who, fmt.Sprintf("WritePrepared of %s.%d, %d bytes", m.from, m.number, len(m.data)), ctx)
	err = a.conn.WritePrepared(ctx, p)
	a.settle(m, err, over)
	c.end(err)
}

func (a *actor) comeOrGo() {
	g := one(a.draw, a.singer.choir.groups...)
	if a.draw.chance(50) {
		g.leave(a.singer, a.who)
	} else {
		g.join(a.singer, a.who)
	}
}
