package http2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	_ "github.com/closeonce/websocket/http2"
	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/testkit/h2test"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

var bg = context.Background()

// settings returns what SETTINGS_ENABLE_CONNECT_PROTOCOL is in this process, off the wire.
func settings(t *testing.T) uint32 {
	t.Helper()
	for _, secured := range []bool{false, true} {
		s := h2test.Start(http.NotFoundHandler(), secured, nil)
		defer s.Close()
		var config *tls.Config
		if secured {
			config = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			config.ServerName = "example.com" // as the certificate has it
		}
		got, err := h2test.Settings(s.Listener.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if secured {
			return got[h2test.EnableConnect]
		}
		defer func(plain uint32) {
			if plain != got[h2test.EnableConnect] {
				t.Errorf("without TLS the setting is %d", plain)
			}
		}(got[h2test.EnableConnect])
	}
	panic("unreachable")
}

// TestSettings: the import opens the gate and leaves the environment as it was; GODEBUG can close it. If this fails with a
// new version of Go, the order in which packages are initialised has changed, or net/http has a switch of its own.
func TestSettings(t *testing.T) {
	if want := os.Getenv("WEBSOCKET_WANT_SETTING"); want != "" {
		if got := settings(t); (want == "1") != (got == 1) {
			t.Errorf("the setting is %d, want %s", got, want)
		}
		if got, was := os.LookupEnv("GODEBUG"); got != os.Getenv("WEBSOCKET_WANT_GODEBUG") || was != (os.Getenv("WEBSOCKET_WANT_GODEBUG") != "") {
			t.Errorf("GODEBUG is %q, %t", got, was)
		}
		return
	}
	for _, tt := range []struct{ godebug, want string }{
		{"", "1"}, {"http2client=1", "1"}, {"http2xconnect=0", "0"}, {"http2xconnect=1", "1"}, {"http2xconnect=0,panicnil=1", "0"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSettings$")
		cmd.Env = append(withoutGODEBUG(), "WEBSOCKET_WANT_SETTING="+tt.want, "WEBSOCKET_WANT_GODEBUG="+tt.godebug)
		if tt.godebug != "" {
			cmd.Env = append(cmd.Env, "GODEBUG="+tt.godebug)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with GODEBUG=%s: %v\n%s", tt.godebug, err, out)
		}
	}
}

func withoutGODEBUG() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GODEBUG=") {
			env = append(env, e)
		}
	}
	return env
}

// onBoth runs a test over TLS and without it.
func onBoth(t *testing.T, h http.Handler, configure func(*http.Server), f func(t *testing.T, s *httptest.Server, transport *http.Transport)) {
	for name, secured := range map[string]bool{"tls": true, "h2c": false} {
		t.Run(name, func(t *testing.T) {
			s := h2test.Start(h, secured, configure)
			transport := h2test.Transport(s)
			defer s.Close()
			defer transport.CloseIdleConnections()
			f(t, s, transport)
		})
	}
}

// echo echoes until the connection ends.
func echo(ctx context.Context, c *websocket.Conn) {
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
}

