//go:build amd64 || arm64

package websocket_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/idletest"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// echoFresh answers each message with itself. It keeps nothing between messages, and as much on its stack as applications
// have at least.
func echoFresh(ctx context.Context, c *websocket.Conn) {
	var some [64]byte
	for {
		typ, message, err := c.Read(ctx)
		if err == nil {
			err = c.Write(ctx, typ, message)
		}
		if err != nil {
			c.CloseNow()
			runtime.KeepAlive(&some)
			return
		}
	}
}

// What a connection that waits may hold.
var (
	limitServerIdle  = idletest.Limit{Heap: 2.15, Stack: 3.0} // accepted through Handler
	limitHandlerIdle = idletest.Limit{Heap: 4.3, Stack: 5.0}  // in an HTTP handler that goes on
	limitClientIdle  = idletest.Limit{Heap: 1.4, Stack: 3.0}  // from Dial
)

// TestIdleMemory: what a connection that waits for a message holds of heap and stack, after one echo. The connections do
// what they do in the cases idle-handler and idle-inhandler of internal/bench.
func TestIdleMemory(t *testing.T) {
	if underRace() {
		t.Skip("the race detector keeps memory of its own")
	}
	serve := func(t *testing.T, h http.Handler) func() *wiretest.Peer {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return func() *wiretest.Peer { return idletest.Dial(t, srv.Listener.Addr()) }
	}
	t.Run("accepted through Handler", func(t *testing.T) {
		idletest.Measure(t, onThisArch(limitServerIdle), serve(t, websocket.Handler(nil, echoFresh)))
	})
	t.Run("accepted in a handler that goes on", func(t *testing.T) {
		mux := http.NewServeMux() // whose frames leave less of 4 KiB of stack to Accept and Read
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			echoFresh(r.Context(), c)
		})
		idletest.Measure(t, onThisArch(limitHandlerIdle), serve(t, mux))
	})
	t.Run("dialled", func(t *testing.T) {
		idletest.Measure(t, limitClientIdle, idletest.Dialled(t, func(url string) {
			ctx := context.Background()
			c, _, err := websocket.Dial(ctx, url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			go echoFresh(ctx, c)
		}))
	})
}

// onThisArch is a limit that was measured on amd64. On arm64 frames are larger: that is one step more of stack.
func onThisArch(limit idletest.Limit) idletest.Limit {
	if runtime.GOARCH == "arm64" {
		limit.Stack += 2
	}
	return limit
}
