package http2_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// What a handler finds around it, and what may be done to the answer.

// overBoth runs f with a client over HTTP/1.1 and one over HTTP/2.
func overBoth(t *testing.T, h http.Handler, f func(t *testing.T, c *websocket.Conn)) {
	s := h2test.Start(h, false, nil)
	t.Cleanup(s.Close)
	transport := h2test.Transport(s)
	t.Cleanup(transport.CloseIdleConnections)
	for name, opts := range map[string]*websocket.DialOptions{"HTTP/1.1": nil, "HTTP/2": dialled(transport)} {
		t.Run(name, func(t *testing.T) {
			c, _, err := websocket.Dial(bg, s.URL, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			f(t, c)
		})
	}
}

// roundTrip sends a message, and wants it back.
func roundTrip(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, p, err := c.Read(ctx); err != nil || string(p) != text {
		t.Fatalf("Read gave %.20q (%d bytes), %v", p, len(p), err)
	}
}

// ends are ways in which a middleware's own context ends when end is called, if not before.
var ends = map[string]func(parent context.Context) (ctx context.Context, end func()){
	"expired": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(parent, 50*time.Millisecond)
		return ctx, func() { <-ctx.Done(); cancel() }
	},
	"with a cause": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(parent)
		return ctx, func() { cancel(errors.New("the middleware has had enough")) }
	},
}

// TestContextOfMiddleware: a middleware has a context of its own for the request, which ends. That does not end a WebSocket.
func TestContextOfMiddleware(t *testing.T) {
	t.Parallel()
	for name, derive := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{}, 2)
			accepts := websocket.Handler(nil, echo)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, end := derive(r.Context())
				time.AfterFunc(50*time.Millisecond, func() {
					end()
					ended <- struct{}{}
				})
				accepts.ServeHTTP(w, r.WithContext(ctx))
			})
			overBoth(t, h, func(t *testing.T, c *websocket.Conn) {
				roundTrip(t, c, "before")
				<-ended
				roundTrip(t, c, "after")
				<-time.After(150 * time.Millisecond)
				roundTrip(t, c, "and later")
			})
		})
	}
}

// TestContextCancelled: a middleware cancels its context without a cause, which looks as if the handler had returned. That ends the
// WebSocket with an error that says so.
func TestContextCancelled(t *testing.T) {
	t.Parallel()
	read, written := make(chan error, 1), make(chan error, 1)
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c, err := websocket.Accept(w, r.WithContext(ctx), nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		cancel()
		written <- until(func() error { return c.Write(bg, websocket.MessageText, []byte("x")) })
		_, _, err = c.Read(bg)
		read <- err
	}), false, nil)
	t.Cleanup(s.Close)
	dialTo(t, s)
	for name, got := range map[string]chan error{"Write": written, "Read": read} {
		if err := <-got; !errors.Is(err, connect.ErrReturned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// dialTo opens a WebSocket over HTTP/2, until the end of the test.
func dialTo(t *testing.T, s *httptest.Server) {
	t.Helper()
	transport := h2test.Transport(s)
	t.Cleanup(transport.CloseIdleConnections)
	client, _, err := websocket.Dial(bg, s.URL, dialled(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.CloseNow() })
}

// until calls f until it fails, for at most ten seconds.
func until(f func() error) (err error) {
	for begun := time.Now(); err == nil && time.Since(begun) < 10*time.Second; {
		err = f()
	}
	return err
}

// TestWriteAfterReturn: a Write begins after the handler's return, while nobody reads. It does not touch the response, which net/http may
// have given to another request.
func TestWriteAfterReturn(t *testing.T) {
	t.Parallel()
	for _, passive := range []bool{false, true} {
		conns := make(chan *websocket.Conn, 1)
		s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Passive: passive})
			if err != nil {
				t.Error(err)
			}
			conns <- c
		}), false, nil)
		transport := h2test.Transport(s)
		client, _, err := websocket.Dial(bg, s.URL, dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		c := <-conns
		<-time.After(100 * time.Millisecond) // the handler has returned
		if err := c.Write(bg, websocket.MessageText, []byte("late")); !errors.Is(err, connect.ErrReturned) {
			t.Errorf("passive %v: %v", passive, err)
		}
		c.CloseNow()
		client.CloseNow()
		transport.CloseIdleConnections()
		s.Close()
	}
}

