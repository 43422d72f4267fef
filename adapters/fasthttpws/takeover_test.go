package fasthttpws_test

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A wrapping listener wraps its connections, as one that counts or limits does.
type wrapping struct {
	net.Listener
	wrap func(nc *net.TCPConn) net.Conn
}

func (l wrapping) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(nc.(*net.TCPConn)), nil
}

// plain has the methods of a net.Conn and no others.
type plain struct{ net.Conn }

// halved has CloseWrite, too.
type halved struct {
	net.Conn
	halves *atomic.Int32
}

func (h halved) CloseWrite() error {
	h.halves.Add(1)
	return h.Conn.(*net.TCPConn).CloseWrite()
}

// TestWrapped: behind a listener that wraps its connections, the accepted one is found, and its CloseWrite is used, if it
// has any.
func TestWrapped(t *testing.T) {
	var halves atomic.Int32
	for name, tt := range map[string]struct {
		wrap func(nc *net.TCPConn) net.Conn
		half bool
	}{
		"plain":      {func(nc *net.TCPConn) net.Conn { return plain{nc} }, false},
		"CloseWrite": {func(nc *net.TCPConn) net.Conn { return halved{nc, &halves} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ln, dial := overTCP(t)
			accepted := make(chan net.Conn, 1)
			start(t, wrapping{ln, func(nc *net.TCPConn) net.Conn {
				wrapped := tt.wrap(nc)
				accepted <- wrapped
				return wrapped
			}}, nil, func(c *websocket.Conn) {
				nc := c.NetConn()
				if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
					nc = outer.NetConn()
				}
				if want := <-accepted; nc != want {
					t.Errorf("the connection is %T, want %T", nc, want)
				}
				if _, half := c.NetConn().(interface{ CloseWrite() error }); half != tt.half {
					t.Errorf("CloseWrite is there: %v, want %v", half, tt.half)
				}
				if _, p, err := c.Read(bg); err != nil || string(p) != "early" {
					t.Errorf("%q, %v", p, err)
				}
				c.Read(bg)
			})
			nc, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			p := wiretest.NewPeer(t, nc, wiretest.Client)
			p.SendRaw(append([]byte(request+"\r\n"), p.Encode(wiretest.Text("early"))...))
			p.ReadResponse()
			p.Send(wiretest.Frame{FIN: true, Opcode: 3})
			p.WantClose("a violation is answered", 1002)
			p.WantEOF("and the stream ends")
			if tt.half && halves.Load() != 1 { // without it, the end comes a second later
				t.Errorf("CloseWrite was called %d times", halves.Load())
			}
		})
	}
}
