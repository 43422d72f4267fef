package websocket

import (
	"cmp"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/alarm"
	"github.com/closeonce/websocket/internal/keepalive"
	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/turn"
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
	supervisor supervisor
	receiver   receiver
	keepalive  keepalive.State
	alarms     alarm.Set
	lifetime   lifetime

	nextVisit *Conn // on the sweeper's list

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
	values       context.Context // those of Context
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
}

const (
	alarmReader    alarm.Kind = iota // see whether somebody reads
	alarmKeepAlive                   // see whether the peer is alive
	alarmCork                        // what was left for company must leave
	alarmClose                       // the closing handshake, or the last attempt, must be over
)

// now is the monotonic clock in nanoseconds.
func now() int64 { return alarm.Now() }

// settings are what the options say, with the defaults filled in.
type settings struct {
	closeTimeout time.Duration // 0: Close does not wait
	keepAlive    time.Duration // 0: off
	queueLimit   int
	cancels      bool // CloseOnCancel
	onPing       func(ctx context.Context, payload []byte) bool
	onPong       func(ctx context.Context, payload []byte)
	trace        *Trace
}

// The defaults of the options.
const (
	defaultCloseTimeout = 5 * time.Second
	defaultKeepAlive    = 30 * time.Second
	defaultReadLimit    = 1 << 20
	defaultQueueLimit   = 256 << 10
)

// config is what a handshake knows about the connection it made.
type config struct {
	client      bool
	subprotocol string
	deflate     *compression
	early       []byte          // frames that came right behind the handshake
	parent      context.Context // for its values
	readLimit   int64
	settings    settings
}

func newConn(nc net.Conn, cfg config) *Conn {
	s := &cfg.settings
	c := &Conn{
		closeOnCancel: s.cancels,
		deflate:       cfg.deflate,
		closeTimeout:  s.closeTimeout,
		hooks:         newHooks(s),
		subprotocol:   cfg.subprotocol,
		values:        context.WithoutCancel(cfg.parent),
	}
	c.transport.Init(nc, &c.receiver.inbox)
	c.receiver.client = cfg.client
	c.receiver.limit.Store(cfg.readLimit)
	c.sender.client, c.sender.limit = cfg.client, s.queueLimit
	c.closing.server = !cfg.client
	if len(cfg.early) > 0 {
		c.receiver.inbox.Put(cfg.early)
		c.receiver.fresh.bytes = uint32(len(cfg.early))
		c.supervisor.unread.Store(framesUnread)
	}
	t := now()
	c.keepalive.Init(t, s.keepAlive)
	// It is an alarm that looks first: on a sweeper's list, a connection that is soon gone would be kept in memory.
	c.supervisor.scheduled.Store(true)
	c.mu.Lock()
	c.sender.counters.opened = time.Now().UnixNano()
	c.unlock()
	done := c.beginTrace()
	c.alarms.Init(c.ring, t, alarmReader, readerDelay)
	if s.keepAlive > 0 {
		c.alarms.Set(t, alarmKeepAlive, s.keepAlive)
	}
	done()
	return c
}

// Subprotocol returns the subprotocol that the handshake agreed on, as the client spells it, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// SetReadLimit sets how many bytes a message may have, decoded; -1 is no limit. The default is 1 MiB. It holds from the
// next frame on. A larger message is not read: the peer is sent Close 1009, and calls return an error that is ErrMessageTooBig.
func (c *Conn) SetReadLimit(n int64) { c.receiver.limit.Store(n) }

