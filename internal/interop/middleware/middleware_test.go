package middleware

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/NYTimes/gziphandler"
	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/handlers"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"github.com/urfave/negroni/v3"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/closeonce/websocket"
)

// A stack is a way to serve a handler. It writes "status=101" and the like to statuses.
type stack struct {
	name    string
	build   func(h http.Handler, statuses io.Writer) http.Handler
	logs    int  // how many lines with a status there are
	session bool // the answer has the session's cookie
	// noisy says why net/http complains about a WriteHeader after Hijack: not of ours, and
	// without harm.
	noisy string
}

var stacks = []stack{
	{name: "net/http", build: func(h http.Handler, _ io.Writer) http.Handler { return h }},
	{name: "gin", build: ginEngine, logs: 1},
	{name: "echo", build: echoServer(), logs: 1},
	{name: "echo with gzip", build: echoServer(echomiddleware.Gzip()), logs: 1, noisy: "its gzip writes the header that it kept when the handler returns"},
	{name: "chi", build: chiRouter, logs: 1},
	{name: "negroni", build: negroniStack, logs: 1},
	{name: "scs", build: sessions, session: true},
	{name: "otelhttp", build: telemetry, logs: 1},
	{name: "gorilla/handlers", build: gorillaLogging, logs: 1},
	{name: "gzhttp", build: func(h http.Handler, _ io.Writer) http.Handler { return gzhttp.GzipHandler(h) }},
	{name: "gziphandler", build: func(h http.Handler, _ io.Writer) http.Handler { return gziphandler.GzipHandler(h) },
		noisy: "it writes the header that it kept when the handler returns"},

	{name: "scs around gin", build: around(sessions, ginEngine), logs: 1, session: true},
	{name: "scs around echo with gzip", build: around(sessions, echoServer(echomiddleware.Gzip())), logs: 1, session: true, noisy: "as above"},
	{name: "gin around scs", build: around(ginEngine, sessions), logs: 1, session: true},
	{name: "gorilla/handlers around scs around gin", build: around(gorillaLogging, around(sessions, ginEngine)), logs: 2, session: true},
	{name: "all but gziphandler", logs: 6, session: true,
		build: around(gorillaLogging, around(telemetry, around(negroniStack, around(sessions, around(chiRouter, around(ginEngine, echoServer(echomiddleware.Gzip())))))))},
}

// around puts one stack around another.
func around(outer, inner func(http.Handler, io.Writer) http.Handler) func(http.Handler, io.Writer) http.Handler {
	return func(h http.Handler, statuses io.Writer) http.Handler { return outer(inner(h, statuses), statuses) }
}

func ginEngine(h http.Handler, statuses io.Writer) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.LoggerWithConfig(gin.LoggerConfig{
		Output:    statuses,
		Formatter: func(p gin.LogFormatterParams) string { return fmt.Sprintf("status=%d\n", p.StatusCode) },
	}), gin.Recovery())
	engine.Any("/*path", func(c *gin.Context) { h.ServeHTTP(c.Writer, c.Request) })
	return engine
}

func echoServer(more ...echo.MiddlewareFunc) func(http.Handler, io.Writer) http.Handler {
	return func(h http.Handler, statuses io.Writer) http.Handler {
		e := echo.New()
		e.Logger.SetOutput(statuses) // "response already committed" would be seen there
		e.Use(echomiddleware.RequestLoggerWithConfig(echomiddleware.RequestLoggerConfig{
			LogStatus: true,
			LogValuesFunc: func(_ echo.Context, v echomiddleware.RequestLoggerValues) error {
				_, err := fmt.Fprintf(statuses, "status=%d\n", v.Status)
				return err
			},
		}))
		e.Use(more...)
		e.Any("/*", func(c echo.Context) error {
			h.ServeHTTP(c.Response(), c.Request())
			return nil
		})
		return e
	}
}

func chiRouter(h http.Handler, statuses io.Writer) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestLogger(statusFormatter{statuses}), chimiddleware.Compress(5), chimiddleware.Recoverer)
	r.Handle("/*", h)
	return r
}

// statusFormatter is a chi LogFormatter.
type statusFormatter struct{ w io.Writer }

func (f statusFormatter) NewLogEntry(*http.Request) chimiddleware.LogEntry { return f }

