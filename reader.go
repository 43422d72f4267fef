package websocket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/closeonce/websocket/internal/transport"
)

// This file is how bytes come: the wait for them, the reader goroutine, and how somebody comes to read.

// fill reads more bytes into the inbox.
func (c *Conn) fill(ctx context.Context) error {
	_, err := c.receive(ctx, nil)
	return err
}

// receive waits for bytes and reads them: into dst, or into the inbox if dst is nil. It returns early if ctx is done, or,
// without ctx, if the reader goroutine is to step aside; nothing is lost then.
func (c *Conn) receive(ctx context.Context, dst []byte) (int, error) {
	// Whoever ends the wait changes the state first and then interrupts, and only we, who have the turn, can be hit: so
	// while nothing has begun to end, waiting is safe.
	quiet := ctx != nil && c.has(delivering) && ctx.Err() == nil
	for {
		if !quiet {
			if err := c.mayWait(ctx); err != nil {
				return 0, err
			}
		}
		quiet = false
		if c.has(hasPending | hasCorked) {
			c.flushNow() // nobody comes any more to share a system call with
		}
		if c.receiver.fresh != (fresh{}) {
			c.publish()
		}
		n, err := c.transport.Read(c.foreign(ctx), dst)
		if n > 0 {
			c.receiver.fresh.bytes += uint32(n)
			c.heard(ctx)
			return n, nil
		}
		if c.readFailed(err) {
			return 0, errOver
		}
	}
}

// heard notes that bytes have come.
func (c *Conn) heard(ctx context.Context) {
	if ctx == nil {
		c.keepalive.Heard(now())
	} else {
		c.keepalive.Came()
	}
}

// mayWait says why the read turn's holder should not wait for bytes, or nil.
func (c *Conn) mayWait(ctx context.Context) error {
	switch {
	case c.has(noReads):
		return errOver
	case ctx == nil && (c.supervisor.wanting.Load() > 0 || c.has(dropping) && c.receiver.ahead.some()):
		return errStepAside // for a call, or to look at what was read ahead for nobody
	case ctx == nil:
		return nil
	case c.has(known):
		return errOver
	case ctx.Err() != nil:
		return c.contextErr(ctx)
	}
	return nil
}

// readFailed is called when a read brought nothing, and reports whether it is the net.Conn that failed.
func (c *Conn) readFailed(err error) bool {
	if err == nil || err == transport.ErrInterrupted {
		return false
	}
	c.noteUnread()
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	a := c.closing.noRead(connectionLost(c.receiver.cutOff(err)), err == io.EOF)
	c.unlock()
	c.perform(a)
	return true
}

// failRead fails the connection because of a violation that was read. What follows it is not parsed.
func (c *Conn) failRead(err error) error {
	c.receiver.stop()
	c.noteUnread()
	return c.fail(err)
}

// refuse fails the connection because of the message that the application is at. Nothing of it is given to the application
// any more, nor of those behind it.
func (c *Conn) refuse(err error) error {
	c.receiver.reject()
	c.noteUnread()
	return c.fail(err)
}

// errStepAside: the reader goroutine shall let go of the read turn.
var errStepAside = errors.New("step aside")

// readAhead is the reader goroutine. It has the read turn, and ends when a call wants to read, when the read-ahead is
// full, or with the connection.
func (c *Conn) readAhead() {
	for {
		err := c.readOneAhead()
		if err != nil && !(err == errOver && c.receiver.over && !c.has(noReads)) {
			break
		}
	}
	if a := c.receiver.ahead; a != nil && len(a.bytes) == 0 && len(a.frames) == 0 {
		c.receiver.ahead = nil
	}
	if c.has(hasPending) {
		c.flushNow()
	}
	c.supervisor.running.Store(false)
	c.releaseRead()
}

// readOneAhead reads one frame's header, or a piece of its payload.
func (c *Conn) readOneAhead() error {
	r := &c.receiver
	drops := c.has(dropping)
	if drops {
		c.dropUnread()
	}
	if r.over { // after the peer's Close all is dropped, until it closes TCP
		r.inbox.Clear()
		r.inbox.Release()
		return c.fill(nil)
	}
	if r.ahead == nil {
		r.ahead = new(readAhead)
	}
	a := r.ahead
	last := &r.message.frame
	if len(a.frames) > 0 {
		last = &a.frames[len(a.frames)-1]
	}
	if a.full() {
		c.supervisor.stalled.Store(true)
		return errStepAside
	}
	if !drops && last.open && r.left > 0 {
		n, err := c.wirePayload(nil, a.room())
		a.bytes = a.bytes[:len(a.bytes)+n]
		last.n += int32(n)
		return err
	}
	last.open = false
	if err := c.nextWireFrame(nil); err != nil {
		return err
	}
	a.append(r.record())
	return nil
}

