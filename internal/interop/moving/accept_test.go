package moving

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// fields are the names of a header's fields as they are on the wire, but for what net/http adds.
func fields(head string) string {
	var names []string
	for line := range strings.Lines(head) {
		if name, _, ok := strings.Cut(line, ": "); ok && name != "Date" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// refusal notes what a client and the handler see of a request that is refused.
func refusal(p *play, a *accepted) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(a.header)), func(n string) bool {
		return n == "Date" || n == "Content-Length" || n == "X-Content-Type-Options" || n == "Content-Type"
	})
	p.saw("status", a.status)
	p.saw("fields", names)
	p.saw("Accept's error", p.err(a.err))
}

// refused is a behaviour: what becomes of a request.
func refused(id string, changes ...string) behaviour {
	return behaviour{id, func(p *play) { refusal(p, p.accept(nil, request(changes...))) }}
}

// A statusWriter is a middleware's.
type statusWriter struct {
	http.ResponseWriter
	statuses *[]int
}

func (w statusWriter) WriteHeader(status int) {
	*w.statuses = append(*w.statuses, status)
	w.ResponseWriter.WriteHeader(status)
}

func (w statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// onlyWriter hides what the ResponseWriter can do.
type onlyWriter struct{ http.ResponseWriter }

// unwrapping hides it, too, but has an Unwrap method.
type unwrapping struct{ http.ResponseWriter }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// preset sets a header field before Accept is called.
func preset(name, value string) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter {
		w.Header().Set(name, value)
		return w
	}
}

