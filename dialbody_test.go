package websocket_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// A bodyConn is a response's body that is a net.Conn. Bytes were read ahead from it.
type bodyConn struct {
	*net.TCPConn
	ahead *bufio.Reader
	half  chan struct{} // closed by CloseWrite
}

func (b *bodyConn) Read(p []byte) (int, error) { return b.ahead.Read(p) }

func (b *bodyConn) CloseWrite() error {
	close(b.half)
	return b.TCPConn.CloseWrite()
}

// A connBodies opens a connection for each request, and leaves a deadline on it.
type connBodies struct{ half chan struct{} }

func (b connBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	nc, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(time.Minute))
	if err := r.Write(nc); err != nil {
		return nil, err
	}
	ahead := bufio.NewReader(nc)
	resp, err := http.ReadResponse(ahead, r)
	if err == nil {
		resp.Body = &bodyConn{nc.(*net.TCPConn), ahead, b.half}
	}
	return resp, err
}

// TestBodyIsNetConn: of a RoundTripper whose bodies are net.Conns, Dial makes what NewConn would make of them: the addresses are
// theirs, and our half is closed first after a violation.
func TestBodyIsNetConn(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := websocket.Negotiate(r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		resp := http.Response{ProtoMajor: 1, ProtoMinor: 1, StatusCode: h.Status, Header: h.Header}
		resp.Write(nc)
		nc.Write([]byte{0x83, 0}) // opcode 3 is none
		nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		for b := make([]byte, 100); err == nil; {
			_, err = nc.Read(b)
		}
	}))
	defer srv.Close()
	half := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: connBodies{half}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if nc := c.NetConn(); nc.RemoteAddr().String() != srv.Listener.Addr().String() || c.RemoteAddr() != nc.RemoteAddr() || c.LocalAddr() != nc.LocalAddr() {
		t.Errorf("the addresses are %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	if _, _, err := c.Read(ctx); err == nil {
		t.Error("opcode 3 is no error")
	}
	select {
	case <-half:
	case <-ctx.Done():
		t.Error("our half was not closed")
	}
}
