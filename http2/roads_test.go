package http2_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	gorilla "github.com/closeonce/websocket/gorilla"
)

// TestFieldsOfHTTP1: fields that belong to a connection of HTTP/1.1, and may be set there, are not sent over HTTP/2, which forbids them
// (RFC 9113, section 8.2.2).
func TestFieldsOfHTTP1(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.CloseNow()
		}
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		for name, value := range map[string]string{"Te": "gzip", "te": "deflate", "TE": "trailers", "Keep-Alive": "5", "Proxy-Connection": "keep-alive"} {
			opts := dialled(transport)
			opts.HTTPHeader = http.Header{name: {value}}
			c, _, err := websocket.Dial(bg, s.URL, opts)
			if err != nil {
				t.Errorf("with %s Dial gave %v", name, err)
				continue
			}
			c.CloseNow()
		}
	})
}

// TestGorillaUpgrader: gorilla's Upgrader takes WebSockets over HTTP/2 as Accept does, and checks the Origin.
func TestGorillaUpgrader(t *testing.T) {
	var u gorilla.Upgrader
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !gorilla.IsWebSocketUpgrade(r) {
			t.Error("the request asks for a WebSocket")
		}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return // the client has the answer
		}
		defer c.Close()
		typ, p, err := c.ReadMessage()
		if err == nil {
			c.WriteMessage(typ, p)
		}
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if err := c.Write(bg, websocket.MessageText, []byte("over HTTP/2")); err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.Read(bg); err != nil || string(p) != "over HTTP/2" {
			t.Errorf("read %q, %v", p, err)
		}
		opts := dialled(transport)
		opts.HTTPHeader = http.Header{"Origin": {"https://evil.example"}}
		if _, resp, err := websocket.Dial(bg, s.URL, opts); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("a request of another origin gave %v, %v", resp, err)
		}
	})
}

// TestGorillaCloseHandler: a close handler that answers itself returns nil, though the connection may have ended before WriteControl looks
// whether its frame has left; here a goroutine writes, which is quicker. ReadMessage returns the peer's Close.
func TestGorillaCloseHandler(t *testing.T) {
	ended := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			ended <- err
			return
		}
		defer c.Close()
		c.SetCloseHandler(func(code int, _ string) error {
			return c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, ""), time.Now().Add(time.Minute))
		})
		_, _, err = c.ReadMessage()
		ended <- err
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		for range 20 {
			c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
			if err := <-ended; !gorilla.IsCloseError(err, 1000) {
				t.Fatalf("ReadMessage gave %v", err)
			}
		}
	})
}