// TestAccept: what a handler sees of a WebSocket over HTTP/2 is what it sees over HTTP/1.1.
func TestAccept(t *testing.T) {
	type seen struct {
		err           error
		local, remote net.Addr
		cause         error
	}
	ended := make(chan seen, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Room", "blue")
		w.Header().Set("Content-Length", "5")
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if _, err := websocket.Accept(w, r, nil); err == nil || !strings.Contains(err.Error(), "answered already") {
			t.Errorf("the second Accept: %v", err)
		}
		if c.Subprotocol() != "chat" || c.NetConn() == nil {
			t.Errorf("%q, %v", c.Subprotocol(), c.NetConn())
		}
		s := seen{local: c.LocalAddr(), remote: c.RemoteAddr()}
		for {
			typ, p, err := c.Read(bg)
			if err != nil {
				s.err = err
				break
			}
			c.Write(bg, typ, p)
		}
		<-c.Context().Done()
		s.cause = context.Cause(c.Context())
		ended <- s
	})
	onBoth(t, h, func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond }, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		p, resp := h2test.OpenPeer(t, transport, s.URL+"/room?name=blue", http.Header{"Sec-Websocket-Protocol": {"other, chat"}, "Sec-Websocket-Extensions": {"permessage-deflate"}, "Sec-Websocket-Key": {"ignored"}, "Origin": {s.URL}})
		if resp.ProtoMajor != 2 || resp.Header.Get("Sec-WebSocket-Protocol") != "chat" || resp.Header.Get("Sec-WebSocket-Extensions") != "permessage-deflate" || resp.Header.Get("X-Room") != "blue" {
			t.Errorf("%s, %v", resp.Proto, resp.Header)
		}
		for _, field := range []string{"Sec-Websocket-Accept", "Connection", "Upgrade", "Content-Length", "Content-Type"} {
			if resp.Header.Get(field) != "" {
				t.Errorf("the answer has %s: %s", field, resp.Header.Get(field))
			}
		}
		p.SendText("hello")
		p.WantText("a message is echoed", "hello")
		p.SendPing("there?")
		p.WantPong("a Ping is answered", "there?")
		<-time.After(300 * time.Millisecond) // longer than the time-outs of a real server
		large := strings.Repeat("x", 200_000)
		go p.SendBinary(large)
		got := p.ReadFrame("a large message is echoed, compressed as the answer says")
		if got.RSV1 != true {
			t.Errorf("%v", got)
		}
		p.SendClose(4000, "enough")
		p.WantClosed("Close is answered, and the stream ends", 4000)
		saw := <-ended
		if websocket.CloseStatus(saw.err) != 4000 || websocket.CloseStatus(saw.cause) != 4000 {
			t.Errorf("Read: %v; the cause: %v", saw.err, saw.cause)
		}
		if a, ok := saw.local.(*net.TCPAddr); !ok || a.String() != s.Listener.Addr().String() {
			t.Errorf("the local address is %v", saw.local)
		}
		if a, ok := saw.remote.(*net.TCPAddr); !ok || a.Port == 0 || !a.IP.IsLoopback() {
			t.Errorf("the remote address is %v", saw.remote)
		}
	})
}

// TestRefused: requests that open no WebSocket get a response, and the connection lives.
func TestRefused(t *testing.T) {
	var refused error
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, refused = websocket.Accept(w, r, nil)
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		for name, tt := range map[string]struct {
			path   string
			header http.Header
			status int
			says   string
		}{
			"foreign Origin": {"/", http.Header{"Origin": {"https://other.example"}}, 403, "Origin"},
			"version":        {"/", http.Header{"Sec-Websocket-Version": {"8"}}, 400, "Version"},
			"no version":     {"/", http.Header{"Sec-Websocket-Version": nil}, 400, "Version"},
			"subprotocol":    {"/", http.Header{"Sec-Websocket-Protocol": {"a b"}}, 400, "subprotocol"},
			"late":           {"/late", nil, 418, "answered already"},
		} {
			resp, nc, err := h2test.Open(transport, s.URL+tt.path, tt.header)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || nc != nil || resp.StatusCode != tt.status || refused == nil || !strings.Contains(refused.Error(), tt.says) || tt.status != 418 && !strings.Contains(string(body), tt.says) {
				t.Errorf("%s: %s, %q, %v; Accept: %v", name, resp.Status, body, err, refused)
			}
			if tt.says == "Version" && (resp.Header.Get("Sec-Websocket-Version") != "13" || resp.Header.Get("Upgrade") != "") {
				t.Errorf("%s: %v", name, resp.Header)
			}
			resp.Body.Close()
		}
		for _, method := range []string{"GET", "CONNECT"} {
			req, _ := http.NewRequest(method, s.URL, nil)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 501 || refused == nil {
				t.Errorf("%s: %s; Accept: %v", method, resp.Status, refused)
			}
			resp.Body.Close()
		}
	})
}

