package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/closeonce/websocket"
)

// TestNetConnBelow: the net.Conn below is what the server has accepted and the client has dialed: for TCP, TLS, Unix
// sockets, and net.Conns of other kinds.
func TestNetConnBelow(t *testing.T) {
	below := make(chan net.Conn, 1)
	handler := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		below <- c.NetConn()
		c.Read(ctx)
	})
	dial := func(t *testing.T, url string, client *http.Client) (ours, theirs net.Conn) {
		t.Helper()
		c, _, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c.NetConn(), <-below
	}
	t.Run("tcp", func(t *testing.T) {
		srv := httptest.NewServer(handler)
		defer srv.Close()
		ours, theirs := dial(t, srv.URL, srv.Client())
		a, ok := ours.(*net.TCPConn)
		b, ok2 := theirs.(*net.TCPConn)
		if !ok || !ok2 || a.LocalAddr().String() != b.RemoteAddr().String() {
			t.Fatalf("%T, %T", ours, theirs)
		}
		if err := a.SetNoDelay(false); err != nil {
			t.Error(err)
		}
	})
	t.Run("tls", func(t *testing.T) {
		srv := httptest.NewTLSServer(handler)
		defer srv.Close()
		for _, nc := range func() []net.Conn { a, b := dial(t, srv.URL, srv.Client()); return []net.Conn{a, b} }() {
			s, ok := nc.(*tls.Conn)
			if !ok || !s.ConnectionState().HandshakeComplete {
				t.Errorf("%T", nc)
			}
		}
	})
	t.Run("unix", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("no Unix sockets")
		}
		path := filepath.Join(t.TempDir(), "s")
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: handler}
		go srv.Serve(ln)
		defer srv.Close()
		ours, theirs := dial(t, "ws://socket/", &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
		}})
		_, ok := ours.(*net.UnixConn)
		if _, ok2 := theirs.(*net.UnixConn); !ok || !ok2 {
			t.Errorf("%T, %T", ours, theirs)
		}
	})
	t.Run("a wrapper", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(handler)
		srv.Listener = wrappingListener{srv.Listener}
		srv.Start()
		defer srv.Close()
		ours, theirs := dial(t, srv.URL, &http.Client{Transport: &http.Transport{
			DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
				nc, err := net.Dial(network, addr)
				return wrapped{nc}, err
			},
		}})
		_, ok := ours.(wrapped)
		if _, ok2 := theirs.(wrapped); !ok || !ok2 {
			t.Errorf("%T, %T", ours, theirs)
		}
	})
}

// wrapped is a net.Conn of another kind.
type wrapped struct{ net.Conn }

type wrappingListener struct{ net.Listener }

func (l wrappingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return wrapped{nc}, err
}

// bodyTransport is a RoundTripper of its own, whose responses have the body that body makes of the net.Conn.
type bodyTransport struct {
	body func(net.Conn) io.ReadWriteCloser
}

func (b bodyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	nc, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	if err := r.Write(nc); err != nil {
		return nil, err
	}
	// One byte at a time: none of what follows the answer is read.
	resp, err := http.ReadResponse(bufio.NewReaderSize(oneByOne{nc}, 16), r)
	if err == nil {
		resp.Body = b.body(nc)
	}
	return resp, err
}

type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

// TestNetConnBelowUnknown: with another RoundTripper it is the body, if that is a net.Conn, or one without addresses; never
// nil, before and after the end.
func TestNetConnBelowUnknown(t *testing.T) {
	srv := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }))
	defer srv.Close()
	for name, body := range map[string]func(net.Conn) io.ReadWriteCloser{
		"a net.Conn": func(nc net.Conn) io.ReadWriteCloser { return nc },
		"a stream":   func(nc net.Conn) io.ReadWriteCloser { return struct{ io.ReadWriteCloser }{nc} },
	} {
		c, _, err := websocket.Dial(context.Background(), srv.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: bodyTransport{body}}})
		if err != nil {
			t.Fatal(name, err)
		}
		nc := c.NetConn()
		if _, ok := nc.(*net.TCPConn); nc == nil || ok != (name == "a net.Conn") {
			t.Errorf("%s: %T", name, nc)
		}
		if nc.RemoteAddr() == nil || nc.LocalAddr() == nil {
			t.Errorf("%s has no addresses", name)
		}
		if err := c.Close(1000, ""); err != nil {
			t.Error(name, err)
		}
		if c.NetConn() != nc {
			t.Errorf("%s: another after the end", name)
		}
	}
}
