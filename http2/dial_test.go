package http2_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// dialled returns the options for a transport.
func dialled(transport *http.Transport) *websocket.DialOptions {
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTP2: websocket.HTTP2Only}
}

// TestDial: many WebSockets and an ordinary request share one connection. What the options say is sent and agreed on; both ends
// learn how it ends, whichever begins; the context that was given to Dial does not matter afterwards.
func TestDial(t *testing.T) {
	var mu sync.Mutex
	remotes := map[string]int{}
	ended := make(chan error, 40)
	ws := websocket.Handler(&websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover}, func(ctx context.Context, c *websocket.Conn) {
		for {
			typ, p, err := c.Read(ctx)
			switch {
			case err != nil:
				ended <- err
				return
			case string(p) == "close":
				c.Close(4001, "asked to")
			default:
				c.Write(ctx, typ, p)
			}
		}
	})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		remotes[r.RemoteAddr]++
		mu.Unlock()
		switch {
		case r.ProtoMajor != 2 || websocket.IsWebSocketUpgrade(r) != (r.Method == "CONNECT"):
			t.Errorf("%s %s", r.Method, r.Proto)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/room?name=blue", http.StatusTemporaryRedirect)
		case r.Method == "GET":
			io.WriteString(w, "a page")
		case r.Header.Get("Authorization") != "Basic dXNlcjpzZWNyZXQ=" || r.Header.Get("X-Own") != "1" || r.Host != "server.example" || r.URL.RawQuery != "name=blue" || r.Header.Get("Cookie") != "a=b" || r.Header.Get("Sec-WebSocket-Key") != "":
			t.Errorf("%s %s %v", r.Host, r.URL, r.Header)
		default:
			ws.ServeHTTP(w, r)
		}
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		clear(remotes)
		opts := dialled(transport)
		opts.Subprotocols, opts.CompressionMode, opts.Host = []string{"other", "chat"}, websocket.CompressionContextTakeover, "server.example"
		opts.HTTPHeader = http.Header{"X-Own": {"1"}, "Cookie": {"a=b"}, "Connection": {"close"}}
		opts.HTTPClient.Jar, _ = cookiejar.New(nil)
		url := strings.Replace(s.URL, "http", "ws", 1)
		url = strings.Replace(url, "://", "://user:secret@", 1) + "/moved"
		if resp, err := opts.HTTPClient.Get(s.URL); err != nil || resp.ProtoMajor != 2 {
			t.Fatal(resp, err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		var conns []*websocket.Conn
		for range 20 {
			ctx, cancel := context.WithTimeout(bg, 20*time.Second)
			c, resp, err := websocket.Dial(ctx, url, opts)
			cancel() // it bounds the handshake only
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 200 || resp.ProtoMajor != 2 || c.Subprotocol() != "chat" || c.RemoteAddr().String() != s.Listener.Addr().String() || c.LocalAddr().String() == "" || c.NetConn() == nil {
				t.Errorf("%s %s %q %v %v", resp.Proto, resp.Status, c.Subprotocol(), c.LocalAddr(), c.RemoteAddr())
			}
			conns = append(conns, c)
		}
		for i, c := range conns {
			text := strings.Repeat("hello ", 1+i*2000)
			if err := c.Write(bg, websocket.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, p, err := c.Read(bg); err != nil || string(p) != text {
				t.Fatalf("%d bytes, %v", len(p), err)
			}
			if err := c.Ping(bg); err != nil {
				t.Fatal(err)
			}
		}
		if len(remotes) != 1 {
			t.Errorf("the server has seen %v", remotes)
		}
		for i, c := range conns {
			switch i % 3 {
			case 0:
				if err := c.Close(4000, "enough"); err != nil {
					t.Error(err)
				}
				if err := <-ended; websocket.CloseStatus(err) != 4000 {
					t.Error(err)
				}
			case 1:
				c.Write(bg, websocket.MessageText, []byte("close"))
				if _, _, err := c.Read(bg); websocket.CloseStatus(err) != 4001 {
					t.Error(err)
				}
				<-c.Context().Done()
				<-ended
			case 2:
				c.CloseNow()
				if err := <-ended; err == nil || websocket.CloseStatus(err) != -1 {
					t.Error(err)
				}
			}
		}
	})
}

