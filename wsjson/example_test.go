package wsjson_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/wsjson"
)

// A server that answers each value with another, and a client.
func Example() {
	type question struct{ A, B int }
	type answer struct{ Sum int }

	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for {
			var q question
			if err := wsjson.Read(ctx, c, &q); err != nil {
				return // the client has closed the connection, or sent something else
			}
			if err := wsjson.Write(ctx, c, answer{Sum: q.A + q.B}); err != nil {
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
	if err := wsjson.Write(ctx, c, question{A: 2, B: 3}); err != nil {
		log.Fatal(err)
	}
	var a answer
	if err := wsjson.Read(ctx, c, &a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Sum)
	c.Close(websocket.StatusNormalClosure, "")
	// Output: 5
}

// A message that does not fit the value closes the connection with 1007.
func ExampleRead() {
	type move struct{ From, To string }
	reads := make(chan error, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		var m move
		reads <- wsjson.Read(ctx, c, &m)
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"From":"e2","To":4}`)); err != nil {
		log.Fatal(err)
	}
	_, _, err = c.Read(ctx)
	fmt.Println(websocket.CloseStatus(err))
	var typ *json.UnmarshalTypeError
	if errors.As(<-reads, &typ) {
		fmt.Printf("%s is a %s\n", typ.Field, typ.Value)
	}
	// Output:
	// StatusInvalidFramePayloadData
	// To is a number
}

// Write sends one text message, as package encoding/json encodes the value.
func ExampleWrite() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		event := map[string]any{"event": "joined", "members": []string{"alice", "bob"}}
		if err := wsjson.Write(ctx, c, event); err != nil {
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
	typ, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(typ, string(p))
	// Output: MessageText {"event":"joined","members":["alice","bob"]}
}