// TestHandler: the handler lives as long as the connection, which is closed when the function returns or panics.
func TestHandler(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(ctx context.Context, c *websocket.Conn)
		code  int
	}{
		"returns":   {func(ctx context.Context, c *websocket.Conn) {}, 1000},
		"panics":    {func(ctx context.Context, c *websocket.Conn) { panic(http.ErrAbortHandler) }, 1011},
		"closes":    {func(ctx context.Context, c *websocket.Conn) { c.Close(4001, "") }, 4001},
		"exits":     {func(ctx context.Context, c *websocket.Conn) { c.CloseNow() }, 0},
		"waits":     {func(ctx context.Context, c *websocket.Conn) { <-ctx.Done() }, -1},
		"violation": {func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }, -2},
	} {
		t.Run(name, func(t *testing.T) {
			returned := make(chan struct{}, 1)
			serve := websocket.Handler(nil, tt.serve)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { returned <- struct{}{} }()
				serve.ServeHTTP(w, r)
			})
			onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
				p, _ := h2test.OpenPeer(t, transport, s.URL, nil)
				switch tt.code {
				case 0:
					p.WantGone("the stream ends")
				case -1:
					p.SendClose(4002, "")
					p.WantClosed("Close is answered", 4002)
				case -2:
					p.Send(wiretest.Frame{FIN: true, Opcode: 3})
					p.WantClosed("a violation is answered", 1002)
				default:
					p.WantClose("the connection is closed", tt.code)
					p.SendClose(tt.code, "")
					p.WantEOF("the stream ends")
				}
				<-returned
			})
		})
	}
}

// TestHandlerReturned: a connection whose handler has returned ends with an error that says so.
func TestHandlerReturned(t *testing.T) {
	conns := make(chan *websocket.Conn, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		p, _ := h2test.OpenPeer(t, transport, s.URL, nil)
		p.WantGone("the stream ends")
		c := <-conns
		<-c.Context().Done()
		for range 2 {
			if _, _, err := c.Read(bg); !errors.Is(err, connect.ErrReturned) {
				t.Errorf("Read: %v", err)
			}
			if err := c.Write(bg, websocket.MessageText, []byte("late")); err == nil {
				t.Error("Write succeeded")
			}
		}
		c.Close(websocket.StatusNormalClosure, "")
		c.CloseNow()
	})
}

// TestStuckPeer: a peer that never opens its window blocks its own connection, whose calls give up by their contexts again
// and again, and CloseNow ends it; the others on the same HTTP/2 connection live.
func TestStuckPeer(t *testing.T) {
	t.Parallel()
	result := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CloseTimeout: time.Second})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if r.URL.Path == "/echo" {
			echo(c.Context(), c)
			return
		}
		large := make([]byte, 32<<20) // more than the Transport's window
		for range 3 {
			ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
			if err := c.Write(ctx, websocket.MessageBinary, large); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Write: %v", err)
			}
			if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
			cancel()
		}
		_, p, err := c.Read(bg)
		if string(p) != "still here" {
			t.Errorf("%q, %v", p, err)
		}
		began := time.Now()
		if r.URL.Path == "/close" {
			err = c.Close(websocket.StatusNormalClosure, "")
		} else {
			err = c.CloseNow()
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		result <- err
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		neighbour, _ := h2test.OpenPeer(t, transport, s.URL+"/echo", nil)
		for _, path := range []string{"/close", "/now"} {
			p, _ := h2test.OpenPeer(t, transport, s.URL+path, nil)
			p.SendText("still here")
			if err := <-result; (err == nil) != (path == "/now") {
				t.Errorf("%s: %v", path, err)
			}
			neighbour.SendText("and you?")
			neighbour.WantText("the neighbour lives", "and you?")
			p.Close()
		}
		neighbour.SendClose(1000, "")
		neighbour.WantClosed("the neighbour is closed in order", 1000)
	})
}

