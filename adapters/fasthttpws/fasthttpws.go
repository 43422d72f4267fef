// Package fasthttpws accepts WebSockets in a server of github.com/valyala/fasthttp.
package fasthttpws

import (
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
// Header fields that the handler has set on ctx.Response are sent with the answer, except those of the handshake itself.
// opts may be nil; its EndOnShutdown is ignored. fasthttp's Shutdown does not wait for connections that were taken over from
// it: put them into a [websocket.Group], and shut that down.
//
// If the handshake is refused, Upgrade answers the request as Accept does, and returns the error. serve is not called then.
//
// fasthttp.TimeoutHandler answers in the place of the handler that it wraps, so Upgrade does not work in there.
func Upgrade(ctx *fasthttp.RequestCtx, opts *websocket.AcceptOptions, serve func(c *websocket.Conn)) error {
	r, err := requestOf(ctx)
	h := &websocket.Handshake{Status: http.StatusBadRequest, Header: http.Header{}}
	if err == nil {
		h, err = websocket.Negotiate(r, opts)
	}
	if err != nil {
		w := &response{ctx: ctx, header: h.Header}
		if opts != nil && opts.OnRefuse != nil {
			opts.OnRefuse(w, r, h.Status, err)
		} else {
			http.Error(w, err.Error(), h.Status)
		}
		w.WriteHeader(http.StatusOK) // unless there is a status
		return err
	}
	answer(&ctx.Response, h)
	conn := h.Conn
	ctx.Hijack(func(nc net.Conn) { run(nc, &conn, serve) })
	return nil
}

// requestOf returns the request as net/http's. It is not valid any more when the handler returns.
func requestOf(ctx *fasthttp.RequestCtx) (*http.Request, error) {
	r := &http.Request{URL: new(url.URL), Header: http.Header{}}
	if err := fasthttpadaptor.ConvertRequest(ctx, r, true); err != nil {
		return r, fmt.Errorf("websocket: the handshake was refused with 400: the request's URI is malformed: %w", err)
	}
	// fasthttp does not read the body of a GET, which would be taken for frames. -1 is chunked; -2 is no body.
	if n := ctx.Request.Header.ContentLength(); n != 0 && n != -2 {
		r.ContentLength = int64(n)
	}
	return r, nil
}

// answerFields are the handshake's own, and those of a body: what the handler has set of them is not sent.
var answerFields = []string{
	"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	"Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Trailer",
}

// answer makes the response the handshake's.
func answer(resp *fasthttp.Response, h *websocket.Handshake) {
	resp.ResetBody()
	for _, name := range answerFields {
		resp.Header.Del(name)
	}
	resp.SetStatusCode(h.Status)
	for name, values := range h.Header {
		resp.Header.SetCanonical([]byte(name), []byte(values[0])) // in this spelling
	}
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

// A response is a ResponseWriter for a refusal.
type response struct {
	ctx    *fasthttp.RequestCtx
	header http.Header
	wrote  bool
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.ctx.SetStatusCode(status)
	for name, values := range w.header {
		w.ctx.Response.Header.Del(name)
		for _, value := range values {
			w.ctx.Response.Header.Add(name, value)
		}
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ctx.Write(p)
}
