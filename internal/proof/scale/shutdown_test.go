package scale

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// listen returns a listener whose connections have small send buffers.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return small{l.(*net.TCPListener)}
}

type small struct{ *net.TCPListener }

func (l small) Accept() (net.Conn, error) {
	nc, err := l.TCPListener.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return nc, nc.SetWriteBuffer(16 << 10)
}

// TestShutdownOfMany: each of all connections gets its 1001, by the Shutdown of a Group, and by that of an http.Server.
func TestShutdownOfMany(t *testing.T) {
	mostlyWaits(t)
	options := &websocket.AcceptOptions{KeepAlive: -1}
	handler := websocket.Handler(options, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) })
	accept := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, options); err == nil {
			c.CloseRead(context.Background()) // the handler returns
		}
	})
	for _, tt := range []struct {
		name    string
		handler http.Handler
		tls     bool
		group   bool // its own Shutdown, without that of the server
	}{
		{"Group", nil, false, true},
		{"Handler", handler, false, false},
		{"Accept", accept, false, false},
		{"Handler over TLS", handler, true, false},
		{"Accept over TLS", accept, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &http.Server{Handler: tt.handler}
			var group *websocket.Group
			if tt.group {
				group = new(websocket.Group)
				server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, err := websocket.Accept(w, r, options)
					if err == nil {
						err = group.Add(c)
					}
					if err != nil {
						t.Error(err)
					}
				})
			} else {
				group = websocket.ServerGroup(server)
			}
			shutDown(t, server, group, tt.tls, tt.group)
		})
	}
}

func shutDown(t *testing.T, server *http.Server, group *websocket.Group, overTLS, alone bool) {
	l := listen(t)
	addr := l.Addr().String()
	if overTLS {
		l = tls.NewListener(l, &tls.Config{Certificates: httptestCertificates()})
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer server.Close()
	c := startCrowd(t, order{Addr: addr, TLS: overTLS, Conns: *flagConns})
	poll(t, "not all are members", func() bool { return group.Len() == *flagConns })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	begun := time.Now()
	if !alone {
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}
	closed, err := group.Shutdown(ctx)
	took := time.Since(begun)
	r := c.end()
	t.Logf("%d connections, which took %v to connect: %d closed well in %v; the clients got %v, and %d nothing", *flagConns,
		c.joined.Round(time.Millisecond), closed, took.Round(time.Millisecond), r.Codes, r.Lost)
	if err != nil || r.Codes[1001] != *flagConns || closed != *flagConns {
		t.Errorf("closed well: %d, %v; the clients: %+v", closed, err, r)
	}
	if n := group.Len(); n != 0 {
		t.Errorf("%d members are left", n)
	}
}

// httptestCertificates are those that package httptest has for tests.
func httptestCertificates() []tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates
}
