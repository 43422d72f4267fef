package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// ErrUnsupported is what errors wrap that say that WebSockets over HTTP/2 are not possible. Nothing of the request was sent, or the
// server has asked for it over HTTP/1.1.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string { return "a WebSocket over HTTP/2 is not possible" }
func (unsupported) Unwrap() error { return errors.ErrUnsupported }

var (
	errNotHTTP2    = fmt.Errorf("%w: the server does not speak HTTP/2, or the HTTPClient's Transport does not", ErrUnsupported)
	errNotAllowed  = fmt.Errorf("%w: the server does not allow it (it sends no SETTINGS_ENABLE_CONNECT_PROTOCOL)", ErrUnsupported)
	errNeedsHTTP1  = fmt.Errorf("%w: the server requires HTTP/1.1 (it sent HTTP_1_1_REQUIRED)", ErrUnsupported)
	errNoTransport = fmt.Errorf("%w: the HTTPClient's Transport is not an *http.Transport", ErrUnsupported)
	errNotPlain    = fmt.Errorf("%w: for a ws URL the HTTPClient's Transport must have Protocols with UnencryptedHTTP2 and without HTTP1, and no HTTP proxy", ErrUnsupported)
)

// A request that is refused is sent again after a pause, which begins with firstPause and doubles. All pauses and all waiting for
// refusals, from the first one on, take at most refusedFor. Dialling does not count. Requests that get no stream wait in a line.
const (
	firstPause = 10 * time.Millisecond
	refusedFor = 3 * time.Second
)

// A RoundTripper sends requests as extended CONNECTs over HTTP/2, whatever their method is. It is for one Dial.
type RoundTripper struct {
	Transport *http.Transport // may be nil
	Answered  bool            // a server has answered a request
	last      net.Conn        // the connection of the last request
}

// check reports why Transport can't send the request over HTTP/2, if that is known.
func (rt *RoundTripper) check(req *http.Request) error {
	t := rt.Transport
	if t == nil {
		return errNoTransport
	}
	if req.URL.Scheme == "https" {
		return nil
	}
	if p := t.Protocols; p == nil || !p.UnencryptedHTTP2() || p.HTTP1() {
		return errNotPlain
	}
	if t.Proxy == nil {
		return nil
	}
	proxy, err := t.Proxy(req)
	if err == nil && proxy != nil && (proxy.Scheme == "http" || proxy.Scheme == "https") {
		err = errNotPlain
	}
	return err
}

