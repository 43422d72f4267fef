package websocket

import (
	"context"
	"net"
	"runtime/debug"
	"time"

	"github.com/closeonce/websocket/internal/alarm"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/keepalive"
	"github.com/closeonce/websocket/internal/supervisor"
)

// This file has what creates a connection and what it does by itself: its alarms, and the reader goroutine. (The writer
// goroutine is writeOut in flush.go.)

// config is what a handshake passes to newConn.
type config struct {
	client      bool
	subprotocol string
	deflate     *compression
	early       []byte          // bytes that came right behind the handshake
	parent      context.Context // for its values
	readLimit   int64
	settings    settings
}

// settings are what the options say, with the defaults filled in.
type settings struct {
	closeTimeout time.Duration // 0: Close does not wait
	keepAlive    time.Duration // 0: off
	queueLimit   int
	cancels      bool // CloseOnCancel
	passive      bool
	anyText      bool
	onPing       func(ctx context.Context, payload []byte) bool
	onPong       func(ctx context.Context, payload []byte)
	trace        *Trace
}

func newSettings(queueLimit int, closeTimeout, keepAlive time.Duration) settings {
	return settings{
		closeTimeout: orDefault(closeTimeout, defaultCloseTimeout, 0),
		keepAlive:    keepalive.Spread(orDefault(keepAlive, defaultKeepAlive, 0), time.Now().UnixNano()),
		queueLimit:   orDefault(queueLimit, defaultQueueLimit, 0),
	}
}

// newConn makes a connection whose handshake is done.
func newConn(nc net.Conn, cfg config) *Conn {
	c := readyConn(nc, cfg)
	c.begin()
	return c
}

// readyConn makes a connection that does nothing by itself yet. If its handshake fails, it is forgotten.
func readyConn(nc net.Conn, cfg config) *Conn {
	s := &cfg.settings
	if s.passive {
		s.keepAlive = 0
	}
	c := &Conn{
		closeOnCancel: s.cancels,
		passive:       s.passive,
		deflate:       cfg.deflate,
		closeTimeout:  s.closeTimeout,
		subprotocol:   cfg.subprotocol,
	}
	c.setHooks(s)
	c.lifetime.Init(cfg.parent)
	c.transport.Init(nc, &c.receiver.inbox)
	c.receiver.client = cfg.client
	c.receiver.limit.Store(cfg.readLimit)
	c.sender.client, c.sender.limit = cfg.client, s.queueLimit
	c.receiver.anyText = s.anyText
	c.closing.server, c.closing.passive = !cfg.client, s.passive
	if len(cfg.early) > 0 {
		c.receiver.inbox.Put(cfg.early)
		c.receiver.fresh.bytes = uint32(len(cfg.early))
		c.supervisor.Unread.Store(supervisor.FramesUnread)
	}
	c.supervisor.Init((*background)(c))
	c.keepalive.Init(now(), s.keepAlive)
	return c
}

// begin starts what the connection does by itself.
func (c *Conn) begin() {
	t := now()
	c.mu.Lock()
	c.sender.counters.opened = time.Now().UnixNano()
	c.unlock()
	tell := c.hooks != nil && c.hooks.trace.onHandshakeDone != nil
	if tell {
		c.supervisor.Turn.Await(nil, nil) // so that nothing is read before HandshakeDone; the turn is free
	}
	c.alarms.Init(c.ring, t, alarmReader, supervisor.ReaderDelay)
	if period := c.keepalive.Period(); period > 0 {
		c.alarms.Set(t, alarmKeepAlive, c.keepalive.Together(time.Now().UnixNano(), period))
	}
	if tell {
		c.hooks.trace.onHandshakeDone()
		c.releaseRead()
	}
}

// setHooks binds the callbacks to the connection, if there are any.
func (c *Conn) setHooks(s *settings) {
	if s.onPing == nil && s.onPong == nil && s.trace == nil {
		return
	}
	c.hooks = &hooks{onPing: s.onPing, onPong: s.onPong}
	trace, t := s.trace, &c.hooks.trace
	if trace == nil {
		return
	}
	if f := trace.HandshakeDone; f != nil {
		t.onHandshakeDone = func() {
			c.call("Trace.HandshakeDone", func() { f(c, HandshakeInfo{c.sender.client, c.deflate != nil}) })
		}
	}
	if f := trace.FrameRead; f != nil {
		t.onFrameRead = func(i FrameInfo) { c.call("Trace.FrameRead", func() { f(c, i) }) }
	}
	if f := trace.FrameWritten; f != nil {
		t.onFrameWritten = func(i FrameInfo) { c.tell("FrameWritten", func() { f(c, i) }) }
	}
	if f := trace.MessageRead; f != nil {
		t.onMessageRead = func(m MessageInfo) { c.call("Trace.MessageRead", func() { f(c, m) }) }
	}
	if f := trace.MessageWritten; f != nil {
		t.onMessageWritten = func(m MessageInfo) { c.tell("MessageWritten", func() { f(c, m) }) }
	}
	if f := trace.PingAnswered; f != nil {
		t.onPingAnswered = func(rtt time.Duration) { c.call("Trace.PingAnswered", func() { f(c, rtt) }) }
	}
	if f := trace.Slow; f != nil {
		t.onSlow = func(queued int) { c.tell("Slow", func() { f(c, queued) }) }
	}
	if trace.StateChanged != nil || trace.Closed != nil {
		t.deliver = func() { c.deliver(trace) }
	}
}

