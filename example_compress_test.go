package websocket_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/closeonce/websocket"
)

// Compression for many connections: windows of 4 KiB, which cost 8 KiB for each connection in place of 64 KiB, and no effort
// on messages that are short.
func ExampleCompressionTuning() {
	opts := &websocket.AcceptOptions{
		CompressionMode:      websocket.CompressionContextTakeover,
		CompressionThreshold: 256, // bytes
		CompressionTuning: websocket.CompressionTuning{
			ServerWindowBits: 12,
			ClientWindowBits: 12,
		},
	}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {}))
	defer server.Close()

	c, resp, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{
		CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	fmt.Println(resp.Header.Get("Sec-WebSocket-Extensions"))
	// Output: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12
}
