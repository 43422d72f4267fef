package http3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go/http3"
)

// offers has the client offer two subprotocols.
var offers = &websocket.DialOptions{Subprotocols: []string{"a", "b"}}

// An attempt is what came of a handshake: for the server, and for the client.
type attempt struct {
	accept, dial error
	chosen       string // by the server
	client       *websocket.Conn
	resp         *http.Response
}

// try dials a server whose handler gives what w returns to Accept.
func try(t *testing.T, opts *websocket.AcceptOptions, wrap func(w http.ResponseWriter) http.ResponseWriter) (a attempt) {
	t.Helper()
	accepted := make(chan *websocket.Conn, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(accepted)
		var c *websocket.Conn
		if c, a.accept = ws3.Accept(wrap(w), r, opts); a.accept == nil {
			accepted <- c
			go echo(c)
		}
	}))
	a.client, a.resp, a.dial = dialer(t).Dial(soon(t), s.url, offers)
	if c := <-accepted; c != nil {
		a.chosen = c.Subprotocol()
	}
	if a.dial == nil {
		t.Cleanup(func() { a.client.CloseNow() })
	}
	return a
}

// works reports a handshake that has failed, and a connection that does not.
func (a attempt) works(t *testing.T) {
	t.Helper()
	if a.accept != nil || a.dial != nil {
		t.Errorf("Accept gave %v, Dial %v", a.accept, a.dial)
	} else if err := bounce(a.client, "longer than five"); err != nil || a.chosen != a.client.Subprotocol() {
		t.Errorf("the server has %q, the client %q; %v", a.chosen, a.client.Subprotocol(), err)
	}
}

// TestAnsweredAlready: of a request that has been answered, there is no Conn, and the client gets the answer.
func TestAnsweredAlready(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a status":         func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"a flushed status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound); w.(http.Flusher).Flush() },
		"a body":           func(w http.ResponseWriter) { http.Error(w, "gone", http.StatusNotFound) },
	} {
		t.Run(name, func(t *testing.T) {
			a := try(t, nil, func(w http.ResponseWriter) http.ResponseWriter {
				answer(w)
				return unwraps{w}
			})
			if a.accept == nil || !strings.Contains(a.accept.Error(), "answered already") {
				t.Errorf("Accept gave %v", a.accept)
			}
			if a.dial == nil || a.resp == nil || a.resp.StatusCode != http.StatusNotFound {
				t.Errorf("Dial gave %v, %v", a.resp, a.dial)
			}
		})
	}
}

// A meddler is a middleware's ResponseWriter that does something else with the status.
type meddler struct {
	unwraps
	writeHeader func(w http.ResponseWriter, status int)
}

func (m meddler) WriteHeader(status int) { m.writeHeader(m.ResponseWriter, status) }

// TestChangedAnswer: if a wrapper changes the status or the handshake's own fields, Accept says so and there is no Conn.
func TestChangedAnswer(t *testing.T) {
	set := func(name, value string) func(w http.ResponseWriter, status int) {
		return func(w http.ResponseWriter, status int) {
			w.Header().Set(name, value)
			w.WriteHeader(status)
		}
	}
	for want, writeHeader := range map[string]func(w http.ResponseWriter, status int){
		"replaced the status 200 by 403": func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusForbidden) },
		"replaced the status 200 by 503": func(w http.ResponseWriter, _ int) { http.Error(w, "later", http.StatusServiceUnavailable) },
		"replaced the status 200 by 204": func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusNoContent); w.(http.Flusher).Flush() },
		"Content-Length":                 set("Content-Length", "5"),
		"Content-Encoding":               set("Content-Encoding", "gzip"),
		"Sec-WebSocket-Protocol":         set("Sec-WebSocket-Protocol", "b"),
		"Sec-WebSocket-Extensions":       set("Sec-WebSocket-Extensions", "x"),
	} {
		t.Run(want, func(t *testing.T) {
			a := try(t, &websocket.AcceptOptions{Subprotocols: []string{"a"}}, func(w http.ResponseWriter) http.ResponseWriter {
				return unwraps{meddler{unwraps{w}, writeHeader}}
			})
			if a.accept == nil || !strings.Contains(a.accept.Error(), want) || !strings.Contains(a.accept.Error(), "middleware") {
				t.Errorf("Accept gave %v", a.accept)
			}
			if a.dial == nil {
				t.Error("Dial gave no error")
			}
			if status, ok := strings.CutPrefix(want, "replaced the status 200 by "); ok && (a.resp == nil || status != fmt.Sprint(a.resp.StatusCode)) {
				t.Errorf("the client got %v", a.resp)
			}
		})
	}
}

