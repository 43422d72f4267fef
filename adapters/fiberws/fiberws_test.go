package fiberws_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fiberws"
	"github.com/closeonce/websocket/adapters/internal/prove"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/logger"
	"github.com/gofiber/fiber/v3/middleware/recover"
)

func listen(t *testing.T, ln net.Listener, app *fiber.App) {
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		app.Shutdown()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// newApp returns an application with the buffer that the suite's cases need, behind common middleware.
func newApp() *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(recover.New(), logger.New(logger.Config{Stream: io.Discard}), compress.New())
	return app
}

func TestConformance(t *testing.T) {
	prove.Conformance(t, func(t *testing.T, ln net.Listener, opts *websocket.AcceptOptions, serve func(c *websocket.Conn)) {
		app := newApp()
		app.Get("/", func(ctx fiber.Ctx) error { return fiberws.Upgrade(ctx, opts, serve) })
		listen(t, ln, app)
	})
}

// TestUpgrade: the route's parameters and header fields work, and a refusal goes through the application's ErrorHandler unless
// OnRefuse answers.
func TestUpgrade(t *testing.T) {
	onRefuse := &websocket.AcceptOptions{OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, err.Error())
	}}
	app := newApp()
	app.Get("/plain/:name", func(ctx fiber.Ctx) error {
		name := strings.Clone(ctx.Params("name"))
		ctx.Set("X-Room", "blue")
		return fiberws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			c.Write(c.Context(), websocket.MessageText, []byte("hello, "+name))
		})
	})
	app.Get("/own", func(ctx fiber.Ctx) error {
		return fiberws.Upgrade(ctx, onRefuse, func(c *websocket.Conn) {})
	})
	ln := prove.Listen(t, nil)
	listen(t, ln, app)
	open := func(path, origin string) (*wiretest.Peer, *http.Response) {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		p := wiretest.NewPeer(t, nc, wiretest.Client)
		p.SendRaw([]byte("GET " + path + " HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: " + origin + "\r\n\r\n"))
		return p, p.ReadResponse()
	}

	p, resp := open("/plain/gopher", "http://server.example")
	if resp.StatusCode != 101 || resp.Header.Get("X-Room") != "blue" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
	p.WantText("the route has its parameter", "hello, gopher")
	p.WantClose("the connection is closed when the function returns", 1000)
	p.Close()

	for path, want := range map[string]int{"/plain/gopher": http.StatusForbidden, "/own": http.StatusTeapot} {
		p, resp = open(path, "https://other.example")
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != want || !strings.Contains(string(body), "refused with 403") || err != nil {
			t.Errorf("%s: %s, %q, %v", path, resp.Status, body, err)
		}
		p.Close()
	}
}

// TestError: the error is fiber's, for an ErrorHandler of the application's own.
func TestError(t *testing.T) {
	var got error
	app := fiber.New(fiber.Config{ErrorHandler: func(ctx fiber.Ctx, err error) error {
		got = err
		return ctx.Status(599).SendString("own")
	}})
	app.Get("/", func(ctx fiber.Ctx) error { return fiberws.Upgrade(ctx, nil, func(*websocket.Conn) {}) })
	req, _ := http.NewRequest("GET", "http://server.example/", nil)
	resp, err := app.Test(req)
	if err != nil {
		t.Fatal(err)
	}
	var refused *fiber.Error
	if resp.StatusCode != 599 || !errors.As(got, &refused) || refused.Code != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("%s, %v, %v", resp.Status, got, resp.Header)
	}
}
