package fasthttpws_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/closeonce/websocket/adapters/internal/prove"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
)

var bg = context.Background()

// start serves in the way of the README.
func start(t *testing.T, ln net.Listener, opts *websocket.AcceptOptions, serve func(c *websocket.Conn)) {
	startServer(t, ln, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { fasthttpws.Upgrade(ctx, opts, serve) }})
}

func startServer(t *testing.T, ln net.Listener, s *fasthttp.Server) {
	s.Logger = silent{}
	s.ReadBufferSize = 16 << 10 // 4 KiB, fasthttp's default, are too few for some cases of the suite
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Shutdown()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// silent is the log of a server that gets broken requests.
type silent struct{}

func (silent) Printf(string, ...any) {}

func TestConformance(t *testing.T) { prove.Conformance(t, start) }

// kinds are servers that hand connections of different types over.
var kinds = map[string]struct {
	server func() *fasthttp.Server
	listen func(t *testing.T) (net.Listener, func() (net.Conn, error))
}{
	"TCP":       {func() *fasthttp.Server { return new(fasthttp.Server) }, overTCP},
	"counted":   {func() *fasthttp.Server { return &fasthttp.Server{MaxConnsPerIP: 100} }, overTCP},
	"frugal":    {func() *fasthttp.Server { return &fasthttp.Server{ReduceMemoryUsage: true} }, overTCP},
	"kept":      {func() *fasthttp.Server { return &fasthttp.Server{KeepHijackedConns: true} }, overTCP},
	"in memory": {func() *fasthttp.Server { return new(fasthttp.Server) }, inMemory},
	"time-outs": {func() *fasthttp.Server {
		return &fasthttp.Server{ReadTimeout: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}
	}, overTCP},
	"as is":         {func() *fasthttp.Server { return &fasthttp.Server{DisableHeaderNamesNormalizing: true} }, overTCP},
	"streamed":      {func() *fasthttp.Server { return &fasthttp.Server{StreamRequestBody: true} }, overTCP},
	"no keep-alive": {func() *fasthttp.Server { return &fasthttp.Server{DisableKeepalive: true} }, overTCP},
}

func overTCP(t *testing.T) (net.Listener, func() (net.Conn, error)) {
	ln := prove.Listen(t, nil)
	return ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }
}

func inMemory(t *testing.T) (net.Listener, func() (net.Conn, error)) {
	ln := fasthttputil.NewInmemoryListener()
	return ln, ln.Dial
}

const request = "GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// TestUpgrade: in every kind of server, frames that come in the same packet as the request are read, the handler's header
// fields are sent, a violation is answered by a Close frame that arrives, and the connection ends when serve returns.
func TestUpgrade(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 2)
			s := kind.server()
			s.Handler = func(ctx *fasthttp.RequestCtx) {
				ctx.Response.Header.Set("X-Room", "blue")
				ctx.Response.Header.Set("Sec-WebSocket-Protocol", "spoiled")
				ctx.Response.Header.SetContentType("text/plain")
				ctx.WriteString("spoiled")
				err := fasthttpws.Upgrade(ctx, &websocket.AcceptOptions{Subprotocols: []string{"chat"}}, func(c *websocket.Conn) {
					if c.Subprotocol() != "chat" {
						t.Errorf("the subprotocol is %q", c.Subprotocol())
					}
					for {
						typ, p, err := c.Read(bg)
						if err != nil {
							ended <- err
							return
						}
						c.Write(bg, typ, p)
					}
				})
				if err != nil {
					t.Error(err)
				}
			}
			ln, dial := kind.listen(t)
			startServer(t, ln, s)
			open := func(early ...wiretest.Frame) *wiretest.Peer {
				nc, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				p := wiretest.NewPeer(t, nc, wiretest.Client)
				p.SendRaw(append([]byte(request+"Sec-WebSocket-Protocol: chat\r\n\r\n"), p.Encode(early...)...))
				resp := p.ReadResponse()
				if resp.StatusCode != 101 || resp.Header.Get("X-Room") != "blue" || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("Content-Type") != "" {
					t.Errorf("the response is %s with %v", resp.Status, resp.Header)
				}
				if got := resp.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "chat" {
					t.Errorf("the subprotocol is %q", got)
				}
				return p
			}

			p := open(wiretest.Text("early"), wiretest.Text(strings.Repeat("x", 9000)))
			p.WantText("a frame in the request's packet is echoed", "early")
			p.WantText("so is a longer one", strings.Repeat("x", 9000))
			<-time.After(100 * time.Millisecond) // longer than the time-outs of a real server
			p.SendText("late")
			p.WantText("and one that comes later", "late")
			p.SendClose(4000, "enough")
			p.WantClosed("the peer's Close is answered, and TCP ends", 4000)
			if err := <-ended; websocket.CloseStatus(err) != 4000 {
				t.Error(err)
			}

			p = open()
			p.Send(wiretest.Frame{FIN: true, Opcode: 3})
			p.SendRaw(make([]byte, 1<<10)) // unread bytes would make TCP reset the connection
			p.WantClosed("a violation is answered, and TCP ends", 1002)
			var broken websocket.ProtocolError
			if err := <-ended; !errors.As(err, &broken) {
				t.Error(err)
			}
		})
	}
}

