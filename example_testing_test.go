package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
)

// greet is what is to be tested: it answers each message, and closes the connection after five minutes without one.
func greet(ctx context.Context, c *websocket.Conn) {
	for {
		patience, cancel := context.WithTimeout(ctx, 5*time.Minute)
		_, name, err := c.Read(patience)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			c.Close(4000, "nobody there")
			return
		}
		if err != nil {
			return
		}
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "hello, %s", name)); err != nil {
			return
		}
	}
}

// A network is a net.Listener in memory.
type network chan net.Conn

func (n network) Accept() (net.Conn, error) {
	conn, ok := <-n
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (n network) Close() error   { close(n); return nil }
func (n network) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "pipe"} }

func (n network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect starts a server with the handler and returns a client's connection to it.
func connect(ctx context.Context, h http.Handler) (c *websocket.Conn, stop func(), err error) {
	n := make(network)
	server := &http.Server{Handler: h}
	go server.Serve(n)
	c, _, err = websocket.Dial(ctx, "ws://server/", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: n.dial}},
	})
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return c, func() { c.CloseNow(); server.Close() }, nil
}

// testGreetIsPatient would be called TestGreetIsPatient. It runs in the fake time of a synctest bubble: the five minutes
// pass at once.
func testGreetIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop, err := connect(t.Context(), websocket.Handler(nil, greet))
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		start := time.Now()
		_, _, err = c.Read(t.Context())
		if code := websocket.CloseStatus(err); code != 4000 {
			t.Errorf("closed with %v, want 4000", code)
		}
		if waited := time.Since(start); waited != 5*time.Minute {
			t.Errorf("closed after %v", waited)
		}
	})
}

// How to test a handler of one's own in memory, without ports, and in fake time.
func Example_testing() {
	ctx := context.Background()
	c, stop, err := connect(ctx, websocket.Handler(nil, greet))
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	if err := c.Write(ctx, websocket.MessageText, []byte("gopher")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: hello, gopher
}
