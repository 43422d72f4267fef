package http3_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/closeonce/websocket"
)

// TestSubprotocols: what Dial offers, and takes as an answer, is the same as over HTTP/1.1. The case of ASCII letters does not matter;
// the Kelvin sign is no k, and the long s no s.
func TestSubprotocols(t *testing.T) {
	var answer atomic.Pointer[[]string]
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range *answer.Load() {
			w.Header().Add("Sec-WebSocket-Protocol", line)
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		text := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		text += "Sec-WebSocket-Accept: " + websocket.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n"
		for _, line := range *answer.Load() {
			text += "Sec-WebSocket-Protocol: " + line + "\r\n"
		}
		fmt.Fprint(nc, text+"\r\n")
	}))
	defer plain.Close()
	d := dialer(t)
	type dialFunc = func(context.Context, string, *websocket.DialOptions) (*websocket.Conn, *http.Response, error)
	for _, tt := range []struct {
		offered string
		answer  []string
		chosen  string
		fails   bool
	}{
		{offered: "chat", answer: []string{"chat"}, chosen: "chat"},
		{offered: "chat", answer: []string{"CHAT"}, chosen: "CHAT"},
		{offered: "base64=/", answer: []string{"base64=/"}, chosen: "base64=/"},
		{offered: "chat"},
		{offered: "chat", answer: []string{""}},
		{offered: "chat", answer: []string{"", "chat"}, chosen: "chat"},
		{offered: "chat", answer: []string{"chat", "chat"}, fails: true},
		{offered: "chat", answer: []string{"chat, chat"}, fails: true},
		{offered: "chat", answer: []string{"talk"}, fails: true},
		{answer: []string{"chat"}, fails: true},
		{offered: "kilo", answer: []string{"\u212Ailo"}, fails: true},
		{offered: "soap", answer: []string{"\u017Foap"}, fails: true},
		{offered: "\u212Ailo", answer: []string{"\u212Ailo"}, fails: true},
		{offered: "a b", answer: []string{"a b"}, fails: true},
	} {
		answer.Store(&tt.answer)
		opts := []*websocket.DialOptions{
			{Subprotocols: []string{tt.offered}},
			{HTTPHeader: http.Header{"sec-websocket-protocol": {"other, " + tt.offered}}},
		}
		for url, dial := range map[string]dialFunc{s.url: d.Dial, "ws" + strings.TrimPrefix(plain.URL, "http"): websocket.Dial} {
			for _, opts := range opts {
				c, _, err := dial(soon(t), url, opts)
				if (err != nil) != tt.fails {
					t.Errorf("%s: %q offered, %q answered: %v", url, tt.offered, tt.answer, err)
				}
				if c == nil {
					continue
				}
				if got := c.Subprotocol(); got != tt.chosen {
					t.Errorf("%s: %q offered, %q answered: %q is chosen, want %q", url, tt.offered, tt.answer, got, tt.chosen)
				}
				c.CloseNow()
			}
		}
	}
}
