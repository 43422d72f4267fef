// Package shutdown tells of the shutdown of an [http.Server] to those that it does not
// know, as it does not know the connections that were taken over from it.
package shutdown

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"weak"
)

// notices has a notice for each server, by weak.Pointer[http.Server]. There is one context
// for all connections of a server, and no list of them: each hangs something on the context.
var notices sync.Map

type notice struct {
	once sync.Once
	ctx  context.Context
}

// Context returns a context that ends when the server's Shutdown method is called. A
// Shutdown that has begun before the first call for this server is not noticed.
func Context(server *http.Server) context.Context {
	key := weak.Make(server)
	p, ok := notices.Load(key)
	if !ok {
		p, _ = notices.LoadOrStore(key, new(notice))
	}
	n := p.(*notice)
	n.once.Do(func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		n.ctx = ctx
		server.RegisterOnShutdown(func() { cancel(http.ErrServerClosed) })
		runtime.AddCleanup(server, func(key weak.Pointer[http.Server]) { notices.Delete(key) }, key)
	})
	return n.ctx
}