// TestServe: what becomes of the connection when serve returns or panics.
func TestServe(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(c *websocket.Conn)
		code  int
	}{
		"returns": {func(c *websocket.Conn) {}, 1000},
		"closes":  {func(c *websocket.Conn) { c.Close(4001, "") }, 4001},
		"panics":  {func(c *websocket.Conn) { panic(http.ErrAbortHandler) }, 1011},
		"exits":   {func(c *websocket.Conn) { c.CloseNow() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ln, dial := overTCP(t)
			start(t, ln, nil, tt.serve)
			nc, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			p := wiretest.NewPeer(t, nc, wiretest.Client)
			p.SendRaw([]byte(request + "\r\n"))
			p.ReadResponse()
			if tt.code == 0 {
				p.WantGone("TCP ends")
				return
			}
			p.WantClose("the connection is closed", tt.code)
			p.SendClose(tt.code, "")
			p.WantEOF("TCP ends")
		})
	}
}

// TestRefused: a request that is refused gets the response that Accept would write, or that of OnRefuse. The connection ends if
// the request asks for an Upgrade, since what comes behind it may be no request.
func TestRefused(t *testing.T) {
	var refused error
	opts := &websocket.AcceptOptions{}
	ln, dial := overTCP(t)
	startServer(t, ln, &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		refused = fasthttpws.Upgrade(ctx, opts, func(*websocket.Conn) { t.Error("serve was called") })
	}})
	send := func(text string) (*http.Response, string) {
		t.Helper()
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		p := wiretest.NewPeer(t, nc, wiretest.Client)
		defer p.Close()
		p.SendRaw([]byte(text))
		resp := p.ReadResponse()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for text, want := range map[string]int{
		request + "Origin: https://other.example\r\n\r\n":                                      403,
		strings.Replace(request, "13", "8", 1) + "\r\n":                                        426,
		strings.Replace(request, "GET", "POST", 1) + "Content-Length: 0\r\n\r\n":               405,
		"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n":                                       426,
		request + "Content-Length: 5\r\n\r\nhello":                                             400,
		request + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n":                  400,
		strings.Replace(request, "Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Key: ", 1) + "\r\n": 400,
		strings.Replace(request, "/chat", "/%zz", 1) + "\r\n":                                  400,
	} {
		resp, body := send(text)
		if resp.StatusCode != want || refused == nil || strings.TrimSpace(body) != refused.Error() {
			t.Errorf("%q: %s: %q; Upgrade returned %v; want %d", text, resp.Status, body, refused, want)
		}
		asks := strings.Contains(text, "Upgrade: websocket")
		if want == 426 && (resp.Header.Get("Upgrade") != "websocket" || !asks && resp.Header.Get("Connection") != "Upgrade") || resp.Close != asks {
			t.Errorf("%q: %v, closes %v", text, resp.Header, resp.Close)
		}
	}
	opts.OnRefuse = func(w http.ResponseWriter, r *http.Request, status int, err error) {
		w.Header().Set("X-Status", http.StatusText(status))
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, r.URL.Path)
	}
	resp, body := send(request + "Origin: https://other.example\r\n\r\n")
	if resp.StatusCode != http.StatusTeapot || body != "/chat" || resp.Header.Get("X-Status") != "Forbidden" || refused == nil {
		t.Errorf("%s, %v, %q, %v", resp.Status, resp.Header, body, refused)
	}
}
