package websocket

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// These tests are for what internal/interop/gorilla can't compare, or what every run of the tests should see.

// TestUnaskedSubprotocol: a subprotocol that the client did not offer is the connection's, and its field is in the response.
func TestUnaskedSubprotocol(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(Upgrader).Upgrade(w, r, http.Header{"Sec-Websocket-Protocol": {"binary"}})
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
	}))
	defer server.Close()
	for _, offered := range [][]string{nil, {"text"}, {"binary"}} {
		c, resp, err := (&Dialer{Subprotocols: offered}).Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); c.Subprotocol() != "binary" || got != "binary" {
			t.Errorf("offered %q: the subprotocol is %q, that of the response %q", offered, c.Subprotocol(), got)
		}
	}
}

// TestOwnSubprotocols: the server's own list comes before what its handler, or middleware, has set.
func TestOwnSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		speaks  []string
		offered string
		want    string
	}{
		{[]string{"b", "a"}, "a, b", "b"},
		{[]string{"a"}, "A", ""},
		{[]string{}, "a", ""},
		{nil, "a", "header"},
	} {
		accepted := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Sec-WebSocket-Protocol", "middleware")
			u := Upgrader{Subprotocols: tt.speaks}
			c, err := u.Upgrade(w, r, http.Header{"Sec-Websocket-Protocol": {"header"}})
			if err != nil {
				accepted <- err.Error()
				return
			}
			accepted <- c.Subprotocol()
			c.Close()
		}))
		defer server.Close()
		c, resp, err := DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), http.Header{"Sec-Websocket-Protocol": {tt.offered}})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if at, sent := <-accepted, resp.Header.Get("Sec-WebSocket-Protocol"); at != tt.want || sent != tt.want {
			t.Errorf("the server speaks %q, the client %s: chosen %q, sent %q, want %q", tt.speaks, tt.offered, at, sent, tt.want)
		}
	}
}

// TestSameOrigin: an Origin is the request's host, in any case of ASCII letters.
func TestSameOrigin(t *testing.T) {
	for _, tt := range []struct {
		origin, host string
		want         bool
	}{
		{"", "kelvin.example", true},
		{"https://KELVIN.example", "kelvin.Example", true},
		{"https://\u212aelvin.example", "kelvin.example", false}, // the Kelvin sign
		{"https://%E2%84%AAelvin.example", "kelvin.example", false},
		{"https://kelvin.example:443", "kelvin.example", false},
		{"null", "kelvin.example", false},
		{"https://[::1", "[::1", false},
	} {
		r := &http.Request{Host: tt.host, Header: http.Header{"Origin": {tt.origin}}}
		if tt.origin == "" {
			r.Header = nil
		}
		if got := sameOrigin(r); got != tt.want {
			t.Errorf("%q is of %q: %t", tt.origin, tt.host, got)
		}
	}
}

// TestHijackOnly: Upgrade takes a ResponseWriter whose other methods panic.
func TestHijackOnly(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(Upgrader).Upgrade(struct {
			http.ResponseWriter
			http.Hijacker
		}{nil, w.(http.Hijacker)}, r, http.Header{"X-Room": {"blue"}})
		if err != nil {
			t.Error(err)
			return
		}
		c.WriteMessage(TextMessage, []byte("hello"))
		c.Close()
	}))
	defer server.Close()
	c, resp, err := DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantMessage(t, c, "hello")
	if got := resp.Header.Values("X-Room"); !slices.Equal(got, []string{"blue"}) {
		t.Errorf("X-Room is %q", got)
	}
}

// TestNoHandshake: a redirect is returned whole, however malformed, and a connection that ends is io.ErrUnexpectedEOF.
func TestNoHandshake(t *testing.T) {
	for _, tt := range []struct {
		answer, location string
		want             error
	}{
		{"HTTP/1.1 302 Found\r\nLocation: :::\r\nContent-Length: 0\r\n\r\n", ":::", ErrBadHandshake},
		{"HTTP/1.1 307 Temporary Redirect\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n", "/here", ErrBadHandshake},
		{"", "", io.ErrUnexpectedEOF},
	} {
		client, server := net.Pipe()
		go func() {
			http.ReadRequest(bufio.NewReader(server))
			io.WriteString(server, tt.answer)
			server.Close()
		}()
		d := Dialer{NetDial: func(string, string) (net.Conn, error) { return client, nil }}
		_, resp, err := d.Dial("ws://localhost", nil)
		if err != tt.want {
			t.Errorf("%q: %v, want %v", tt.answer, err, tt.want)
		}
		if (resp != nil) != (tt.location != "") || resp != nil && resp.Header.Get("Location") != tt.location {
			t.Errorf("%q: the response is %v", tt.answer, resp)
		}
	}
}

// TestDialWithoutContext: a context that is nil is an error, not a panic.
func TestDialWithoutContext(t *testing.T) {
	var none context.Context
	if _, _, err := DefaultDialer.DialContext(none, "ws://127.0.0.1:1", nil); err == nil || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("DialContext gave %v", err)
	}
}