// own has header fields of its own, which its WriteHeader hands down all but one.
type own struct {
	unwraps
	h     http.Header
	clear bool
}

func (o own) Header() http.Header { return o.h }

func (o own) WriteHeader(status int) {
	for name, values := range o.h {
		if name != "X-Internal" {
			o.ResponseWriter.Header()[http.CanonicalHeaderKey(name)] = values
		}
	}
	o.ResponseWriter.WriteHeader(status)
	if o.clear {
		clear(o.h)
	}
}

// TestRightAnswer: a wrapper whose answer is right is left alone, and what it does behind it is harmless.
func TestRightAnswer(t *testing.T) {
	type wrap = func(w http.ResponseWriter) http.ResponseWriter
	through := func(f func(w http.ResponseWriter, status int)) wrap {
		return func(w http.ResponseWriter) http.ResponseWriter { return meddler{unwraps{w}, f} }
	}
	for name, wrap := range map[string]wrap{
		"hands its own fields down": func(w http.ResponseWriter) http.ResponseWriter { return own{unwraps{w}, http.Header{}, false} },
		"and clears them":           func(w http.ResponseWriter) http.ResponseWriter { return own{unwraps{w}, http.Header{}, true} },
		"to one that keeps the status": func(w http.ResponseWriter) http.ResponseWriter {
			return own{unwraps{silent{unwraps{w}}}, http.Header{}, true}
		},
		"keeps the status and has its own fields": func(w http.ResponseWriter) http.ResponseWriter {
			return silent{unwraps{own{unwraps{w}, http.Header{}, false}}}
		},
		"clears the fields behind the status": through(func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			clear(w.Header())
		}),
		"sets a field behind the status": through(func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			w.Header().Set("X-Took", "1ms")
		}),
		"sets one of the answer's behind the answer": through(func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			w.(http.Flusher).Flush()
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Content-Encoding", "gzip")
		}),
		"writes the status twice": through(func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			w.WriteHeader(http.StatusForbidden)
		}),
		"has set a deadline for the request": func(w http.ResponseWriter) http.ResponseWriter {
			rc := http.NewResponseController(w)
			if rc.SetReadDeadline(time.Unix(1, 0)) != nil || rc.SetWriteDeadline(time.Unix(1, 0)) != nil {
				t.Error("there are no deadlines")
			}
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := try(t, &websocket.AcceptOptions{Subprotocols: []string{"a"}, CompressionMode: websocket.CompressionNoContextTakeover}, wrap)
			a.works(t)
			if a.chosen != "a" {
				t.Errorf("the server has chosen %q", a.chosen)
			}
		})
	}
}

// TestStrippedField: what a middleware does not hand down is not sent by going around it.
func TestStrippedField(t *testing.T) {
	for name, below := range map[string]func(w http.ResponseWriter) http.ResponseWriter{
		"alone":                      func(w http.ResponseWriter) http.ResponseWriter { return w },
		"over one that keeps status": func(w http.ResponseWriter) http.ResponseWriter { return silent{unwraps{w}} },
	} {
		t.Run(name, func(t *testing.T) {
			a := try(t, nil, func(w http.ResponseWriter) http.ResponseWriter {
				w = own{unwraps{below(w)}, http.Header{}, false}
				w.Header().Set("X-Internal", "secret")
				w.Header().Set("X-Public", "open")
				return w
			})
			a.works(t)
			if a.dial == nil && (a.resp.Header.Get("X-Internal") != "" || a.resp.Header.Get("X-Public") != "open") {
				t.Errorf("the client got %v", a.resp.Header)
			}
		})
	}
}

