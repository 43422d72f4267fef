// Package room has a group with a member, for tests.
package room

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/closeonce/websocket"
)

// Join adds a connection to g, and returns its client's end. Both end with the test.
func Join(t *testing.T, g *websocket.Group) *websocket.Conn {
	t.Helper()
	joined := make(chan error, 1)
	srv := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		joined <- g.Add(c)
		c.Read(ctx)
	}))
	t.Cleanup(srv.Close)
	c, _, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	return c
}
