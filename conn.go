package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Conn is a WebSocket connection, as [Accept] or [Dial] made it. All its
// methods may be called from any goroutine at any time.
//
// A Conn needs no goroutine of the application to stay healthy: while nobody is
// in Read it reads ahead by itself, answers pings and the peer's Close, and
// notices when the peer is gone. It must be closed: by [Conn.Close],
// [Conn.CloseNow], or by the peer. A deferred CloseNow is never wrong.
//
// A cancelled context ends the call it was given to, not the connection.
type Conn struct {
	// The order of the fields is that of use: what each message touches stands in
	// front, in few lines of the CPU's cache. With thousands of connections none of
	// them is in the cache when its message comes.

	// What newConn sets and nobody changes; more of it at the end.
	nc      net.Conn
	raw     syscall.RawConn // to wait and to try without blocking; nil: not possible here
	ready   func(uintptr) bool
	deflate *compression // nil: permessage-deflate was not agreed on
	client  bool
	resumes bool // an expired write deadline leaves nc usable

	readTurn, writeTurn turn

	// Shared without the lock.
	readLimit atomic.Int64
	gone      atomic.Bool  // Context has ended
	hearing   atomic.Bool  // bytes have come since heard; who looks next asks for the time
	waiting   atomic.Bool  // more frames are read and wait to be taken
	stalled   atomic.Bool  // the read-ahead is full
	lazy      atomic.Bool  // the queue holds frames that wait for company
	calm      atomic.Bool  // a data frame is for the application: nobody closes
	writing   atomic.Bool  // a Writer is open
	urgent    atomic.Bool  // something may wait to be written
	visited   atomic.Bool  // the application let go of the read turn since somebody looked
	watched   atomic.Bool  // somebody will look: the patrol, or the reader's alarm
	expect    atomic.Int32 // calls that wait for control frames

	heard     atomic.Int64 // when the last byte came, by now(), as far as hearing does not say more
	patrol    *patrol      // nil: there is none. Who sets watched has it, and what follows.
	nextVisit *Conn

	// Owned by whoever holds the read turn.
	in inbound

	// mu guards what follows, as far as the next comment. It is never held across
	// I/O, and nobody waits for anything while holding it.
	mu         sync.Mutex
	state      closeState
	ended      bool  // cause is final, no call blocks any more
	local      bool  // we began to close
	failing    bool  // the peer broke the protocol: after our Close, TCP is closed
	both       bool  // both Close frames are through
	eof        bool  // the peer sends no more
	closeRead  bool  // data is a violation of policy
	readerUp   bool  // the reader goroutine holds the read turn
	readPoked  bool  // the read deadline was set to interrupt
	writePoked bool  // the write deadline was set to interrupt
	isStopped  bool  // nothing can be written any more
	trust      uint8 // doubles the reader's delay so many times
	wantRead   int32 // calls that wait for the read turn
	out        outbound
	cause      error         // the first reason why the connection ends; then final
	closeErr   error         // why the closing handshake did not complete
	writeErr   error         // why nothing can be written any more
	stopped    chan struct{} // closed when isStopped; made when needed
	readWatch  watch
	writeWatch watch
	pinged     int64     // when the keepalive ping was sent, by now(); 0: none is out
	pings      *pingWait // those that wait, the newest first
	lastPing   uint64
	alarms     alarms

	// Shared without the lock, and not for each message.
	listeners atomic.Pointer[listeners]

	// Set by newConn.
	settings    settings
	subprotocol string
	values      context.Context // those of Context
}

