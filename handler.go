package websocket

import (
	"context"
	"log"
	"net"
	"net/http"
	"runtime/debug"
)

// Handler returns a handler that accepts WebSockets and runs serve for each in
// a goroutine of its own. The HTTP handler returns meanwhile, and net/http lets go
// of the buffers that it keeps for a running one: a connection that waits costs
// less than half of what it costs inside a handler.
//
// ctx is c.Context(). When serve returns, the connection is closed with 1000
// (StatusNormalClosure); if it panics, with 1011 (StatusInternalError), and the
// panic is logged where the http.Server logs those of handlers. If the handshake
// fails, the request has been answered and serve is not called.
func Handler(opts *AcceptOptions, serve func(ctx context.Context, c *Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, opts)
		if err != nil {
			return
		}
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		go serveConn(server, c, serve)
	})
}

// serveConn runs serve and closes the connection behind it.
func serveConn(server *http.Server, c *Conn, serve func(ctx context.Context, c *Conn)) {
	code, reason := StatusInternalError, "internal error"
	defer func() {
		if code != StatusNormalClosure {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				logPanic(server, c.RemoteAddr(), v)
			}
		}
		c.Close(code, reason)
	}()
	serve(c.Context(), c)
	code, reason = StatusNormalClosure, ""
}

// logPanic logs a panic of serve as net/http logs those of handlers.
func logPanic(server *http.Server, peer net.Addr, v any) {
	printf := log.Printf
	if server != nil && server.ErrorLog != nil {
		printf = server.ErrorLog.Printf
	}
	printf("websocket: panic serving %v: %v\n%s", peer, v, debug.Stack())
}
