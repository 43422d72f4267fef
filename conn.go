package websocket

import (
	"cmp"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/alarm"
	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/keepalive"
	"github.com/closeonce/websocket/internal/lifetime"
	"github.com/closeonce/websocket/internal/supervisor"
	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/turn"
	"github.com/closeonce/websocket/internal/utf8"
)

// A Conn is a WebSocket connection, as [Accept], [Dial] or [NewConn] made it. Any goroutine may call its methods at any time.
//
// A Conn needs no goroutine of the application to stay alive: while no Read is waiting, it reads ahead by itself, answers
// Pings and the peer's Close, and notices when the peer is gone. It must be closed: by [Conn.Close], [Conn.CloseNow], or
// by the peer. Deferring CloseNow is always safe.
//
// When a context that was passed to a method is done, that call returns; the connection stays open, unless the option
// CloseOnCancel is set.
type Conn struct {
	// The parts, each in a file or a package of its own. They guard themselves; the receiver belongs to the read turn.
	transport  transport.Conn
	supervisor supervisor.Supervisor
	receiver   receiver
	keepalive  keepalive.State
	alarms     alarm.Set
	lifetime   lifetime.Context

	// writeTurn is the right to write to the transport.
	writeTurn turn.Turn
	// flags mirrors the state of closing and sender, so that a message can check it without mu. Only unlock writes it.
	flags                  atomic.Uint32
	closeOnCancel, passive bool // the options; never changed

	mu      sync.Mutex // guards closing, sender and moments; never held across I/O or foreign code
	closing closing
	sender  sender
	moments *moments // made when a call first waits for one

	// Set by newConn and never changed. The decompressor in deflate belongs to the read turn, the compressor to the write turn.
	deflate      *compression // nil: permessage-deflate was not agreed on
	closeTimeout time.Duration
	hooks        *hooks // callbacks of the application; nil: there are none
	subprotocol  string
}

// The flags.
const (
	delivering   uint32 = 1 << iota // data that arrives is for the application
	dropping                        // data is discarded, read ahead or not
	closedByUs                      // we began to close
	known                           // the reason for the end is known
	noReads                         // there is no reason to read
	deaf                            // nothing that arrives is parsed any more
	ending                          // the last attempt to write is still to be made
	hasPending                      // there are frames to write now
	hasCorked                       // frames wait up to corkDelay for more
	writerIsOpen                    // a Writer is open, and other messages wait for it
	backlogged                      // messages wait in the backlog
	subscribed                      // the connection is a member of groups
)

// moments are channels. Each is closed when the state that it is named after is reached.
type moments struct {
	stopped chan struct{} // no message is accepted any more
	closes  chan struct{} // calls return soon: the end has begun, by more than CloseWrite, and it is not the application that has to answer
	told    chan struct{} // calls may return the cause
	hungUp  chan struct{} // the net.Conn is closed, or is being closed in the background

	writerClosed chan struct{} // the open Writer was closed. Made anew for each wait; nil: no call waits
}

const (
	alarmReader    alarm.Kind = iota // check whether the application reads
	alarmKeepAlive                   // check whether the peer is alive
	alarmCork                        // send the corked frames
	alarmClose                       // give up the closing handshake, or the last attempt
)

// corkDelay is how long corked messages and Pongs wait for more to share their system call.
const corkDelay = time.Millisecond

// lingerTime bounds what happens in the background when a connection ends: a last write, lingering, a read for the reason.
const lingerTime = time.Second

// now is the monotonic clock in nanoseconds.
func now() int64 { return alarm.Now() }

// compression is the state of permessage-deflate (RFC 7692).
type compression struct {
	out       deflate.Compressor   // belongs to the holder of the write turn
	in        deflate.Decompressor // belongs to the holder of the read turn
	message   inflating            // belongs to the holder of the read turn
	threshold atomic.Int64
}

// inflating is the state of a compressed message that is being read.
type inflating struct {
	text     utf8.Validator
	size     int64             // inflated bytes so far
	packedIn *transport.Buffer // the memory of packed
	packed   []byte            // payload that was read, but not inflated yet
}

// end is called when the message was read to its end.
func (z *inflating) end() {
	if z.packedIn != nil {
		transport.Put(z.packedIn)
	}
	*z = inflating{}
}

// Subprotocol returns the agreed subprotocol (RFC 6455, section 1.9), spelled as in the server's answer, or "" if there is none. [Accept]
// spells it as the client offered it, unless the handler has set it.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// LocalAddr returns the local network address.
func (c *Conn) LocalAddr() net.Addr { return c.transport.NetConn().LocalAddr() }

