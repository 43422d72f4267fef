package http3_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go/http3"
)

// A server echoes, and a client talks to it over two WebSockets that share a QUIC connection.
func Example() {
	ctx := context.Background()
	serverTLS, clientTLS := certificate() // of a test; http3.ConfigureTLSConfig prepares any

	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	server := &http3.Server{TLSConfig: serverTLS, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws3.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		defer c.CloseNow()
		for m, err := range c.Messages(c.Context()) {
			if err != nil || c.Write(c.Context(), m.Type, m.Data) != nil {
				return
			}
		}
	})}
	go server.Serve(pc)
	defer server.Close()

	dialer := &ws3.Dialer{TLSClientConfig: clientTLS}
	defer dialer.Close()
	for _, name := range []string{"one", "two"} {
		c, _, err := dialer.Dial(ctx, "wss://"+pc.LocalAddr().String(), nil)
		if err != nil {
			log.Fatal(err)
		}
		defer c.CloseNow()
		if err := c.Write(ctx, websocket.MessageText, []byte("hello from "+name)); err != nil {
			log.Fatal(err)
		}
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", p)
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// hello from one
	// hello from two
}
