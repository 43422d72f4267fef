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

// A Conn is a WebSocket connection, as [Accept] or [Dial] made it. All its methods may be called from any goroutine at
// any time.
//
// A Conn needs no goroutine of the application to stay healthy: while nobody is in Read it reads ahead by itself, answers
// pings and the peer's Close, and notices when the peer is gone. It must be closed: by [Conn.Close], [Conn.CloseNow], or
// by the peer. A deferred CloseNow is never wrong.
//
// When a context that was passed to a method is done, that call returns; the connection stays open, unless the option
// CloseOnCancel is set.
type Conn struct {
	// The parts, each in a file or a package of its own. Each guards itself, but for the receiver: see there.
	transport  transport.Conn
	supervisor supervisor.Supervisor
	receiver   receiver
	keepalive  keepalive.State
	alarms     alarm.Set
	lifetime   lifetime.Context

	// writeTurn is the right to write to the transport.
	writeTurn turn.Turn
	// flags mirrors closing and sender, for the questions that each message asks. Only unlock writes it.
	flags         atomic.Uint32
	closeOnCancel bool // the option; nobody changes it

	mu      sync.Mutex // guards closing, sender and moments; never held across I/O or foreign code
	closing closing
	sender  sender
	moments *moments // made when somebody waits

	// What newConn sets and nobody changes. Of deflate, in belongs to the read turn and out to the write turn.
	deflate      *compression // nil: permessage-deflate was not agreed on
	closeTimeout time.Duration
	hooks        *hooks // callbacks of the application; nil: there are none
	subprotocol  string
}

// The flags.
const (
	delivering   uint32 = 1 << iota // data that comes is for the application
	dropping                        // data that has come is for nobody
	closedByUs                      // our wish to close came first
	known                           // the reason for the end is known
	noReads                         // there is no reason to read
	deaf                            // nothing that comes is parsed any more
	ending                          // the last attempt to write is to be made
	hasPending                      // something is to be written now
	hasCorked                       // something waits briefly to be written
	writerIsOpen                    // other messages wait for a Writer
)

// moments are closed when what they are named after has come. They are made when somebody waits.
type moments struct {
	stopped chan struct{} // no message is accepted any more
	told    chan struct{} // calls may return the cause
	hungUp  chan struct{} // the net.Conn is closed, or what remains of it is seen to in the background

	writerClosed chan struct{} // the Writer that is open has ended; it may be nil, and can come again
}

const (
	alarmReader    alarm.Kind = iota // see whether somebody reads
	alarmKeepAlive                   // see whether the peer is alive
	alarmCork                        // what was left for company must leave
	alarmClose                       // the closing handshake, or the last attempt, must be over
)

// corkDelay is how long messages and Pongs wait for company.
const corkDelay = time.Millisecond

// lingerTime bounds what is done in the background for an end in good order.
const lingerTime = time.Second

// now is the monotonic clock in nanoseconds.
func now() int64 { return alarm.Now() }

// compression is what a connection with permessage-deflate (RFC 7692) has more.
type compression struct {
	out       deflate.Compressor   // belongs to the holder of the write turn
	in        deflate.Decompressor // belongs to the holder of the read turn
	message   inflating            // too
	threshold int
	saved     atomic.Int64 // by how much what was compressed is larger; written with the write turn
}

// inflating is how far a compressed message was inflated.
type inflating struct {
	text     utf8.Validator
	size     int64             // of what a Reader had of it
	packedIn *transport.Buffer // holds packed
	packed   []byte            // payload that was taken, but not inflated yet
}

// end: the message was read to its end.
func (z *inflating) end() {
	if z.packedIn != nil {
		transport.Put(z.packedIn)
	}
	*z = inflating{}
}

// Subprotocol returns the agreed subprotocol (RFC 6455, section 1.9), as the client spells it, or "" if there is none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// LocalAddr returns the local network address.
func (c *Conn) LocalAddr() net.Addr { return c.transport.NetConn().LocalAddr() }

// RemoteAddr returns the peer's network address. If a proxy is between, it is the proxy's.
func (c *Conn) RemoteAddr() net.Addr { return c.transport.NetConn().RemoteAddr() }

// SetReadLimit sets how many bytes a message may have after decompression: 1 MiB by default; a negative n lifts the limit. It
// holds from the next frame on. A larger message closes the connection with 1009 (RFC 6455, section 7.4.1): see [ErrMessageTooBig].
func (c *Conn) SetReadLimit(n int64) { c.receiver.limit.Store(n) }

// Context returns a context that is cancelled when the connection has ended, whoever ended it: when both Close frames are
// through, or no Close will come. [context.Cause] of it is the error that every call on the connection returns from then
// on. It has the values of the request's context on a server, and of Dial's context on a client, but not their
// cancellation.
func (c *Conn) Context() context.Context { return &c.lifetime }

