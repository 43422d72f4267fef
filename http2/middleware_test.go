package http2_test

import (
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
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

// TestContextOfMiddleware: a middleware bounds requests by a deadline. It does not bound a WebSocket.
func TestContextOfMiddleware(t *testing.T) {
	t.Parallel()
	expired := make(chan struct{}, 2)
	accepts := websocket.Handler(nil, echo)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
		defer cancel()
		context.AfterFunc(ctx, func() { expired <- struct{}{} })
		accepts.ServeHTTP(w, r.WithContext(ctx))
	})
	overBoth(t, h, func(t *testing.T, c *websocket.Conn) {
		roundTrip(t, c, "before")
		<-expired
		roundTrip(t, c, "after")
	})
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

// TestSpoiledAnswer: Accept says which field of the answer is not as it was set, and a client does not take the WebSocket.
func TestSpoiledAnswer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Content-Encoding": "gzip", "Content-Length": "5", "Sec-Websocket-Protocol": "other", "Sec-Websocket-Extensions": "permessage-deflate",
	} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan error, 1)
			s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(meddler{w, name, value}, r, nil)
				accepted <- err
				if err == nil {
					c.CloseNow()
				}
			}), false, nil)
			defer s.Close()
			transport := h2test.Transport(s)
			defer transport.CloseIdleConnections()
			c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
			if err == nil {
				_, _, err = c.Read(bg)
				c.CloseNow()
			}
			if err == nil {
				t.Error("the client has read a message")
			}
			if err := <-accepted; err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(name)) {
				t.Errorf("Accept gave %v", err)
			}
		})
	}
}

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