// TestDialRefused: a refusal is a HandshakeError with the start of the body, as over HTTP/1.1, and HTTP2Try does not ask twice.
func TestDialRefused(t *testing.T) {
	requests := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		switch r.URL.Path {
		case "/spoiled":
			w.Header().Set("Sec-WebSocket-Protocol", "not-offered")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done() // reset by the client
		case "/extension":
			w.Header().Set("Sec-WebSocket-Extensions", "permessage-deflate")
			io.WriteString(w, "this is not a WebSocket")
		default:
			http.Error(w, "no such room", http.StatusNotFound)
		}
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		for path, says := range map[string]string{"/": "404: \"no such room\"", "/spoiled": "not-offered", "/extension": "permessage-deflate"} {
			for _, mode := range []websocket.HTTP2Mode{websocket.HTTP2Try, websocket.HTTP2Only} {
				requests = 0
				opts := dialled(transport)
				opts.HTTP2 = mode
				c, resp, err := websocket.Dial(bg, s.URL+path, opts)
				var refused *websocket.HandshakeError
				if c != nil || resp == nil || !errors.As(err, &refused) || !strings.Contains(err.Error(), says) || requests != 1 {
					t.Errorf("%s: %v, %v after %d requests; want one of %q", path, resp, err, requests, says)
				}
			}
		}
	})
}

// TestDialCancelled: a Dial whose context ends while the server thinks returns its error; the connection's others live.
func TestDialCancelled(t *testing.T) {
	ws := websocket.Handler(nil, echo)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		ws.ServeHTTP(w, r)
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		opts := dialled(transport)
		c, _, err := websocket.Dial(bg, s.URL, opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		defer cancel()
		if _, _, err := websocket.Dial(ctx, s.URL+"/slow", opts); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		opts.HTTPClient.Timeout = 50 * time.Millisecond
		if _, _, err := websocket.Dial(bg, s.URL+"/slow", opts); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with the client's Timeout: %v", err)
		}
		if err := c.Ping(bg); err != nil {
			t.Error(err)
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
	})
}

// TestDialStuck: a server that takes nothing blocks Write for its context's time, again and again, and CloseNow resets the
// stream; the connection's others live.
func TestDialStuck(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stuck" {
			websocket.Handler(nil, echo).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		released <- struct{}{}
	})
	onBoth(t, h, func(s *http.Server) {
		s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 2 << 20}
	}, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		neighbour, _, err := websocket.Dial(bg, s.URL, dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := websocket.Dial(bg, s.URL+"/stuck", dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(bg, 30*time.Millisecond)
			if err := c.Write(ctx, websocket.MessageBinary, make([]byte, 1<<20)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Write: %v", err)
			}
			if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
			cancel()
		}
		began := time.Now()
		c.CloseNow()
		<-released
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		if err := neighbour.Ping(bg); err != nil {
			t.Error(err)
		}
		neighbour.Close(websocket.StatusNormalClosure, "")
	})
}

// TestDialServerGone: a server that goes away ends all its WebSockets, with an error that says so.
func TestDialServerGone(t *testing.T) {
	onBoth(t, websocket.Handler(nil, echo), nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		var conns []*websocket.Conn
		for range 5 {
			c, _, err := websocket.Dial(bg, s.URL, dialled(transport))
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		s.CloseClientConnections()
		for _, c := range conns {
			if _, _, err := c.Read(bg); err == nil || !strings.Contains(err.Error(), "lost") {
				t.Errorf("Read: %v", err)
			}
			c.CloseNow()
		}
	})
}
