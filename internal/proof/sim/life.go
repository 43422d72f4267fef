package sim

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A life is what a peer's application did and met.
type life struct {
	mu       sync.Mutex
	calls    []*call
	got      []receipt
	closes   []ending // Close, CloseContext, CloseNow, in order
	noReads  bool     // CloseRead was called
	endedAt  time.Time
	attached time.Time // when the Conn was made
	writers  int       // Writers that are open
	readers  int       // Readers that are being read
	settled  int       // so many of calls, from the first, have returned
}

// A call is one call of the application's.
type call struct {
	peer   *peer
	who    string
	what   string
	ctx    context.Context // nil: the call takes none
	began  time.Time
	until  time.Time // when its context ends at the latest; zero: never
	ended  time.Time // zero: it has not returned
	err    error
	other  *peer // whose connection's context was given, if it was
	before int64 // bytes that had come when it began
	after  int64 // ... when it ended
}

// A receipt is a message that the application got, or the start of it.
type receipt struct {
	typ   byte
	data  []byte
	whole bool
	who   string
	at    time.Time
}

// An ending is a close that the application asked for.
type ending struct {
	at   time.Time
	now  bool // without a handshake
	half bool // by CloseWrite: the application goes on reading
	code int
	call *call
}

// begin notes that a call begins.
func (p *peer) begin(who, what string, ctx context.Context) *call {
	c := &call{peer: p, who: who, what: what, ctx: ctx, began: time.Now(), before: p.end.in.taken()}
	if ctx != nil {
		c.until, _ = ctx.Deadline()
		if u, ok := ctx.Value(untilKey{}).(time.Time); ok {
			c.until = u
		}
		c.other, _ = ctx.Value(under{}).(*peer)
		for _, q := range p.world.peers {
			if q != p && q.conn != nil && ctx == q.conn.Context() {
				c.other = q
			}
		}
	}
	p.event("%s: %s ...", who, what)
	p.life.mu.Lock()
	p.life.calls = append(p.life.calls, c)
	p.life.mu.Unlock()
	return c
}

// untilKey is the key of the time at which a context will be cancelled.
type untilKey struct{}

// end notes that the call has returned.
func (c *call) end(err error) {
	p := c.peer
	p.life.mu.Lock()
	c.ended, c.err, c.after = time.Now(), err, p.end.in.taken()
	p.life.mu.Unlock()
	if err != nil {
		p.event("%s: %s: %v", c.who, c.what, err)
	} else {
		p.event("%s: %s: done", c.who, c.what)
	}
}

// got notes a message, or the start of one.
func (p *peer) got(who string, typ byte, data []byte, whole bool) {
	p.life.mu.Lock()
	p.life.got = append(p.life.got, receipt{typ, append([]byte(nil), data...), whole, who, time.Now()})
	p.life.mu.Unlock()
}

// closing notes that the application asks for an end.
func (p *peer) closing(c *call, now bool, code int) {
	p.life.mu.Lock()
	p.life.closes = append(p.life.closes, ending{at: time.Now(), now: now, code: code, call: c})
	p.life.mu.Unlock()
}

// over returns when the connection's context ended; zero: it has not.
func (p *peer) over() time.Time {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return p.life.endedAt
}

// closed reports whether the application has asked for an end.
func (p *peer) closed() bool {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return len(p.life.closes) > 0
}

// closedWhole reports whether it has done so otherwise than by CloseWrite.
func (p *peer) closedWhole() bool {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return slices.ContainsFunc(p.life.closes, func(e ending) bool { return !e.half })
}

// halfClosed reports whether the application has called CloseWrite.
func (p *peer) halfClosed() bool {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return p.life.halfClosed()
}

// halfClosed is that for a caller who holds mu.
func (l *life) halfClosed() bool {
	return slices.ContainsFunc(l.closes, func(e ending) bool { return e.half })
}

// opens counts what is open.
func (p *peer) opens(count *int, n int) {
	p.life.mu.Lock()
	*count += n
	p.life.mu.Unlock()
}