// RemoteAddr returns the peer's network address, or the proxy's if the connection goes through one.
func (c *Conn) RemoteAddr() net.Addr { return c.transport.NetConn().RemoteAddr() }

// SetReadLimit sets how many bytes a message may have after decompression: 1 MiB by default, no limit if n is negative, and only
// empty messages if it is 0. It applies from the next frame on, and in a compressed message at once. A larger message closes the
// connection with 1009 (RFC 6455, section 7.4.1), and calls return an error that wraps [ErrMessageTooBig].
func (c *Conn) SetReadLimit(n int64) { c.receiver.limit.Store(n) }

// Context returns a context that is cancelled when the connection has ended, for whatever reason: both Close frames were
// exchanged, or the connection ended without them. [context.Cause] of it is the error that every call on the connection
// returns from then on. It has the values of the request's context on a server, and of Dial's context on a client, but not
// their cancellation.
func (c *Conn) Context() context.Context { return &c.lifetime }

// unlock updates flags and moments to the state of closing and sender, and unlocks mu.
func (c *Conn) unlock() {
	cl, s := &c.closing, &c.sender
	f := bit(hasPending, s.pending(cl)) | bit(hasCorked, s.corked) | bit(writerIsOpen, s.writer != noWriter) |
		bit(backlogged, s.backlog.waits()) | bit(subscribed, s.backlog != nil && s.backlog.topics.first != nil)
	if cl.cause == nil && cl.state == open && !cl.closeRead && !cl.noWrites && !cl.eof { // the usual case, in short
		f |= delivering
	} else {
		f |= cl.flags()
	}
	if c.flags.Load() != f {
		c.flags.Store(f)
	}
	if m := c.moments; m != nil && (f&delivering == 0 || cl.noWrites || cl.half) {
		pass(&m.stopped, cl.stopped())
		pass(&m.closes, cl.over || cl.noWrites || cl.cause != nil && !cl.asks())
		if m.told == passed && !cl.told() { // the application answers the peer's Close, and that frame is waited for
			m.told = make(chan struct{})
		}
		pass(&m.told, cl.told())
		pass(&m.hungUp, cl.hungUp)
	}
	c.hooks.closingMoved(cl)
	c.mu.Unlock()
}

// flags returns the flags that mirror closing.
func (c *closing) flags() uint32 {
	return bit(delivering, c.delivers()) | bit(dropping, c.drops()) | bit(closedByUs, c.closedByUs()) | bit(known, c.cause != nil) |
		bit(noReads, !c.reads()) | bit(deaf, c.deaf()) | bit(ending, c.over && !c.handshakeDone && !c.ended)
}

func bit(flag uint32, set bool) uint32 {
	if set {
		return flag
	}
	return 0
}

// passed is the channel of every moment that has come.
var passed = make(chan struct{})

func init() { close(passed) }

// pass closes a moment that is due, unless it was closed before.
func pass(moment *chan struct{}, due bool) {
	if due && *moment != passed {
		if *moment != nil {
			close(*moment)
		}
		*moment = passed
	}
}

// awaitable returns the moments, so that a call can wait for them.
func (c *Conn) awaitable() moments {
	c.mu.Lock()
	defer c.unlock() // which closes those that are due already
	return *c.momentsLocked()
}

func (c *Conn) momentsLocked() *moments {
	if c.moments == nil {
		c.moments = &moments{make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{}), nil}
	}
	return c.moments
}

// has reports whether one of the flags is set.
func (c *Conn) has(flags uint32) bool { return c.flags.Load()&flags != 0 }

// reason returns why the connection is closing or has ended. If that is not known and ctx is done, it returns ctx.Err(). It
// waits until our Close has left, so that a CloseNow after the error does not overtake the frame: for at most a second, and
// until ctx is done, or instead has come.
func (c *Conn) reason(ctx context.Context, instead <-chan struct{}) error {
	c.mu.Lock()
	told, cause := c.closing.told(), c.closing.cause
	if c.closing.half && cause == nil && !c.closing.noWrites { // reads go on, so this is a call that sends
		told, cause = true, c.closing.result
	}
	c.mu.Unlock()
	if !told {
		var patience <-chan time.Time
		if cause != nil { // if it is nil, a write has failed, and alarmClose bounds the reader's search for the reason
			patience = time.After(lingerTime)
		}
		select {
		case <-c.awaitable().told:
		case <-ctx.Done():
		case <-instead:
		case <-patience:
		}
		cause = c.cause()
	}
	return cmp.Or(cause, ctx.Err())
}

