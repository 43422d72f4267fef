package fasthttpws

import (
	"maps"
	"net/http"

	"github.com/closeonce/websocket"
	"github.com/valyala/fasthttp"
)

// refuse writes the response to a request that is refused: h and err say how and why.
func refuse(ctx *fasthttp.RequestCtx, r *http.Request, opts *websocket.AcceptOptions, h *websocket.Handshake, err error) {
	ctx.Response.ResetBody()
	before := headerOf(&ctx.Response.Header)
	w := &response{ctx: ctx, before: before, header: before.Clone()}
	maps.Copy(w.header, h.Header)
	if len(ctx.Request.Header.Peek("Upgrade")) > 0 && w.header.Get("Connection") != "close" { // as Negotiate does
		w.header["Connection"] = append([]string{"close"}, w.header["Connection"]...)
	}
	if opts != nil && opts.OnRefuse != nil {
		opts.OnRefuse(w, r, h.Status, err)
	} else {
		http.Error(w, err.Error(), h.Status)
	}
	w.WriteHeader(http.StatusOK) // unless there is a status
}

// A response is a ResponseWriter for a refusal.
type response struct {
	ctx    *fasthttp.RequestCtx
	before http.Header // what the response has
	header http.Header // what it shall have
	wrote  bool
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.ctx.SetStatusCode(status)
	setHeader(&w.ctx.Response.Header, w.before, w.header)
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ctx.Write(p)
}
