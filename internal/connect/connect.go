// Package connect makes a net.Conn of a WebSocket's stream over HTTP/2 (RFC 8441), which is a request with the method CONNECT and
// its response.
package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/hijack"
	"github.com/closeonce/websocket/internal/streamconn"
)

// ErrReturned is the error of a stream whose HTTP handler has returned: net/http ends the stream then.
var ErrReturned = errors.New("the HTTP handler has returned, which ends a WebSocket over HTTP/2; the handler must wait for the connection's end")

// ErrChanged is what errors wrap that say what a middleware has made of the answer.
var ErrChanged = errors.New("the handshake failed")

// errEnded is ErrReturned where it may also have been the client.
var errEnded = fmt.Errorf("the client has reset the stream without an error, or %w", ErrReturned)

// whyEnded returns ErrReturned for the errors of a read that mean that. net/http has no name for them: one if the client has
// ended its half, one if net/http has told it to stop sending, and one that Go 1.27 has for both. The second is also that of a client's
// reset with NO_ERROR.
func whyEnded(err error) error {
	text := err.Error()
	switch {
	case text == "http2: request body closed due to handler exiting", strings.HasSuffix(text, "body closed by handler"):
		return ErrReturned
	case strings.HasPrefix(text, "stream error: ") && strings.HasSuffix(text, "; NO_ERROR"):
		return errEnded
	}
	return err
}

// A Conn is the stream as a net.Conn. Its deadlines can pass and be set again.
type Conn struct {
	*streamconn.Conn
	local, remote net.Addr
	half          func() error
	released      chan struct{} // nil for the client's
}

// Accept sends the answer with status 200, and returns the stream. The error is http.ErrNotSupported if the response can't be
// flushed; nothing was sent then.
func Accept(w http.ResponseWriter, r *http.Request, answer *handshake.Answer) (*Conn, error) {
	inner := hijack.Innermost(w)
	rc := http.NewResponseController(inner)
	switch inner.(type) {
	case http.Flusher, interface{ FlushError() error }:
	default:
		return nil, http.ErrNotSupported
	}
	// Those of the server are for requests. They can't be cleared when they have expired.
	rc.SetReadDeadline(time.Time{})
	rc.SetWriteDeadline(time.Time{})
	err := hijack.TellStream(w, answer)
	if err == nil {
		if err := rc.Flush(); err != nil {
			return nil, fmt.Errorf("the handshake's answer was not sent: %w", err)
		}
		err = hijack.CheckStream(w, answer, true) // again: a wrapper may have kept the status until now
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	// Frames are written past the middleware, which may transform a body.
	s := &stream{body: r.Body, w: inner, rc: rc, released: make(chan struct{})}
	s.stop = context.AfterFunc(r.Context(), func() { s.contextEnded(r.Context()) })
	c := &Conn{Conn: streamconn.New(s), half: s.closeWrite, released: s.released, remote: addrOf(r.RemoteAddr)}
	c.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if c.local == nil {
		c.local = c.Conn.LocalAddr()
	}
	return c, nil
}

// LocalAddr returns the address of the HTTP/2 connection.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the HTTP/2 connection.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// CloseWrite ends our half of the stream.
func (c *Conn) CloseWrite() error { return c.half() }

// Released returns a channel that is closed when the Conn is closed and does nothing more with the request and the response.
// It is nil for a client's, which need not be waited for.
func (c *Conn) Released() <-chan struct{} { return c.released }

// addrOf returns a request's RemoteAddr as a net.Addr.
func addrOf(remote string) net.Addr {
	if at, err := netip.ParseAddrPort(remote); err == nil {
		return net.TCPAddrFromAddrPort(at)
	}
	return named(remote)
}

// named is an address that is not of TCP.
type named string

func (named) Network() string  { return "http2" }
func (n named) String() string { return string(n) }

// A stream reads the request's body and writes the response's.
type stream struct {
	body io.ReadCloser
	w    http.ResponseWriter
	rc   *http.ResponseController
	stop func() bool

	mu       sync.Mutex
	closed   bool          // by Close
	returned bool          // the handler has returned: w may not be used
	writing  chan struct{} // closed when the Write that is under way has returned; nil: there is none
	released chan struct{}
}

// Read reads DATA frames. What it returns tells the peer that it may send more.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err = whyEnded(err); errors.Is(err, ErrReturned) {
		s.end()
	}
	return n, err
}

// Write sends DATA frames, and waits until the peer's window has room for them.
func (s *stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	switch {
	case s.returned:
		s.mu.Unlock()
		return 0, ErrReturned
	case s.closed:
		s.mu.Unlock()
		return 0, net.ErrClosed
	}
	done := make(chan struct{})
	s.writing = done
	s.mu.Unlock()
	err = guard(func() error {
		if n, err = s.w.Write(p); err != nil { // which mostly fills a buffer
			return err
		}
		return s.rc.Flush()
	})
	s.mu.Lock()
	s.writing = nil
	s.mu.Unlock()
	close(done)
	return n, err
}

// closeWrite returns an error: our half ends when the handler returns.
func (s *stream) closeWrite() error { return errors.ErrUnsupported }

// Close makes Read and Write return, and waits for the Write. If there is one, the stream is reset.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	writing := s.writing
	s.mu.Unlock()
	if writing != nil {
		select {
		case <-writing:
		default:
			guard(func() error { return s.rc.SetWriteDeadline(time.Unix(1, 0)) })
		}
		<-writing
	}
	s.stop()
	err := s.body.Close()
	close(s.released)
	return err
}

// contextEnded is called when the request's context has ended, as Accept saw it. net/http cancels it, without a cause of its own, when
// the handler returns and when the stream ends. One that ends with a deadline or another cause is a middleware's.
func (s *stream) contextEnded(ctx context.Context) {
	if context.Cause(ctx) == context.Canceled {
		s.end()
	}
}

// end is called when the handler has returned, or the stream has ended. From then on the response is not used.
func (s *stream) end() {
	s.mu.Lock()
	s.returned = true
	s.mu.Unlock()
}

// guard calls f, which uses the response. When the handler has returned, that panics.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = ErrReturned
		}
	}()
	return f()
}
