package http2_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// What HTTP/2 and net/http do below a WebSocket.

// TestBothBlocked: a client writes as much as it reads, without reading on before it has written, as a server sends without end.
// net/http's server puts what allows the client to send more behind the response, so neither can go on. Keepalive ends it.
func TestBothBlocked(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	server := make(chan error, 2)
	s := h2test.Start(websocket.Handler(&websocket.AcceptOptions{KeepAlive: -1}, func(ctx context.Context, c *websocket.Conn) {
		go func() {
			for {
				if _, _, err := c.Read(ctx); err != nil {
					server <- err
					return
				}
			}
		}()
		for {
			if err := c.Write(ctx, websocket.MessageBinary, make([]byte, size)); err != nil {
				server <- err
				return
			}
		}
	}), false, nil)
	defer s.Close()
	transport := h2test.Transport(s)
	defer transport.CloseIdleConnections()
	opts := dialled(transport)
	opts.KeepAlive, opts.ReadLimit = 300*time.Millisecond, 2*size
	c, _, err := websocket.Dial(bg, s.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	var sent int
	var p []byte
	for err == nil && sent < 1<<30 { // where it takes more than that, there is nothing to end
		if _, p, err = c.Read(bg); err == nil {
			err = c.Write(bg, websocket.MessageBinary, p)
			sent += len(p)
		}
	}
	if err != nil && !errors.Is(err, websocket.ErrPingTimeout) {
		t.Errorf("after %d bytes the client got %v", sent, err)
	}
	c.CloseNow()
	for range 2 {
		if err := <-server; err == nil {
			t.Error("the server got no error")
		}
	}
}

// frame returns a frame of HTTP/2 (RFC 9113, section 4.1) with the stream's identifier of another one's header.
func frame(typ, flags byte, of [9]byte, payload ...byte) []byte {
	return append([]byte{0, 0, byte(len(payload)), typ, flags, of[5], of[6], of[7], of[8]}, payload...)
}

// TestRefusedStream: a server refuses the first stream unseen (RFC 9113, section 8.7), and the request is sent again.
func TestRefusedStream(t *testing.T) {
	t.Parallel()
	const headersType, resetType, settingsType, refused, status200, connectOn = 1, 3, 4, 7, 0x88, 8
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var asked atomic.Int32
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		io.CopyN(io.Discard, nc, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
		var h [9]byte
		nc.Write(frame(settingsType, 0, h, 0, connectOn, 0, 0, 0, 1))
		for {
			if _, err := io.ReadFull(nc, h[:]); err != nil {
				return
			}
			io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(h[:])>>8))
			switch {
			case h[3] == settingsType && h[4] == 0:
				nc.Write(frame(settingsType, 1, h))
			case h[3] == headersType && asked.Add(1) == 1:
				nc.Write(frame(resetType, 0, h, 0, 0, 0, refused))
			case h[3] == headersType:
				nc.Write(frame(headersType, 4, h, status200))
			}
		}
	}()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	c, _, err := websocket.Dial(bg, "ws://"+ln.Addr().String(), dialled(transport))
	if err != nil {
		t.Fatalf("asked %d times: %v", asked.Load(), err)
	}
	c.CloseNow()
	if n := asked.Load(); n != 2 {
		t.Errorf("it was asked %d times", n)
	}
}

// TestStuckConnection: a client takes nothing of the whole HTTP/2 connection. CloseNow waits until net/http gives it up.
func TestStuckConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan error, 1)
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		defer cancel()
		for err == nil {
			err = c.Write(ctx, websocket.MessageBinary, make([]byte, 1<<20))
		}
		c.CloseNow()
		closed <- err
	}), false, func(s *http.Server) {
		s.HTTP2 = &http.HTTP2Config{WriteByteTimeout: time.Second}
		s.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
			nc.(*net.TCPConn).SetWriteBuffer(8 << 10)
			return ctx
		}
	})
	defer s.Close()
	transport := h2test.Transport(s)
	stuck := &stuckConn{free: make(chan struct{})}
	defer close(stuck.free)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			nc.(*net.TCPConn).SetReadBuffer(8 << 10)
			stuck.Conn = nc
		}
		return stuck, err
	}
	c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { go c.CloseNow() }() // net/http waits for the connection
	stuck.on.Store(true)
	select {
	case err := <-closed:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write gave %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("CloseNow has not returned")
	}
}

// A stuckConn reads nothing any more, once it is on.
type stuckConn struct {
	net.Conn
	on   atomic.Bool
	free chan struct{}
}

func (s *stuckConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.on.Load() {
		<-s.free
		return 0, net.ErrClosed
	}
	return n, err
}
