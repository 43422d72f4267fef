package websocket

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
	"github.com/closeonce/websocket/internal/transport"
)

// Tests that wait in real time call t.Parallel: they are played together, after the others. They wait far more than they
// compute, so more of them run at once than there are processors. Under the race detector they compute as well.
func TestMain(m *testing.M) {
	atOnce := "8"
	if raceEnabled {
		atOnce = "1"
	}
	flag.Set("test.parallel", atOnce) // -parallel has the last word
	os.Exit(m.Run())
}

// A connTest is a Conn in one of the roles and, at the other end of its wire, a
// raw peer that does only what the test tells it.
type connTest struct {
	*testing.T
	c    *Conn
	p    *wiretest.Peer
	real bool // sockets and real time, not a bubble
}

// runConnTest runs a test as client and as server, over a wire in memory, over
// TLS in memory (both in a bubble, where time is fake), and over TCP.
func runConnTest(t *testing.T, cfg config, f func(t *connTest)) {
	runConnTestFor(t, func(bool) config { return cfg }, f)
}

// runConnTestFor is runConnTest with a configuration of its own for each role, anew
// for each connection.
func runConnTestFor(t *testing.T, configure func(client bool) config, f func(t *connTest)) {
	for _, role := range []string{"client", "server"} {
		client := role == "client"
		t.Run(role+"/memory", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memconn.Pipe(1 << 10)
				runOne(t, client, configure(client), a, b, false, f)
			})
		})
		if *overStreams {
			t.Run(role+"/stream", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := memconn.Pipe(1 << 10)
					runOne(t, client, configure(client), streamconn.Bare(struct{ io.ReadWriteCloser }{a}), b, false, f)
				})
			})
			continue
		}
		t.Run(role+"/tls", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := tlsPair(t, client)
				runOne(t, client, configure(client), a, b, false, f)
			})
		})
		t.Run(role+"/tcp", func(t *testing.T) {
			a, b := tcpPair(t)
			runOne(t, client, configure(client), a, b, true, f)
		})
	}
}

func runOne(t *testing.T, client bool, cfg config, ours, theirs net.Conn, real bool, f func(t *connTest)) {
	cfg.client = client
	if cfg.parent == nil {
		cfg.parent = context.Background()
	}
	if cfg.readLimit == 0 {
		cfg.readLimit = defaultReadLimit
	}
	if cfg.settings.closeTimeout == 0 {
		cfg.settings = newSettings(0, 0, 0)
	}
	role := wiretest.Client
	if cfg.client {
		role = wiretest.Server
	}
	if !cfg.client {
		cfg.parent = served(cfg.parent)
	}
	c := newConn(ours, cfg)
	defer c.CloseNow()
	f(&connTest{t, c, wiretest.NewPeer(t, theirs, role), real})
}

// served is the context of a request that an http.Server handles.
func served(ctx context.Context) context.Context {
	return context.WithValue(ctx, http.ServerContextKey, new(http.Server))
}

// blocked asserts that a call does not return by itself.
func (t *connTest) blocked(why string, returned <-chan error) {
	t.Helper()
	if t.real {
		select {
		case err := <-returned:
			t.Fatalf("%s: it returned: %v", why, err)
		case <-time.After(50 * time.Millisecond):
		}
		return
	}
	synctest.Wait()
	select {
	case err := <-returned:
		t.Fatalf("%s: it returned: %v", why, err)
	default:
	}
}

// settle lets the connection do what it has to do now.
func (t *connTest) settle() {
	if !t.real {
		synctest.Wait()
	}
}

// start runs a call that may block.
func start(f func() error) <-chan error {
	returned := make(chan error, 1)
	go func() { returned <- f() }()
	return returned
}

// want waits for a call's result, for longer than any time-out of ours.
func (t *connTest) want(why string, returned <-chan error) error {
	t.Helper()
	select {
	case err := <-returned:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it did not return", why)
		return nil
	}
}

// wantRead asserts what the next message is.
func (t *connTest) wantRead(why string, typ MessageType, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	gotTyp, got, err := t.c.Read(ctx)
	if err != nil || gotTyp != typ || string(got) != want {
		t.Fatalf("%s: Read gave %v %.40q (%d bytes), %v; want %v %.40q (%d bytes)", why, gotTyp, got, len(got), err, typ, want, len(want))
	}
}

var bg = context.Background()

const bufferSize = transport.BufferSize

// err returns why no call can succeed any more, or nil.
func (c *Conn) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing.cause
}

// owned reports whether nothing has to interrupt a call on c under ctx.
func owned(c *Conn, ctx context.Context) bool {
	return c.lifetime.Foreign(ctx) == nil
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, _ := ln.Accept()
		accepted <- nc
	}()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b = <-accepted
	for _, nc := range []net.Conn{a, b} { // so that a write blocks before megabytes
		// Not smaller than a segment on loopback, or the window opens by time-outs.
		nc.(*net.TCPConn).SetReadBuffer(256 << 10)
		nc.(*net.TCPConn).SetWriteBuffer(128 << 10)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

var testCertificate = sync.OnceValue(func() tls.Certificate {
	server, _ := selfsigned.Pair("localhost", "127.0.0.1")
	return server.Certificates[0]
})

// tlsPair returns two ends of a TLS connection in memory; the first is the
// client's if client is set.
func tlsPair(t *testing.T, client bool) (a, b net.Conn) {
	x, y := memconn.Pipe(1 << 10)
	server := tls.Server(y, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	done := start(server.Handshake)
	tc := tls.Client(x, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	if client {
		return tc, server
	}
	return server, tc
}
