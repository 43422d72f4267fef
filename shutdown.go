package websocket

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"weak"
)

// This file is how Handler's functions hear of the server's shutdown.

// shutdowns has, for each server by weak.Pointer[http.Server], a context that ends when its Shutdown is called. There is
// none for all, and no list of connections: who wants to know hangs something on the context.
var shutdowns sync.Map

// A shutdown is made with the first WebSocket that wants to know. If that comes while Shutdown is under way, it is not told.
type shutdown struct {
	once sync.Once
	ctx  context.Context
}

// shutdownOf returns the context that ends when the server's Shutdown is called.
func shutdownOf(server *http.Server) context.Context {
	key := weak.Make(server)
	p, ok := shutdowns.Load(key)
	if !ok {
		p, _ = shutdowns.LoadOrStore(key, new(shutdown))
	}
	s := p.(*shutdown)
	s.once.Do(func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		s.ctx = ctx
		server.RegisterOnShutdown(func() { cancel(http.ErrServerClosed) })
		runtime.AddCleanup(server, func(key weak.Pointer[http.Server]) { shutdowns.Delete(key) }, key)
	})
	return s.ctx
}

// untilShutdown returns serve with a context that ends at the server's shutdown, too. A connection that serve leaves then
// is closed with 1001.
func untilShutdown(server *http.Server, serve func(context.Context, *Conn)) func(context.Context, *Conn) {
	down := shutdownOf(server)
	return func(ctx context.Context, c *Conn) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(down, func() { cancel(http.ErrServerClosed) })()
		serve(ctx, c)
		if context.Cause(ctx) == http.ErrServerClosed {
			c.Close(StatusGoingAway, "the server is shutting down")
		}
	}
}
