package fasthttpws_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/valyala/fasthttp"
)

// TestRefusedHeader: OnRefuse sees the fields that the handler has set, may delete them or add to them, and those that it leaves
// alone are sent. What the handler has written is not.
func TestRefusedHeader(t *testing.T) {
	var seen http.Header
	onRefuse := func(w http.ResponseWriter, r *http.Request, status int, err error) {
		seen = w.Header().Clone()
		w.Header().Del("X-Deleted")
		w.Header().Set("X-Changed", "after")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		io.WriteString(w, "{}")
	}
	for name, opts := range map[string]*websocket.AcceptOptions{"own": {OnRefuse: onRefuse}, "default": nil} {
		t.Run(name, func(t *testing.T) {
			var refused error
			url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
				for _, name := range []string{"X-Deleted", "X-Changed", "X-Kept"} {
					ctx.Response.Header.Set(name, "before")
				}
				ctx.Response.Header.Add("X-Kept", "twice")
				ctx.Response.Header.Set("Set-Cookie", "a=1")
				ctx.WriteString("spoiled")
				refused = fasthttpws.Upgrade(ctx, opts, nil)
			}})
			resp, err := http.Get("http" + url[2:])
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" || !slices.Equal(resp.Header["X-Kept"], []string{"before", "twice"}) {
				t.Errorf("%s, %v, %v", resp.Status, resp.Header, err)
			}
			sent := fmt.Sprint(resp.Header["X-Deleted"], resp.Header["X-Changed"], resp.Header["Set-Cookie"], resp.Header["Content-Type"]) + " " + strings.TrimSpace(string(body))
			want := "[before] [before] [a=1] [text/plain; charset=utf-8] " + refused.Error()
			if opts != nil {
				want = "[] [after] [a=1 b=2] [application/problem+json] {}"
			}
			if sent != want {
				t.Errorf("the response has %s\nwant %s", sent, want)
			}
		})
	}
	for name, want := range map[string]string{"X-Deleted": "before", "Set-Cookie": "a=1", "Upgrade": "websocket", "Content-Type": ""} {
		if got := seen.Get(name); got != want {
			t.Errorf("OnRefuse sees %s: %q, want %q", name, got, want)
		}
	}
}

// TestHeaderAfterRefusal: what comes behind a refused Upgrade may set fields as ever: they are found in another spelling.
func TestHeaderAfterRefusal(t *testing.T) {
	url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set("X-Frame-Options", "sameorigin")
		fasthttpws.Upgrade(ctx, nil, nil)
		ctx.Response.Header.Set("x-frame-options", "deny")
	}})
	resp, err := http.Get("http" + url[2:])
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header["X-Frame-Options"]; !slices.Equal(got, []string{"deny"}) {
		t.Errorf("X-Frame-Options is %q", got)
	}
}
