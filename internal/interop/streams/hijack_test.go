package streams

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
)

// net/http reads from a connection while a handler runs. Hijack ends that by a read deadline in the past, and waits for
// it. So it takes a net.Conn whose read deadlines work; and one whose time-outs are temporary if there is TLS over it,
// since crypto/tls gives up for good at any other error. No WebSocket library can do without Hijack.

// copied is a pipe with deadlines whose other end is copied from and to nc.
func copied(nc net.Conn, _ bool) net.Conn {
	near, far := net.Pipe()
	for _, way := range [][2]net.Conn{{nc, far}, {far, nc}} {
		go func() {
			io.Copy(way[0], way[1])
			nc.Close()
			far.Close()
		}()
	}
	return near
}

// temporaryBelowTLS makes time-outs temporary that are not.
func temporaryBelowTLS(nc net.Conn, secured bool) net.Conn {
	if secured {
		return temporary{nc}
	}
	return nc
}

type temporary struct{ net.Conn }

func (c temporary) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// copying gives a copy of what is written to a net.Conn that may go on reading it when its Write has returned an error. smux does
// (v1.5.58: its Write gives up, and the goroutine that sends has its bytes in a queue), which io.Writer forbids. The library never
// uses such memory again; crypto/tls does, for whichever connection comes next, so one connection's bytes get into another's stream.
type copying struct{ net.Conn }

func (c copying) Write(p []byte) (int, error) { return c.Conn.Write(slices.Clone(p)) }

// TestHijackAlone shows that the kinds that have a server of their own need it without the library as well, and that
// the others don't.
func TestHijackAlone(t *testing.T) {
	for _, k := range kinds {
		for _, secured := range []bool{false, true} {
			t.Run(k.name+"/"+scheme(secured), func(t *testing.T) {
				t.Parallel()
				broken := k.server != nil && (secured || k.name != "yamux")
				read := hijackAlone(t, k, secured, func(nc net.Conn, secured bool) net.Conn { return nc }, broken)
				if (read != nil) != broken {
					t.Errorf("reading after Hijack gave %v", read)
				}
				if k.server != nil {
					if err := hijackAlone(t, k, secured, k.server, false); err != nil {
						t.Errorf("with a server of its own reading after Hijack gave %v", err)
					}
				}
			})
		}
	}
}

// hijackAlone has net/http hijack a connection, and returns why nothing can be read from it then.
func hijackAlone(t *testing.T, k kind, secured bool, server func(net.Conn, bool) net.Conn, broken bool) error {
	dialled, accepted := k.open(t)
	arrived, read := make(chan bool), make(chan error, 1)
	client := serve(t, dialled, server(accepted, secured), secured, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		nc, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: bytes\r\nConnection: Upgrade\r\n\r\n")
			_, err = io.ReadFull(nc, make([]byte, 1))
			nc.Close()
		}
		read <- err
	}))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req := must(http.NewRequestWithContext(ctx, http.MethodGet, "http"+scheme(secured)[2:]+"://example.com/", nil))(t)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "bytes")
	if broken && k.name != "yamux" { // Hijack waits for ever, for a byte that does not come before the answer
		go func() {
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
		<-arrived
		dialled.Close()
		<-read
		return errors.New("Hijack did not return")
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	resp.Body.(io.Writer).Write([]byte("x"))
	return <-read
}

// serve serves one connection, and returns a client that has the other end of it.
func serve(t *testing.T, dialled, accepted net.Conn, secured bool, h http.Handler) *http.Client {
	srv := httptest.NewUnstartedServer(h)
	srv.Listener.Close()
	srv.Listener = newOne(accepted)
	srv.EnableHTTP2 = false
	if secured {
		dialled, srv.Listener = copying{dialled}, newOne(copying{accepted})
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(func() {
		dialled.Close()
		accepted.Close()
		srv.Close()
	})
	client := srv.Client()
	client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return dialled, nil }
	return client
}

func scheme(secured bool) string {
	if secured {
		return "wss"
	}
	return "ws"
}

// one is a listener that accepts one connection.
type one struct {
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func newOne(nc net.Conn) one {
	l := one{conns: make(chan net.Conn, 1)}
	l.conns <- nc
	l.closed, l.close = context.WithCancel(context.Background())
	return l
}

func (l one) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l one) Close() error {
	l.close()
	return nil
}

func (one) Addr() net.Addr { return pipeAddr{} }
