package websocket_test

import (
	"context"
	"expvar"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/closeonce/websocket"
)

// counted counts the connections on which serve runs, and the codes with which the peers closed them: -1 if there was none.
func counted(stats *expvar.Map, serve func(context.Context, *websocket.Conn)) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, c *websocket.Conn) {
		stats.Add("open", 1)
		defer stats.Add("open", -1)
		serve(ctx, c)
		c.Close(websocket.StatusNormalClosure, "") // does nothing if the connection has ended
		code := websocket.CloseStatus(context.Cause(c.Context()))
		stats.Add(fmt.Sprintf("closed %d", int(code)), 1)
	}
}

// Counting with package expvar alone: how many connections are open, what is read, and how they end.
func Example_counting() {
	stats := new(expvar.Map) // expvar.NewMap("websocket") shows it at /debug/vars
	done := make(chan bool)
	serve := counted(stats, func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				log.Print(err)
				return
			}
			stats.Add("messages", 1)
			stats.Add("bytes", int64(len(m.Data)))
		}
	})
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		serve(ctx, c)
		done <- true
	}))
	defer server.Close()

	ctx := context.Background()
	for _, words := range [][]string{{"hello", "world"}, {"bye"}} {
		c, _, err := websocket.Dial(ctx, server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		for _, word := range words {
			if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
				log.Fatal(err)
			}
		}
		c.Close(websocket.StatusGoingAway, "")
		<-done
	}
	fmt.Println(stats)
	// Output: {"bytes": 13, "closed 1001": 2, "messages": 3, "open": 0}
}
