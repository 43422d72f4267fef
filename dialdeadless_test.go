package websocket_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// deadless is a net.Conn whose deadlines do nothing, as one over the pipes of a command.
type deadless struct{ net.Conn }

func (deadless) SetDeadline(time.Time) error      { return nil }
func (deadless) SetReadDeadline(time.Time) error  { return nil }
func (deadless) SetWriteDeadline(time.Time) error { return nil }

// TestDialWithoutDeadlines: Dial and the calls on its connection return when they should, over a net.Conn on which
// deadlines do nothing, plain and with TLS on top of it.
func TestDialWithoutDeadlines(t *testing.T) {
	for _, secure := range []bool{false, true} {
		echo := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			for m, err := range c.Messages(ctx) {
				if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
					return
				}
			}
		})
		start := httptest.NewServer
		if secure {
			start = httptest.NewTLSServer
		}
		srv := start(echo)
		transport := srv.Client().Transport.(*http.Transport).Clone()
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := net.Dial(network, addr)
			return deadless{nc}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != srv.Listener.Addr().String() {
			t.Errorf("the peer's address is %v", c.RemoteAddr())
		}
		short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		if _, _, err := c.Read(short); err != context.DeadlineExceeded {
			t.Errorf("Read returned %v", err)
		}
		stop()
		if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.Read(ctx); err != nil || string(p) != "hello" {
			t.Fatalf("%q, %v", p, err)
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		cancel()
		srv.Close()
	}
}

// stuck is a net.Conn whose writes wait from a moment on, until Close, whatever its deadlines.
type stuck struct {
	net.Conn
	from, closed chan struct{}
	once         sync.Once
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case <-s.from:
		<-s.closed
		return 0, net.ErrClosed
	default:
		return s.Conn.Write(p)
	}
}

func (s *stuck) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// TestCloseNowOverStuckTLS: CloseNow does not wait for a peer that takes no good-bye of TLS, over a net.Conn of the
// program's own.
func TestCloseNowOverStuckTLS(t *testing.T) {
	srv := httptest.NewTLSServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) { <-ctx.Done() }))
	defer srv.Close()
	below := &stuck{from: make(chan struct{}), closed: make(chan struct{})}
	transport := srv.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := net.Dial(network, addr)
		below.Conn = nc
		return below, err
	}
	c, _, err := websocket.Dial(context.Background(), srv.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	close(below.from)
	ended := make(chan error, 1)
	go func() { ended <- c.CloseNow() }()
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
		t.Error("CloseNow waits")
		below.Close()
	}
}