// TestTimeoutHandler: Accept is called in an http.TimeoutHandler whose time is up. It fails, and does not look into the response that
// the TimeoutHandler is writing.
func TestTimeoutHandler(t *testing.T) {
	t.Parallel()
	accepted := make(chan error, 1)
	h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		_, err := websocket.Accept(w, r, nil)
		accepted <- err
	}), 10*time.Millisecond, "too late")
	s := h2test.Start(h, false, nil)
	defer s.Close()
	transport := h2test.Transport(s)
	defer transport.CloseIdleConnections()
	for range 20 {
		for _, opts := range []*websocket.DialOptions{nil, dialled(transport)} {
			if _, resp, err := websocket.Dial(bg, s.URL, opts); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("Dial: %v, %v", resp, err)
			}
			if err := <-accepted; err == nil {
				t.Error("Accept gave no error")
			}
		}
	}
}

// TestReturnAfterContext: a middleware's context ends, and then the handler returns. Reads and writes learn that it has.
func TestReturnAfterContext(t *testing.T) {
	t.Parallel()
	for name, derive := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conns := make(chan *websocket.Conn, 1)
			s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, end := derive(r.Context())
				c, err := websocket.Accept(w, r.WithContext(ctx), nil)
				if err != nil {
					t.Error(err)
				}
				end()
				conns <- c
				<-time.After(70 * time.Millisecond)
			}), false, nil)
			t.Cleanup(s.Close)
			dialTo(t, s)
			c := <-conns
			defer c.CloseNow()
			ctx, cancel := context.WithTimeout(bg, 10*time.Second)
			defer cancel()
			if _, _, err := c.Read(ctx); !errors.Is(err, connect.ErrReturned) {
				t.Errorf("Read: %v", err)
			}
			if err := c.Write(ctx, websocket.MessageText, []byte("late")); !errors.Is(err, connect.ErrReturned) {
				t.Errorf("Write: %v", err)
			}
		})
	}
}

// silent is a middleware's ResponseWriter that keeps the status to itself.
type silent struct{ http.ResponseWriter }

func (s silent) Unwrap() http.ResponseWriter { return s.ResponseWriter }
func (s silent) WriteHeader(int)             {}

// TestSilentWrapper: the answer is sent all the same.
func TestSilentWrapper(t *testing.T) {
	t.Parallel()
	accepts := websocket.Handler(nil, echo)
	overBoth(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { accepts.ServeHTTP(silent{w}, r) }), func(t *testing.T, c *websocket.Conn) {
		roundTrip(t, c, "x")
	})
}

// A meddler is a middleware's ResponseWriter that sets a field when the status is written.
type meddler struct {
	http.ResponseWriter
	name, value string
}

func (m meddler) Unwrap() http.ResponseWriter { return m.ResponseWriter }
func (m meddler) WriteHeader(status int) {
	m.Header().Set(m.name, m.value)
	m.ResponseWriter.WriteHeader(status)
}

// TestSpoiledAnswer: Accept says which field of the answer is not as it was set, and the client gets an error.
func TestSpoiledAnswer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Content-Encoding": "gzip", "Content-Length": "5", "Sec-Websocket-Protocol": "other", "Sec-Websocket-Extensions": "permessage-deflate",
	} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan error, 1)
			s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := websocket.Accept(meddler{w, name, value}, r, nil)
				accepted <- err
			}), false, nil)
			defer s.Close()
			transport := h2test.Transport(s)
			defer transport.CloseIdleConnections()
			if _, _, err := websocket.Dial(bg, s.URL, dialled(transport)); err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
				t.Errorf("Dial gave %v; want a stream that is reset", err)
			}
			if err := <-accepted; err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(name)) {
				t.Errorf("Accept gave %v", err)
			}
		})
	}
}

