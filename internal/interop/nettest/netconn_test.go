package nettest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"golang.org/x/net/nettest"
)

// A dialer connects to the network that a listener listens on.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func TestNetConn(t *testing.T) {
	listen := map[string]func() (net.Listener, dialer, error){
		"memory": func() (net.Listener, dialer, error) {
			ln := memconn.Listen()
			return ln, ln.DialContext, nil
		},
		"tcp": func() (net.Listener, dialer, error) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			return ln, func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
			}, nil
		},
	}
	for name, listen := range listen {
		for _, role := range []string{"client", "server"} {
			t.Run(name+"/"+role, func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					ln, dial, err := listen()
					if err != nil {
						return nil, nil, nil, err
					}
					client, server, stop, err := pair(ln, dial)
					if role == "client" {
						return client, server, stop, err
					}
					return server, client, stop, err
				})
			})
		}
	}
}

// pair returns the two ends of a WebSocket as NetConns.
func pair(ln net.Listener, dial dialer) (client, server net.Conn, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	accepted := make(chan *websocket.Conn, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			accepted <- c
		}
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.Serve(ln)
	}()
	transport := &http.Transport{DialContext: dial}
	c, _, err := websocket.Dial(ctx, "ws://example.com/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		cancel()
		return nil, nil, nil, errors.Join(err, srv.Close())
	}
	s := <-accepted
	stop = func() {
		// A Close that is under way in the test is to come to its end, so no CloseNow.
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			c.Close(websocket.StatusNormalClosure, "")
		}()
		s.Close(websocket.StatusNormalClosure, "")
		<-closed
		cancel()
		transport.CloseIdleConnections()
		srv.Close()
		<-served
	}
	return websocket.NetConn(ctx, c, websocket.MessageBinary), websocket.NetConn(ctx, s, websocket.MessageBinary), stop, nil
}
