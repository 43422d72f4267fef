package websocket_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// clientOf returns a client for HTTP/2 and HTTP/1.1 that trusts the server.
func clientOf(t *testing.T, s *httptest.Server) *http.Client {
	transport := &http.Transport{TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestDialHTTP2Fallback: if the server, or the client's Transport, does not open WebSockets over HTTP/2, HTTP2Try uses
// HTTP/1.1, and the server has seen one request; HTTP2Only returns an error, and it has seen none. This program does not import
// the package http2, so its servers do not allow it.
func TestDialHTTP2Fallback(t *testing.T) {
	for name, tt := range map[string]struct {
		http2, secured bool
		client         func(s *httptest.Server) *http.Client
		says           string
	}{
		"HTTP/1.1":    {false, true, nil, "does not speak HTTP/2"},
		"not allowed": {true, true, nil, "SETTINGS_ENABLE_CONNECT_PROTOCOL"},
		"HTTP/1.1 by us": {true, true, func(s *httptest.Server) *http.Client {
			c := clientOf(t, s)
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
			return c
		}, "Transport does not"},
		"ws": {false, false, func(*httptest.Server) *http.Client { return nil }, "for a ws URL"},
		"own RoundTripper": {true, true, func(s *httptest.Server) *http.Client {
			return &http.Client{Transport: struct{ http.RoundTripper }{clientOf(t, s).Transport}}
		}, "not an *http.Transport"},
		"a proxy for ws": {false, false, func(*httptest.Server) *http.Client {
			transport := &http.Transport{Protocols: new(http.Protocols), Proxy: http.ProxyFromEnvironment}
			transport.Protocols.SetHTTP1(true)
			transport.Protocols.SetUnencryptedHTTP2(true)
			return &http.Client{Transport: transport}
		}, "for a ws URL"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []string
			h := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {})
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen = append(seen, r.Method+" "+r.Proto)
				mu.Unlock()
				h.ServeHTTP(w, r)
			}))
			s.EnableHTTP2 = tt.http2
			if tt.secured {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			client := tt.client
			if client == nil {
				client = func(s *httptest.Server) *http.Client { return clientOf(t, s) }
			}
			opts := &websocket.DialOptions{HTTPClient: client(s), HTTP2: websocket.HTTP2Only}
			if _, resp, err := websocket.Dial(t.Context(), s.URL, opts); !errors.Is(err, errors.ErrUnsupported) || resp != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("only: %v, %v; want one of %q", resp, err, tt.says)
			}
			mu.Lock()
			if len(seen) != 0 {
				t.Errorf("only: the server has seen %q", seen)
			}
			mu.Unlock()
			opts.HTTP2 = websocket.HTTP2Try
			c, resp, err := websocket.Dial(t.Context(), s.URL, opts)
			if err != nil {
				t.Fatal(err)
			}
			c.Close(websocket.StatusNormalClosure, "")
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != 1 || seen[0] != "GET HTTP/1.1" || resp.StatusCode != 101 {
				t.Errorf("try: the server has seen %q; the response is %v", seen, resp)
			}
		})
	}
}

// TestDialHTTP2NothingSent: a server that chooses HTTP/1.1 gets not a byte but those of TLS, and then the handshake on another
// connection.
func TestDialHTTP2NothingSent(t *testing.T) {
	for i := range 20 {
		proto := []string{"", "http/1.1"}[i%2]
		s := httptest.NewUnstartedServer(nil)
		s.StartTLS() // for its certificate
		s.Close()
		config := s.TLS.Clone()
		config.NextProtos = nil
		if proto != "" {
			config.NextProtos = []string{proto}
		}
		ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		first := make(chan string, 1)
		go func() {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			nc.SetDeadline(time.Now().Add(10 * time.Second))
			b, err := io.ReadAll(nc)
			if err != nil && len(b) == 0 {
				b = []byte(err.Error())
			}
			first <- string(b)
			nc.Close()
			if nc, err = ln.Accept(); err != nil {
				return
			}
			p := wiretest.NewPeer(t, nc, wiretest.Server)
			p.ServeHandshake(nil)
			p.SendText("hello")
		}()
		client := clientOf(t, s)
		c, _, err := websocket.Dial(t.Context(), "wss://"+ln.Addr().String(), &websocket.DialOptions{HTTPClient: client, HTTP2: websocket.HTTP2Try})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if got := <-first; got != "" {
			t.Errorf("on the first connection came %q", got)
		}
		if _, p, err := c.Read(t.Context()); string(p) != "hello" {
			t.Errorf("%q, %v", p, err)
		}
	}
}

// TestDialHTTP2BadPeer: h2c to what does not speak it, and a server that says nothing, are errors within the context's time.
func TestDialHTTP2BadPeer(t *testing.T) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for name, answer := range map[string]string{"HTTP/1.1": "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "silence": "", "noise": strings.Repeat("\xff", 100)} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				io.WriteString(nc, answer)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTP2: websocket.HTTP2Only})
		cancel()
		if c != nil || err == nil || name == "silence" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(name, err)
	}
	if _, _, err := websocket.Dial(t.Context(), "ws://127.0.0.1:1", &websocket.DialOptions{HTTP2: 17}); err == nil || !strings.Contains(err.Error(), "HTTP2 is 17") {
		t.Error(err)
	}
}
