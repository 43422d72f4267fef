package websocket_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A lockedBuffer may be written to and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestHandlerReturns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		served := make(chan struct{})
		returned := make(chan struct{})
		h := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			defer close(served)
			<-returned // only when the HTTP handler has returned
			if ctx != c.Context() {
				t.Error("ctx is not c.Context()")
			}
			if ctx.Value(key{}) != "value" {
				t.Error("ctx has not the values of the request's context")
			}
			if err := ctx.Err(); err != nil {
				t.Errorf("ctx ended with the request: %v", err)
			}
			typ, p, err := c.Read(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.Write(ctx, typ, p); err != nil {
				t.Error(err)
			}
		})
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(returned)
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "value")))
		})))
		p.ClientHandshake("/", nil)
		p.SendText("hello")
		p.WantText("the function serves the connection", "hello")
		if reason := p.WantClose("1000 when it returns", 1000); reason != "" {
			t.Errorf("with the reason %q", reason)
		}
		<-served
		p.SendClose(1000, "")
		p.WantEOF("the server closes TCP")
	})
}

func TestHandlerOfAPeerThatCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		said := make(chan error, 1)
		p := rawClient(t, serveInMemory(t, websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			<-ctx.Done()
			said <- context.Cause(ctx)
		})))
		p.ClientHandshake("/", nil)
		p.SendClose(4001, "they")
		p.WantClosed("one Close frame, the echo", 4001)
		if err := <-said; websocket.CloseStatus(err) != 4001 {
			t.Errorf("ctx ended with %v", err)
		}
	})
}

func TestHandlerRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := rawClient(t, serveInMemory(t, websocket.Handler(&websocket.AcceptOptions{Subprotocols: []string{"chat"}}, func(ctx context.Context, c *websocket.Conn) {
			t.Error("the function is called though the handshake failed")
		})))
		if resp := p.ClientHandshake("/", http.Header{"Origin": {"http://evil.example"}}); resp.StatusCode != 403 {
			t.Error(resp.Status)
		}
		p.Close()
	})
}

// TestHandlerLogs: why a handshake failed is in the server's log if it is the server's own doing, and only then.
func TestHandlerLogs(t *testing.T) {
	for _, tt := range []struct {
		name, request string
		opts          *websocket.AcceptOptions
		wrap          func(http.ResponseWriter) http.ResponseWriter
		logs          string
	}{
		{name: "a foreign Origin", request: withField("Origin: http://evil.example")},
		{name: "not a handshake", request: "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"},
		{name: "another version", request: without("13", "8")},
		{name: "CheckOrigin", opts: &websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}},
		{name: "an option", opts: &websocket.AcceptOptions{CompressionMode: 9}, logs: "the option CompressionMode is 9"},
		{name: "an option, and OnRefuse", opts: &websocket.AcceptOptions{CompressionMode: 9, OnRefuse: func(http.ResponseWriter, *http.Request, int, error) {}}, logs: "the option CompressionMode is 9"},
		{name: "a pattern", opts: &websocket.AcceptOptions{OriginPatterns: []string{"a/"}}, logs: "the origin pattern"},
		{name: "a wrapper that hides", wrap: func(w http.ResponseWriter) http.ResponseWriter { return hiding{w} }, logs: "it needs an Unwrap method"},
		{name: "a wrapper that spoils", wrap: meddle(func(h http.Header) { h.Del("Upgrade") }), logs: "no Upgrade"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				logged := &lockedBuffer{}
				h := websocket.Handler(tt.opts, func(context.Context, *websocket.Conn) { t.Error("the handshake has not failed") })
				p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if tt.wrap != nil {
						w = tt.wrap(w)
					}
					r.URL.Path = "/room\n"
					h.ServeHTTP(w, r)
				})}))
				p.SendRaw([]byte(cmp.Or(tt.request, upgradeRequest)))
				p.ReadResponse()
				p.Close()
				synctest.Wait()
				got := logged.String()
				if tt.logs == "" && got != "" {
					t.Errorf("it is logged: %s", got)
				}
				if tt.logs != "" && (!strings.Contains(got, tt.logs) || !strings.HasSuffix(got, " (requested by client:1: \"/room\\n\")\n") || strings.Count(got, "\n") != 1) {
					t.Errorf("the log says %q, want %q", got, tt.logs)
				}
			})
		})
	}
}

func TestHandlerPanics(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(c *websocket.Conn)
		logs string // with the start of what is logged
	}{
		{"an error", func(*websocket.Conn) { panic(errors.New("oops")) }, "websocket: panic serving client:1: oops\n"},
		{"nil", func(*websocket.Conn) { panic(nil) }, "websocket: panic serving client:1: " + new(runtime.PanicNilError).Error() + "\n"},
		{"a fault", func(*websocket.Conn) { var s []int; s[runtime.NumCPU()]++ }, "websocket: panic serving client:1: runtime error: index out of range ["},
		{"on purpose", func(*websocket.Conn) { panic(http.ErrAbortHandler) }, ""},
		{"after a write", func(c *websocket.Conn) {
			c.Write(context.Background(), websocket.MessageText, []byte("first"))
			panic("then")
		}, "websocket: panic serving client:1: then\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				logged := &lockedBuffer{}
				p := rawClient(t, serverInMemory(t, &http.Server{
					Handler:  websocket.Handler(nil, func(_ context.Context, c *websocket.Conn) { tt.do(c) }),
					ErrorLog: log.New(logged, "", 0),
				}))
				p.ClientHandshake("/", nil)
				if tt.name == "after a write" {
					p.WantText("what was written leaves", "first")
				}
				if reason := p.WantClose("1011 when it panics", 1011); strings.Contains(reason, "oops") {
					t.Errorf("the peer learns about our insides: %q", reason)
				}
				p.SendClose(1011, "")
				p.WantEOF("the server closes TCP")
				synctest.Wait()
				switch got := logged.String(); {
				case tt.logs == "" && got != "":
					t.Errorf("it is logged: %s", got)
				case !strings.HasPrefix(got, tt.logs):
					t.Errorf("the log says %q, want %q first", got, tt.logs)
				case tt.logs != "" && !strings.Contains(got, "handler_test.go"):
					t.Errorf("the log does not say where: %s", got)
				}
			})
		})
	}
}

