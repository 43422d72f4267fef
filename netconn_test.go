package websocket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// tunnel returns a NetConn in either role, the Conn below it and its raw peer.
func tunnel(t *testing.T, ctx context.Context, client bool, typ websocket.MessageType) (net.Conn, *websocket.Conn, *wiretest.Peer) {
	network := internet{}
	var c *websocket.Conn
	var p *wiretest.Peer
	if client {
		ln := network.listen(t, "example.com:80")
		done := dialing(context.Background(), "ws://example.com/", network.options(t))
		p = acceptRaw(t, ln)
		p.ServeHandshake(nil)
		d := <-done
		if d.err != nil {
			t.Fatal(d.err)
		}
		c = d.c
	} else {
		accepted := make(chan *websocket.Conn, 1)
		ended := make(chan struct{})
		ln := serveInMemory(t, websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			accepted <- c
			<-ended
		}))
		t.Cleanup(func() { close(ended) })
		p = rawClient(t, ln)
		p.ClientHandshake("/", nil)
		c = <-accepted
	}
	t.Cleanup(func() { c.CloseNow() })
	return websocket.NetConn(ctx, c, typ), c, p
}

// inBothRoles runs a test of a NetConn as client and as server.
func inBothRoles(t *testing.T, f func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer)) {
	for _, client := range []bool{false, true} {
		t.Run(map[bool]string{false: "server", true: "client"}[client], func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				nc, c, p := tunnel(t, context.Background(), client, websocket.MessageBinary)
				f(t, nc, c, p)
			})
		})
	}
}

func TestNetConnIsAStream(t *testing.T) {
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		if n, err := nc.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		p.WantBinary("a Write is a message", "hello")
		nc.Write(nil)
		p.WantBinary("even an empty one", "")

		p.SendRaw(p.Encode(wiretest.Binary("one "), wiretest.Binary(""), wiretest.Binary("two ").More(), wiretest.Ping("between"), wiretest.Continuation("three")))
		var got strings.Builder
		buf := make([]byte, 3)
		for got.Len() < len("one two three") {
			n, err := nc.Read(buf)
			if n == 0 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			got.Write(buf[:n])
		}
		if got.String() != "one two three" {
			t.Errorf("read %q", got.String())
		}
		p.WantPong("pings are answered", "between")
		if n, err := nc.Read(nil); n != 0 || err != nil {
			t.Errorf("a Read of nothing: %d, %v", n, err)
		}
		if nc.LocalAddr() != c.LocalAddr() || nc.RemoteAddr() != c.RemoteAddr() {
			t.Errorf("addresses %v, %v", nc.LocalAddr(), nc.RemoteAddr())
		}
	})
}

func TestNetConnLiftsTheReadLimit(t *testing.T) {
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		large := strings.Repeat("x", 2<<20)
		go p.SendBinary(large)
		b := make([]byte, len(large))
		if _, err := io.ReadFull(nc, b); err != nil || string(b) != large {
			t.Error(err)
		}
	})
}

// TestNetConnEnd: how the peer's Close looks to Read and Write.
func TestNetConnEnd(t *testing.T) {
	for code, want := range map[int]error{
		1000: io.EOF,
		1001: io.EOF,
		1011: websocket.CloseError{Code: 1011, Reason: "why"},
		4000: websocket.CloseError{Code: 4000, Reason: "why"},
	} {
		inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
			p.SendRaw(p.Encode(wiretest.Binary("last"), wiretest.Close(code, "why")))
			b := make([]byte, 10)
			if n, err := nc.Read(b); string(b[:n]) != "last" || err != nil {
				t.Errorf("what came before: %q, %v", b[:n], err)
			}
			for range 2 {
				if n, err := nc.Read(b); n != 0 || !errors.Is(err, want) || want == io.EOF && err != io.EOF {
					t.Errorf("code %d: Read gave %d, %v; want %v", code, n, err, want)
				}
			}
			if n, err := nc.Write(b); n != 0 || errors.Is(err, io.EOF) || !errors.Is(err, net.ErrClosed) || websocket.CloseStatus(err) != websocket.StatusCode(code) {
				t.Errorf("code %d: Write gave %d, %v; want the CloseError and net.ErrClosed", code, n, err)
			}
			p.WantClose("the echo", code)
			p.Close()
			if err := nc.Close(); err != nil {
				t.Errorf("Close after the end: %v", err)
			}
		})
	}
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		p.Conn.(*memconn.Conn).CloseWrite()
		if _, err := nc.Read(make([]byte, 10)); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Errorf("a stream cut off: %v, want io.ErrUnexpectedEOF", err)
		}
	})
}

