package fasthttpws_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/valyala/fasthttp"
)

// serveHTTP serves with a handler over TCP, and returns the URL.
func serveHTTP(t *testing.T, s *fasthttp.Server) string {
	ln, _ := overTCP(t)
	startServer(t, ln, s)
	return "ws://" + ln.Addr().String() + "/"
}

// TestPresetSubprotocol: a Sec-WebSocket-Protocol that the handler has set is the answer if the options choose none, however the
// name is spelled. Without sense, it is the server's fault.
func TestPresetSubprotocol(t *testing.T) {
	for name, tt := range map[string]struct {
		own    []string
		field  string
		values []string
		want   string // "" is a refusal with 500
	}{
		"alone":                {nil, "Sec-WebSocket-Protocol", []string{"two"}, "two"},
		"behind the options":   {[]string{"one"}, "Sec-WebSocket-Protocol", []string{"two"}, "one"},
		"options that fit not": {[]string{"three"}, "Sec-WebSocket-Protocol", []string{"two"}, "two"},
		"in lower case":        {nil, "sec-websocket-protocol", []string{"two"}, "two"},
		"dropped, lower case":  {[]string{"one"}, "sec-websocket-protocol", []string{"two"}, "one"},
		"twice the same":       {nil, "Sec-WebSocket-Protocol", []string{"two", "two"}, "two"},
		"two":                  {nil, "Sec-WebSocket-Protocol", []string{"one", "two"}, ""},
		"a list":               {nil, "Sec-WebSocket-Protocol", []string{"one, two"}, ""},
	} {
		for _, asIs := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				served, failed := make(chan string, 1), make(chan error, 1)
				url := serveHTTP(t, &fasthttp.Server{DisableHeaderNamesNormalizing: asIs, Handler: func(ctx *fasthttp.RequestCtx) {
					ctx.Response.Header.Set("X-First", "1")
					for _, value := range tt.values {
						ctx.Response.Header.Add(tt.field, value)
					}
					for _, room := range []string{"a", "b", "c"} {
						ctx.Response.Header.Add("X-Room", room)
					}
					failed <- fasthttpws.Upgrade(ctx, &websocket.AcceptOptions{Subprotocols: tt.own}, func(c *websocket.Conn) {
						served <- c.Subprotocol()
					})
				}})
				c, resp, err := websocket.Dial(bg, url, &websocket.DialOptions{Subprotocols: []string{"one", "two"}})
				refused := <-failed
				if got := resp.Header["X-Room"]; !slices.Equal(got, []string{"a", "b", "c"}) {
					t.Errorf("a list in the header is %q", got)
				}
				if tt.want == "" {
					if err == nil || resp.StatusCode != http.StatusInternalServerError || refused == nil || !strings.Contains(refused.Error(), "the handler has set") {
						t.Errorf("Dial returned %v, Upgrade %v", err, refused)
					}
					if got := resp.Header.Values("Sec-WebSocket-Protocol"); len(got) > 0 {
						t.Errorf("the refusal has the subprotocol %q", got)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if got := <-served; got != tt.want || c.Subprotocol() != tt.want {
					t.Errorf("the subprotocol is %q, the client's %q; want %q", got, c.Subprotocol(), tt.want)
				}
			})
		}
	}
}

// TestUpgradeTwice: the second Upgrade of a request returns an error and changes nothing, even if it would be refused.
func TestUpgradeTwice(t *testing.T) {
	for name, second := range map[string]*websocket.AcceptOptions{
		"accepted": nil,
		"refused":  {CheckOrigin: func(*http.Request) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error, 2)
			url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
				failed <- fasthttpws.Upgrade(ctx, nil, func(c *websocket.Conn) { c.Write(bg, websocket.MessageText, []byte("first")) })
				failed <- fasthttpws.Upgrade(ctx, second, func(c *websocket.Conn) { t.Error("the second function was called") })
			}})
			c, _, err := websocket.Dial(bg, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			if _, p, err := c.Read(bg); err != nil || string(p) != "first" {
				t.Errorf("%q, %v", p, err)
			}
			if err := <-failed; err != nil {
				t.Error(err)
			}
			if err := <-failed; err == nil || !strings.Contains(err.Error(), "answered already") {
				t.Errorf("the second Upgrade returned %v", err)
			}
		})
	}
}

// TestFieldsAsSpelled: fields of the handshake that the handler has set are not sent, however it has spelled them.
func TestFieldsAsSpelled(t *testing.T) {
	for _, name := range []string{"sec-websocket-extensions", "Sec-WebSocket-Extensions", "Sec-WebSocket-Accept", "upgrade"} {
		url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.Response.Header.SetCanonical([]byte(name), []byte("x-none"))
			fasthttpws.Upgrade(ctx, nil, func(c *websocket.Conn) {})
		}})
		c, resp, err := websocket.Dial(bg, url, nil)
		if err != nil {
			t.Errorf("with %s Dial gave %v", name, err)
			continue
		}
		c.CloseNow()
		for name, values := range resp.Header {
			if slices.Contains(values, "x-none") {
				t.Errorf("%s is %q", name, values)
			}
		}
	}
}

// TestUpgradeWithoutFunction: without a function to serve with there is no WebSocket, and it is the server's fault.
func TestUpgradeWithoutFunction(t *testing.T) {
	failed := make(chan error, 1)
	url := serveHTTP(t, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { failed <- fasthttpws.Upgrade(ctx, nil, nil) }})
	if _, resp, err := websocket.Dial(bg, url, nil); err == nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("Dial gave %v, %v", resp, err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "without a function") {
		t.Errorf("Upgrade returned %v", err)
	}
}