// RoundTrip sends the request, again if the server refuses it. If the status is 200, the response's body is a stream for Conn,
// and the request's context has no effect on it any more.
func (rt *RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := rt.check(req); err != nil {
		return nil, err
	}
	var refused time.Duration
	pause := firstPause
	for n := 1; ; n++ {
		resp, asked, err := rt.send(req, nil)
		if err == errNoneFree {
			resp, asked, err = rt.sendInLine(req)
		}
		why := refusedBecause(err)
		switch {
		case why == "":
			return resp, err
		case strings.Contains(why, "PROTOCOL_ERROR"): // it has been looked at; net/http sends it again all the same before Go 1.27
			return nil, errors.New(why)
		}
		if n > 1 {
			refused += time.Since(asked)
		}
		jittered := pause/2 + rand.N(pause)
		if refused += jittered; refused > refusedFor {
			return nil, fmt.Errorf("%s (tried %d times)", why, n)
		}
		if err := sleep(req.Context(), jittered); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// sendInLine sends the request once others have sent theirs, until it gets a stream.
func (rt *RoundTripper) sendInLine(req *http.Request) (resp *http.Response, asked time.Time, err error) {
	l := rt.serverOf(req).join()
	defer l.leave()
	for {
		t, err := l.await(req.Context())
		if err != nil {
			return nil, asked, err
		}
		resp, asked, err = rt.send(req, t)
		if err == errNoneFree {
			err = l.gotNone(req.Context())
		}
		t.release()
		if resp != nil || err != nil {
			return resp, asked, err
		}
	}
}

func (rt *RoundTripper) serverOf(req *http.Request) server {
	return server{rt.Transport, req.URL.Scheme, req.URL.Host}
}

// errNoneFree is the error of a request that was not sent: the connections that it was about to get had no stream left.
var errNoneFree = errors.New("no connection has a free stream (SETTINGS_MAX_CONCURRENT_STREAMS)")

// maxChosen is how many connections a request may be about to get in vain.
const maxChosen = 3

// refusedBecause returns why a request may be sent again, or "". net/http has no name for the error.
func refusedBecause(err error) string {
	if err == nil {
		return ""
	}
	_, why, ok := strings.Cut(err.Error(), "cannot retry err [")
	if !ok {
		return ""
	}
	why, _, _ = strings.Cut(why, "] after Request.Body was written")
	return "the server refuses the stream: " + why
}

// A streamError is what errors.As makes of the error with which net/http says that the server has reset the stream: it looks at the
// fields' names, since the error's own type has none that could be used.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "the stream was reset" }

// needsHTTP1 reports whether an error says that the server has reset the stream, or closed the connection, with the error code
// HTTP_1_1_REQUIRED (RFC 9113, section 7). net/http has no names for the errors of a connection.
func needsHTTP1(err error) bool {
	var reset streamError
	if errors.As(err, &reset) {
		return reset.Code == 0xd
	}
	text, _, _ := strings.Cut(err.Error(), ", debug=") // which the server chooses
	return strings.HasSuffix(text, "received GOAWAY from server ErrCode:HTTP_1_1_REQUIRED") ||
		strings.HasPrefix(text, "http2: server sent GOAWAY and closed the connection") && strings.HasSuffix(text, ", ErrCode=HTTP_1_1_REQUIRED")
}

// send sends the request once, and returns when it had a connection to send it on. t is nil without a turn, which ends when the
// request has a stream.
//
// The request has no GetBody. With one, net/http would send a refused request again itself, and if that takes a new connection, at
// once and without end.
func (rt *RoundTripper) send(req *http.Request, t *turn) (resp *http.Response, asked time.Time, err error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(req.Context()))
	stop := context.AfterFunc(req.Context(), func() { cancel(context.Cause(req.Context())) })
	body := newRequestBody()
	at := rt.serverOf(req)
	chosen := 0 // connections, none of which had a stream left when it was there
	var out *http.Request
	// The Transport refuses a header field with a colon, but does not look again after it has called GotConn.
	trace := &httptrace.ClientTrace{GetConn: func(string) {
		if chosen++; chosen > maxChosen && !t.another() { // net/http would go on without end
			cancel(errNoneFree)
		}
	}, GotConn: func(info httptrace.GotConnInfo) {
		chosen = 0
		if body.closed.Load() { // the connection before had no stream left when it came to that; see requestBody
			cancel(errNoneFree)
			return
		}
		if s, ok := info.Conn.(*tls.Conn); req.URL.Scheme == "https" && (!ok || s.ConnectionState().NegotiatedProtocol != "h2") {
			// Cancelling is too late to keep the request from being written. net/http writes none with such a URL.
			out.URL.Opaque = "\n"
			body.Close()
			cancel(errNotHTTP2)
			return
		}
		out.Header[":protocol"] = []string{"websocket"}
		rt.last, asked = info.Conn, time.Now()
	}, WroteHeaders: func() {
		at.gotStream()
		t.release()
	}, WroteRequest: func(httptrace.WroteRequestInfo) { body.sent() }}
	out = req.Clone(httptrace.WithClientTrace(ctx, trace))
	out.Method, out.Body, out.GetBody, out.ContentLength = http.MethodConnect, body, nil, -1
	if out.Header.Get("Accept-Encoding") == "" {
		out.Header["Accept-Encoding"] = []string{"identity"} // or net/http would ask for gzip, and unpack frames
	}
	resp, err = rt.Transport.RoundTrip(out)
	if !stop() && err == nil {
		(&clientStream{body: resp.Body, requestBody: body, cancel: cancel}).Close()
		err = req.Context().Err()
	}
	if err != nil {
		body.Close()
		switch {
		case req.Context().Err() != nil: // not ctx's, which has no deadline
			err = req.Context().Err()
		case context.Cause(ctx) == errNotHTTP2 || context.Cause(ctx) == errNoneFree:
			err = context.Cause(ctx)
		case strings.HasSuffix(err.Error(), "cannot rewind body after connection loss"): // that one had no stream left, and there is no other
			err = errNoneFree
		case strings.Contains(err.Error(), "extended connect not supported by peer"): // net/http has no name for it
			err = errNotAllowed
		case needsHTTP1(err):
			err = errNeedsHTTP1
		}
		cancel(nil)
		return nil, asked, err
	}
	rt.Answered = true
	if resp.StatusCode != http.StatusOK {
		body.w.Close()
		resp.Body = &refusal{resp.Body, cancel}
		return resp, asked, nil
	}
	resp.Body = &clientStream{body: resp.Body, requestBody: body, cancel: cancel}
	return resp, asked, nil
}

// A requestBody is what clientStream writes. net/http closes it once at most: when a connection has no stream left for the request,
// too, and then sends the request on another one. It would wait there for ever for a body that it can't close any more, so a request
// whose body was closed is given up, and another one is made.
type requestBody struct {
	*io.PipeReader
	w      *io.PipeWriter
	closed atomic.Bool
	wrote  chan struct{} // closed when all of it was sent, or can't be
	sent   func()        // closes wrote
}

func newRequestBody() *requestBody {
	b := &requestBody{wrote: make(chan struct{})}
	b.PipeReader, b.w = io.Pipe()
	b.sent = sync.OnceFunc(func() { close(b.wrote) })
	return b
}

// Close makes Read and the writer's Write return.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return b.PipeReader.Close()
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
	closeSoon(func() {
		defer r.cancel(nil)
		r.ReadCloser.Close()
	})
	return nil
}

// A clientStream reads the response's body and writes the request's.
type clientStream struct {
	body io.ReadCloser
	*requestBody
	cancel context.CancelCauseFunc
	ended  atomic.Bool // the response has
}

func (s *clientStream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err == io.EOF {
		s.ended.Store(true)
	}
	return n, err
}

func (s *clientStream) Write(p []byte) (int, error) { return s.w.Write(p) }

// CloseWrite ends the request.
func (s *clientStream) CloseWrite() error { return s.w.Close() }

// Close makes Read and Write return. If the response has ended, so does the request (RFC 8441, section 5: orderly closures are
// END_STREAM); otherwise the stream is reset, as net/http also does with a request whose end has yet to be sent.
func (s *clientStream) Close() error {
	s.w.Close()
	closeSoon(func() {
		defer s.cancel(nil)
		if s.ended.Load() {
			within(time.Second, s.wrote)
		}
		s.body.Close()
	})
	return nil
}

// closeSoon calls a function that closes a response's body. It does not wait for long: net/http needs until the server takes something, if
// it takes nothing of the whole connection.
func closeSoon(closes func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		closes()
	}()
	within(50*time.Millisecond, done)
}

// within waits for done for at most d.
func within(d time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