// settings are what the options say, with the defaults filled in.
type settings struct {
	closeTimeout time.Duration
	keepAlive    time.Duration // 0: off
	queueLimit   int
	onPing       func(ctx context.Context, payload []byte) bool
	onPong       func(ctx context.Context, payload []byte)
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

// nobody is the context of the connection's own goroutines: none. They are
// interrupted by other means, and code that both run asks for nil.
var nobody context.Context

// A writeResumer is a net.Conn that says of itself that an expired write
// deadline leaves it usable: Write returned how many bytes it took. With
// crypto/tls it does not.
type writeResumer interface{ WriteDeadlineResumes() }

func newConn(nc net.Conn, cfg config) *Conn {
	c := &Conn{
		nc:          nc,
		client:      cfg.client,
		subprotocol: cfg.subprotocol,
		settings:    cfg.settings,
		deflate:     cfg.deflate,
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn, writeResumer:
		c.resumes = true
	}
	if c.raw = rawConn(nc); c.raw != nil {
		c.ready = c.readReady
	}
	c.values = context.WithoutCancel(cfg.parent)
	c.readLimit.Store(cfg.readLimit)
	c.calm.Store(true)
	if len(cfg.early) > 0 {
		c.in.buf = &buffer{b: make([]byte, max(bufferSize, len(cfg.early)))}
		c.in.w = copy(c.in.buf.b, cfg.early)
		c.waiting.Store(true)
	}
	t := now()
	c.heard.Store(t)
	c.mu.Lock()
	// Until the first Read comes, the connection reads by itself. It is an alarm that looks
	// first: on a patrol's list, a connection that is soon gone would be kept in memory.
	c.watched.Store(true)
	c.setAlarmAtLocked(t, alarmReader, readerDelay)
	if c.settings.keepAlive > 0 {
		c.setAlarmAtLocked(t, alarmKeepAlive, c.settings.keepAlive)
	}
	c.mu.Unlock()
	return c
}

// Subprotocol returns the subprotocol that the handshake agreed on, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// LocalAddr returns the local network address.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the peer's network address: behind a proxy, the proxy's.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetReadLimit sets how many bytes a message may have, decoded; -1 is no limit.
// The default is 1 MiB. It holds from the next frame on. A larger message is not
// read: the peer is sent Close 1009, and calls return ErrMessageTooBig.
func (c *Conn) SetReadLimit(n int64) { c.readLimit.Store(n) }

// errClosed is the cause after a close of our own. It says so, and is
// net.ErrClosed.
type errClosed struct{ what string }

func (e errClosed) Error() string { return "websocket: " + e.what }
func (e errClosed) Unwrap() error { return net.ErrClosed }

// errCloseTimeout is why Close gave up.
var errCloseTimeout = fmt.Errorf("websocket: the closing handshake took longer than the close timeout: %w", os.ErrDeadlineExceeded)

// lost is the error for a connection that broke without a Close frame.
func lost(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("websocket: the connection was lost: %w", err)
}

// over says why ctx ends a call, and nil while it does not. A context that ended
// because the connection did, as c.Context() and its children, is no reason: the
// connection knows a better one, and there may be messages to read still.
func (c *Conn) over(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	c.mu.Lock()
	ended, cause := c.ended, c.cause
	c.mu.Unlock()
	if ended && (c.ownContext(ctx) || context.Cause(ctx) == cause) {
		return nil
	}
	return err
}

// gaveUp is what a call returns that saw its context end.
func (c *Conn) gaveUp(ctx context.Context) error {
	if err := c.over(ctx); err != nil {
		return err
	}
	return c.err()
}

// err returns why no call can succeed any more, or nil. After a Close of the
// peer's there may still be messages to read.
func (c *Conn) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// finish ends a connection whose closing handshake is complete, as far as it
// is ours to end. RFC 6455, section 7.1.1: the server closes TCP at once; the
// client waits for the server to do it, which spares the server the TIME_WAIT
// state. The alarm for the close bounds that wait.
func (c *Conn) finish() {
	c.mu.Lock()
	over := !c.client || c.eof
	c.mu.Unlock()
	if over {
		c.end(nil)
	}
}

// end ends the connection: TCP is closed, every call returns. Its reason is
// kept if it is the first. nil: the closing handshake is complete.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	graceful := c.both
	linger := c.failing && c.state == closeSent && reason == nil
	c.endLocked(reason)
	c.mu.Unlock()

	if linger {
		c.pokeRead()
		go c.linger()
	} else {
		c.hangUp(graceful)
	}
	c.finishContext()
}

// endLocked is the part of end that changes state.
func (c *Conn) endLocked(reason error) {
	c.ended = true
	c.calm.Store(false)
	c.state.step(fail)
	if reason == nil && !c.both {
		reason = c.cause
	}
	if !c.both {
		c.closeErr = reason
	}
	if c.cause == nil {
		c.cause = reason
	}
	c.stopLocked()
	c.out.dropLocked()
	c.readWatch.clear()
	c.writeWatch.clear()
	if c.alarms.timer != nil {
		c.alarms.timer.Stop()
	}
}

// stopLocked makes those return who wait to write.
func (c *Conn) stopLocked() {
	if c.isStopped {
		return
	}
	c.isStopped = true
	if c.stopped != nil {
		close(c.stopped)
	}
}

// stoppedLocked returns a channel that is closed when nothing can be written
// any more.
func (c *Conn) stoppedLocked() <-chan struct{} {
	if c.stopped == nil {
		c.stopped = make(chan struct{})
		if c.isStopped {
			close(c.stopped)
		}
	}
	return c.stopped
}

// hangUp closes the net.Conn.
func (c *Conn) hangUp(graceful bool) {
	if !graceful {
		// crypto/tls says good-bye when it is closed, and waits up to five
		// seconds for a peer that does not read. Not when we are in a hurry.
		if t, ok := c.nc.(interface{ NetConn() net.Conn }); ok {
			t.NetConn().Close()
		}
	}
	c.nc.Close()
}

// lingerTime bounds how long a connection is kept for a peer that broke the
// protocol to read the Close frame that says so.
const lingerTime = time.Second

// linger closes TCP in the order that lets our Close frame arrive: closing a
// socket with unread bytes resets the connection, and a reset may overtake the
// frame. So our side is closed first, and what still comes is dropped until the
// peer has closed its side, for a short time.
func (c *Conn) linger() {
	defer c.hangUp(false)
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	// Who holds the read turn sees that the connection has ended, and lets go;
	// nobody touches the net.Conn after that.
	c.readTurn.await(context.Background(), nil)
	c.readTurn.release()
	if c.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	scrap := getBuffer()
	defer putBuffer(scrap)
	for {
		if _, err := c.nc.Read(scrap.b[:cap(scrap.b)]); err != nil {
			return
		}
	}
}

// violated is called when the peer did what it must not do. RFC 6455, section
// 7.1.7: a Close frame with the code leaves, then TCP is closed.
func (c *Conn) violated(err error) {
	code, reason := StatusProtocolError, err.Error()
	var p ProtocolError
	switch {
	case errors.As(err, &p):
		code, reason = p.Code, p.Reason
	case errors.Is(err, ErrMessageTooBig):
		code, reason = StatusMessageTooBig, "the message is larger than the read limit"
	}
	if len(reason) > maxCloseReason {
		reason = reason[:maxCloseReason]
	}
	c.mu.Lock()
	if c.failing {
		c.mu.Unlock()
		return
	}
	if c.cause == nil {
		c.cause = err
	}
	if c.state != open || c.local {
		// Our Close has left or will: there is nothing to add to it.
		c.mu.Unlock()
		c.end(err)
		return
	}
	c.failing = true
	c.beginCloseLocked(code, reason)
	c.mu.Unlock()
	c.kick()
}
