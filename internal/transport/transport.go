package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// ErrInterrupted is returned by a call that was interrupted, with nothing lost.
var ErrInterrupted = errors.New("interrupted")

// A Conn is a net.Conn whose Read and Write can be interrupted. One goroutine at a time may read, and one may write;
// all other methods may be called by anybody.
type Conn struct {
	nc   net.Conn
	raw  syscall.RawConn // the socket, of nc or below its TLS; nil: there is none
	kind kind
	n    int32 // what the Read that is under way has brought

	reads, writes atomic.Pointer[interruption] // made when they are needed

	in *Inbox

	// What the Read that is under way works with.
	ready func(fd uintptr) bool
	dst   []byte // where to read to; nil: to in
	err   error

	slow  *slow // what others than sockets need
	taken atomic.Int64
}

// slow is what it takes where one can't wait without memory, or not interrupt a write.
type slow struct {
	scratch [128]byte
	standIn *standIn
}

// standIn returns what writes where a write can't be interrupted, or nil.
func (t *Conn) standIn() *standIn {
	if t.slow == nil {
		return nil
	}
	return t.slow.standIn
}

// kind is what is known of a net.Conn.
type kind uint8

const (
	// socket is TCP or Unix: read and written past package net where the system allows it.
	socket kind = iota
	// secured is TLS over a socket: an expired write deadline breaks it.
	secured
	// plain has deadlines that leave it usable.
	plain
)

// A resumer is a net.Conn that says of itself that an expired write deadline leaves it usable: Write returned how many
// bytes it took.
type resumer interface{ WriteDeadlineResumes() }

// Resumes reports whether an expired read deadline is known to leave nc usable, and to end a Read at all.
func Resumes(nc net.Conn) bool {
	if s, ok := nc.(*tls.Conn); ok {
		nc = s.NetConn()
	}
	return known(nc)
}

// known reports whether more is expected of nc than of any stream.
func known(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn, resumer:
		return true
	}
	return false
}

// Init makes t the transport over nc, which it owns from then on. What is read goes to in.
func (t *Conn) Init(nc net.Conn, in *Inbox) {
	t.nc, t.in = nc, in
	switch base := nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		t.kind = socket
		if runtime.GOOS == "windows" { // a cancelled send leaves the stream unknown there
			t.slow = &slow{standIn: &standIn{nc: nc}}
		}
		if t.raw = RawConn(nc); t.raw != nil {
			t.ready = t.readReady
		}
	case resumer:
		t.kind = plain
	case *tls.Conn:
		if known(base.NetConn()) {
			t.kind = secured
			t.raw = RawConn(base.NetConn())
			t.slow = &slow{standIn: &standIn{nc: nc, raw: t.raw}}
		} else {
			t.asStream()
		}
	default:
		t.asStream()
	}
	if t.ready == nil && t.slow == nil {
		t.slow = new(slow)
	}
}

// asStream expects no more of the net.Conn than of any stream.
func (t *Conn) asStream() {
	t.kind = plain
	t.nc = overStream{streamconn.New(t.nc), t.nc}
}

// overStream is a stream with deadlines of its own over a net.Conn that may have none.
type overStream struct {
	*streamconn.Conn
	below net.Conn
}

// Close closes it in the background: what is not known may wait in its Close.
func (s overStream) Close() error {
	go s.Conn.Close()
	return nil
}

// NetConn returns the net.Conn that Init was given.
func (t *Conn) NetConn() net.Conn {
	if s, ok := t.nc.(overStream); ok {
		return s.below
	}
	return t.nc
}

// origin is NetConn, or what its stream was made of: it knows about halves, and about TLS.
func (t *Conn) origin() net.Conn {
	nc := t.NetConn()
	if s, ok := nc.(*streamconn.Conn); ok && s.Of() != nil {
		return s.Of()
	}
	return nc
}

// Read waits for bytes and reads them: into dst, or into the inbox if dst is nil. If ctx is not nil, its end interrupts
// the call. The error is ErrInterrupted, or the net.Conn's.
func (t *Conn) Read(ctx context.Context, dst []byte) (int, error) {
	t.dst, t.n, t.err = dst, 0, nil
	if ctx != nil { // not in readReady, where it waits: for a new context, package context needs much of the stack
		t.watchRead(ctx)
	}
	if t.ready == nil {
		var n int
		n, t.err = t.readPlain()
		t.n = int32(n)
	} else if err := t.raw.Read(t.ready); err != nil {
		t.err = err
	}
	return t.result()
}

// result returns what the Read that is under way returns. It is a function of its own so that waiting needs little stack.
func (t *Conn) result() (int, error) {
	t.dst = nil
	if t.n > 0 {
		return int(t.n), nil // an error comes again
	}
	if t.err != nil && isTimeout(t.err) && made(&t.reads).clear(t.nc.SetReadDeadline) {
		return 0, ErrInterrupted
	}
	return 0, t.err
}

// readPlain reads from a net.Conn that needs memory to wait with. It may return 0, nil, as any net.Conn may.
func (t *Conn) readPlain() (int, error) {
	switch {
	case t.dst != nil:
		return t.nc.Read(t.dst)
	case t.in.buf != nil: // in the middle of a message
		n, err := t.nc.Read(t.in.Room())
		t.in.Came(n)
		return n, err
	}
	n, err := t.nc.Read(t.slow.scratch[:])
	if n > 0 {
		t.in.Put(t.slow.scratch[:n])
	}
	return n, err
}

// InMessage makes the next Read read as much as there is. Otherwise, if the net.Conn needs memory to wait with, it reads a few
// bytes, which is right between messages.
func (t *Conn) InMessage() {
	if t.ready == nil {
		t.in.Room()
	}
}