// unlock lets go of mu, and makes flags and moments what closing and sender are.
func (c *Conn) unlock() {
	cl, s := &c.closing, &c.sender
	f := bit(hasPending, s.pending(cl)) | bit(hasCorked, s.corked) | bit(writerIsOpen, s.writerOpen)
	if cl.quiet() {
		f |= delivering
	} else {
		f |= cl.flags()
	}
	if c.flags.Load() != f {
		c.flags.Store(f)
	}
	if m := c.moments; m != nil && (f&delivering == 0 || cl.noWrites) {
		pass(&m.stopped, cl.stopped())
		pass(&m.told, cl.told())
		pass(&m.hungUp, cl.hungUp)
	}
	c.hooks.closingMoved(cl)
	c.mu.Unlock()
}

// flags returns what of closing the flags mirror.
func (c *closing) flags() uint32 {
	return bit(delivering, c.delivers()) | bit(dropping, c.drops()) | bit(closedByUs, c.by == us) | bit(known, c.cause != nil) |
		bit(noReads, !c.reads()) | bit(deaf, c.deaf()) | bit(ending, c.over && !c.handshakeDone && !c.ended)
}

func bit(flag uint32, set bool) uint32 {
	if set {
		return flag
	}
	return 0
}

// passed is what a moment is once it has come.
var passed = make(chan struct{})

func init() { close(passed) }

// pass lets a moment come, if it is time and it has not come before.
func pass(moment *chan struct{}, due bool) {
	if due && *moment != passed {
		if *moment != nil {
			close(*moment)
		}
		*moment = passed
	}
}

// awaitable returns the moments, all of them made, so that one can wait for them.
func (c *Conn) awaitable() moments {
	c.mu.Lock()
	defer c.unlock() // which lets those come whose time has come already
	return *c.momentsLocked()
}

func (c *Conn) momentsLocked() *moments {
	if c.moments == nil {
		c.moments = &moments{stopped: make(chan struct{}), told: make(chan struct{}), hungUp: make(chan struct{})}
	}
	return c.moments
}

// has reports whether one of the flags is set.
func (c *Conn) has(flags uint32) bool { return c.flags.Load()&flags != 0 }

// reason returns why nothing can be done any more: before the context's error, if it is known. It waits until our Close
// has left, so that a CloseNow behind the error does not overtake it; but at most a second, and not if ctx is done.
func (c *Conn) reason(ctx context.Context) error {
	c.mu.Lock()
	told, cause := c.closing.told(), c.closing.cause
	c.mu.Unlock()
	if !told {
		var patience <-chan time.Time
		if cause != nil { // or else the reader finds it out, for which it has so long
			timer := time.NewTimer(lingerTime)
			defer timer.Stop()
			patience = timer.C
		}
		select {
		case <-c.awaitable().told:
		case <-ctx.Done():
		case <-patience:
		}
		cause = c.cause()
	}
	return cmp.Or(cause, ctx.Err())
}

// explain returns the caller's error: errOver becomes the reason.
func (c *Conn) explain(ctx context.Context, err error) error {
	if err == errOver {
		return c.reason(ctx)
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

// releaseRead gives the read turn back. It is the only function that does. Who has taken it for the application calls
// leaveRead.
func (c *Conn) releaseRead() {
	r, s := &c.receiver, &c.supervisor
	r.inbox.Release() // the answer may have the same memory, which is in the cache
	c.noteUnread()
	if s.Stalled.Load() && !r.ahead.full() {
		s.Stalled.Store(false)
	}
	s.Turn.Release()
	c.rest()
}

// publish adds to the counters what the holder of the read turn, which is the caller, has counted lately.
func (c *Conn) publish() {
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	c.mu.Unlock()
}

// tellWritten tells a Trace of a message that was taken.
func (c *Conn) tellWritten(typ MessageType, size int64) { c.hooks.messageWritten(typ, size) }

// tellSlow tells it that the queue is full.
func (c *Conn) tellSlow() {
	if c.hooks == nil {
		return
	}
	c.mu.Lock()
	queued := c.sender.size
	c.mu.Unlock()
	c.hooks.queueFull(queued)
}

// noteUnread notes whether more has come than the application has taken. It is called with the read turn.
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

// rest sees to it that somebody reads. It is called by everybody who lets go of the read turn, or stops wanting it.
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

// schedule has somebody look whether the application comes back to Read.
func (c *Conn) schedule() {
	if !c.supervisor.Visit() {
		c.alarms.Set(now(), alarmReader, c.supervisor.Delay())
	}
}

// startReader starts the reader goroutine if nobody reads.
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
			c.supervisor.Turn.Await(nil, nil) // who has it sees that there is no reason to read; so does whoever comes
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
	c.unlock()
}
