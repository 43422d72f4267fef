package sim

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// A link is a connection: a direction from the client and one from the server.
type link struct {
	trace    *trace
	up, down *direction
	hardness bool // closing with unread bytes resets, as TCP does
}

func newLink(tr *trace, seed uint64) *link {
	return newNamedLink(tr, seed, "", 1000)
}

// newNamedLink makes one of several links. Its directions draw from streams of their own.
func newNamedLink(tr *trace, seed uint64, name string, stream uint64) *link {
	l := &link{trace: tr, up: newDirection(name+"client to server", tr, seed, stream), down: newDirection(name+"server to client", tr, seed, stream+1000)}
	l.up.reset, l.down.reset = l.reset, l.reset
	return l
}

// reset breaks the connection, for both ends.
func (l *link) reset() {
	l.trace.event("network: the connection is reset")
	l.up.breakDown()
	l.down.breakDown()
}

// heal ends the weather: what is not lost arrives.
func (l *link) heal() {
	for _, d := range []*direction{l.up, l.down} {
		d.setWeather(fair)
		d.land()
	}
}

func (l *link) client() *end {
	return &end{name: "client", link: l, in: l.down, out: l.up, resumes: true}
}

func (l *link) server() *end {
	return &end{name: "server", link: l, in: l.up, out: l.down, resumes: true}
}

// An end is one end of a link: a net.Conn, as far as it goes for all kinds.
type end struct {
	name    string
	link    *link
	in, out *direction
	resumes bool // an expired write deadline leaves it usable

	mu       sync.Mutex
	closedAt time.Time
}

func (e *end) Read(p []byte) (int, error) {
	n, err := e.in.receive(p)
	e.in.jolt()
	return n, wrap("read", err)
}

func (e *end) Write(p []byte) (int, error) {
	n, err := e.out.write(p, e.resumes)
	e.out.jolt()
	return n, wrap("write", err)
}

// Close ends both directions. What was written arrives still.
func (e *end) Close() error {
	e.mu.Lock()
	first := e.closedAt.IsZero()
	if first {
		e.closedAt = time.Now()
	}
	e.mu.Unlock()
	if !first {
		return wrap("close", net.ErrClosed)
	}
	e.link.trace.event("%s: closes TCP", e.name)
	unread := e.in.closeRead()
	if unread && e.link.hardness {
		e.link.trace.event("%s: ... with bytes unread, which resets the connection", e.name)
		e.out.abort()
	}
	e.out.closeWrite(net.ErrClosed)
	return nil
}

// closed returns when the end was closed; zero: it was not.
func (e *end) closed() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closedAt
}

func (e *end) LocalAddr() net.Addr  { return address(e.name) }
func (e *end) RemoteAddr() net.Addr { return address("peer of " + e.name) }

func (e *end) SetDeadline(t time.Time) error {
	e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.setDeadline(&e.in.readDeadline, t)
	e.in.jolt()
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.setDeadline(&e.out.writeDeadline, t)
	e.out.jolt()
	return nil
}

func wrap(op string, err error) error {
	if err == nil || err.Error() == "EOF" {
		return err
	}
	return &net.OpError{Op: op, Net: "sim", Err: err}
}

type address string

func (address) Network() string  { return "sim" }
func (a address) String() string { return string(a) }

// tcpEnd is an end like a *net.TCPConn: an expired write deadline leaves it
// usable, and it can be closed by half.
type tcpEnd struct{ *end }

// WriteDeadlineResumes marks it for the library.
func (tcpEnd) WriteDeadlineResumes() {}

// CloseWrite ends the direction to the peer.
func (e tcpEnd) CloseWrite() error {
	e.link.trace.event("%s: closes TCP by half", e.name)
	e.out.closeWrite(syscall.EPIPE)
	return nil
}

// tlsEnd is an end like a *tls.Conn: an expired write deadline is for ever.
type tlsEnd struct{ *end }

// CloseWrite ends the direction to the peer.
func (e tlsEnd) CloseWrite() error { return tcpEnd(e).CloseWrite() }

// NetConn returns what is below.
func (e tlsEnd) NetConn() net.Conn { return e.end }

// plainEnd is an end that can nothing but what a net.Conn must.
type plainEnd struct{ *end }

// dress returns e as one of the kinds.
func dress(e *end, kind string) net.Conn {
	switch kind {
	case "tcp":
		return tcpEnd{e}
	case "tls":
		e.resumes = false
		return tlsEnd{e}
	default:
		e.resumes = false
		return plainEnd{e}
	}
}
