package peers

import (
	"context"
	"net/http"
	"testing"

	"github.com/closeonce/websocket"
)

// A role is what our end is.
type role string

const (
	server role = "server"
	client role = "client"
)

func (r role) other() role {
	if r == server {
		return client
	}
	return server
}

// A link joins us and a peer by a route; connections are opened on it one after
// the other.
type link struct {
	t        *testing.T
	role     role
	peer     *peer
	ours     websocket.DialOptions // as a server, the same of AcceptOptions
	theirs   params
	over     version // what our end speaks, and the peer
	beyond   version // the same of the peer's end
	url      string  // where the client dials
	accepted chan *websocket.Conn
}

// newLink starts the server of the two ends; extend leads a route to it.
func newLink(t *testing.T, p *peer, role role, ours websocket.DialOptions, theirs params, extend route) *link {
	t.Helper()
	return newLinkOver(t, p, role, h1, h1, ours, theirs, extend)
}

// newLinkOver is newLink with the version that our end speaks, and the one of the peer's end.
func newLinkOver(t *testing.T, p *peer, role role, over, beyond version, ours websocket.DialOptions, theirs params, extend route) *link {
	t.Helper()
	ours.ReadLimit = -1
	ours.HTTPClient, ours.HTTP2 = over.client(), over.option()
	l := &link{t: t, role: role, peer: p, ours: ours, theirs: theirs, over: over, beyond: beyond, accepted: make(chan *websocket.Conn, 1)}
	if role == client {
		l.url = over.scheme() + extend(t, l.peer.listen(theirs, beyond)) + "/"
		return l
	}
	l.url = beyond.scheme() + extend(t, over.serve(t, http.HandlerFunc(l.accept), nil)) + "/"
	return l
}

func (l *link) accept(w http.ResponseWriter, r *http.Request) {
	if (r.ProtoMajor == 2) != (l.over != h1) {
		l.t.Errorf("a request came by %s, not by %s", r.Proto, l.over)
	}
	websocket.Handler(&websocket.AcceptOptions{
		CompressionMode:      l.ours.CompressionMode,
		CompressionThreshold: l.ours.CompressionThreshold,
		CompressionTuning:    l.ours.CompressionTuning,
		ReadLimit:            l.ours.ReadLimit,
		KeepAlive:            l.ours.KeepAlive,
		OnPongReceived:       l.ours.OnPongReceived,
		OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
			l.t.Errorf("Accept: %v", err)
			http.Error(w, err.Error(), status)
		},
	}, func(ctx context.Context, c *websocket.Conn) {
		l.accepted <- c
		<-ctx.Done()
	}).ServeHTTP(w, r)
}

// open opens a connection. It returns our end, and the extensions agreed on.
func (l *link) open() (c *websocket.Conn, extensions string) {
	l.t.Helper()
	c, e := l.opened()
	return c, e.Extensions
}

// opened is open, with what the peer says of the connection.
func (l *link) opened() (c *websocket.Conn, e event) {
	l.t.Helper()
	ctx := within(l.t)
	if l.role == client {
		c, response, err := websocket.Dial(ctx, l.url, &l.ours)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { c.CloseNow() })
		e = l.peer.want("open")
		e.Extensions = response.Header.Get("Sec-WebSocket-Extensions")
		return c, e
	}
	l.peer.tell(order{Do: "dial", URL: l.url, Deflate: l.theirs, HTTP2: l.beyond != h1, TLS: l.beyond.files(), Linger: l.peer.nghttpx})
	e = l.peer.want("open")
	c = <-l.accepted
	l.t.Cleanup(func() { c.CloseNow() })
	return c, e
}

// within is a context that ends when patience does, or the test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eachLink runs test for each peer, in each role, by each of these routes.
func eachLink(t *testing.T, routes map[string]route, test func(t *testing.T, program program, role role, extend route)) {
	for name, extend := range routes {
		for _, program := range programs {
			for _, role := range []role{server, client} {
				t.Run(name+"/"+program.name+"/"+string(role), func(t *testing.T) {
					t.Parallel()
					test(t, program, role, extend)
				})
			}
		}
	}
}
