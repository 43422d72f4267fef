package http2_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// TestShutdownEnds: a server shuts down while Go clients, one that does not answer a Close, and one that takes nothing have
// WebSockets. The clients that answer see 1001, both calls end within their context, and then no handler is left.
func TestShutdownEnds(t *testing.T) {
	t.Parallel()
	const polite, patience = 10, time.Second
	var group *websocket.Group
	handlers := make(chan struct{}, polite+2)
	h := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		defer func() { handlers <- struct{}{} }()
		echo(ctx, c)
	})
	flood := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		defer func() { handlers <- struct{}{} }()
		for c.Write(ctx, websocket.MessageBinary, make([]byte, 1<<20)) == nil {
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("/flood", flood)
	onBoth(t, mux, func(s *http.Server) { group = websocket.ServerGroup(s) }, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		codes := make(chan websocket.StatusCode, polite)
		for range polite {
			c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			go func() {
				_, _, err := c.Read(bg)
				codes <- websocket.CloseStatus(err)
			}()
		}
		deaf, _ := h2test.OpenPeer(t, transport, s.URL, nil)
		defer deaf.Close()
		_, stuck, err := h2test.Open(transport, s.URL+"/flood", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer stuck.Close()

		began := time.Now()
		ctx, cancel := context.WithTimeout(bg, patience)
		defer cancel()
		if err := s.Config.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a client that does not answer, the server's Shutdown returns %v", err)
		}
		deaf.WantClose("it is told", 1001)
		if closed, err := group.Shutdown(ctx); err == nil {
			t.Errorf("with a client that does not answer, the group's Shutdown closes %d and returns nil", closed)
		}
		if took := time.Since(began); took > patience+4*time.Second {
			t.Errorf("it took %v, with %v to do it in", took, patience)
		}
		for range polite {
			if code := <-codes; code != websocket.StatusGoingAway {
				t.Errorf("a client saw %v", code)
			}
		}
		for range polite + 2 {
			<-handlers
		}
		later, cancel := context.WithTimeout(bg, 10*time.Second)
		defer cancel()
		if err := s.Config.Shutdown(later); err != nil {
			t.Errorf("with no WebSocket left: %v", err)
		}
	})
}