// dropUnread forgets what came before the application wanted no more messages. A message that came before CloseRead is
// one that it does not expect.
func (c *Conn) dropUnread() {
	if c.receiver.message.compressed {
		c.deflate.message.end()
	}
	some := c.receiver.dropAhead()
	c.supervisor.stalled.Store(false)
	c.mu.Lock()
	unexpected := some && c.closing.closeRead
	c.unlock()
	if unexpected {
		c.unexpected()
	}
}

// releaseRead gives the read turn back. It is the only function that does. Who has taken it for the application calls
// leaveRead.
func (c *Conn) releaseRead() {
	r, s := &c.receiver, &c.supervisor
	r.inbox.Release() // the answer may have the same memory, which is in the cache
	c.noteUnread()
	if s.stalled.Load() && !r.ahead.full() {
		s.stalled.Store(false)
	}
	s.turn.Release()
	c.rest()
}

// noteUnread notes whether more has come than the application has taken. It is called with the read turn.
func (c *Conn) noteUnread() {
	r, unread := &c.receiver, &c.supervisor.unread
	var now uint32
	if !r.inbox.Empty() || r.ahead.some() {
		now |= framesUnread
	}
	if r.message.open {
		now |= messageOpen
	}
	if unread.Load() != now {
		unread.Store(now)
	}
}

// rest sees to it that somebody reads. It is called by everybody who lets go of the read turn, or stops wanting it.
func (c *Conn) rest() {
	s := &c.supervisor
	if s.scheduled.Load() && s.expecting.Load() == 0 || c.has(noReads) {
		return
	}
	switch s.next(c.has(dropping)) {
	case stepLook:
		c.schedule()
	case stepRead:
		c.startReader()
	}
}

// schedule has somebody look whether the application comes back to Read.
func (c *Conn) schedule() {
	if s := &c.supervisor; s.sweeper != nil {
		s.sweeper.join(c)
	} else {
		c.alarms.Set(now(), alarmReader, s.delay())
	}
}

// look is that look.
func (c *Conn) look(t int64) {
	c.keepalive.Listened(t)
	away, again := c.supervisor.away()
	if c.has(noReads) {
		return
	}
	if again {
		c.schedule()
	}
	if away {
		c.startReader()
	}
}

// startReader starts the reader goroutine if nobody reads.
func (c *Conn) startReader() {
	if c.has(noReads) {
		return
	}
	taken, left := c.supervisor.takeForReader(c.has(dropping))
	switch {
	case taken:
		go c.readAhead()
	case left:
		c.releaseRead()
	}
}

// A sweeper looks at the connections of one http.Server, as far as the application has lately come out of Read on them,
// every readerDelay. A connection that it finds in Read it does not visit again before a message has come; with none left
// to visit it stops.
//
// That saves each connection a timer of its own, which runs in a goroutine: with thousands of connections and a few
// messages a second on each, a tenth of what a message costs.
type sweeper struct {
	first atomic.Pointer[Conn] // the first to visit; Conn.nextVisit is the next
	timer *time.Timer          // runs while there is a first
}

// sweepers has the sweeper of each server by weak.Pointer[http.Server]. There is none for all: in a bubble of
// testing/synctest there are timers and goroutines of the bubble's own, and only what a server has accepted is sure to
// share one.
var sweepers sync.Map

// sweeperOf returns the sweeper of the server that handles the request with this context, or nil if there is none. A
// connection that the handler dials is of the same bubble.
func sweeperOf(ctx context.Context) *sweeper {
	s, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	if s == nil {
		return nil
	}
	key := weak.Make(s)
	if p, ok := sweepers.Load(key); ok {
		return p.(*sweeper)
	}
	p, loaded := sweepers.LoadOrStore(key, newSweeper())
	if !loaded {
		runtime.AddCleanup(s, func(key weak.Pointer[http.Server]) { sweepers.Delete(key) }, key)
	}
	return p.(*sweeper)
}

func newSweeper() *sweeper {
	p := new(sweeper)
	p.timer = time.AfterFunc(readerDelay, p.sweep)
	return p
}

// join has a connection visited once. It is scheduled, and so on no other list.
func (p *sweeper) join(c *Conn) {
	for {
		first := p.first.Load()
		c.nextVisit = first
		if !p.first.CompareAndSwap(first, c) {
			continue
		}
		if first == nil {
			p.timer.Reset(readerDelay)
		}
		return
	}
}

// sweep visits those that have joined.
func (p *sweeper) sweep() {
	t := now()
	for c := p.first.Swap(nil); c != nil; {
		next := c.nextVisit
		c.nextVisit = nil
		c.look(t)
		c = next
	}
}
