package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go"
)

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestDialJoinsNoGroup: a gateway dials with the context of the request that it serves. What it dials is no client of its own.
func TestDialJoinsNoGroup(t *testing.T) {
	backend := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	dialled := make(chan struct{})
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(dialled)
		down, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer down.CloseNow()
		up, _, err := d.Dial(r.Context(), backend.url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.CloseNow()
		dialled <- struct{}{}
		down.Read(bg)
	}))
	group := websocket.ServerGroup(gateway.Config)
	gateway.Start()
	defer gateway.Close()
	c, _, err := websocket.Dial(soon(t), gateway.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	<-dialled
	if n := group.Len(); n != 1 {
		t.Errorf("the group has %d members, of one client", n)
	}
}

// TestGoAway: a server shuts down while a WebSocket is open. The next Dial opens another connection, and the WebSocket lives.
func TestGoAway(t *testing.T) {
	before, after := serve(t, nil, accept(nil, echo)), serve(t, nil, accept(nil, echo))
	var address atomic.Value
	address.Store(before.addr.String())
	d := dialer(t)
	d.DialQUIC = func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		return quic.DialAddr(ctx, address.Load().(string), tlsConfig, config)
	}
	c := dial(t, d, before.url, nil)
	shut, cancel := context.WithCancel(bg)
	defer cancel()
	go before.server.Shutdown(shut)
	address.Store(after.addr.String())
	for begun := time.Now(); ; { // until GOAWAY has come, streams of the old connection may be refused, or accepted
		next, _, err := d.Dial(soon(t), before.url, nil)
		if err == nil {
			next.CloseNow()
			if next.RemoteAddr().String() == after.addr.String() {
				break
			}
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("no Dial comes to the new server: %v", err)
		}
	}
	if err := bounce(c, "still here"); err != nil {
		t.Error(err)
	}
}

// TestEarlyHints: informational responses come before the answer (RFC 9110, section 15.2).
func TestEarlyHints(t *testing.T) {
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		accept(nil, echo).ServeHTTP(w, r)
	}))
	if err := bounce(dial(t, dialer(t), s.url, nil), "x"); err != nil {
		t.Error(err)
	}
}

// TestAcceptTwice: the second call returns an error.
func TestAcceptTwice(t *testing.T) {
	second := make(chan error, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws3.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		_, err = ws3.Accept(w, r, nil)
		second <- err
	}))
	dial(t, dialer(t), s.url, nil)
	if err := <-second; err == nil {
		t.Error("the second Accept returned no error")
	}
}

// TestPresetFields: a subprotocol that the handler has set is the one if it names none in the options, and fields that would end
// the stream early are not sent.
func TestPresetFields(t *testing.T) {
	for want, own := range map[string][]string{"b": nil, "a": {"a"}} {
		t.Run(want, func(t *testing.T) {
			chosen := make(chan string, 1)
			s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Sec-WebSocket-Protocol", "b")
				w.Header().Set("Content-Length", "3")
				c, err := ws3.Accept(w, r, &websocket.AcceptOptions{Subprotocols: own})
				if err != nil {
					t.Error(err)
					close(chosen)
					return
				}
				defer c.CloseNow()
				chosen <- c.Subprotocol()
				c.Read(bg)
			}))
			c := dial(t, dialer(t), s.url, &websocket.DialOptions{Subprotocols: []string{"a", "b"}})
			if got := <-chosen; got != want || c.Subprotocol() != want {
				t.Errorf("the server has chosen %q, the client has %q, want %q", got, c.Subprotocol(), want)
			}
		})
	}
}

// A silent is a middleware's ResponseWriter that keeps the status to itself.
type silent struct{ unwraps }

func (silent) WriteHeader(int) {}

// TestSilentWrapper: the answer is sent all the same.
func TestSilentWrapper(t *testing.T) {
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { accept(nil, echo).ServeHTTP(silent{unwraps{w}}, r) }))
	if err := bounce(dial(t, dialer(t), s.url, nil), "x"); err != nil {
		t.Error(err)
	}
}

// TestHostAndCredentials: a request has the same as one over HTTP/1.1.
func TestHostAndCredentials(t *testing.T) {
	type seen struct{ host, auth string }
	asked := make(chan seen, 1)
	refuses := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- seen{r.Host, r.Header.Get("Authorization")}
		w.WriteHeader(http.StatusNotFound)
	})
	s, plain := serve(t, nil, refuses), httptest.NewServer(refuses)
	defer plain.Close()
	opts := &websocket.DialOptions{HTTPHeader: http.Header{"Host": {"other.example"}}}
	if _, _, err := websocket.Dial(soon(t), "ws://:token@"+plain.Listener.Addr().String(), opts); err == nil {
		t.Fatal("it was accepted")
	}
	want := <-asked
	if _, _, err := dialer(t).Dial(soon(t), "wss://:token@"+s.addr.String(), opts); err == nil {
		t.Fatal("it was accepted")
	}
	if got := <-asked; got != want {
		t.Errorf("HTTP/3 sends %+v, HTTP/1.1 %+v", got, want)
	}
}

// A stuckConn is a PacketConn that takes nothing, once it is on.
type stuckConn struct {
	net.PacketConn
	on   atomic.Bool
	free chan struct{}
}

func (s *stuckConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if s.on.Load() {
		<-s.free
	}
	return s.PacketConn.WriteTo(p, to)
}

// TestCloseOfStuckNetwork: Close of a Dialer may wait for the network. Other calls do not wait for Close.
func TestCloseOfStuckNetwork(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	nc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stuck := &stuckConn{PacketConn: nc, free: make(chan struct{})}
	transport := &quic.Transport{Conn: stuck}
	defer transport.Close()
	d := &ws3.Dialer{TLSClientConfig: clientTLS(), DialQUIC: func(ctx context.Context, address string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		if stuck.on.Load() {
			return nil, errors.New("unreachable")
		}
		to, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return nil, err
		}
		return transport.Dial(ctx, to, tlsConfig, config)
	}}
	dial(t, d, s.url, nil)
	stuck.on.Store(true)
	defer close(stuck.free)
	go d.Close()
	returned := make(chan error, 1)
	go func() {
		var err error
		for !errors.Is(err, net.ErrClosed) { // until Close has begun
			_, _, err = d.Dial(bg, "wss://127.0.0.1:1/", nil)
		}
		returned <- err
	}()
	select {
	case <-returned:
	case <-time.After(10 * time.Second):
		t.Error("Dial does not return")
	}
}