// unlock lets go of mu, and makes flags and moments what closing and sender are.
func (c *Conn) unlock() {
	cl, s := &c.closing, &c.sender
	f := bit(hasPending, s.pending(cl)) | bit(hasCorked, s.corked) | bit(writerIsOpen, s.writer != nil)
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
	c.noteEvents()
	c.mu.Unlock()
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
	if c.moments == nil {
		c.moments = &moments{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	}
	return *c.moments
}

// has reports whether one of the flags is set.
func (c *Conn) has(flags uint32) bool { return c.flags.Load()&flags != 0 }

// perform does what closing wants done. The caller may hold either turn, but not mu.
func (c *Conn) perform(a acts) {
	if a&bound != 0 {
		c.alarms.SetOnce(now(), alarmClose, orDefault(c.closeTimeout, lingerTime, 0))
	}
	if a&hurry != 0 {
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
	}
	// Whoever takes a turn from here on looks before it waits.
	if a&interruptWrite != 0 && c.writeTurn.Held() {
		c.transport.InterruptWrite()
	}
	if a&interruptRead != 0 && c.supervisor.turn.Held() {
		c.transport.InterruptRead()
	}
	if a&keepReading != 0 {
		c.supervisor.expecting.Add(1) // for as long as the connection lives
		c.rest()
	}
	if a&wakeWriter != 0 {
		c.flushNow()
	}
	if a&endContext != 0 { // before Close is told
		c.lifetime.finish()
	}
	if a&lastTry != 0 {
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
		if c.writeTurn.Try() {
			c.leaveWrite()
		}
		if c.has(ending) { // the attempt is made in the background; Close does not wait for it
			c.mu.Lock()
			c.closing.hungUp = true
			c.unlock()
		}
	}
	if a&(closeGently|closeHard|linger) != 0 {
		c.hangUp(a)
	}
}

// lingerTime bounds what is done in the background for an end in good order.
const lingerTime = time.Second

// hangUp closes the net.Conn.
func (c *Conn) hangUp(how acts) {
	switch {
	case how&linger != 0:
		go func() {
			giveUp := time.AfterFunc(lingerTime, c.transport.Close)
			defer giveUp.Stop()
			c.supervisor.turn.Await(nil, nil) // who has it sees that there is no reason to read; so does whoever comes
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

// fail closes the connection because the peer did what it must not do (RFC 6455, section 7.1.7), and returns errOver.
func (c *Conn) fail(err error) error {
	code, reason := StatusProtocolError, err.Error()
	switch err := err.(type) {
	case ProtocolError:
		code, reason = err.Code, err.Reason
	case sizeError:
		code, reason = StatusMessageTooBig, err.reason()
	}
	payload := string(appendClose(nil, code, reason[:min(len(reason), maxCloseReason)]))
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	a := c.closing.fail(err, payload)
	c.unlock()
	c.perform(a)
	return errOver
}

// closeFor closes the connection because of a rule of our own.
func (c *Conn) closeFor(cause error, code StatusCode, reason string) {
	c.mu.Lock()
	a := c.closing.begin(cause, string(appendClose(nil, code, reason)))
	c.unlock()
	c.perform(a)
}

// end ends the connection without a closing handshake.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	a := c.closing.end(reason)
	c.unlock()
	c.perform(a)
}

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

// ring does what is due.
func (c *Conn) ring() {
	t := now()
	due := c.alarms.Take(t)
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
	if due.Has(alarmReader) {
		if c.supervisor.sweeper == nil {
			c.supervisor.sweeper = sweeperOf(c.values)
		}
		if c.supervisor.turn.Held() && !c.supervisor.running.Load() {
			c.supervisor.trust()
		}
		c.look(t)
	}
}

// checkAlive looks for signs of life of the peer.
func (c *Conn) checkAlive(t int64) {
	if !c.has(delivering) && c.has(known) {
		return // no Ping may leave any more, and the close timeout bounds what is left
	}
	deaf := c.supervisor.stalled.Load()
	taken, outstanding := c.transport.Taken()
	v, again := c.keepalive.Check(t, taken, outstanding, deaf)
	switch v {
	case keepalive.Dead:
		c.end(ErrPingTimeout)
		return
	case keepalive.Ask:
		c.sendPing(c.keepalive.Next(nil))
		c.startReader()
	}
	c.alarms.Set(t, alarmKeepAlive, again)
}