func (f statusFormatter) Write(status, _ int, _ http.Header, _ time.Duration, _ any) {
	fmt.Fprintf(f.w, "status=%d\n", status)
}

func (f statusFormatter) Panic(v any, stack []byte) { fmt.Fprintf(f.w, "panic: %v\n%s", v, stack) }

func negroniStack(h http.Handler, statuses io.Writer) http.Handler {
	logger := negroni.NewLogger()
	logger.ALogger = log.New(statuses, "", 0)
	logger.SetFormat("status={{.Status}}")
	return negroni.New(logger, negroni.Wrap(h))
}

// sessions has a session manager that has something to say to each client.
func sessions(h http.Handler, _ io.Writer) http.Handler {
	manager := scs.New()
	return manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		manager.Put(r.Context(), "user", "somebody")
		h.ServeHTTP(w, r)
	}))
}

func telemetry(h http.Handler, statuses io.Writer) http.Handler {
	provider := trace.NewTracerProvider(trace.WithSyncer(spanWriter{tracetest.NewNoopExporter(), statuses}))
	return otelhttp.NewHandler(h, "websocket", otelhttp.WithTracerProvider(provider))
}

// spanWriter writes the status that a span has.
type spanWriter struct {
	*tracetest.NoopExporter
	w io.Writer
}

func (s spanWriter) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	for _, span := range spans {
		for _, a := range span.Attributes() {
			if a.Key == "http.response.status_code" {
				fmt.Fprintf(s.w, "status=%d\n", a.Value.AsInt64())
			}
		}
	}
	return nil
}

func gorillaLogging(h http.Handler, statuses io.Writer) http.Handler {
	return handlers.CustomLoggingHandler(statuses, handlers.CompressHandler(handlers.RecoveryHandler()(h)), func(w io.Writer, p handlers.LogFormatterParams) {
		fmt.Fprintf(w, "status=%d\n", p.StatusCode)
	})
}

// lines collects what is written, and tells when there are so many lines.
type lines struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // has room for one
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wait waits until there are n lines.
func (l *lines) wait(t *testing.T, n int) []string {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		got := strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n")
		if n == 0 || len(got) >= n && got[0] != "" {
			return got
		}
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("there are no %d lines: %q", n, got)
		}
	}
}

// echoing is what an application does: by Accept in the handler, or by Handler.
var echoing = map[string]func(opts *websocket.AcceptOptions) http.Handler{
	"Accept": func(opts *websocket.AcceptOptions) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, opts)
			if err != nil {
				return
			}
			echoAll(r.Context(), c)
		})
	},
	"Handler": func(opts *websocket.AcceptOptions) http.Handler { return websocket.Handler(opts, echoAll) },
}

func echoAll(ctx context.Context, c *websocket.Conn) {
	defer c.CloseNow()
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
}

// TestAccept: behind all of them a WebSocket is accepted with one answer, the status is in their logs, the session's
// cookie and the handler's own fields are in the answer.
func TestAccept(t *testing.T) {
	for _, s := range stacks {
		for how, echoing := range echoing {
			t.Run(s.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				statuses, complaints := newLines(), newLines()
				echo := echoing(&websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
				srv := httptest.NewUnstartedServer(s.build(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Room", "blue")
					echo.ServeHTTP(w, r)
				}), statuses))
				srv.Config.ErrorLog = log.New(complaints, "", 0)
				srv.Start()
				defer srv.Close()

				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				c, resp, err := websocket.Dial(ctx, srv.URL+"/ws", &websocket.DialOptions{
					HTTPHeader:      http.Header{"Accept-Encoding": {"gzip"}},
					Subprotocols:    []string{"chat"},
					CompressionMode: websocket.CompressionContextTakeover,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if c.Subprotocol() != "chat" || resp.Header.Get("Sec-WebSocket-Extensions") != "permessage-deflate" || resp.Header.Get("X-Room") != "blue" {
					t.Errorf("the answer has %v", resp.Header)
				}
				for _, name := range []string{"Content-Encoding", "Content-Length", "Transfer-Encoding", "Content-Type"} {
					if resp.Header[name] != nil {
						t.Errorf("the answer has %s: %q", name, resp.Header[name])
					}
				}
				session := slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == "session" && c.Value != "" })
				if session != s.session {
					t.Errorf("the session's cookie: %t, among %v", session, resp.Cookies())
				}
				for _, text := range []string{"hello", strings.Repeat("large ", 20000)} {
					if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
						t.Fatal(err)
					}
					if _, p, err := c.Read(ctx); err != nil || string(p) != text {
						t.Fatalf("the echo of %d bytes is %d bytes, %v", len(text), len(p), err)
					}
				}
				if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Error(err)
				}
				for _, line := range statuses.wait(t, s.logs) {
					if line != "status=101" && s.logs > 0 {
						t.Errorf("the log says %q", line)
					}
				}
				srv.Close() // after it nothing more is said
				if said := complaints.String(); (said != "") != (s.noisy != "") || strings.Contains(said, "closeonce") {
					t.Errorf("net/http complains: %q, expected because %q", said, s.noisy)
				}
			})
		}
	}
}

