package websocket_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"net/http/httptest"
	"strings"

	"github.com/closeonce/websocket"
)

// A client says that it has no more questions, and reads the answers that are still to come.
func ExampleConn_CloseWrite() {
	server := httptest.NewServer(websocket.Handler(&websocket.AcceptOptions{Passive: true}, func(ctx context.Context, c *websocket.Conn) {
		var questions []string
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			questions = append(questions, string(m.Data))
			if err := c.Write(ctx, websocket.MessageText, []byte("answer to "+questions[len(questions)-1])); err != nil {
				return
			}
		}
		c.Close(4000, fmt.Sprintf("%d answers", len(questions))) // a passive end answers with a code of its own
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	for _, question := range []string{"one", "two"} {
		if err := c.Write(ctx, websocket.MessageText, []byte(question)); err != nil {
			log.Fatal(err)
		}
	}
	if err := c.CloseWrite(websocket.StatusNormalClosure, ""); err != nil {
		log.Fatal(err)
	}
	for {
		_, answer, err := c.Read(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(answer))
	}
	// Output:
	// answer to one
	// answer to two
	// websocket: received close frame: status = StatusCode(4000) and reason = "2 answers"
}

// Messages that do not become shorter are sent as they are.
func ExampleConn_SetCompressionThreshold() {
	compression := websocket.CompressionNoContextTakeover
	server := httptest.NewServer(websocket.Handler(&websocket.AcceptOptions{CompressionMode: compression}, func(ctx context.Context, c *websocket.Conn) {
		c.Read(ctx)
		c.Read(ctx)
		fmt.Println(c.Stats().Read.WireBytes > 10_000)
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{CompressionMode: compression})
	if err != nil {
		log.Fatal(err)
	}
	text := []byte(strings.Repeat("again ", 2000))
	c.Write(ctx, websocket.MessageText, text)
	c.SetCompressionThreshold(math.MaxInt) // not compressed from now on
	c.Write(ctx, websocket.MessageText, text)
	c.Read(ctx)
	// Output: true
}