// tell calls a function of a Trace that does not run under the read turn; call is for the others.
func (c *Conn) tell(name string, f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		err := &panicError{"Trace." + name, v, debug.Stack()}
		if v == nil { // runtime.Goexit: the goroutine may end with the write turn, and no Close frame can be sent
			c.end((*closing).end, err)
			return
		}
		c.closeFor(err, StatusInternalError, "internal error")
	}()
	f()
	returned = true
}

// deliver calls StateChanged and Closed for the events noted, in a goroutine of its own.
func (c *Conn) deliver(trace *Trace) {
	done := false
	defer func() {
		if !done { // a function has ended this goroutine
			go c.deliver(trace)
		}
	}()
	for {
		c.mu.Lock()
		e, some := c.hooks.trace.next()
		reason := c.closing.cause
		c.mu.Unlock()
		switch {
		case !some:
			done = true
			return
		case e.ended && trace.Closed != nil:
			<-c.lifetime.Done() // so it has left its groups, too
			c.tell("Closed", func() { trace.Closed(c, reason, c.Stats()) })
		case !e.ended && trace.StateChanged != nil:
			c.tell("StateChanged", func() { trace.StateChanged(c, CloseState(e.from), CloseState(e.to)) })
		}
	}
}

// newCompression returns the state of permessage-deflate for one end of a connection.
func newCompression(agreed handshake.Params, client bool, threshold int) *compression {
	outBits, outTakeover := agreed.ServerBits, !agreed.ServerNoTakeover
	inBits, inTakeover := agreed.ClientBits, !agreed.ClientNoTakeover
	if client {
		outBits, inBits = inBits, outBits
		outTakeover, inTakeover = inTakeover, outTakeover
	}
	z := &compression{}
	z.out.Init(outBits, outTakeover, agreed.Effort)
	z.in.Init(inBits, inTakeover)
	z.setThreshold(threshold)
	return z
}

// ring handles the alarms that are due. The alarms' timer calls it.
func (c *Conn) ring() {
	t := now()
	due := c.alarms.Take(t, judges, asleep)
	c.keepalive.Listened(t)
	if due.Has(alarmCork) {
		c.mu.Lock()
		c.sender.corked = false
		c.unlock()
		if c.has(hasPending) {
			c.flushNow()
		}
	}
	if due.Has(alarmKeepAlive) {
		c.checkAlive(t)
	}
	if due.Has(alarmClose) {
		c.mu.Lock()
		a := c.closing.timedOut(errCloseTimeout)
		c.unlock()
		c.perform(a)
	}
	if due.Has(alarmReader) && !c.passive { // otherwise Scheduled stays set, and nobody looks
		c.supervisor.UseSweeper(c.lifetime.Values())
		if c.supervisor.Turn.Held() && !c.supervisor.Running.Load() {
			c.supervisor.Trust()
		}
		(*background)(c).Look(t)
	}
}

// judges are the alarms that end the connection for the peer's silence. If they are so late that we were asleep (the process
// was stopped, its machine slept, or others had the processors) who reads gets time to read what has come meanwhile.
var judges = alarm.Of(alarmKeepAlive, alarmClose)

const asleep = 100 * time.Millisecond

// checkAlive looks for signs of life of the peer, and sends a Ping or ends the connection if there are none.
func (c *Conn) checkAlive(t int64) {
	c.mu.Lock()
	stopped := c.closing.stopped()
	c.unlock()
	if stopped {
		return // no Ping may be sent any more; the close timeout bounds the rest, or after CloseWrite the application
	}
	deaf := c.supervisor.Stalled.Load()
	taken, outstanding := c.transport.Taken()
	gone, _ := c.transport.PeerClosed()
	v, again := c.keepalive.Check(t, taken, outstanding, deaf, gone)
	switch v {
	case keepalive.Dead:
		c.end((*closing).end, ErrPingTimeout)
		return
	case keepalive.Ask:
		c.sendPing(c.keepalive.Next(nil))
		c.startReader()
	}
	c.alarms.Set(t, alarmKeepAlive, c.keepalive.Together(time.Now().UnixNano(), again))
}

// background is a Conn in its role as the supervisor's Owner.
type background Conn

// Look is the check that schedule or newConn asked for. It starts the reader goroutine if the application does not read.
func (b *background) Look(t int64) {
	c := (*Conn)(b)
	c.keepalive.Listened(t)
	away, again := c.supervisor.Away()
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

// ReadAhead is the reader goroutine. It has the read turn. It ends when a call wants to read, when the read-ahead is full,
// or when the connection ends.
func (b *background) ReadAhead() {
	c := (*Conn)(b)
	for {
		err := c.readOneAhead()
		if err != nil && !(err == errOver && c.receiver.parsingDone && !c.has(noReads)) {
			break
		}
	}
	if a := c.receiver.ahead; a != nil && len(a.bytes) == 0 && len(a.frames) == 0 {
		c.receiver.ahead = nil
	}
	if c.has(hasPending) {
		c.flushNow()
	}
	c.supervisor.Running.Store(false)
	c.releaseRead()
}

// readOneAhead reads one frame's header, or a piece of its payload.
func (c *Conn) readOneAhead() error {
	r := &c.receiver
	drops := c.has(dropping)
	if drops {
		c.dropUnread()
	}
	if r.parsingDone { // after the peer's Close everything is dropped, until the peer closes TCP
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
		c.keepalive.Came() // if it was full before, the application has read since
		c.supervisor.Stalled.Store(true)
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
