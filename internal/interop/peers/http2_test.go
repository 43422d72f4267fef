package peers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// A way leads from our end to the peer's, with these versions at the ends.
type way struct {
	proxy        *proxyKind // nil: none
	over, beyond version
}

// ways are all in which HTTP/2 is spoken at one end at least.
func ways() []way {
	all := []way{{nil, h2c, h2c}, {nil, h2, h2}}
	for _, kind := range []*proxyKind{&haproxyKind, &nghttpxKind} {
		all = append(all, way{kind, h2, h2}, way{kind, h2c, h2c}, way{kind, h2, h1}, way{kind, h1, h2})
	}
	return all
}

func (w way) String() string {
	if w.proxy == nil {
		return "direct " + w.over.String()
	}
	return fmt.Sprintf("we speak %s, %s, %s", w.over, w.proxy.name, w.beyond)
}

// link is newLink by this way.
func (w way) link(t *testing.T, peer *peer, role role, ours websocket.DialOptions, theirs params) *link {
	t.Helper()
	extend := direct
	switch {
	case w.proxy != nil && role == client:
		extend = w.proxy.route(proxySettings{front: w.over, back: w.beyond})
	case w.proxy != nil:
		extend = w.proxy.route(proxySettings{front: w.beyond, back: w.over})
	}
	peer.nghttpx = w.proxy == &nghttpxKind
	return newLinkOver(t, peer, role, w.over, w.beyond, ours, theirs, extend)
}

// TestHTTP2: by each way, with Node in each role, all goes as over HTTP/1.1, and many WebSockets live side by side.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, role := range []role{server, client} {
			t.Run(fmt.Sprintf("%s as %s", w, role), func(t *testing.T) {
				t.Parallel()
				peer := startPeer(t, programs[0])
				l := w.link(t, peer, role, websocket.DialOptions{}, nil)
				testExchange(l, "", noise(100<<10))
				for _, closing := range closings {
					l.testOurClose(closing)
					l.testTheirClose(closing)
				}
				l.testCloseAmidMessages()
				l.testLoss()
				l.testMany(w.proxy == nil || role == server)

				ours := websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover}
				testExchange(w.link(t, peer, role, ours, params{}), "permessage-deflate", []byte(prose(1<<20)))
			})
		}
	}
}

// testLoss has each end drop the connection without a Close frame.
func (l *link) testLoss() {
	l.t.Helper()
	c, _ := l.open()
	echo(l.t, c, websocket.MessageText, []byte("the last word"))
	if err := c.CloseNow(); err != nil {
		l.t.Errorf("CloseNow: %v", err)
	}
	l.peer.wantClosed(1006, "")

	c, _ = l.open()
	echo(l.t, c, websocket.MessageText, []byte("the last word"))
	l.peer.tell(order{Do: "lose"})
	if _, _, err := read(l.t, c); err == nil || websocket.CloseStatus(err) != -1 {
		l.t.Errorf("the peer was lost; Read returns %v", err)
	} else {
		l.t.Log(err)
	}
	l.peer.wantClosed(1006, "")
}

// testMany opens many WebSockets. The loss of one leaves the others alone. What the client opens without a proxy, or to one,
// must share a connection.
func (l *link) testMany(share bool) {
	l.t.Helper()
	var conns []*websocket.Conn
	connections := map[int]bool{}
	for range 20 {
		c, e := l.opened()
		conns = append(conns, c)
		if l.beyond != h1 {
			connections[e.Connection] = true
		}
	}
	if len(connections) > 1 && share {
		l.t.Errorf("the peer has %d connections", len(connections))
	}
	l.t.Logf("the peer has %d connections", len(connections))
	l.echoOnAll(conns)
	conns[0].CloseNow()
	l.peer.wantClosed(1006, "")
	l.echoOnAll(conns[1:])
	for i, c := range conns[1:] {
		if err := c.Close(3000+websocket.StatusCode(i), "through"); err != nil {
			l.t.Errorf("Close: %v", err)
		}
		l.peer.wantClosed(3000+i, "through")
	}
}

// echoOnAll has a message of each connection on its way at once.
func (l *link) echoOnAll(conns []*websocket.Conn) {
	l.t.Helper()
	text := func(i int) []byte { return []byte(fmt.Sprint(i, strings.Repeat(".", 64+i*500))) }
	for i, c := range conns {
		if err := c.Write(within(l.t), websocket.MessageText, text(i)); err != nil {
			l.t.Fatal(err)
		}
	}
	for i, c := range conns {
		wantMessage(l.t, c, websocket.MessageText, text(i))
	}
}

// TestHTTP2GoAway: Node's server says that it takes no more requests. The WebSocket that is open lives, and the next gets another
// connection. When the server ends its connections, they are lost.
func TestHTTP2GoAway(t *testing.T) {
	t.Parallel()
	for _, v := range []version{h2c, h2} {
		l := way{nil, v, v}.link(t, startPeer(t, programs[0]), client, websocket.DialOptions{}, nil)
		first, e1 := l.opened()
		l.peer.tell(order{Do: "goaway"})
		l.peer.want("away")
		echo(t, first, websocket.MessageText, []byte("still here"))
		second, e2 := l.opened()
		if e1.Connection == e2.Connection {
			t.Errorf("%s: the second WebSocket is on the same connection", v)
		}
		echo(t, second, websocket.MessageText, []byte("me too"))
		echo(t, first, websocket.MessageText, []byte("and I"))
		l.peer.tell(order{Do: "disconnect"})
		for _, c := range []*websocket.Conn{first, second} {
			<-c.Context().Done()
			if err := context.Cause(c.Context()); websocket.CloseStatus(err) != -1 {
				t.Errorf("%s: the connection was lost; it says %v", v, err)
			} else {
				t.Log(err)
			}
			l.peer.wantClosed(1006, "")
		}
	}
}

// TestHTTP2Shutdown: when our server shuts down, Node's clients get 1001, and Shutdown ends when they have answered.
func TestHTTP2Shutdown(t *testing.T) {
	t.Parallel()
	for _, v := range []version{h2c, h2} {
		var s *http.Server
		opened := make(chan struct{}, 10)
		addr := v.serve(t, websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			opened <- struct{}{}
			c.Read(ctx)
		}), func(config *http.Server) { s = config; websocket.ServerGroup(s) })
		p := startPeer(t, programs[0])
		for range 5 {
			p.tell(order{Do: "dial", URL: v.scheme() + addr + "/", HTTP2: true, TLS: v.files()})
			p.want("open")
			<-opened
		}
		if err := s.Shutdown(within(t)); err != nil {
			t.Errorf("%s: Shutdown: %v", v, err)
		}
		for range 5 {
			if e := p.want("closed"); e.Code != 1001 {
				t.Errorf("%s: the peer saw %+v", v, e)
			}
		}
	}
}
