package websocket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// A server that echoes, and a client.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the request has been answered
		}
		defer c.CloseNow()
		for {
			typ, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), typ, p); err != nil {
				return
			}
		}
	}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	typ, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(typ, string(p))
	fmt.Println(c.Close(websocket.StatusNormalClosure, "bye"))
	// Output:
	// MessageText hello
	// <nil>
}

// Handler lets net/http go: a connection that waits costs little.
func ExampleHandler() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			reply := fmt.Appendf(nil, "you said %q", m.Data)
			if err := c.Write(ctx, m.Type, reply); err != nil {
				return
			}
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.Write(ctx, websocket.MessageText, []byte("hello"))
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err)
	c.Close(websocket.StatusNormalClosure, "")
	// Output: you said "hello" <nil>
}

// Messages ends by itself when the peer closes as it should.
func ExampleConn_Messages() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for _, word := range []string{"one", "two", "three"} {
			if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
				return
			}
		}
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	for m, err := range c.Messages(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
	}
	fmt.Println("the server is done")
	// Output:
	// one
	// two
	// three
	// the server is done
}

// What the peer said when it closed.
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
	var said websocket.CloseError
	if errors.As(err, &said) {
		fmt.Println(int(said.Code), said.Reason)
	}
	fmt.Println(int(websocket.CloseStatus(err)))
	// Output:
	// 4001 no such room
	// 4001
}

// A server that only writes: its context ends when the client goes.
func ExampleConn_CloseRead() {
	gone := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		ctx = c.CloseRead(ctx)
		for n := 1; ; n++ {
			if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "event %d", n)); err != nil {
				gone <- err
				return
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	for range 2 {
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(p))
	}
	c.Close(websocket.StatusGoingAway, "enough")
	fmt.Println(<-gone)
	// Output:
	// event 1
	// event 2
	// websocket: received close frame: status = StatusGoingAway and reason = "enough": use of closed network connection
}

// A stream of bytes through a WebSocket.
func ExampleNetConn() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		conn := websocket.NetConn(ctx, c, websocket.MessageBinary)
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			fmt.Fprintf(conn, "%d bytes\n", len(lines.Text()))
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	conn := websocket.NetConn(ctx, c, websocket.MessageBinary)
	io.WriteString(conn, "hello\nworld, too\n")
	replies := bufio.NewReader(conn)
	for range 2 {
		line, err := replies.ReadString('\n')
		fmt.Println(strings.TrimSpace(line), err)
	}
	conn.Close()
	// Output:
	// 5 bytes <nil>
	// 10 bytes <nil>
}

// One URL for a page and for its WebSocket.
func ExampleIsWebSocketUpgrade() {
	chat := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageText, []byte("over the WebSocket"))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsWebSocketUpgrade(r) {
			chat.ServeHTTP(w, r)
			return
		}
		io.WriteString(w, "the page")
	}))
	defer server.Close()

	resp, err := http.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(string(page))

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, _ := c.Read(context.Background())
	fmt.Println(string(p))
	c.Close(websocket.StatusNormalClosure, "")
	// Output:
	// the page
	// over the WebSocket
}

// A server that does not want us says why.
func ExampleHandshakeError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "members only", http.StatusUnauthorized)
	}))
	defer server.Close()

	_, _, err := websocket.Dial(context.Background(), server.URL, nil)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		body, _ := io.ReadAll(refused.Response.Body)
		fmt.Printf("%d %s", refused.Response.StatusCode, body)
	}
	fmt.Println(err)
	// Output:
	// 401 members only
	// websocket: the handshake failed: expected handshake response status code 101 but got 401: "members only"
}