// explain returns the error for the caller: the reason instead of errOver.
func (c *Conn) explain(ctx context.Context, err error) error {
	if err == errOver {
		return c.reason(ctx, nil)
	}
	return err
}

// cause returns the reason for the connection's end, or nil if it is not known.
func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing.cause
}

// contextErr returns why a call whose context is done fails: the reason for the connection's end, if there is one.
func (c *Conn) contextErr(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return cmp.Or(c.cause(), err)
	}
	return nil
}

// releaseRead gives the read turn back. It is the only function that does. A call of the application's gives it back by leaveRead.
func (c *Conn) releaseRead() {
	c.receiver.inbox.Release() // first, so that an answer can use the same memory, which is in the CPU's cache
	c.noteUnread()
	c.supervisor.Turn.Release()
	c.rest()
}

// publish adds the fresh counts of the receiver to the counters. The caller holds the read turn.
func (c *Conn) publish() {
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	c.mu.Unlock()
}

// tellWritten calls the Trace's MessageWritten.
func (c *Conn) tellWritten(typ MessageType, size int64) { c.hooks.messageWritten(typ, size) }

// tellsWritten reports whether that is there.
func (c *Conn) tellsWritten() bool { return c.hooks.wantsMessages() }

// tellSlow calls the Trace's Slow.
func (c *Conn) tellSlow() {
	c.mu.Lock()
	queued := c.sender.size
	c.mu.Unlock()
	c.hooks.queueFull(queued)
}

// noteUnread updates the supervisor's Unread: whether frames, or the rest of a message, wait for the application. It is
// called with the read turn.
func (c *Conn) noteUnread() {
	r, unread := &c.receiver, &c.supervisor.Unread
	var now uint32
	if !r.inbox.Empty() || r.ahead.some() {
		now |= supervisor.FramesUnread
	}
	if r.message.open {
		now |= supervisor.MessageOpen
	}
	if unread.Load() != now {
		unread.Store(now)
	}
}

// rest starts the reader goroutine, or schedules a check, if the connection needs a reader and has none. It is called
// whenever the read turn is given back, and when a call gives up waiting for the turn.
func (c *Conn) rest() {
	s := &c.supervisor
	if s.Scheduled.Load() && s.Expecting.Load() == 0 || c.has(noReads) {
		return
	}
	switch s.Next(c.has(dropping)) {
	case supervisor.Look:
		c.schedule()
	case supervisor.Read:
		c.startReader()
	}
}

// schedule has the sweeper or the alarm check later whether the application has come back to Read.
func (c *Conn) schedule() {
	if !c.supervisor.Visit() {
		c.alarms.Set(now(), alarmReader, c.supervisor.Delay())
	}
}

// startReader starts the reader goroutine if the read turn is free.
func (c *Conn) startReader() {
	if c.has(noReads) {
		return
	}
	taken, left := c.supervisor.TakeForReader(c.has(dropping))
	switch {
	case taken:
		c.supervisor.StartReader()
	case left:
		c.releaseRead()
	}
}

// hangUp closes the net.Conn.
func (c *Conn) hangUp(how acts) {
	switch {
	case how&linger != 0:
		go func() {
			giveUp := time.AfterFunc(lingerTime, c.transport.Close)
			defer giveUp.Stop()
			c.supervisor.Turn.Await(nil, nil) // its holder soon sees that there is no reason to read
			c.releaseRead()
			c.transport.Linger()
		}()
	case how&closeGently != 0:
		c.transport.CloseGently(lingerTime)
	default:
		c.transport.Close()
	}
	c.alarms.End()
	c.transport.Quiet()
	c.mu.Lock()
	c.sender.drop()
	c.closing.hungUp = true
	c.hooks.hungUp()
	c.unlock()
}

// leaveGroups has the connection leave its groups: it has ended.
func (c *Conn) leaveGroups() {
	if !c.has(subscribed) {
		return
	}
	c.mu.Lock()
	t := c.sender.backlog.topics.first
	c.sender.backlog.topics.first = nil
	c.unlock()
	for t != nil {
		next := t.next
		t.of.left()
		t = next
	}
}

// compressor returns what compresses messages, or nil. It belongs to the write turn.
func (c *Conn) compressor() *deflate.Compressor {
	if c.deflate == nil {
		return nil
	}
	return &c.deflate.out
}

// stoppedLocked reports whether no message is accepted any more. The caller holds mu.
func (c *Conn) stoppedLocked() bool { return c.closing.stopped() }

// anyText reports whether text is sent unchecked.
func (c *Conn) anyText() bool { return c.receiver.anyText }
