package fasthttpws_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/valyala/fasthttp"
)

// An echo server on fasthttp.
func ExampleUpgrade() {
	handler := func(ctx *fasthttp.RequestCtx) {
		err := fasthttpws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			for m, err := range c.Messages(c.Context()) {
				if err != nil || c.Write(c.Context(), m.Type, m.Data) != nil {
					return
				}
			}
		})
		if err != nil {
			log.Print(err) // the request has been answered
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &fasthttp.Server{Handler: handler}
	go server.Serve(ln)
	defer server.Shutdown()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", p)
	c.Close(websocket.StatusNormalClosure, "")
	// Output: hello
}
