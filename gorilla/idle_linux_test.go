//go:build (amd64 || arm64) && !race

package websocket

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/idletest"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// What a connection that waits may hold. gorilla/websocket holds 12.3 KiB in all, or 4.6 with the smallest buffers that it allows,
// and 14.3 in a handler.
var (
	limitIdle        = idletest.Limit{Heap: 2.75, Stack: 3.0}
	limitHandlerIdle = idletest.Limit{Heap: 4.4, Stack: 5.0}
	limitClientIdle  = idletest.Limit{Heap: 2.2, Stack: 3.0}
)

// TestIdleMemory: what a connection that waits for a message holds, after one echo. It is the test of that name of the core, by
// this package's methods.
func TestIdleMemory(t *testing.T) {
	serve := func(t *testing.T, how func(*Conn)) func() *wiretest.Peer {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			var u Upgrader
			c, err := u.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			how(c)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return func() *wiretest.Peer { return idletest.Dial(t, s.Listener.Addr()) }
	}
	t.Run("accepted", func(t *testing.T) {
		idletest.Measure(t, limitIdle, serve(t, func(c *Conn) { go echoAll(c) }))
	})
	t.Run("accepted in a handler that goes on", func(t *testing.T) {
		idletest.Measure(t, limitHandlerIdle, serve(t, echoAll))
	})
	t.Run("dialled", func(t *testing.T) {
		idletest.Measure(t, limitClientIdle, idletest.Dialled(t, func(url string) {
			c, _, err := DefaultDialer.Dial(url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			go echoAll(c)
		}))
	})
}

// echoAll answers each message with itself. It has as much on its stack as applications have at least.
func echoAll(c *Conn) {
	defer c.Close()
	var some [64]byte
	for {
		typ, message, err := c.ReadMessage()
		if err == nil {
			err = c.WriteMessage(typ, message)
		}
		if err != nil {
			runtime.KeepAlive(&some)
			return
		}
	}
}
