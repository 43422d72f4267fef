package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// A read loop that tells the peer's Close from a lost connection.
func ExampleConn_Read() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if err := c.Write(ctx, websocket.MessageText, []byte("one")); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	for {
		typ, p, err := c.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			fmt.Println("the server is done")
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(typ, string(p))
	}
	// Output:
	// MessageText one
	// the server is done
}

// A Read that is cancelled loses nothing, and the connection stays open.
func ExampleConn_Read_cancel() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				log.Print(err)
				return
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
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

	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	_, _, err = c.Read(short) // nothing comes
	fmt.Println(err)

	if err := c.Write(ctx, websocket.MessageText, []byte("still there")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	c.Close(websocket.StatusNormalClosure, "")
	// Output:
	// context deadline exceeded
	// still there
}

// AppendRead reads every message into the same memory.
func ExampleConn_AppendRead() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for _, word := range []string{"one", "two", "three"} {
			if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
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
	buf := make([]byte, 0, 4096)
	for {
		_, p, err := c.AppendRead(ctx, buf[:0])
		if err != nil {
			fmt.Println(websocket.CloseStatus(err))
			return
		}
		fmt.Println(string(p))
		buf = p // it has grown if the message was larger
	}
	// Output:
	// one
	// two
	// three
	// StatusNormalClosure
}

// Messages ends without an error when the peer closes the connection as it should.
func ExampleConn_Messages() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for _, word := range []string{"one", "two", "three"} {
			if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
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
	for m, err := range c.Messages(ctx) {
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

// Reader reads a message while it comes. What is left unread is skipped by the next Reader or Read.
func ExampleConn_Reader() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for _, text := range []string{strings.Repeat("a", 100_000), "short"} {
			if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
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
	for range 2 {
		_, r, err := c.Reader(ctx)
		if err != nil {
			log.Fatal(err)
		}
		start, err := io.ReadAll(io.LimitReader(r, 10))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(start))
	}
	// Output:
	// aaaaaaaaaa
	// short
}

// A message over the read limit ends the connection: the peer is sent Close 1009.
func ExampleConn_SetReadLimit() {
	reads := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.SetReadLimit(1000)
		_, _, err := c.Read(ctx)
		reads <- err
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageBinary, make([]byte, 1001)); err != nil {
		log.Fatal(err)
	}
	_, _, err = c.Read(ctx)
	fmt.Println("too big:", errors.Is(<-reads, websocket.ErrMessageTooBig))
	fmt.Println(websocket.CloseStatus(err))
	// Output:
	// too big: true
	// StatusMessageTooBig
}

// A server that only writes. Its context ends when the client is gone.
func ExampleConn_CloseRead() {
	gone := make(chan error)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		ctx = c.CloseRead(ctx)
		events := time.NewTicker(time.Millisecond)
		defer events.Stop()
		for n := 1; ; n++ {
			select {
			case <-events.C:
				if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "event %d", n)); err != nil {
					gone <- err
					return
				}
			case <-ctx.Done():
				gone <- context.Cause(ctx)
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
	for range 2 {
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(p))
	}
	c.Close(websocket.StatusGoingAway, "enough")
	fmt.Println(websocket.CloseStatus(<-gone))
	// Output:
	// event 1
	// event 2
	// StatusGoingAway
}
