//go:build (amd64 || arm64) && !race && !msan && !asan && !websocket_nounsafe

package transport

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestBlockingSocket: somebody has taken the socket's descriptor, and so made it one
// that blocks. Neither a thread nor the collector waits with the call.
func TestBlockingSocket(t *testing.T) {
	nc, peer := socketPair(t, "tcp")
	f, err := nc.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Fd()
	c := open(nc)

	ctx, cancel := context.WithCancel(bg)
	reading := start(func() error { _, err := c.Read(ctx, nil); return err })
	select {
	case err := <-reading:
		t.Fatalf("Read: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	soon(t, "the collector", start(func() error { runtime.GC(); return nil }))
	cancel()
	if err := soon(t, "Read", reading); err != ErrInterrupted {
		t.Fatalf("Read: %v", err)
	}

	b := &Buffer{B: make([]byte, 100)}
	tail := make([]byte, 2<<20)
	if soon(t, "TryWrite", func() <-chan bool {
		tried := make(chan bool, 1)
		go func() { tried <- c.TryWrite(b, tail) }()
		return tried
	}()) {
		t.Fatal("nobody reads, and all was taken")
	}
	soon(t, "the collector", start(func() error { runtime.GC(); return nil }))
	c.InterruptWrite()
	if err := soon(t, "Write", start(func() error { return c.Write(nil, b, tail) })); err != ErrInterrupted {
		t.Fatal(err)
	}
	written := start(func() error { return c.Write(nil, b, tail) })
	if _, err := io.ReadFull(peer, make([]byte, 100+len(tail))); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "Write", written); err != nil {
		t.Fatal(err)
	}
}

// TestSendLast: the end of the stream follows what was sent last, if all of it was.
func TestSendLast(t *testing.T) {
	nc, peer := socketPair(t, "tcp")
	raw := RawConn(nc)
	attempt := func(p []byte) (n int, err errno) {
		raw.Control(func(fd uintptr) { n, err = sendLast(fd, p) })
		return n, err
	}
	// What may not be taken whole is not the last.
	n, err := attempt(make([]byte, quickSize+1))
	if err != 0 {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, make([]byte, n)); err != nil {
		t.Fatalf("what was sent before: %v", err)
	}
	if n, err := attempt([]byte("bye")); n != 3 || err != 0 {
		t.Fatalf("%d bytes sent, %v", n, err)
	}
	peer.SetReadDeadline(time.Now().Add(20 * time.Second))
	if b, err := io.ReadAll(peer); string(b) != "bye" || err != nil {
		t.Fatalf("%d bytes came at last, %.20q, %v", len(b), b, err)
	}
	if _, err := attempt([]byte("more")); err != syscall.EPIPE {
		t.Errorf("after the end: %v", err)
	}
	if _, err := io.WriteString(peer, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, 5)); err != nil {
		t.Errorf("the other half: %v", err)
	}
}

// TestTaken: bytes that the peer's system has not taken are told from those that it has.
func TestTaken(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) {
			var nc, peer net.Conn
			if network == "tls" {
				nc, peer = socketPair(t, "tcp")
				nc, peer = secure(t, nc, peer)
			} else {
				nc, peer = socketPair(t, network)
			}
			c := open(nc)
			if taken, outstanding := c.Taken(); taken > 0 || outstanding < 0 {
				t.Errorf("nothing was written: %d, %d", taken, outstanding)
			}
			b := &Buffer{B: make([]byte, 2<<20)}
			c.TryWrite(b, nil)
			taken, outstanding := c.Taken()
			if outstanding == 0 || taken+outstanding != int64(b.N) {
				t.Errorf("%d were written, %d taken, %d not yet", b.N, taken, outstanding)
			}
			go io.Copy(io.Discard, peer)
			if err := soon(t, "Write", start(func() error { return c.Write(nil, b, nil) })); err != nil {
				t.Fatal(err)
			}
			taken, outstanding = 0, 1
			for began := time.Now(); outstanding > 0; runtime.Gosched() {
				before := taken
				if taken, outstanding = c.Taken(); taken < before {
					t.Fatalf("%d were taken, after %d", taken, before)
				}
				if time.Since(began) > 20*time.Second {
					t.Fatalf("%d are still outstanding", outstanding)
				}
			}
			if taken != int64(len(b.B)) {
				t.Errorf("%d were taken of %d", taken, len(b.B))
			}
		})
	}
}