// TestHandlerPanicsUnderAnotherServer: without an http.Server in the context the standard logger is used.
func TestHandlerPanicsUnderAnotherServer(t *testing.T) {
	logged := &lockedBuffer{}
	defer log.SetOutput(log.Writer())
	log.SetOutput(logged)
	bubble(t, func(t *testing.T) {
		h := websocket.Handler(nil, func(context.Context, *websocket.Conn) { panic("oops") })
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(context.Background()))
		})))
		p.ClientHandshake("/", nil)
		p.WantClose("1011", 1011)
		p.Close()
	})
	if !strings.Contains(logged.String(), "panic serving client:1: oops") {
		t.Errorf("the standard logger says %q", logged)
	}
}

// TestHandlerGoexit: a function that ends its goroutine, as t.FailNow does, has not returned.
func TestHandlerGoexit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := rawClient(t, serveInMemory(t, websocket.Handler(nil, func(context.Context, *websocket.Conn) {
			runtime.Goexit()
		})))
		p.ClientHandshake("/", nil)
		p.WantClose("1011", 1011)
		p.Close()
		time.Sleep(time.Minute)
	})
}

// TestHandlerFreesTheServer: Server.Shutdown does not wait for WebSockets, and they live on.
func TestHandlerFreesTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server := &http.Server{Handler: websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			for {
				typ, p, err := c.Read(ctx)
				if err != nil {
					return
				}
				c.Write(ctx, typ, p)
			}
		})}
		p := rawClient(t, serverInMemory(t, server))
		p.ClientHandshake("/", nil)
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		p.SendText("still here")
		p.WantText("the connection lives", "still here")
		p.SendClose(1000, "")
		p.WantClosed("until it is closed", 1000)
	})
}

// TestHandlerEndsOnShutdown: with EndOnShutdown the function's context ends when Server.Shutdown is called, and the
// connection does not: the function may say good-bye. When it returns, the connection is closed with 1001, unless it has
// closed it itself.
func TestHandlerEndsOnShutdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *websocket.Conn)
		code int
	}{
		{"it returns", func(*websocket.Conn) {}, 1001},
		{"it closes", func(c *websocket.Conn) { c.Close(4000, "elsewhere") }, 4000},
		{"it panics", func(*websocket.Conn) { panic(http.ErrAbortHandler) }, 1011},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				server := &http.Server{Handler: websocket.Handler(&websocket.AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *websocket.Conn) {
					_, _, err := c.Read(ctx)
					if err != context.Canceled || context.Cause(ctx) != http.ErrServerClosed {
						t.Errorf("Read gave %v, the context's cause is %v", err, context.Cause(ctx))
					}
					if err := c.Context().Err(); err != nil {
						t.Errorf("the connection has ended: %v", err)
					}
					c.Write(c.Context(), websocket.MessageText, []byte("good-bye"))
					tt.end(c)
				})}
				listener := serverInMemory(t, server)
				var peers []*wiretest.Peer
				for range 3 {
					p := rawClient(t, listener)
					p.ClientHandshake("/", nil)
					peers = append(peers, p)
				}
				synctest.Wait()
				if err := server.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				for _, p := range peers {
					p.WantText("the connection lives", "good-bye")
					p.WantClose("and is closed", tt.code)
					p.SendClose(tt.code, "")
					p.WantEOF("the server closes TCP")
				}
			})
		})
	}
}

// TestHandlerBeforeShutdown: with EndOnShutdown, all is as without it while the server is up: the context ends with the
// connection, with its cause, and a function that returns closes with 1000. Nothing of it stays with the server.
func TestHandlerBeforeShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		said := make(chan error, 1)
		server := &http.Server{Handler: websocket.Handler(&websocket.AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *websocket.Conn) {
			if _, p, err := c.Read(ctx); err == nil {
				c.Write(ctx, websocket.MessageText, p)
				return
			}
			<-ctx.Done()
			said <- context.Cause(ctx)
		})}
		listener := serverInMemory(t, server)
		p := rawClient(t, listener)
		p.ClientHandshake("/", nil)
		p.SendText("hello")
		p.WantText("it is served", "hello")
		p.WantClose("1000 when it returns", 1000)
		p.SendClose(1000, "")
		p.WantEOF("the server closes TCP")

		p = rawClient(t, listener)
		p.ClientHandshake("/", nil)
		p.SendClose(4001, "they")
		p.WantClosed("one Close frame, the echo", 4001)
		if err := <-said; websocket.CloseStatus(err) != 4001 {
			t.Errorf("ctx ended with %v", err)
		}
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestHandlerWithoutServer: EndOnShutdown does no harm where there is no http.Server.
func TestHandlerWithoutServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := websocket.Handler(&websocket.AcceptOptions{EndOnShutdown: true}, func(context.Context, *websocket.Conn) {})
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(context.Background()))
		})))
		p.ClientHandshake("/", nil)
		p.WantClose("1000 when it returns", 1000)
		p.Close()
	})
}