var accepting1 = []behaviour{
	{"accept", func(p *play) {
		a := p.accept(&options{}, request())
		p.saw("status line", strings.TrimSpace(strings.SplitN(a.head, "\n", 2)[0]))
		for _, name := range []string{"Connection", "Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
			p.saw(name, fmt.Sprintf("%q", a.header.Values(name)))
		}
		p.saw("subprotocol", fmt.Sprintf("%q", a.c.Subprotocol()))
	}},
	{"accept-spelling", func(p *play) { p.saw("fields", fields(p.accept(nil, request()).head)) }},
	{"accept-nil-options", func(p *play) { p.saw("error", p.err(p.accept(nil, request()).err)) }},
	{"accept-own-fields", func(p *play) {
		a := p.accept(nil, request(), preset("Set-Cookie", "a=b"), preset("Sec-WebSocket-Accept", "mine"))
		p.saw("Set-Cookie", a.header.Get("Set-Cookie"))
		p.saw("Sec-WebSocket-Accept is the handshake's", a.header.Get("Sec-WebSocket-Accept") == wiretest.AcceptKey(key))
	}},
	{"accept-own-extensions", func(p *play) {
		a := p.accept(nil, request(), preset("Sec-WebSocket-Extensions", "x-mine"))
		p.saw("Sec-WebSocket-Extensions", fmt.Sprintf("%q", a.header.Values("Sec-WebSocket-Extensions")))
	}},
	{"accept-middleware", func(p *play) {
		var statuses []int
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter { return statusWriter{w, &statuses} })
		p.saw("status", a.status)
		p.saw("the middleware saw", statuses)
	}},
	{"accept-unwrap", func(p *play) {
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter { return unwrapping{w} })
		p.saw("status", a.status)
		p.saw("error", p.err(a.err))
	}},
	{"accept-no-hijacker", func(p *play) {
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter { return onlyWriter{w} })
		p.saw("status", a.status)
		p.saw("error", p.err(a.err))
	}},
	{"accept-recorder", func(p *play) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		for _, line := range []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key} {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		c, err := p.lib.accept(w, r, nil)
		p.saw("a connection", c != nil)
		p.saw("status", w.Code)
		p.saw("there is an error", err != nil)
	}},
	{"accept-http2", func(p *play) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("CONNECT", "/", nil)
		r.Proto, r.ProtoMajor, r.ProtoMinor, r.ContentLength = "HTTP/2.0", 2, 0, -1
		r.Header.Set(":protocol", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		c, err := p.lib.accept(w, r, nil)
		if err == nil {
			c.CloseNow()
		}
		p.saw("status", w.Code)
		p.saw("there is an error", err != nil)
	}},
	refused("refuse-no-connection", "-Connection"),
	refused("refuse-no-upgrade", "-Upgrade"),
	refused("refuse-post", "POST /ws HTTP/1.1"),
	refused("refuse-http10", "GET /ws HTTP/1.0"),
	refused("refuse-version", "Sec-WebSocket-Version: 8"),
	refused("refuse-version-twice", "+Sec-WebSocket-Version: 13"),
	refused("refuse-no-key", "-Sec-WebSocket-Key"),
	refused("refuse-two-keys", "+Sec-WebSocket-Key: "+key),
	refused("refuse-short-key", "Sec-WebSocket-Key: AAAA"),
	{"refuse-body", func(p *play) { refusal(p, p.accept(nil, request("Content-Length: 2")+"{}")) }},
	refused("refuse-odd-subprotocol", "Sec-WebSocket-Protocol: a b"),
	refused("accept-tokens", "Connection: keep-alive, Upgrade", "Upgrade: h2c, WebSocket"),
	{"refuse-page", func(p *play) {
		a := p.accept(nil, request("-Upgrade"))
		p.saw("Content-Type", a.header.Get("Content-Type"))
		p.saw("there is a text", len(a.body) > 0)
	}},
	{"accept-early-frames", func(p *play) {
		frame := (&peer{client: true}).encode(wiretest.Text("early"))
		a := p.accept(nil, request()+string(frame))
		p.saw("read", p.read(background, a.c))
	}},
	{"accept-handler-returns", func(p *play) {
		var c conn
		conn := p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c, _ = p.lib.accept(w, r, nil) }))
		conn.Write([]byte(request()))
		_, rest, _ := readHead(conn)
		p.settle()
		p.finally(func() { c.CloseNow() })
		p.saw("afterwards the connection is", p.alive(c, newPeer(conn, true, rest)))
	}},
	{"accept-request-context", func(p *play) {
		var c conn
		var ctx context.Context
		conn := p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ = p.lib.accept(w, r, nil)
			ctx = r.Context()
		}))
		conn.Write([]byte(request()))
		readHead(conn)
		p.settle()
		p.finally(func() { c.CloseNow() })
		p.saw("when the handler has returned, a Read under the request's context", p.read(ctx, c))
	}},

	{"accept-twice", func(p *play) {
		var second error
		conn := p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := p.lib.accept(w, r, nil)
			p.finally(func() { c.CloseNow() })
			_, second = p.lib.accept(w, r, nil)
		}))
		conn.Write([]byte(request()))
		readHead(conn)
		p.settle()
		p.saw("the second fails", second != nil)
	}},
	{"accept-after-body", func(p *play) {
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter {
			io.WriteString(w, "a page")
			return w
		})
		p.saw("status", a.status)
		p.saw("there is an error", a.err != nil)
	}},
	{"accept-spoiled", func(p *play) {
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter {
			return meddling{w, func(w http.ResponseWriter, status int) { w.Header().Set("Connection", "close"); w.WriteHeader(status) }}
		})
		p.saw("status", a.status)
		p.saw("there is an error", a.err != nil)
	}},
	{"accept-other-status", func(p *play) {
		a := p.accept(nil, request(), func(w http.ResponseWriter) http.ResponseWriter {
			return meddling{w, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusTeapot) }}
		})
		p.saw("status", a.status)
		p.saw("there is an error", a.err != nil)
	}},
	{"accept-own-field-newline", func(p *play) {
		a := p.accept(nil, request(), preset("X-Mine", "a\r\nX-Smuggled: b"))
		p.saw("X-Mine", fmt.Sprintf("%q", a.header.Get("X-Mine")))
		p.saw("X-Smuggled", a.header.Get("X-Smuggled"))
	}},
	{"subprotocol-preset-unoffered", func(p *play) {
		a := p.accept(nil, request(), preset("Sec-WebSocket-Protocol", "mine"))
		p.saw("answer", a.header.Values("Sec-WebSocket-Protocol"))
		p.saw("Subprotocol", a.c.Subprotocol())
	}},
	subprotocol("subprotocol-chosen", []string{"b", "a"}, "a, b"),
	subprotocol("subprotocol-case", []string{"CHAT"}, "chat"),
	subprotocol("subprotocol-none", []string{"x"}, "a, b"),
	subprotocol("subprotocol-not-offered", []string{"x"}, ""),
	subprotocol("subprotocol-no-token", []string{"base64=/"}, "base64=/"),
	subprotocol("subprotocol-empty-name", []string{""}, "a,,b"),
	subprotocol("subprotocol-two-lines", []string{"b"}, "a\r\nSec-WebSocket-Protocol: b"),
	{"subprotocol-preset", func(p *play) {
		a := p.accept(nil, request("Sec-WebSocket-Protocol: mine"), preset("Sec-WebSocket-Protocol", "mine"))
		p.saw("answer", a.header.Values("Sec-WebSocket-Protocol"))
		p.saw("Subprotocol", a.c.Subprotocol())
	}},
	{"subprotocol-preset-and-option", func(p *play) {
		a := p.accept(&options{Subprotocols: []string{"yours"}}, request("Sec-WebSocket-Protocol: mine, yours"), preset("Sec-WebSocket-Protocol", "mine"))
		p.saw("answer", a.header.Values("Sec-WebSocket-Protocol"))
		p.saw("Subprotocol", a.c.Subprotocol())
	}},
}

