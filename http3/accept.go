package http3

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
	"github.com/quic-go/quic-go/http3"
)

var errNotStreamer = errors.New("websocket: the ResponseWriter does not give out the stream; a middleware may hide it (it needs an Unwrap method)")

// Accept accepts a WebSocket over HTTP/3 (RFC 9220), in a handler of quic-go's [http3.Server]. All else is as with
// [websocket.Accept], to which it leaves requests of other versions of HTTP, so that one handler may serve them all: it checks the
// request and its Origin, writes the response if it refuses, and the handler may return before the connection ends.
//
// The option EndOnShutdown is ignored.
func Accept(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	if r.ProtoMajor != 3 {
		return websocket.Accept(w, r, opts)
	}
	request := r
	if r.Method == http.MethodConnect && r.Proto != "HTTP/3.0" { // Proto is the :protocol
		request = r.Clone(r.Context())
		request.Header[":protocol"] = []string{r.Proto}
		request.Proto = "HTTP/3.0"
		request.ContentLength = -1
	}
	answer, err := websocket.Negotiate(request, opts)
	if err != nil {
		maps.Copy(w.Header(), answer.Header)
		if opts != nil && opts.OnRefuse != nil {
			opts.OnRefuse(w, r, answer.Status, err)
		} else {
			http.Error(w, err.Error(), answer.Status)
		}
		return nil, err
	}
	streamer := streamerOf(w)
	if streamer == nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return nil, errNotStreamer
	}
	preset := w.Header().Get("Sec-WebSocket-Protocol")
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Accept", "Content-Length", "Content-Encoding"} {
		w.Header().Del(name)
	}
	maps.Copy(w.Header(), answer.Header)
	if answer.Conn.Subprotocol == "" && preset != "" { // the handler has chosen it
		answer.Conn.Subprotocol = preset
		w.Header().Set("Sec-WebSocket-Protocol", preset)
	}
	taken, err := take(w, streamer, answer.Status)
	if err != nil {
		return nil, fmt.Errorf("websocket: the answer was not sent: %w", err)
	}
	s := &stream{requestStream: taken}
	s.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	s.remote, _ = r.Context().Value(http3.RemoteAddrContextKey).(net.Addr)
	c, err := websocket.NewConn(s, &answer.Conn)
	if err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// take sends the answer and takes the stream over. Middleware sees the status; if it keeps it to itself, the answer is sent past it.
func take(w http.ResponseWriter, streamer http3.HTTPStreamer, status int) (s *http3.Stream, err error) {
	defer func() {
		if v := recover(); v != nil { // quic-go's way to say that the stream was taken over before
			s, err = nil, fmt.Errorf("the request has been answered already: %v", v)
		}
	}()
	w.WriteHeader(status)
	if inner, ok := streamer.(http.ResponseWriter); ok && inner != w {
		maps.Copy(inner.Header(), w.Header())
		inner.WriteHeader(status)
	}
	return streamer.HTTPStream()
}

// streamerOf returns what gives out the stream below a middleware's ResponseWriter, or nil.
func streamerOf(w http.ResponseWriter) http3.HTTPStreamer {
	for range 100 { // a chain may lead back to itself
		if s, ok := w.(http3.HTTPStreamer); ok {
			return s
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
	return nil
}