// TestReset: a peer that resets its stream, or loses the connection, ends the WebSocket with an error that says so.
func TestReset(t *testing.T) {
	ended := make(chan error, 1)
	h := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				if c.Write(bg, websocket.MessageText, nil) == nil {
					t.Error("Write succeeded")
				}
				ended <- err
				return
			}
			c.Write(ctx, websocket.MessageText, []byte("alive"))
		}
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		neighbour, _ := h2test.OpenPeer(t, transport, s.URL, nil)
		p, _ := h2test.OpenPeer(t, transport, s.URL, nil)
		p.SendText("there?") // or Accept might fail, because the client has gone as the answer came
		p.WantText("it is served", "alive")
		p.Close() // the client's stream is reset, unless it has ended
		if err := <-ended; err == nil || websocket.CloseStatus(err) != -1 {
			t.Errorf("Read: %v", err)
		} else {
			t.Log(err)
		}
		neighbour.SendText("and you?")
		neighbour.WantText("the neighbour lives", "alive")
		transport.CloseIdleConnections()
		neighbour.SendClose(1000, "")
		neighbour.WantClosed("the neighbour is closed in order", 1000)
		if err := <-ended; websocket.CloseStatus(err) != 1000 {
			t.Error(err)
		}
	})
}

// TestShutdown: http.Server.Shutdown waits for WebSockets over HTTP/2, and ends them if they are in its group.
func TestShutdown(t *testing.T) {
	var group *websocket.Group
	onBoth(t, websocket.Handler(nil, echo), func(s *http.Server) { group = websocket.ServerGroup(s) }, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		p, _ := h2test.OpenPeer(t, transport, s.URL, nil)
		down := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(bg, 20*time.Second)
			defer cancel()
			down <- s.Config.Shutdown(ctx)
		}()
		p.WantClose("the server says good-bye", 1001)
		select {
		case err := <-down:
			t.Errorf("Shutdown has returned: %v", err)
		default:
		}
		p.SendClose(1001, "")
		p.WantEOF("the stream ends")
		if err := <-down; err != nil {
			t.Error(err)
		}
		if n := group.Len(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// A wrapper is what middleware makes of a ResponseWriter.
type wrapper struct {
	http.ResponseWriter
	status int
}

func (w *wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *wrapper) WriteHeader(status int) {
	w.status = status
	w.Header().Set("Set-Cookie", "a=b")
	w.ResponseWriter.WriteHeader(status)
}
func (w *wrapper) Write([]byte) (int, error) { return 0, errors.New("the body was transformed") }

// TestWrapped: middleware sees the status 200, and its header fields are sent; it does not see the frames.
func TestWrapped(t *testing.T) {
	var saw int
	inner := websocket.Handler(nil, echo)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hidden" {
			inner.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			return
		}
		wrapped := &wrapper{ResponseWriter: w}
		inner.ServeHTTP(wrapped, r)
		saw = wrapped.status
	})
	onBoth(t, h, nil, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		p, resp := h2test.OpenPeer(t, transport, s.URL, nil)
		if resp.Header.Get("Set-Cookie") != "a=b" {
			t.Errorf("%v", resp.Header)
		}
		p.SendText("hello")
		p.WantText("frames go past the wrapper", "hello")
		p.SendClose(1000, "")
		p.WantClosed("Close is answered", 1000)
		resp, _, err := h2test.Open(transport, s.URL+"/hidden", nil)
		if err != nil || resp.StatusCode != 501 {
			t.Errorf("a wrapper that hides Flush: %v, %v", resp, err)
		}
		if saw != 200 {
			t.Errorf("the wrapper saw %d", saw)
		}
	})
}