func subprotocol(id string, own []string, offered string) behaviour {
	return behaviour{id, func(p *play) {
		change := "-Sec-WebSocket-Protocol"
		if offered != "" {
			change = "Sec-WebSocket-Protocol: " + offered
		}
		a := p.accept(&options{Subprotocols: own}, request(change))
		p.saw("status", a.status)
		p.saw("answer", fmt.Sprintf("%q", a.header.Values("Sec-WebSocket-Protocol")))
		if a.c != nil {
			p.saw("Subprotocol", fmt.Sprintf("%q", a.c.Subprotocol()))
		}
	}}
}

// origin is a behaviour: whether pages of an Origin may connect to example.com.
func origin(id, origin string, patterns ...string) behaviour {
	return behaviour{id, func(p *play) {
		a := p.accept(&options{OriginPatterns: patterns}, request("Origin: "+origin))
		p.saw("status", a.status)
	}}
}

var origins = []behaviour{
	origin("origin-same-host", "https://example.com"),
	origin("origin-case", "https://EXAMPLE.com"),
	origin("origin-foreign", "https://other.example"),
	origin("origin-other-port", "https://example.com:8080"),
	origin("origin-default-port", "https://example.com:443"),
	origin("origin-null", "null"),
	origin("origin-null-named", "null", "null"),
	origin("origin-null-star", "null", "*"),
	origin("origin-star", "https://other.example", "*"),
	origin("origin-pattern", "https://a.example.org", "*.EXAMPLE.org"),
	origin("origin-pattern-scheme", "https://a.example.org", "https://*.example.org"),
	origin("origin-pattern-other-scheme", "http://a.example.org", "https://*.example.org"),
	origin("origin-pattern-needs-port", "http://localhost:3000", "localhost"),
	origin("origin-pattern-port", "http://localhost:3000", "localhost:*"),
	origin("origin-pattern-default-port", "https://other.example", "other.example:443"),
	origin("origin-pattern-ipv6", "http://[::1]:3000", "[::1]:3000"),
	origin("origin-pattern-slash", "https://other.example", "https://other.example/"),
	origin("origin-pattern-unused-slash", "https://example.com", "https://other.example/"),
	origin("origin-pattern-malformed", "https://other.example", "[", "other.example"),
	origin("origin-pattern-malformed-same-host", "https://example.com", "["),
	origin("origin-pattern-malformed-no-origin", "", "["),
	origin("origin-empty", ""),
	origin("origin-no-scheme", "example.com"),
	origin("origin-no-url", "http://[bad"),
	origin("origin-two", "https://example.com\r\nOrigin: https://example.com"),
	{"origin-skip-verify", func(p *play) {
		p.saw("status", p.accept(&options{InsecureSkipVerify: true}, request("Origin: https://other.example")).status)
	}},
}

// meddling is a wrapper with a WriteHeader of its own.
type meddling struct {
	http.ResponseWriter
	writeHeader func(w http.ResponseWriter, status int)
}

func (m meddling) WriteHeader(status int)      { m.writeHeader(m.ResponseWriter, status) }
func (m meddling) Unwrap() http.ResponseWriter { return m.ResponseWriter }