// watchRead makes the end of a Read's context interrupt it.
func (t *Conn) watchRead(ctx context.Context) {
	done := ctx.Done()
	if done == nil {
		return
	}
	switch reads := made(&t.reads); {
	case reads.covers(done):
		// Contexts that were cancelled before anybody asked for their channel share one that is closed: that it is
		// covered does not say that this one's end has interrupted anybody.
		select {
		case <-done:
			t.InterruptRead()
		default:
		}
	default:
		reads.watch(ctx, t.InterruptRead)
	}
}

// InterruptRead makes the Read that is under way, or the next one, return ErrInterrupted, unless bytes come first.
func (t *Conn) InterruptRead() {
	if t.nc != nil { // a Conn that nobody made panics in its caller, and not where a context ends
		made(&t.reads).ask(t.nc.SetReadDeadline)
	}
}

// InterruptWrite makes the Write that is under way, or the next one that has to wait, return ErrInterrupted.
func (t *Conn) InterruptWrite() {
	if t.nc != nil {
		made(&t.writes).ask(t.setWriteDeadline)
	}
}

// made returns an interruption, which most connections never need.
func made(p *atomic.Pointer[interruption]) *interruption {
	if i := p.Load(); i != nil {
		return i
	}
	p.CompareAndSwap(nil, new(interruption))
	return p.Load()
}

func (t *Conn) setWriteDeadline(at time.Time) error {
	if s := t.standIn(); s != nil {
		return s.SetWriteDeadline(at)
	}
	return t.nc.SetWriteDeadline(at)
}

// isTimeout reports whether an error is a time-out, of whatever kind of net.Conn.
func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Written returns how many bytes the net.Conn has taken.
func (t *Conn) Written() int64 { return t.taken.Load() }

// Taken returns how many bytes the peer's system has taken from us, and how many it has not yet; of a net.Conn of which
// that can't be known, how many that one has taken, and none. If the first has grown, the peer's system is alive.
func (t *Conn) Taken() (taken, outstanding int64) {
	taken = t.taken.Load()
	if t.raw != nil {
		t.raw.Control(func(fd uintptr) { outstanding = unsent(fd) })
	}
	return taken - outstanding, outstanding
}

// PeerClosed reports whether the peer has closed TCP, or its half of it, as far as our system can say, and whether some of what it
// sent has yet to be read; below TLS that can't be known, and may be. It can still be read: Linux keeps it even behind a reset.
func (t *Conn) PeerClosed() (closed, rest bool) {
	if t.raw == nil {
		return false, false
	}
	l := looks.Get().(*look)
	defer looks.Put(l)
	l.closed, l.rest = false, false
	t.raw.Control(l.f)
	return l.closed, l.closed && (l.rest || t.kind == secured)
}

// A look is a question about a socket, and its answer. It is kept, so that asking costs no allocation.
type look struct {
	closed, rest bool
	f            func(fd uintptr)
}

var looks = sync.Pool{New: func() any {
	l := new(look)
	l.f = func(fd uintptr) { l.closed, l.rest = peerClosed(fd) }
	return l
}}

// Quiet lets go of the contexts: nobody waits any more.
func (t *Conn) Quiet() {
	for _, p := range []*atomic.Pointer[interruption]{&t.reads, &t.writes} {
		if i := p.Load(); i != nil {
			i.end()
		}
	}
}

// Close closes the net.Conn at once. TLS does not say good-bye. What is not known may wait in its Close, also below TLS: that
// is called in the background.
func (t *Conn) Close() {
	s, ok := t.origin().(*tls.Conn)
	if ok && !known(s.NetConn()) {
		go s.NetConn().Close()
		go t.nc.Close()
		return
	}
	if ok {
		s.NetConn().Close()
	}
	t.nc.Close()
}

// CloseGently closes the net.Conn; TLS says good-bye, in the background and for no longer than patience if that has to
// wait.
func (t *Conn) CloseGently(patience time.Duration) {
	if _, secured := t.origin().(*tls.Conn); !secured || t.writable() {
		t.nc.Close()
		return
	}
	go func() {
		giveUp := time.AfterFunc(patience, t.Close)
		defer giveUp.Stop()
		t.nc.Close()
	}()
}

// AwaitReleased waits until a net.Conn that Close has closed is used no more, if it is of a kind that needs to be waited for.
func (t *Conn) AwaitReleased() {
	if nc, ok := t.nc.(interface{ Released() <-chan struct{} }); ok {
		if released := nc.Released(); released != nil {
			<-released
		}
	}
}

// Linger closes the net.Conn in the order that lets what was written last arrive: closing a socket with unread bytes
// resets the connection, and a reset may overtake them. So our half is closed first, if the net.Conn has halves, and what
// still comes is dropped until the peer has closed its half, or somebody calls Close. Nobody reads meanwhile.
func (t *Conn) Linger() {
	defer t.Close()
	for err := t.settle(); err != nil; err = t.settle() {
		if !(isTimeout(err) && made(&t.writes).clear(t.setWriteDeadline)) { // an interruption may be left over
			return
		}
	}
	half, ok := t.origin().(interface{ CloseWrite() error })
	if ok && half.CloseWrite() != nil {
		return
	}
	scrap := Get()
	defer Put(scrap)
	for {
		_, err := t.nc.Read(scrap.B[:cap(scrap.B)])
		if err != nil && !(isTimeout(err) && made(&t.reads).clear(t.nc.SetReadDeadline)) {
			return
		}
	}
}
