package http3

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/closeonce/websocket"
	"github.com/quic-go/quic-go/http3"
)

// Handler is [websocket.Handler] for HTTP/3 too: it accepts WebSockets and runs serve for each in a goroutine of its own, with
// [websocket.Conn.Context]. When serve returns, the connection is closed with 1000 (StatusNormalClosure). If it panics, the connection
// is closed with 1011 (StatusInternalError), and the panic is logged, if it is not [http.ErrAbortHandler]. If the handshake fails, serve
// is not called; if the server is the cause, by an option that is not valid or a middleware that prevents the handshake, the error is
// logged. Logs go to the Logger of the [http3.Server], or to slog's default. The option EndOnShutdown has no effect over HTTP/3.
//
// Requests of other versions of HTTP are left to websocket.Handler.
func Handler(opts *websocket.AcceptOptions, serve func(ctx context.Context, c *websocket.Conn)) http.Handler {
	others := websocket.Handler(opts, serve)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 3 {
			others.ServeHTTP(w, r)
			return
		}
		logger := loggerOf(r)
		c, err := Accept(w, r, opts)
		if err != nil {
			if _, ok := err.(serverFault); ok {
				logger.Error(err.Error(), "remote", r.RemoteAddr, "path", fmt.Sprintf("%.200s", r.URL.Path))
			}
			return
		}
		go run(logger, c, serve)
	})
}

// run calls serve and then closes the connection.
func run(logger *slog.Logger, c *websocket.Conn, serve func(ctx context.Context, c *websocket.Conn)) {
	code, reason := websocket.StatusInternalError, "internal error"
	defer func() {
		if code != websocket.StatusNormalClosure {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				logger.Error("websocket: panic in a handler", "panic", v, "remote", c.RemoteAddr(), "stack", string(debug.Stack()))
			}
		}
		c.Close(code, reason)
	}()
	serve(c.Context(), c)
	code, reason = websocket.StatusNormalClosure, ""
}

func loggerOf(r *http.Request) *slog.Logger {
	if server, ok := r.Context().Value(http3.ServerContextKey).(*http3.Server); ok && server.Logger != nil {
		return server.Logger
	}
	return slog.Default()
}