// A replacer is a middleware's ResponseWriter that replaces the status.
type replacer struct {
	http.ResponseWriter
	by int
}

func (r replacer) Unwrap() http.ResponseWriter { return r.ResponseWriter }
func (r replacer) WriteHeader(int)             { r.ResponseWriter.WriteHeader(r.by) }

// TestReplacedStatus: Accept says by what the status was replaced, and the client gets that.
func TestReplacedStatus(t *testing.T) {
	t.Parallel()
	for _, by := range []int{201, 204, 403} {
		accepted := make(chan error, 2)
		s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := websocket.Accept(replacer{w, by}, r, nil)
			accepted <- err
		}), false, nil)
		transport := h2test.Transport(s)
		for _, opts := range []*websocket.DialOptions{{}, dialled(transport)} {
			if _, resp, err := websocket.Dial(bg, s.URL, opts); err == nil || resp == nil || resp.StatusCode != by {
				t.Errorf("HTTP2 %v: Dial gave %v, %v; want the status %d", opts.HTTP2, resp, err, by)
			}
			if err := <-accepted; err == nil || !strings.Contains(err.Error(), fmt.Sprintf("by %d", by)) {
				t.Errorf("HTTP2 %v: Accept gave %v", opts.HTTP2, err)
			}
		}
		transport.CloseIdleConnections()
		s.Close()
	}
}

// A holder is a middleware's ResponseWriter with header fields of its own, which hand gives to those behind it.
type holder struct {
	http.ResponseWriter
	header http.Header
	hand   func(outer, inner http.Header)
}

func (h *holder) Unwrap() http.ResponseWriter { return h.ResponseWriter }
func (h *holder) Header() http.Header         { return h.header }
func (h *holder) WriteHeader(status int) {
	if h.hand != nil {
		h.hand(h.header, h.ResponseWriter.Header())
		h.ResponseWriter.WriteHeader(status)
		clear(h.header)
	}
}

// A late is a middleware's ResponseWriter that changes the header fields when they have been sent.
type late struct{ http.ResponseWriter }

func (l late) Unwrap() http.ResponseWriter { return l.ResponseWriter }
func (l late) WriteHeader(status int) {
	l.ResponseWriter.WriteHeader(status)
	l.Header().Set("Content-Length", "0")
	l.Header().Set("Sec-Websocket-Protocol", "other")
}

// TestRightAnswer: whatever a middleware does with its header fields, an answer that is right when it is sent is accepted.
func TestRightAnswer(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(w http.ResponseWriter) http.ResponseWriter{
		"copied": func(w http.ResponseWriter) http.ResponseWriter {
			return &holder{w, http.Header{}, func(outer, inner http.Header) { maps.Copy(inner, outer) }}
		},
		"added": func(w http.ResponseWriter) http.ResponseWriter {
			return &holder{w, http.Header{}, func(outer, inner http.Header) {
				for name, values := range outer {
					inner[name] = append(inner[name], values...)
				}
			}}
		},
		"kept":    func(w http.ResponseWriter) http.ResponseWriter { return &holder{w, http.Header{}, nil} },
		"changed": func(w http.ResponseWriter) http.ResponseWriter { return late{w} },
		"hidden": func(w http.ResponseWriter) http.ResponseWriter { // nothing to unwrap
			return struct {
				http.ResponseWriter
				http.Flusher
				http.Hijacker
			}{late{w}, flusher(w), hijacker(w)}
		},
	} {
		accepts := websocket.Handler(&websocket.AcceptOptions{Subprotocols: []string{"chat"}}, echo)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w = wrap(w)
			w.Header().Set("X-Own", "1")
			accepts.ServeHTTP(w, r)
		})
		s := h2test.Start(h, false, nil)
		transport := h2test.Transport(s)
		for _, opts := range []*websocket.DialOptions{{}, dialled(transport)} {
			opts.Subprotocols = []string{"chat"}
			c, resp, err := websocket.Dial(bg, s.URL, opts)
			if err != nil {
				t.Errorf("%s, HTTP2 %v: %v", name, opts.HTTP2, err)
				continue
			}
			if c.Subprotocol() != "chat" || resp.Header.Get("X-Own") != "1" {
				t.Errorf("%s, HTTP2 %v: %v", name, opts.HTTP2, resp.Header)
			}
			roundTrip(t, c, "x")
			c.CloseNow()
		}
		transport.CloseIdleConnections()
		s.Close()
	}
}

