package websocket_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/closeonce/websocket"
)

// A meter counts the bytes that are read from a net.Conn.
type meter struct {
	net.Conn
	read *atomic.Int64
}

func (m meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.read.Add(int64(n))
	return n, err
}

// What compression saves on a hundred short messages that are alike. Context takeover lets each refer to those before it;
// CompressionNoContextTakeover saves on long messages, and next to nothing on these.
func ExampleCompressionMode() {
	server := httptest.NewServer(websocket.Handler(&websocket.AcceptOptions{
		CompressionMode:      websocket.CompressionContextTakeover, // the client may ask for less
		CompressionThreshold: -1,                                   // short messages, too
	}, func(ctx context.Context, c *websocket.Conn) {
		for n := range 100 {
			quote := fmt.Appendf(nil, `{"symbol":"GOPH","currency":"EUR","price":%d.5,"change":"+0.1 %%","open":true}`, n)
			if err := c.Write(ctx, websocket.MessageText, quote); err != nil {
				log.Print(err)
				return
			}
		}
	}))
	defer server.Close()

	received := func(mode websocket.CompressionMode) int64 {
		var read atomic.Int64
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return meter{conn, &read}, err
		}}
		ctx := context.Background()
		c, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{
			HTTPClient:      &http.Client{Transport: transport},
			CompressionMode: mode,
		})
		if err != nil {
			log.Fatal(err)
		}
		defer c.CloseNow()
		for _, err := range c.Messages(ctx) {
			if err != nil {
				log.Fatal(err)
			}
		}
		return read.Load()
	}
	plain := received(websocket.CompressionDisabled)
	compressed := received(websocket.CompressionContextTakeover)
	fmt.Println("less than a quarter:", compressed < plain/4)
	// Output: less than a quarter: true
}