// TestTrySecured: TLS is tried only while the socket has room; then it takes a record at a time, and never waits.
func TestTrySecured(t *testing.T) {
	a, b := socketPair(t, "tcp")
	nc, peer := secure(t, a, b)
	c := open(nc)
	if !c.Tries() || c.Gathers() {
		t.Fatal("TLS over a socket can be tried, but gathers nothing")
	}
	for size := range 40 {
		var want []byte
		stuff := noise(1 + size*1000)
		tried := start(func() error {
			for fulls := 0; fulls < 3; {
				b := Get()
				b.B = append(b.B, stuff[:1+len(stuff)/2]...)
				tail := stuff[1+len(stuff)/2:]
				if !c.TryWrite(b, tail) {
					fulls++
				}
				want = append(want, append(b.B[:len(b.B):len(b.B)], tail...)[:b.N]...)
				if b.Err != nil {
					return b.Err
				}
				Put(b)
			}
			return nil
		})
		if err := soon(t, "TryWrite", tried); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != string(want) {
			t.Fatalf("something else came, %v", err)
		}
	}
}

// TestPeerClosed: whether the peer has closed TCP can be asked without reading, and what it has sent before can still be read: behind
// the end of the stream, and behind a reset.
func TestPeerClosed(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "tls"} {
		for what, closes := range map[string]func(peer, below net.Conn){
			"half": func(_, below net.Conn) { below.(interface{ CloseWrite() error }).CloseWrite() },
			"all":  func(peer, _ net.Conn) { peer.Close() },
			"a reset": func(_, below net.Conn) {
				if tcp, ok := below.(*net.TCPConn); ok {
					tcp.SetLinger(0)
				}
				below.Close()
			},
		} {
			t.Run(network+"/"+what, func(t *testing.T) {
				below := map[bool]string{true: "tcp", false: network}[network == "tls"]
				nc, peer := socketPair(t, below)
				lowest := peer
				if network == "tls" {
					nc, peer = secure(t, nc, peer)
				}
				c := open(nc)
				if _, err := peer.Write([]byte("the rest")); err != nil {
					t.Fatal(err)
				}
				if closed, rest := c.PeerClosed(); closed || rest {
					t.Fatal("it has not closed anything yet")
				}
				closes(peer, lowest)
				for began := time.Now(); ; runtime.Gosched() {
					if closed, rest := c.PeerClosed(); closed {
						if !rest {
							t.Error("it does not know of the rest")
						}
						break
					}
					if time.Since(began) > 5*time.Second {
						t.Fatal("it has closed, and nobody can tell")
					}
				}
				if n, err := c.Read(nil, nil); err != nil || n != len("the rest") {
					t.Errorf("%d bytes of the rest can be read, %v", n, err)
				}
				if _, rest := c.PeerClosed(); rest != (network == "tls") {
					t.Errorf("all was read, and there is a rest: %v", rest)
				}
				if _, err := c.Read(nil, nil); err == nil {
					t.Error("behind the rest there is no end")
				}
				if n := testing.AllocsPerRun(100, func() { c.PeerClosed() }); n > 0 {
					t.Errorf("to ask allocates %v objects", n)
				}
				c.Close()
				if closed, _ := c.PeerClosed(); closed {
					t.Error("what we have closed says something of the peer")
				}
			})
		}
	}
	a, b := net.Pipe()
	b.Close()
	if closed, _ := open(a).PeerClosed(); closed {
		t.Error("a net.Conn that is no socket can be asked")
	}
}

// TestErrorQueue: a socket that is asked for time stamps of what it sends has something in its error queue. That says nothing of the
// peer.
func TestErrorQueue(t *testing.T) {
	nc, peer := socketPair(t, "tcp")
	c := open(nc)
	const timestamping, software = 37, 1<<1 | 1<<4 // SO_TIMESTAMPING
	var err error
	c.raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, timestamping, software) })
	if err != nil {
		t.Skipf("the system has no SO_TIMESTAMPING, as under qemu, so nothing gets into the error queue: %v", err)
	}
	if _, err := nc.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	queued := false
	for began := time.Now(); !queued && time.Since(began) < 2*time.Second; runtime.Gosched() {
		c.raw.Control(func(fd uintptr) { queued = poll(fd, pollrdhup) > 0 })
	}
	if !queued {
		t.Skip("the system takes SO_TIMESTAMPING, and makes no time stamps")
	}
	if closed, _ := c.PeerClosed(); closed {
		t.Error("the peer lives, and the error queue has something")
	}
}
