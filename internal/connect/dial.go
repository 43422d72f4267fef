package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"

	"github.com/closeonce/websocket/internal/streamconn"
)

// ErrNotHTTP2 is the error of a request that needs HTTP/2, on a connection of another version. Nothing of it was sent.
var ErrNotHTTP2 = errors.New("the server does not speak HTTP/2")

// A RoundTripper sends requests as extended CONNECTs over HTTP/2, whatever their method is. It is for one Dial. Requests for
// http URLs must only be sent if Transport speaks nothing but HTTP/2 for them.
type RoundTripper struct {
	Transport http.RoundTripper
	last      net.Conn // the connection of the last request
}

// RoundTrip sends the request. If the status is 200, the response's body is a stream for Conn, and the request's
// context has no effect on it any more.
func (rt *RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(req.Context()))
	stop := context.AfterFunc(req.Context(), func() { cancel(context.Cause(req.Context())) })
	r, w := io.Pipe()
	var out *http.Request
	// The Transport refuses a header field with a colon, but does not look again after it has called GotConn.
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if s, ok := info.Conn.(*tls.Conn); req.URL.Scheme == "https" && (!ok || s.ConnectionState().NegotiatedProtocol != "h2") {
			w.CloseWithError(ErrNotHTTP2) // so that the request can't be written
			cancel(ErrNotHTTP2)
			return
		}
		out.Header[":protocol"] = []string{"websocket"}
		rt.last = info.Conn
	}}
	out = req.Clone(httptrace.WithClientTrace(ctx, trace))
	out.Method, out.Body, out.ContentLength = http.MethodConnect, r, -1
	resp, err := rt.Transport.RoundTrip(out)
	if !stop() && err == nil {
		resp.Body.Close()
		err = context.Cause(req.Context())
	}
	if err != nil {
		w.Close()
		if context.Cause(ctx) == ErrNotHTTP2 {
			err = ErrNotHTTP2
		}
		cancel(nil)
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		w.Close()
		resp.Body = &refusal{resp.Body, cancel}
		return resp, nil
	}
	resp.Body = &clientStream{body: resp.Body, PipeWriter: w, cancel: cancel}
	return resp, nil
}

// Conn returns the stream of a response with status 200 as a net.Conn, or nil if it is not this RoundTripper's.
func (rt *RoundTripper) Conn(resp *http.Response) *Conn {
	s, ok := resp.Body.(*clientStream)
	if !ok {
		return nil
	}
	return &Conn{Conn: streamconn.New(s), half: s.CloseWrite, local: rt.last.LocalAddr(), remote: rt.last.RemoteAddr()}
}

// refusal is the body of a response that opens no stream.
type refusal struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (r *refusal) Close() error {
	defer r.cancel(nil)
	return r.ReadCloser.Close()
}

// A clientStream reads the response's body and writes the request's.
type clientStream struct {
	body io.ReadCloser
	*io.PipeWriter
	cancel context.CancelCauseFunc
}

func (s *clientStream) Read(p []byte) (int, error) { return s.body.Read(p) }

// CloseWrite ends the request.
func (s *clientStream) CloseWrite() error { return s.PipeWriter.Close() }

// Close makes Read and Write return. If the response has not ended, the stream is reset.
func (s *clientStream) Close() error {
	s.PipeWriter.Close()
	defer s.cancel(nil)
	return s.body.Close()
}
