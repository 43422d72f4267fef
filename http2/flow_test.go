package http2_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// What HTTP/2 and net/http do below a WebSocket.

// TestBothBlocked: a server sends without end to a client that does not read, and then the client writes more than the stream's
// window. The server reads it, but net/http puts what allows the client to go on behind the response, so neither can go on.
// Keepalive ends it.
func TestBothBlocked(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	ended := make(chan error, 2)
	var sent atomic.Int64
	s := h2test.Start(websocket.Handler(&websocket.AcceptOptions{KeepAlive: -1, ReadLimit: -1}, func(ctx context.Context, c *websocket.Conn) {
		go func() {
			var err error
			for err == nil { // on a busy machine the message may just arrive
				_, _, err = c.Read(ctx)
			}
			ended <- err
		}()
		var err error
		for ; err == nil; sent.Add(1) {
			err = c.Write(ctx, websocket.MessageBinary, make([]byte, size))
		}
		ended <- err
	}), false, nil)
	defer s.Close()
	transport := h2test.Transport(s)
	defer transport.CloseIdleConnections()
	opts := dialled(transport)
	opts.KeepAlive = 300 * time.Millisecond
	c, _, err := websocket.Dial(bg, s.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for before := int64(-1); before != sent.Load(); { // until the server's Write waits
		before = sent.Load()
		<-time.After(200 * time.Millisecond)
	}
	for err == nil { // on a busy machine the server's Write may have been slow, and not waiting yet
		err = c.Write(bg, websocket.MessageBinary, make([]byte, 4*size))
	}
	if !errors.Is(err, websocket.ErrPingTimeout) {
		t.Errorf("the client's Write gave %v", err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("the server got no error")
		}
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
