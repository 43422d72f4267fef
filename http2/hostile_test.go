package http2_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

const (
	hostileWindow = 64 << 10 // of a stream, for what its peer sends: that of the package documentation
	narrowWindow  = 16 << 10 // what an attacker gives a stream
	hostileHolds  = hostileWindow + 3*16<<10 + 16<<10
)

// road is how hostile peers come over HTTP/2. net/http allows a stream 1 MiB on a server and 4 MiB on a client if it is not told
// otherwise, and all streams of a server's connection 1 MiB together; an attacker fills that, and so locks out honest peers
// behind the same proxy. Hence the windows of the package documentation, on both sides.
var road = &attacks.Road{
	// The stream's window; two chunks of streamconn's and one of net/http's that is not full, 16 KiB each; and what net/http has
	// for a request, its response and their goroutines.
	Holds: hostileHolds,
	// And a buffer for writing of as much as the server reads at once, 512 KiB at most: net/http's client has one for each request
	// (DialOptions.HTTP2), and a hostile server names the size.
	ClientHolds: hostileHolds + 512<<10,
	Handler:     websocket.Handler,
	Serve: func(h http.Handler) (string, error) {
		return h2test.Start(h, false, hostileServer).Listener.Addr().String(), nil
	},
	Dial:   dialHostile(hostileTransport(hostileWindow)),
	Attack: attackHTTP2,
	Lure:   lureHTTP2,
}

func hostileServer(s *http.Server) {
	s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: hostileWindow, MaxReceiveBufferPerConnection: 8 << 20}
}

func hostileTransport(window int) *http.Transport {
	t := &http.Transport{Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: window}}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// dialHostile dials as a client that does not trust servers.
func dialHostile(transport *http.Transport) func(context.Context, string, *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	return func(ctx context.Context, url string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
		opts.HTTP2, opts.HTTPClient = websocket.HTTP2Only, &http.Client{Transport: transport}
		return websocket.Dial(ctx, url, opts)
	}
}

// offered are the header fields that offer extensions.
func offered(extensions string) http.Header {
	if extensions == "" {
		return nil
	}
	return http.Header{"Sec-Websocket-Extensions": {extensions}}
}

func attackHTTP2(addr string) (attacks.Attackers, error) {
	transport := hostileTransport(narrowWindow)
	return attacks.Attackers{Close: transport.CloseIdleConnections, Open: func(path, extensions string) (net.Conn, error) {
		resp, nc, err := h2test.Open(transport, "http://"+addr+path, offered(extensions))
		if err == nil && nc == nil {
			resp.Body.Close()
			err = errors.New(resp.Status)
		}
		return nc, err
	}}, nil
}

func lureHTTP2(extensions string) (attacks.Trap, error) {
	opened := make(chan net.Conn)
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := new(handshake.Answer)
		if r.Header.Get("Sec-WebSocket-Extensions") != "" {
			answer.Extension = extensions
		}
		if c, err := connect.Accept(w, r, answer); err == nil {
			opened <- c
			<-c.Released()
		}
	}), false, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: narrowWindow} })
	return attacks.Trap{URL: "ws://" + s.Listener.Addr().String() + "/", Close: s.Close, Accept: func() (net.Conn, error) {
		select {
		case c := <-opened:
			return c, nil
		case <-time.After(20 * time.Second):
			return nil, errors.New("the client does not dial")
		}
	}}, nil
}

// TestHostile carries out the attacks of internal/proof/hostile that are made of frames over HTTP/2. The attackers' streams and an
// honest peer's are on one connection.
func TestHostile(t *testing.T) { attacks.Over(t, road) }
