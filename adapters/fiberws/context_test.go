package fiberws_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fiberws"
	"github.com/closeonce/websocket/adapters/internal/prove"
	"github.com/gofiber/fiber/v3"
)

type userKey struct{}

// serveApp serves an application, and returns its URL.
func serveApp(t *testing.T, app *fiber.App) string {
	ln := prove.Listen(t, nil)
	listen(t, ln, app)
	return "ws://" + ln.Addr().String()
}

// TestContext: the Conn's context has what middleware has put into ctx.Locals and ctx.SetContext, and does not end with the
// context of the request. OnRefuse's request has both, too.
func TestContext(t *testing.T) {
	app := newApp()
	app.Use(func(ctx fiber.Ctx) error {
		inner, cancel := context.WithTimeout(context.WithValue(ctx.Context(), userKey{}, "span"), time.Minute)
		defer cancel()
		ctx.SetContext(inner)
		ctx.Locals("room", "blue")
		return ctx.Next()
	})
	conns, refused := make(chan *websocket.Conn, 1), make(chan [2]any, 1)
	app.Get("/", func(ctx fiber.Ctx) error {
		return fiberws.Upgrade(ctx, &websocket.AcceptOptions{OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
			refused <- [2]any{r.Context().Value(userKey{}), r.Context().Value("room")}
			w.WriteHeader(status)
		}}, func(c *websocket.Conn) {
			conns <- c
			c.Read(context.Background())
		})
	})
	url := serveApp(t, app)
	client, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseNow()
	ctx := (<-conns).Context()
	if span, room := ctx.Value(userKey{}), ctx.Value("room"); span != "span" || room != "blue" {
		t.Errorf("the values are %v and %v", span, room)
	}
	if _, limited := ctx.Deadline(); limited || ctx.Err() != nil {
		t.Errorf("the context has a deadline (%v) or has ended: %v", limited, ctx.Err())
	}
	websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://other.example"}}})
	if got := <-refused; got != [2]any{"span", "blue"} {
		t.Errorf("OnRefuse has %v", got)
	}
}

// TestContextOfItself: a context that is derived from fiber's own, which is another request's later, is not asked for values when
// the handler has returned.
func TestContextOfItself(t *testing.T) {
	const n = 20 // so many that fiber uses some of them again
	app := newApp()
	conns, entered, leave := make(chan *websocket.Conn, 1), make(chan bool, n), make(chan bool)
	app.Get("/", func(ctx fiber.Ctx) error {
		ctx.Locals("room", "blue")
		ctx.SetContext(context.WithValue(ctx, userKey{}, "span"))
		return fiberws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			conns <- c
			c.Read(context.Background())
		})
	})
	app.Get("/other", func(ctx fiber.Ctx) error {
		ctx.Locals("other", "secret")
		entered <- true
		<-leave
		return nil
	})
	url := serveApp(t, app)
	var contexts []context.Context
	for range n {
		client, _, err := websocket.Dial(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseNow()
		contexts = append(contexts, (<-conns).Context())
	}
	var others sync.WaitGroup
	for range n {
		others.Go(func() {
			if resp, err := http.Get("http" + url[2:] + "/other"); err != nil {
				t.Error(err)
				entered <- true
			} else {
				resp.Body.Close()
			}
		})
	}
	for range n {
		<-entered
	}
	for _, ctx := range contexts {
		if room, other := ctx.Value("room"), ctx.Value("other"); room != "blue" || other != nil {
			t.Errorf("the values are %v and %v", room, other)
		}
	}
	close(leave)
	others.Wait()
}

// TestUpgradeTwice: the second Upgrade returns an error, which a handler may return: the first goes on.
func TestUpgradeTwice(t *testing.T) {
	app := newApp()
	failed := make(chan error, 1)
	app.Get("/", func(ctx fiber.Ctx) error {
		ctx.Set("Sec-WebSocket-Protocol", "chat")
		if err := fiberws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			c.Write(c.Context(), websocket.MessageText, []byte("first as "+c.Subprotocol()))
		}); err != nil {
			t.Error(err)
		}
		err := fiberws.Upgrade(ctx, nil, func(*websocket.Conn) { t.Error("the second function was called") })
		failed <- err
		return err
	})
	c, resp, err := websocket.Dial(t.Context(), serveApp(t, app), &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		t.Fatal(err, resp)
	}
	defer c.CloseNow()
	if _, p, err := c.Read(t.Context()); err != nil || string(p) != "first as chat" {
		t.Errorf("%q, %v", p, err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "answered already") {
		t.Errorf("the second Upgrade returned %v", err)
	}
}