func flusher(w http.ResponseWriter) http.Flusher   { f, _ := w.(http.Flusher); return f }
func hijacker(w http.ResponseWriter) http.Hijacker { h, _ := w.(http.Hijacker); return h }

// TestAcceptTwice: the second call returns an error, and the first one's WebSocket lives.
func TestAcceptTwice(t *testing.T) {
	t.Parallel()
	second := make(chan error, 2)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		_, err = websocket.Accept(w, r, nil)
		second <- err
		echo(r.Context(), c)
	})
	overBoth(t, h, func(t *testing.T, c *websocket.Conn) {
		if err := <-second; err == nil {
			t.Error("the second Accept returned no error")
		}
		roundTrip(t, c, "x")
	})
}

// TestPackedResponse: the client asks for no compression of the response, and takes no WebSocket that comes with one.
func TestPackedResponse(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusOK)
		z := gzip.NewWriter(w)
		z.Write([]byte("\x81\x02hi"))
		z.Flush()
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), false, nil)
	defer s.Close()
	transport := h2test.Transport(s)
	defer transport.CloseIdleConnections()
	c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
	if got := <-asked; got != "identity" {
		t.Errorf("the request has Accept-Encoding: %q", got)
	}
	if err == nil {
		c.CloseNow()
		t.Error("Dial returned no error")
	} else if !strings.Contains(err.Error(), "Content-Encoding") {
		t.Errorf("Dial gave %v", err)
	}
}

// TestAnswerWithLength: the client takes no WebSocket with a Content-Length, since net/http would end it there.
func TestAnswerWithLength(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"0", "100"} {
		s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", length)
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			if length != "0" { // or net/http ends the stream
				<-r.Context().Done()
			}
		}), false, nil)
		transport := h2test.Transport(s)
		c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
		if err == nil {
			c.CloseNow()
		}
		if failed := new(websocket.HandshakeError); !errors.As(err, &failed) || !strings.Contains(err.Error(), fmt.Sprintf("Content-Length: %q", length)) {
			t.Errorf("with a length of %s Dial gave %v", length, err)
		}
		transport.CloseIdleConnections()
		s.Close()
	}
}

// TestTryAfterRedirect: who has been asked over HTTP/2 is not asked again over HTTP/1.1.
func TestTryAfterRedirect(t *testing.T) {
	t.Parallel()
	target := httptest.NewTLSServer(websocket.Handler(nil, echo)) // that speaks no HTTP/2
	defer target.Close()
	asked := make(chan string, 10)
	door := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method
		http.Redirect(w, r, target.URL, http.StatusTemporaryRedirect)
	}), true, nil)
	defer door.Close()
	transport := &http.Transport{TLSClientConfig: h2test.Transport(door).TLSClientConfig, ForceAttemptHTTP2: true}
	transport.TLSClientConfig.InsecureSkipVerify = true // two certificates
	defer transport.CloseIdleConnections()
	opts := dialled(transport)
	opts.HTTP2 = websocket.HTTP2Try
	c, _, err := websocket.Dial(bg, door.URL, opts)
	if err == nil {
		c.CloseNow()
	}
	if len(asked) != 1 || err == nil {
		t.Errorf("the server was asked %d times; Dial gave %v", len(asked), err)
	}
}
