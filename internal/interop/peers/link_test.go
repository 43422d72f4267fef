package peers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
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
	url      string // where the client dials
	accepted chan *websocket.Conn
}

// newLink starts the server of the two ends; extend leads a route to it.
func newLink(t *testing.T, p *peer, role role, ours websocket.DialOptions, theirs params, extend route) *link {
	t.Helper()
	ours.ReadLimit = -1
	ours.HTTPClient = &http.Client{Transport: &http.Transport{}}
	l := &link{t: t, role: role, peer: p, ours: ours, theirs: theirs, accepted: make(chan *websocket.Conn, 1)}
	if role == client {
		l.url = "ws://" + extend(t, l.peer.listen(theirs)) + "/"
		return l
	}
	s := httptest.NewServer(http.HandlerFunc(l.accept))
	t.Cleanup(s.Close)
	l.url = "ws://" + extend(t, strings.TrimPrefix(s.URL, "http://")) + "/"
	return l
}

func (l *link) accept(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		CompressionMode:      l.ours.CompressionMode,
		CompressionThreshold: l.ours.CompressionThreshold,
		CompressionTuning:    l.ours.CompressionTuning,
		ReadLimit:            l.ours.ReadLimit,
		KeepAlive:            l.ours.KeepAlive,
		OnPongReceived:       l.ours.OnPongReceived,
	})
	if err != nil {
		l.t.Errorf("Accept: %v", err)
		return
	}
	l.accepted <- c
}

// open opens a connection. It returns our end, and the extensions agreed on.
func (l *link) open() (c *websocket.Conn, extensions string) {
	l.t.Helper()
	ctx := within(l.t)
	if l.role == client {
		c, response, err := websocket.Dial(ctx, l.url, &l.ours)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { c.CloseNow() })
		l.peer.want("open")
		return c, response.Header.Get("Sec-WebSocket-Extensions")
	}
	l.peer.tell(order{Do: "dial", URL: l.url, Deflate: l.theirs})
	extensions = l.peer.want("open").Extensions
	c = <-l.accepted
	l.t.Cleanup(func() { c.CloseNow() })
	return c, extensions
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
