package websocket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/closeonce/websocket"
)

// Write sends a whole message. A context bounds the time for which a slow peer can hold it up.
func ExampleConn_Write() {
	received := make(chan string, 2)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		defer close(received)
		for m, err := range c.Messages(ctx) {
			if err != nil {
				log.Print(err)
				return
			}
			received <- fmt.Sprintf("%v %q", m.Type, m.Data)
		}
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("text is UTF-8")); err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageBinary, []byte{0, 1, 255}); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil { // what was written is sent first
		log.Fatal(err)
	}
	for message := range received {
		fmt.Println(message)
	}
	// Output:
	// MessageText "text is UTF-8"
	// MessageBinary "\x00\x01\xff"
}

// TryWrite never waits. It is for events of which a slow peer may miss some.
func ExampleConn_TryWrite() {
	dropped := make(chan int)
	opts := &websocket.AcceptOptions{QueueLimit: 64 << 10}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		defer c.CloseNow()
		event, n := make([]byte, 16<<10), 0
		for n < 3 {
			err := c.TryWrite(websocket.MessageBinary, event)
			switch {
			case errors.Is(err, websocket.ErrQueueFull):
				n++
			case err != nil:
				log.Print(err)
				return
			}
		}
		dropped <- n
	}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow() // it never reads
	fmt.Println("events dropped:", <-dropped)
	// Output: events dropped: 3
}

// Writer sends one message of unknown size, here what json.Encoder writes.
func ExampleConn_Writer() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		w, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			log.Print(err)
			return
		}
		enc := json.NewEncoder(w)
		for n := range 3 {
			if err := enc.Encode(map[string]int{"n": n}); err != nil {
				log.Print(err)
			}
		}
		if err := w.Close(); err != nil { // the message ends
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
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(p))
	// Output:
	// {"n":0}
	// {"n":1}
	// {"n":2}
}