func TestNetConnClose(t *testing.T) {
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		read := make(chan error, 1)
		go func() {
			_, err := nc.Read(make([]byte, 10))
			read <- err
		}()
		nc.SetDeadline(time.Now().Add(time.Hour)) // nothing of it stays behind
		closed := make(chan error, 1)
		go func() { closed <- nc.Close() }()
		if reason := p.WantClose("it closes with 1000", 1000); reason != "" {
			t.Errorf("the reason is %q", reason)
		}
		p.SendClose(1000, "")
		p.Conn.(*memconn.Conn).CloseWrite()
		p.WantGone("TCP is closed")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the Read that waited returned %v", err)
		}
		if _, err := nc.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write afterwards returned %v", err)
		}
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read afterwards returned %v", err)
		}
		if err := nc.Close(); err != nil {
			t.Errorf("the second Close returned %v", err)
		}
	})
}

func TestNetConnOtherType(t *testing.T) {
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		read := make(chan error, 1)
		go func() {
			_, err := nc.Read(make([]byte, 10))
			read <- err
		}()
		p.SendText("text among binary")
		p.WantClose("the other type is refused", 1003)
		p.SendClose(1003, "")
		p.Conn.(*memconn.Conn).CloseWrite()
		p.WantGone("TCP is closed")
		if err := <-read; err == nil || err == io.EOF || !strings.Contains(err.Error(), "type") {
			t.Errorf("Read returned %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		nc, _, p := tunnel(t, context.Background(), false, websocket.MessageText)
		nc.Write([]byte("text"))
		p.WantText("the type is the caller's", "text")
		p.SendText("back")
		b := make([]byte, 10)
		if n, err := nc.Read(b); string(b[:n]) != "back" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
	})
}

// TestNetConnNoType: a type that no message has is an error of each call, and not the peer's fault.
func TestNetConnNoType(t *testing.T) {
	bubble(t, func(t *testing.T) {
		nc, c, p := tunnel(t, context.Background(), false, websocket.MessageType(9))
		p.SendText("hello")
		for name, call := range map[string]func([]byte) (int, error){"Read": nc.Read, "Write": nc.Write} {
			if n, err := call(make([]byte, 10)); n != 0 || err == nil || !strings.Contains(err.Error(), "NetConn was called with the message type MessageType(9)") {
				t.Errorf("%s returned %d, %v", name, n, err)
			}
		}
		if _, b, err := c.Read(context.Background()); string(b) != "hello" || err != nil {
			t.Errorf("the connection lives: %q, %v", b, err)
		}
		p.Close()
	})
}

func TestNetConnContext(t *testing.T) {
	for _, client := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			nc, c, p := tunnel(t, ctx, client, websocket.MessageBinary)
			read := make(chan error, 1)
			go func() {
				_, err := nc.Read(make([]byte, 10))
				read <- err
			}()
			synctest.Wait()
			cancel()
			p.WantGone("the context's end is the connection's")
			if err := <-read; !errors.Is(err, context.Canceled) || !errors.Is(err, net.ErrClosed) || err == io.EOF {
				t.Errorf("Read returned %v", err)
			}
			<-c.Context().Done()
			nc.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := nc.Write([]byte("x")); !errors.Is(err, context.Canceled) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write returned %v", err)
			}
		})
	}
}

