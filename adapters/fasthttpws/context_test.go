package fasthttpws_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/valyala/fasthttp"
)

type userKey struct{}

// setUser gives a request values of the kinds that there are. That of the path is in a buffer of the request's.
func setUser(ctx *fasthttp.RequestCtx) {
	ctx.SetUserValue(userKey{}, "gopher")
	ctx.SetUserValue("room", "blue")
	ctx.SetUserValue([]byte("bytes"), 3)
	ctx.SetUserValue("path", ctx.Path())
}

func wantUser(t *testing.T, what string, ctx context.Context, path string) {
	t.Helper()
	if a, b, c, d := ctx.Value(userKey{}), ctx.Value("room"), ctx.Value("bytes"), ctx.Value([]byte("bytes")); a != "gopher" || b != "blue" || c != 3 || d != 3 {
		t.Errorf("%s: the values are %v, %v, %v, %v", what, a, b, c, d)
	}
	if got, _ := ctx.Value("path").([]byte); string(got) != path {
		t.Errorf("%s: the path is %q, want %q", what, got, path)
	}
	if got := ctx.Value("other"); got != nil {
		t.Errorf("%s: it has %v of another request", what, got)
	}
}

// TestContext: the Conn's context has the request's user values while the connection lives and after that, when fasthttp uses
// its memory for other requests.
func TestContext(t *testing.T) {
	conns := make(chan *websocket.Conn)
	url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/other" {
			ctx.SetUserValue("other", "secret")
			ctx.SetUserValue("room", "red")
			return
		}
		setUser(ctx)
		fasthttpws.Upgrade(ctx, nil, func(c *websocket.Conn) {
			conns <- c
			c.Read(bg)
		})
	}})
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	others := func() {
		for range 20 {
			resp, err := fresh.Get("http" + url[2:] + "other")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	var ended []context.Context
	for range 10 {
		client, _, err := websocket.Dial(bg, url+"mine", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx := (<-conns).Context()
		others()
		wantUser(t, "after the handler", ctx, "/mine")
		if err := ctx.Err(); err != nil {
			t.Errorf("after the handler: %v", err)
		}
		client.Close(1000, "")
		<-ctx.Done()
		ended = append(ended, ctx)
	}
	<-time.After(100 * time.Millisecond) // fasthttp gets its memory back in the background
	others()
	for _, ctx := range ended {
		wantUser(t, "after the end", ctx, "/mine")
	}
}

// TestContextRefused: OnRefuse and CheckOrigin get a request whose context has the user values.
func TestContextRefused(t *testing.T) {
	called := 0
	url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		setUser(ctx)
		fasthttpws.Upgrade(ctx, &websocket.AcceptOptions{
			CheckOrigin: func(r *http.Request) bool {
				called++
				wantUser(t, "CheckOrigin", r.Context(), "/mine")
				return false
			},
			OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
				called++
				wantUser(t, "OnRefuse", r.Context(), "/mine")
				w.WriteHeader(status)
			},
		}, nil)
	}})
	if _, _, err := websocket.Dial(bg, url+"mine", nil); err == nil || called != 2 {
		t.Errorf("%v; %d calls", err, called)
	}
}