// A hidden is a wrapper that gives out the stream by itself: it has no Unwrap.
type hidden struct {
	w      http.ResponseWriter
	status int
	length string
}

func (h *hidden) Header() http.Header         { return h.w.Header() }
func (h *hidden) Write(p []byte) (int, error) { return h.w.Write(p) }
func (h *hidden) WriteHeader(int) {
	if h.length != "" {
		h.Header().Set("Content-Length", h.length)
	}
	h.w.WriteHeader(h.status)
}
func (h *hidden) HTTPStream() (*http3.Stream, error) { return h.w.(http3.HTTPStreamer).HTTPStream() }

// TestHiddenWriter: what a wrapper without Unwrap changes is seen too, if it gives out the stream.
func TestHiddenWriter(t *testing.T) {
	for _, test := range []struct {
		hidden
		want string
	}{{hidden{status: 200}, ""}, {hidden{status: 403}, "403"}, {hidden{status: 200, length: "5"}, "Content-Length"}} {
		a := try(t, nil, func(w http.ResponseWriter) http.ResponseWriter {
			test.w = w
			return unwraps{&test.hidden}
		})
		if test.want == "" {
			a.works(t)
		} else if a.accept == nil || !strings.Contains(a.accept.Error(), test.want) {
			t.Errorf("Accept gave %v, want one that has %s", a.accept, test.want)
		}
	}
}

// TestMiddlewarePanics: a wrapper's panic is the handler's.
func TestMiddlewarePanics(t *testing.T) {
	bug := errors.New("a bug of the middleware's")
	seen := make(chan any, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { seen <- recover() }()
		ws3.Accept(meddler{unwraps{w}, func(http.ResponseWriter, int) { panic(bug) }}, r, nil)
	}))
	dialer(t).Dial(soon(t), s.url, nil)
	if v := <-seen; v != bug {
		t.Errorf("recover gave %v", v)
	}
}

// TestPresetRules: a subprotocol that the handler has set counts, or is an error, as over HTTP/1.1.
func TestPresetRules(t *testing.T) {
	for _, preset := range []http.Header{
		{"Sec-Websocket-Protocol": {"b"}}, {"Sec-WebSocket-Protocol": {"b"}}, {"sec-websocket-protocol": {" b "}}, {"SEC-WEBSOCKET-PROTOCOL": {"", "b"}},
		{"Sec-Websocket-Protocol": {"b"}, "sec-websocket-protocol": {"b"}}, {"Sec-Websocket-Protocol": {"b, a"}}, {"Sec-Websocket-Protocol": {"a", "b"}},
		{"sec-websocket-protocol": {"b\nX-A: y"}}, {"Sec-Websocket-Protocol": {"b/=c"}},
	} {
		t.Run(fmt.Sprint(preset), func(t *testing.T) {
			set := func(w http.ResponseWriter) http.ResponseWriter {
				for name, values := range preset {
					w.Header()[name] = values
				}
				return w
			}
			accepted := make(chan attempt, 1)
			plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(set(w), r, nil)
				if err != nil {
					accepted <- attempt{accept: err}
					return
				}
				defer c.CloseNow()
				accepted <- attempt{chosen: c.Subprotocol()}
			}))
			_, resp, dialErr := websocket.Dial(soon(t), plain.URL, offers)
			plain.Close()
			over1, over3 := <-accepted, try(t, nil, set)
			if over3.chosen != over1.chosen || fmt.Sprint(over3.accept) != fmt.Sprint(over1.accept) || (over3.dial == nil) != (dialErr == nil) {
				t.Errorf("over HTTP/3 Accept gives %q, %v, and Dial %v; over HTTP/1.1 %q, %v, and %v",
					over3.chosen, over3.accept, over3.dial, over1.chosen, over1.accept, dialErr)
			}
			if over1.accept != nil && (over3.resp == nil || over3.resp.StatusCode != resp.StatusCode) {
				t.Errorf("the client got %v, over HTTP/1.1 %v", over3.resp, resp)
			}
		})
	}
}

