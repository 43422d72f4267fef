package http2_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
	_ "github.com/closeonce/websocket/http2"
)

// With the import, the same handler serves WebSockets over both versions. Here the server speaks HTTP/2 without TLS, and the
// limits keep a WebSocket that is not read from stalling the others.
func Example() {
	server := &http.Server{
		Protocols: new(http.Protocols),
		HTTP2:     &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 2 << 20},
		Handler: websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, []byte("hello"))
		}),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)
	defer server.Close()

	// A client without TLS, whose Transport speaks nothing but HTTP/2. For wss, http.DefaultClient will do.
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	ctx := context.Background()
	for _, opts := range []*websocket.DialOptions{
		nil, // HTTP/1.1
		{HTTPClient: &http.Client{Transport: transport}, HTTP2: websocket.HTTP2Only},
	} {
		c, resp, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), opts)
		if err != nil {
			log.Fatal(err)
		}
		defer c.CloseNow()
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s over %s\n", p, resp.Proto)
	}
	// Output:
	// hello over HTTP/1.1
	// hello over HTTP/2.0
}
