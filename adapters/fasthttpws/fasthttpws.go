// Package fasthttpws accepts WebSockets in a server of github.com/valyala/fasthttp.
//
// [websocket.Conn.NetConn] returns the connection that the server's listener has accepted, if that is TCP, a Unix socket, or TLS
// over one of them. Of any other kind, it returns a net.Conn that reads through fasthttp's buffer. That has a method NetConn, which
// returns the accepted connection, as the method of [crypto/tls.Conn] returns what is below TLS:
//
//	nc := c.NetConn()
//	if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
//		nc = outer.NetConn()
//	}
//
// With the option MaxConnsPerIP of fasthttp.Server, this is fasthttp's own wrapper.
package fasthttpws

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/closeonce/websocket"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// Upgrade accepts a WebSocket as [websocket.Accept] does. When the handler has returned, fasthttp sends the answer and runs
// serve in a goroutine of its own. When serve returns, the connection is closed with 1000 (StatusNormalClosure). If it panics,
// the connection is closed with 1011 (StatusInternalError), and package log logs the panic. serve must not use ctx, nor
// anything that belongs to it. The Conn ends with serve.
//
// Header fields that the handler has set on ctx.Response are sent with the answer, except those of the handshake itself. If the
// client offers none of opts.Subprotocols, a Sec-WebSocket-Protocol that is set there is sent, and [websocket.Conn.Subprotocol]
// returns it. A body that is set there is dropped, also if the handshake is refused.
//
// [websocket.Conn.Context] and the context of the request that OnRefuse and CheckOrigin get have ctx's user values, as they are
// when Upgrade is called. Strings and slices of bytes are copied. fasthttp closes values that are io.Closers when serve has returned.
//
// opts may be nil; its EndOnShutdown is ignored. fasthttp's Shutdown does not wait for connections that were taken over from
// it: put them into a [websocket.Group], and shut that down.
//
// If the handshake is refused, Upgrade answers the request as Accept does, and returns the error. serve is not called then. After
// another Upgrade of the same request, or a Hijack, Upgrade changes nothing and returns an error.
//
// After Upgrade leave ctx.Response alone: with another status or body the client sees no WebSocket, though serve runs. If a
// fasthttp.TimeoutHandler has answered in the handler's place, serve does not run.
func Upgrade(ctx *fasthttp.RequestCtx, opts *websocket.AcceptOptions, serve func(c *websocket.Conn)) error {
	if ctx.Hijacked() { // not even a refusal may be written
		return errAnswered
	}
	request, lasting := contextsOf(ctx)
	r, err := requestOf(request, ctx)
	h := &websocket.Handshake{Status: http.StatusBadRequest}
	if err == nil {
		h, err = websocket.Negotiate(r, opts)
	}
	if err == nil {
		err = preset(&ctx.Response.Header, h)
	}
	if err == nil && serve == nil {
		h.Status, h.Header, err = http.StatusInternalServerError, nil, errNoFunction
	}
	if err != nil {
		refuse(ctx, r, opts, h, err)
		return err
	}
	answer(&ctx.Response, h)
	conn := h.Conn
	conn.Context = lasting
	ctx.Hijack(func(nc net.Conn) { run(nc, &conn, serve) })
	return nil
}

var errNoFunction = errors.New("websocket: Upgrade was called without a function to serve with")

var errAnswered = errors.New("websocket: Upgrade was called for a request that has been answered already, by another Upgrade or by Hijack")

// requestOf returns the request as net/http's, with the context c. It is not valid any more when the handler returns.
func requestOf(c context.Context, ctx *fasthttp.RequestCtx) (*http.Request, error) {
	r := (&http.Request{URL: new(url.URL), Header: http.Header{}}).WithContext(c)
	if err := fasthttpadaptor.ConvertRequest(ctx, r, true); err != nil {
		return r, fmt.Errorf("websocket: the handshake was refused with 400: the request's URI is malformed: %w", err)
	}
	// fasthttp does not read the body of a GET, which would be taken for frames. -1 is chunked; -2 is no body.
	if n := ctx.Request.Header.ContentLength(); n != 0 && n != -2 {
		r.ContentLength = int64(n)
	}
	return r, nil
}

// run serves the connection that fasthttp has handed over. When it returns, fasthttp closes the connection and uses its
// buffer for others.
func run(nc net.Conn, opts *websocket.ConnOptions, serve func(c *websocket.Conn)) {
	stream, early, release := takeOver(nc)
	defer release()
	opts.Early = early
	c, err := websocket.NewConn(stream, opts)
	if err != nil {
		log.Printf("websocket: %v", err)
		stream.Close()
		return
	}
	code, reason := websocket.StatusInternalError, "internal error"
	defer func() {
		if code != websocket.StatusNormalClosure {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				log.Printf("websocket: panic serving %v: %v\n%s", c.RemoteAddr(), v, debug.Stack())
			}
		}
		c.Close(code, reason)
	}()
	serve(c)
	code, reason = websocket.StatusNormalClosure, ""
}