// TestRefuse: a request that is refused looks like any other response to them.
func TestRefuse(t *testing.T) {
	for _, s := range stacks {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			statuses := newLines()
			srv := httptest.NewServer(s.build(echoing["Accept"](nil), statuses))
			defer srv.Close()
			_, resp, err := websocket.Dial(context.Background(), srv.URL+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example"}}})
			if err == nil || resp == nil || resp.StatusCode != 403 {
				t.Fatalf("%v, %v", resp, err)
			}
			for _, line := range statuses.wait(t, s.logs) {
				if line != "status=403" && s.logs > 0 {
					t.Errorf("the log says %q", line)
				}
			}
		})
	}
}

// draining has middleware that closes all connections in a hook before the header is written, as servers do that are
// about to stop.
var draining = map[string]func(h http.Handler) http.Handler{
	"echo": func(h http.Handler) http.Handler {
		e := echo.New()
		e.Any("/*", func(c echo.Context) error {
			c.Response().Before(func() { c.Response().Header().Set("Connection", "close") })
			h.ServeHTTP(c.Response(), c.Request())
			return nil
		})
		return e
	},
	"negroni": func(h http.Handler) http.Handler {
		return negroni.New(negroni.HandlerFunc(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			w.(negroni.ResponseWriter).Before(func(w negroni.ResponseWriter) { w.Header().Set("Connection", "close") })
			next(w, r)
		}), negroni.Wrap(h))
	},
}

// TestDraining: where a hook spoils the answer, the handshake fails at both ends. The client gets 500 and is told why;
// over TLS the connection is closed. Handler logs it.
func TestDraining(t *testing.T) {
	for name, build := range draining {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/TLS %t", name, tls), func(t *testing.T) {
				t.Parallel()
				logged := newLines()
				srv := httptest.NewUnstartedServer(build(websocket.Handler(nil, func(context.Context, *websocket.Conn) { t.Error("the handshake has not failed") })))
				srv.Config.ErrorLog = log.New(logged, "", 0)
				if tls {
					srv.StartTLS()
				} else {
					srv.Start()
				}
				defer srv.Close()
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				_, resp, err := websocket.Dial(ctx, srv.URL+"/ws", &websocket.DialOptions{HTTPClient: srv.Client()})
				switch {
				case tls && (err == nil || resp != nil):
					t.Errorf("%v, %v", resp, err)
				case !tls && (resp == nil || resp.StatusCode != 500 || !strings.Contains(err.Error(), `Connection: \"close\", not \"Upgrade\"`)):
					t.Errorf("%v, %v", resp, err)
				}
				if line := logged.wait(t, 1); len(line) != 1 || !strings.Contains(line[0], `Connection: "close", not "Upgrade"`) || !strings.Contains(line[0], `"/ws"`) {
					t.Errorf("the log says %q", line)
				}
			})
		}
	}
}

// TestDrainingBehindGin: gin keeps the status to itself, so that the answer can be put right behind the hook.
func TestDrainingBehindGin(t *testing.T) {
	srv := httptest.NewServer(ginEngine(draining["negroni"](echoing["Handler"](nil)), io.Discard))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, srv.URL+"/ws", nil)
	if err != nil || !slices.Equal(resp.Header["Connection"], []string{"Upgrade"}) {
		t.Fatalf("%v, %v", resp, err)
	}
	c.CloseNow()
}
