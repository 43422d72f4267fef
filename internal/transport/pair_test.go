package transport

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

// A wire is a kind of net.Conn, ours and the peer's end of it.
type wire struct {
	name string
	pair func(t *testing.T) (ours, peer net.Conn)
}

// wires are all kinds of net.Conn that one may meet.
var wires = []wire{
	{"tcp", func(t *testing.T) (net.Conn, net.Conn) { return socketPair(t, "tcp") }},
	{"unix", func(t *testing.T) (net.Conn, net.Conn) { return socketPair(t, "unix") }},
	{"tls", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := socketPair(t, "tcp")
		return secure(t, a, b)
	}},
	{"tls over memory", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := memconn.Pipe(4 << 10)
		return secure(t, a, b)
	}},
	{"tls over net.Pipe", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		return secure(t, a, b)
	}},
	{"memory", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := memconn.Pipe(4 << 10)
		return closed(t, a, b)
	}},
	{"net.Pipe", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		return closed(t, a, b)
	}},
	{"no deadlines", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := socketPair(t, "tcp")
		return noDeadlines{a}, b
	}},
	{"slow deadlines", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := memconn.Pipe(4 << 10)
		closed(t, a, b)
		return slowDeadlines{a}, b
	}},
	{"other time-outs", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := memconn.Pipe(4 << 10)
		closed(t, a, b)
		return otherTimeouts{a, resumes{}}, b
	}},
	{"other time-outs, as a stream", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		closed(t, a, b)
		return struct{ net.Conn }{otherTimeouts{a, resumes{}}}, b
	}},
	{"reads of nothing", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := memconn.Pipe(4 << 10)
		closed(t, a, b)
		return &readsNothing{Conn: a}, b
	}},
	{"reads of nothing, as a stream", func(t *testing.T) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		closed(t, a, b)
		return struct{ net.Conn }{&readsNothing{Conn: a}}, b
	}},
}

func closed(t *testing.T, a, b net.Conn) (net.Conn, net.Conn) {
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func socketPair(t *testing.T, network string) (a, b net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		if runtime.GOOS == "windows" {
			t.Skip("no Unix sockets")
		}
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, _ := ln.Accept()
		accepted <- nc
	}()
	a, err = net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b = <-accepted
	for _, nc := range []net.Conn{a, b} { // so that a write blocks before megabytes
		s := nc.(interface {
			SetReadBuffer(int) error
			SetWriteBuffer(int) error
		})
		s.SetReadBuffer(256 << 10)
		s.SetWriteBuffer(128 << 10)
	}
	return closed(t, a, b)
}

var certificate = sync.OnceValue(func() tls.Certificate {
	server, _ := selfsigned.Pair("test")
	return server.Certificates[0]
})

func secure(t *testing.T, a, b net.Conn) (net.Conn, net.Conn) {
	t.Helper()
	ours := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	peer := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- peer.Handshake() }()
	if err := ours.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return ours, peer
}

// resumes marks a net.Conn whose deadlines leave it usable.
type resumes struct{}

func (resumes) WriteDeadlineResumes() {}

// noDeadlines has deadlines that do nothing.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return nil }
func (noDeadlines) SetReadDeadline(time.Time) error  { return nil }
func (noDeadlines) SetWriteDeadline(time.Time) error { return nil }

// slowDeadlines takes its time to set a deadline.
type slowDeadlines struct{ *memconn.Conn }

func yield() {
	for range 10 {
		runtime.Gosched()
	}
}

func (c slowDeadlines) SetReadDeadline(t time.Time) error {
	yield()
	defer yield()
	return c.Conn.SetReadDeadline(t)
}

func (c slowDeadlines) SetWriteDeadline(t time.Time) error {
	yield()
	defer yield()
	return c.Conn.SetWriteDeadline(t)
}

// otherTimeouts reports time-outs by an error of its own, which is not temporary.
type otherTimeouts struct {
	net.Conn
	resumes
}

type otherTimeout struct{}

func (otherTimeout) Error() string   { return "that took too long" }
func (otherTimeout) Timeout() bool   { return true }
func (otherTimeout) Temporary() bool { return false }

func other(err error) error {
	if err != nil && isTimeout(err) {
		return otherTimeout{}
	}
	return err
}

func (c otherTimeouts) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, other(err)
}

func (c otherTimeouts) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, other(err)
}

// readsNothing returns 0, nil before each real read.
type readsNothing struct {
	net.Conn
	resumes
	real bool
}

func (c *readsNothing) Read(p []byte) (int, error) {
	if c.real = !c.real; c.real {
		return 0, nil
	}
	return c.Conn.Read(p)
}

// open makes a Conn with an inbox, c.in.
func open(nc net.Conn) *Conn {
	c := new(Conn)
	c.Init(nc, new(Inbox))
	return c
}

// overAll runs a test over each kind of net.Conn.
func overAll(t *testing.T, f func(t *testing.T, c *Conn, peer net.Conn)) { over(t, wires, f) }

// overClosing runs a test over those that are closed at once. crypto/tls waits up to five seconds for room to say good-bye.
func overClosing(t *testing.T, f func(t *testing.T, c *Conn, peer net.Conn)) {
	over(t, slices.DeleteFunc(slices.Clone(wires), func(w wire) bool { return w.name == "tls over net.Pipe" }), f)
}

func over(t *testing.T, wires []wire, f func(t *testing.T, c *Conn, peer net.Conn)) {
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) {
			ours, peer := w.pair(t)
			c := open(ours)
			f(t, c, peer)
			hangUp(peer)
			c.Close()
			c.Quiet()
		})
	}
}

// hangUp closes what is below TLS, so that nobody waits to say good-bye.
func hangUp(nc net.Conn) {
	if below, ok := nc.(interface{ NetConn() net.Conn }); ok {
		below.NetConn().Close()
	}
}

// soon waits for what has to happen by itself.
func soon[T any](t *testing.T, why string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it takes too long", why)
	}
	return v
}

// start runs a call that may block.
func start(f func() error) <-chan error {
	returned := make(chan error, 1)
	go func() { returned <- f() }()
	return returned
}
