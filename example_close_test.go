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

// Close says why, and returns nil when the peer has answered.
func ExampleConn_Close() {
	reads := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		reads <- err
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow() // does nothing after Close
	if err := c.Close(websocket.StatusGoingAway, "the page is closed"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-reads)
	// Output: websocket: received close frame: status = StatusGoingAway and reason = "the page is closed"
}

// CloseContext bounds the time for the peer's answer. With a context that is done it just sends the Close frame.
func ExampleConn_CloseContext() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := c.CloseContext(short, 4000, "the game is over"); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, _, err = c.Read(context.Background())
	fmt.Println(err)
	// Output: websocket: received close frame: status = StatusCode(4000) and reason = "the game is over"
}

// CloseNow ends the connection without a closing handshake, and with it the calls that wait.
func ExampleConn_CloseNow() {
	lost := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		lost <- err
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		read <- err
	}()
	c.CloseNow()
	fmt.Println("our own calls:", errors.Is(<-read, net.ErrClosed))
	fmt.Println("the peer's calls:", errors.Is(<-lost, io.ErrUnexpectedEOF))
	// Output:
	// our own calls: true
	// the peer's calls: true
}

// The connection's context ends with the connection, and its cause says why.
func ExampleConn_Context() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.Close(websocket.StatusTryAgainLater, "too many players")
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	<-c.Context().Done() // nobody needs to read
	fmt.Println(websocket.CloseStatus(context.Cause(c.Context())))
	// Output: StatusTryAgainLater
}

// The code and the reason of the peer's Close frame.
func ExampleCloseError() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.Close(4001, "no such room")
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, _, err = c.Read(context.Background())
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		fmt.Println(int(closed.Code), closed.Reason)
	}
	// Output: 4001 no such room
}

// Who closed the connection, and why.
func ExampleCloseStatus() {
	explain := func(err error) string {
		switch code := websocket.CloseStatus(err); {
		case code == websocket.StatusNormalClosure, code == websocket.StatusGoingAway:
			return "the peer is done"
		case code != -1:
			return fmt.Sprintf("the peer closed with %d", int(code))
		case errors.Is(err, net.ErrClosed):
			return "we closed"
		default:
			return "the connection was lost" // err wraps the cause
		}
	}

	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		switch string(p) {
		case "bye":
			c.Close(websocket.StatusNormalClosure, "")
		case "buy":
			c.Close(4002, "sold out")
		case "crash":
			c.CloseNow()
		}
		<-ctx.Done()
	}))
	defer server.Close()

	ctx := context.Background()
	for _, word := range []string{"bye", "buy", "crash", "wait"} {
		c, _, err := websocket.Dial(ctx, server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
			log.Fatal(err)
		}
		if word == "wait" {
			c.Close(websocket.StatusNormalClosure, "")
		}
		_, _, err = c.Read(ctx)
		fmt.Println(word+":", explain(err))
		c.CloseNow()
	}
	// Output:
	// bye: the peer is done
	// buy: the peer closed with 4002
	// crash: the connection was lost
	// wait: we closed
}

// A peer that breaks the protocol is sent a Close frame, and the error says what it did.
func ExampleProtocolError() {
	reads := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		reads <- err
	}))
	defer server.Close()

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+
		"\x81\x02hi") // a text message that is not masked

	var broken websocket.ProtocolError
	if errors.As(<-reads, &broken) {
		fmt.Println(broken.Code)
		fmt.Println(broken.Reason)
	}
	// Output:
	// StatusProtocolError
	// a frame from the client is not masked (RFC 6455, section 5.1)
}