// TestNetConnDeadlines: a deadline ends calls and not the connection.
func TestNetConnDeadlines(t *testing.T) {
	timedOut := func(t *testing.T, why string, err error) {
		t.Helper()
		var ne net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%s: %v", why, err)
		}
	}
	inBothRoles(t, func(t *testing.T, nc net.Conn, c *websocket.Conn, p *wiretest.Peer) {
		b := make([]byte, 10)
		began := time.Now()
		nc.SetReadDeadline(began.Add(time.Second))
		_, err := nc.Read(b)
		timedOut(t, "a Read that waits", err)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		_, err = nc.Read(b)
		timedOut(t, "a Read after the deadline", err)

		p.SendBinary("kept")
		synctest.Wait()
		_, err = nc.Read(b)
		timedOut(t, "a Read after the deadline, though something has come", err)
		if _, err := nc.Write([]byte("other direction")); err != nil {
			t.Errorf("the other direction: %v", err)
		}
		p.WantBinary("it is not concerned", "other direction")
		nc.SetReadDeadline(time.Time{})
		if n, err := nc.Read(b); string(b[:n]) != "kept" || err != nil {
			t.Errorf("after the deadline was lifted: %q, %v", b[:n], err)
		}

		// A deadline in the middle of a frame loses nothing.
		frame := p.Encode(wiretest.Binary("in two pieces"))
		p.SendRaw(frame[:1])
		nc.SetReadDeadline(time.Now().Add(time.Second))
		_, err = nc.Read(b)
		timedOut(t, "inside a header", err)
		p.SendRaw(frame[1:9])
		nc.SetReadDeadline(time.Now().Add(time.Second))
		var got []byte
		for err = nil; err == nil; {
			var n int
			n, err = nc.Read(b)
			got = append(got, b[:n]...)
		}
		timedOut(t, "inside a payload", err)
		p.SendRaw(frame[9:])
		nc.SetDeadline(time.Time{})
		for len(got) < len("in two pieces") {
			n, err := nc.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b[:n]...)
		}
		if string(got) != "in two pieces" {
			t.Errorf("read %q", got)
		}

		// A blocked Write: what has begun is sent whole.
		large := strings.Repeat("x", 1<<20)
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := nc.Write([]byte(large))
		timedOut(t, "a Write that waits", err)
		if n != 0 && n != len(large) {
			t.Errorf("%d bytes of a message are no message", n)
		}
		_, err = nc.Write([]byte("late"))
		timedOut(t, "a Write after the deadline", err)
		nc.SetWriteDeadline(time.Time{})
		written := make(chan error, 1)
		go func() {
			_, err := nc.Write([]byte("next"))
			written <- err
		}()
		if n > 0 {
			p.WantMessage("what has begun arrives whole", wiretest.OpBinary, large)
		}
		p.WantBinary("and the connection lives", "next")
		if err := <-written; err != nil {
			t.Error(err)
		}

		nc.SetDeadline(time.Now().Add(-time.Second))
		_, err = nc.Read(b)
		timedOut(t, "a Read with a deadline in the past", err)
		_, err = nc.Write(b)
		timedOut(t, "a Write with a deadline in the past", err)
		nc.SetWriteDeadline(time.Time{})

		// A deadline can be moved while a call waits.
		nc.SetReadDeadline(time.Now().Add(time.Hour))
		read := make(chan error, 1)
		go func() {
			_, err := nc.Read(b)
			read <- err
		}()
		synctest.Wait()
		began = time.Now()
		nc.SetReadDeadline(began.Add(time.Second))
		timedOut(t, "moved to earlier", <-read)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		go func() {
			nc.SetReadDeadline(time.Now().Add(time.Second))
			_, err := nc.Read(b)
			read <- err
		}()
		synctest.Wait()
		began = time.Now()
		nc.SetReadDeadline(began.Add(10 * time.Second))
		timedOut(t, "moved to later", <-read)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if err := c.Context().Err(); err != nil {
			t.Errorf("the connection has ended: %v", context.Cause(c.Context()))
		}
	})
}
