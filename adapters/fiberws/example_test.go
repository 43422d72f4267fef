package fiberws_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"strings"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fiberws"
	"github.com/gofiber/fiber/v3"
)

// A route of a fiber application. What the function needs of the request is copied before.
func ExampleUpgrade() {
	app := fiber.New()
	app.Get("/rooms/:room", func(ctx fiber.Ctx) error {
		room := strings.Clone(ctx.Params("room"))
		return fiberws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			c.Write(c.Context(), websocket.MessageText, []byte("welcome to "+room))
		})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true})
	defer app.Shutdown()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String()+"/rooms/blue", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", p)
	// Output: welcome to blue
}
