package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"time"

	"github.com/closeonce/websocket"
)

// Ping waits for the peer's Pong. Nobody needs to read meanwhile.
func ExampleConn_Ping() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		<-ctx.Done() // Pings are answered all the same
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	start := time.Now()
	if err := c.Ping(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("answered in time:", time.Since(start) < 5*time.Second)
	// Output: answered in time: true
}

// A heartbeat of the application's own: numbered Pings, and OnPongReceived for the answers.
func ExampleConn_SendPing() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		<-ctx.Done()
	}))
	defer server.Close()

	pongs := make(chan string, 1)
	c, _, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{
		OnPongReceived: func(ctx context.Context, payload []byte) {
			select {
			case pongs <- string(payload):
			default: // a callback must not wait
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	for n := range 3 {
		if err := c.SendPing(fmt.Appendf(nil, "beat %d", n)); err != nil {
			log.Fatal(err)
		}
		select {
		case payload := <-pongs:
			fmt.Println(payload)
		case <-time.After(10 * time.Second):
			log.Fatal("the peer does not answer")
		}
	}
	// Output:
	// beat 0
	// beat 1
	// beat 2
}

// A Pong that nobody asked for says that the sender is alive, and is not answered.
func ExampleConn_SendPong() {
	beats := make(chan string, 1)
	opts := &websocket.AcceptOptions{
		OnPongReceived: func(ctx context.Context, payload []byte) {
			select {
			case beats <- string(payload):
			default: // a callback must not wait
			}
		},
	}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		<-ctx.Done()
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.SendPong([]byte("alive")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-beats)
	// Output: alive
}

// A program that ends a connection at once, and wants its last words to leave before.
func ExampleConn_Flush() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.TryWrite(websocket.MessageText, []byte("the last word"))
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := c.Flush(ctx); err != nil {
			log.Print(err) // the peer does not read
		}
		c.CloseNow()
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(context.Background())
	fmt.Println(string(p), err)
	// Output: the last word <nil>
}

// A peer that is gone without a word is noticed: it does not answer a keepalive Ping.
func ExampleAcceptOptions_keepAlive() {
	opts := &websocket.AcceptOptions{KeepAlive: 10 * time.Millisecond} // 30 s is the default
	reads := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		reads <- err
	}))
	defer server.Close()

	// A client that sends the handshake, and nothing any more.
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

	fmt.Println("the peer is gone:", errors.Is(<-reads, websocket.ErrPingTimeout))
	// Output: the peer is gone: true
}