// TestWellFormed: what a handler for all versions of HTTP sets does not make the response malformed, whether Accept accepts or refuses.
func TestWellFormed(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		opts := &websocket.AcceptOptions{CheckOrigin: func(*http.Request) bool { return !refuse }}
		shared := []string{"x\x00y", "z"}
		a := try(t, opts, func(w http.ResponseWriter) http.ResponseWriter {
			for _, name := range []string{"Connection", "connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Trailer", "Content-Type", "X Y", "X-Ü", ""} {
				w.Header()[name] = []string{"x"}
			}
			w.Header()["X-Break"] = []string{"a\r\nX-Evil: b"}
			w.Header()["X-Shared"] = shared
			w.Header()["X-Own"] = []string{"c\td ü"}
			return w
		})
		if refuse {
			if a.resp == nil || a.resp.StatusCode != http.StatusForbidden {
				t.Fatalf("the client got %v, %v", a.resp, a.dial)
			}
		} else if a.works(t); a.dial != nil {
			continue
		}
		h := a.resp.Header
		if h.Get("X-Break") != "a  X-Evil: b" || h.Get("X-Own") != "c\td ü" || h.Get("X-Shared") != "x y" || shared[0] != "x\x00y" || h.Get("X-Evil") != "" {
			t.Errorf("the client got %q", h)
		}
	}
}

// TestHandlerLogs: what is the server's fault is logged, and what is the client's is not.
func TestHandlerLogs(t *testing.T) {
	invalid := websocket.CompressionTuning{ServerWindowBits: 99}
	for name, test := range map[string]struct {
		opts   *websocket.AcceptOptions
		before func(w http.ResponseWriter) http.ResponseWriter
		want   string
	}{
		"an option": {opts: &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover, CompressionTuning: invalid}, want: "99"},
		"a list of subprotocols": {before: func(w http.ResponseWriter) http.ResponseWriter {
			w.Header().Set("Sec-WebSocket-Protocol", "a, b")
			return w
		}, want: "subprotocol"},
		"answered": {before: func(w http.ResponseWriter) http.ResponseWriter {
			w.WriteHeader(http.StatusNotFound)
			return w
		}, want: "answered already"},
		"a status": {before: func(w http.ResponseWriter) http.ResponseWriter {
			return meddler{unwraps{w}, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusForbidden) }}
		}, want: "403"},
		"the Origin": {opts: &websocket.AcceptOptions{CheckOrigin: func(*http.Request) bool { return false }}},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			h := ws3.Handler(test.opts, func(context.Context, *websocket.Conn) { t.Error("serve was called") })
			returned := make(chan bool, 1)
			s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { returned <- true }()
				if test.before != nil {
					w = test.before(w)
				}
				h.ServeHTTP(w, r)
			}), logTo(&log))
			opts := *offers
			opts.CompressionMode = websocket.CompressionContextTakeover
			if _, _, err := dialer(t).Dial(soon(t), s.url, &opts); err == nil {
				t.Error("Dial gave no error")
			}
			<-returned
			if got := log.String(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("the log has %q", got)
			}
		})
	}
}

// TestTimeoutHandler: Accept is called in an http.TimeoutHandler whose time is up. It fails, and does not look into the response that
// the TimeoutHandler is writing.
func TestTimeoutHandler(t *testing.T) {
	accepted := make(chan error, 1)
	s := serve(t, nil, http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		_, err := ws3.Accept(w, r, nil)
		accepted <- err
	}), 10*time.Millisecond, "too late"))
	d := dialer(t)
	for range 20 {
		if _, _, err := d.Dial(soon(t), s.url, nil); err == nil {
			t.Error("Dial gave no error")
		}
		if err := <-accepted; err == nil {
			t.Error("Accept gave no error")
		}
	}
}
