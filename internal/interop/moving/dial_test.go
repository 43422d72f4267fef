package moving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

const url1 = "ws://example.com/ws"

// yes accepts the handshake.
func yes(r *http.Request) string { return accepting(r) }

// answering is a behaviour: what Dial makes of a server's answer.
func answering(id string, o options, more ...string) behaviour {
	return behaviour{id, func(p *play) {
		opts := o
		d := p.dial(background, url1, &opts, func(r *http.Request) string { return accepting(r, more...) })
		p.saw("error", p.err(d.err))
		p.saw("there is a response", d.resp != nil)
		if d.c != nil {
			p.saw("Subprotocol", fmt.Sprintf("%q", d.c.Subprotocol()))
		}
	}}
}

// offering is a behaviour: one field of Dial's request.
func offering(id string, o options, name string) behaviour {
	return behaviour{id, func(p *play) {
		opts := o
		d := p.dial(background, url1, &opts, yes)
		p.saw("error", p.err(d.err))
		value := "none"
		for _, r := range d.requests {
			for line := range strings.Lines(r) {
				if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
					value = strings.TrimSpace(v)
				}
			}
		}
		p.saw(name, value)
	}}
}

// malformed is a behaviour: a URL that can't be dialed.
func malformed(id, u string) behaviour {
	return behaviour{id, func(p *play) {
		d := p.dial(background, u, &options{}, yes)
		p.saw("error", p.err(d.err))
		p.saw("requests", len(d.requests))
	}}
}

type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var dialing = []behaviour{
	{"dial", func(p *play) {
		d := p.dial(background, url1+"?a=b", &options{}, yes)
		lines := strings.Split(d.requests[0], "\r\n")
		p.saw("request line", lines[0])
		names := strings.Split(fields(d.requests[0]), " ")
		for i := range names {
			names[i] = http.CanonicalHeaderKey(names[i])
		}
		slices.Sort(names)
		p.saw("fields", strings.Join(names, " "))
		p.saw("status", d.resp.StatusCode)
		p.saw("error", p.err(d.err))
	}},
	{"dial-spelling", func(p *play) {
		d := p.dial(background, url1, &options{Subprotocols: []string{"a"}, CompressionMode: takeover}, yes)
		p.saw("fields", fields(d.requests[0]))
	}},
	{"dial-nil-options", func(p *play) {
		saved := http.DefaultClient
		defer func() { http.DefaultClient = saved }()
		o := &options{}
		d := &dialed{}
		d.listen(p, o, yes)
		http.DefaultClient = o.HTTPClient
		d.c, d.resp, d.err = p.lib.dial(background, url1, nil)
		p.saw("error", p.err(d.err))
	}},
	{"dial-nil-context", func(p *play) {
		d := p.dial(nil, url1, &options{}, yes)
		p.saw("it panics", d.err == errPanics)
		p.saw("there is an error", d.err != nil)
	}},
	{"dial-http-url", func(p *play) { p.saw("error", p.err(p.dial(background, "http://example.com/", &options{}, yes).err)) }},
	malformed("dial-scheme", "ftp://example.com/"),
	malformed("dial-no-host", "ws:///path"),
	malformed("dial-malformed", "ws://exa mple.com"),
	{"dial-fragment", func(p *play) {
		d := p.dial(background, url1+"#part", &options{}, yes)
		p.saw("error", p.err(d.err))
		p.saw("requests", len(d.requests))
	}},
	{"dial-password", func(p *play) {
		d := p.dial(background, "ws://me:secret@example.com/", &options{}, yes)
		p.saw("error", p.err(d.err))
		p.saw("Authorization is sent", strings.Contains(d.requests[0], "Authorization: Basic "))
	}},
	{"dial-password-malformed", func(p *play) {
		d := p.dial(background, "ws://me:secret@exa mple.com/", &options{}, yes)
		p.saw("the error has the password", strings.Contains(d.err.Error(), "secret"))
	}},
	offering("dial-host", options{Host: "other.example"}, "Host"),
	offering("dial-header-host", options{HTTPHeader: http.Header{"Host": {"other.example"}}}, "Host"),
	offering("dial-header", options{HTTPHeader: http.Header{"X-Mine": {"1"}}}, "X-Mine"),
	offering("dial-header-small-letters", options{HTTPHeader: http.Header{"x-mine": {"1"}}}, "X-Mine"),
	offering("dial-header-newline", options{HTTPHeader: http.Header{"X-Mine": {"1\r\nX-Smuggled: 2"}}}, "X-Mine"),
	offering("dial-host-newline", options{Host: "a\r\nX-Smuggled: b"}, "X-Smuggled"),
	offering("dial-host-space", options{Host: "a b"}, "Host"),
	offering("dial-authorization", options{HTTPHeader: http.Header{"Authorization": {"Bearer x"}}}, "Authorization"),
	offering("dial-user-agent", options{}, "User-Agent"),
	offering("dial-header-connection", options{HTTPHeader: http.Header{"Connection": {"close"}}}, "Connection"),
	offering("dial-header-key", options{HTTPHeader: http.Header{"Sec-Websocket-Version": {"8"}}}, "Sec-WebSocket-Version"),
	offering("dial-header-extensions", options{HTTPHeader: http.Header{"Sec-Websocket-Extensions": {"x-mine"}}}, "Sec-WebSocket-Extensions"),
	offering("dial-subprotocols", options{Subprotocols: []string{"a", "b"}}, "Sec-WebSocket-Protocol"),
	offering("dial-subprotocol-empty", options{Subprotocols: []string{""}}, "Sec-WebSocket-Protocol"),
	offering("dial-subprotocol-space", options{Subprotocols: []string{"a b"}}, "Sec-WebSocket-Protocol"),
	offering("dial-subprotocol-base64", options{Subprotocols: []string{"base64url.bearer.a=/"}}, "Sec-WebSocket-Protocol"),
	offering("dial-header-subprotocol", options{HTTPHeader: http.Header{"Sec-Websocket-Protocol": {"mine"}}}, "Sec-WebSocket-Protocol"),
	offering("dial-compression-takeover", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions"),
	offering("dial-compression-no-takeover", options{CompressionMode: noTakeover}, "Sec-WebSocket-Extensions"),
	offering("dial-compression-off", options{}, "Sec-WebSocket-Extensions"),
	{"dial-options-untouched", func(p *play) {
		o := &options{HTTPHeader: http.Header{}}
		p.dial(background, url1, o, yes)
		p.saw("HTTPHeader", len(o.HTTPHeader))
	}},

	answering("answer-accept", options{}, "Sec-WebSocket-Accept: wrong"),
	answering("answer-no-upgrade", options{}, "-Upgrade"),
	answering("answer-no-connection", options{}, "-Connection"),
	answering("answer-subprotocol", options{Subprotocols: []string{"a"}}, "Sec-WebSocket-Protocol: A"),
	answering("answer-subprotocol-unoffered", options{Subprotocols: []string{"a"}}, "Sec-WebSocket-Protocol: b"),
	answering("answer-subprotocol-header", options{HTTPHeader: http.Header{"Sec-Websocket-Protocol": {"mine"}}}, "Sec-WebSocket-Protocol: mine"),
	answering("answer-subprotocol-none", options{Subprotocols: []string{"a"}}),
	answering("answer-extension-unoffered", options{}, "Sec-WebSocket-Extensions: permessage-deflate"),
	answering("answer-extension-unknown", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: x-mine"),
	answering("answer-deflate", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: permessage-deflate"),
	answering("answer-deflate-server-bits", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10"),
	answering("answer-deflate-client-bits", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10"),
	answering("answer-deflate-no-takeover", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
	answering("answer-deflate-takeover", options{CompressionMode: noTakeover}, "Sec-WebSocket-Extensions: permessage-deflate"),
	answering("answer-deflate-unknown", options{CompressionMode: takeover}, "Sec-WebSocket-Extensions: permessage-deflate; x=1"),

	{"answer-404", func(p *play) {
		d := p.dial(background, url1, &options{}, func(*http.Request) string {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno room"
		})
		p.saw("error", p.err(d.err))
		p.saw("status", d.resp.StatusCode)
		b, err := io.ReadAll(d.resp.Body)
		p.saw("body", fmt.Sprintf("%q, %v", b, err))
	}},
	{"answer-404-words", func(p *play) {
		d := p.dial(background, url1, &options{}, func(*http.Request) string {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno room"
		})
		p.saw("words", p.words(d.err))
	}},
	{"answer-404-body", func(p *play) {
		d := p.dial(background, url1, &options{}, func(*http.Request) string {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno room"
		})
		p.saw("the error quotes the body", strings.Contains(d.err.Error(), "no room"))
	}},
	{"answer-big-body", func(p *play) {
		d := p.dial(background, url1, &options{}, func(*http.Request) string {
			return "HTTP/1.1 503 No\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000)
		})
		b, _ := io.ReadAll(d.resp.Body)
		p.saw("body", len(b))
	}},
	{"answer-endless-body", func(p *play) {
		p.took("time", func() {
			p.dial(background, url1, &options{}, func(*http.Request) string {
				return "HTTP/1.1 503 No\r\nContent-Length: 3000\r\n\r\nx"
			})
		})
	}},
	{"answer-body-of-101", func(p *play) {
		d := p.dial(background, url1, &options{}, yes)
		p.saw("resp.Body.Close()", p.try(func() string { return p.err(d.resp.Body.Close()) }))
		p.saw("afterwards the connection is", p.alive(d.c, d.peer))
	}},
	{"answer-early-frames", func(p *play) {
		d := p.dial(background, url1, &options{}, func(r *http.Request) string {
			return accepting(r) + string((&peer{}).encode(wiretest.Text("early")))
		})
		p.saw("read", p.read(background, d.c))
	}},
	{"dial-no-answer", func(p *play) {
		d := p.dial(background, url1, &options{}, func(*http.Request) string { return "" })
		p.saw("error", p.err(d.err))
		p.saw("there is a response", d.resp != nil)
	}},
	{"dial-refused", func(p *play) {
		refuse := func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		_, _, err := p.lib.dial(background, url1, &options{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: refuse}}})
		p.saw("error", p.err(err))
		p.saw("*net.OpError", errors.As(err, new(*net.OpError)))
	}},
	{"dial-cancelled", func(p *play) {
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		over := make(chan struct{})
		d := p.dial(ctx, url1, &options{}, func(*http.Request) string {
			<-over
			return ""
		})
		p.saw("error", p.err(d.err))
		close(over)
	}},
	{"dial-context-later", func(p *play) {
		ctx, cancel := context.WithCancel(background)
		d := p.dial(ctx, url1, &options{}, yes)
		cancel()
		p.settle()
		p.saw("when Dial's context is cancelled later, the connection is", p.alive(d.c, d.peer))
	}},
	{"dial-client-timeout", func(p *play) {
		d := p.dial(background, url1, &options{HTTPClient: &http.Client{Timeout: time.Second}}, yes)
		p.pass(2 * time.Second)
		p.saw("after the client's time-out, the connection is", p.alive(d.c, d.peer))
	}},
	{"dial-client-timeout-handshake", func(p *play) {
		over := make(chan struct{})
		p.took("time", func() {
			d := p.dial(background, url1, &options{HTTPClient: &http.Client{Timeout: time.Second}}, func(*http.Request) string {
				<-over
				return ""
			})
			p.saw("error", p.err(d.err))
		})
		close(over)
	}},
	{"dial-redirect", func(p *play) {
		d := p.dial(background, url1, &options{}, func(r *http.Request) string {
			if r.URL.Path == "/ws" {
				return "HTTP/1.1 302 Found\r\nLocation: ws://example.com/there\r\nContent-Length: 0\r\n\r\n"
			}
			return accepting(r)
		})
		p.saw("error", p.err(d.err))
		p.saw("requests", len(d.requests))
	}},
	{"dial-redirect-loop", func(p *play) {
		n := 0
		d := p.dial(background, url1, &options{}, func(r *http.Request) string {
			if n++; n >= 50 {
				return "HTTP/1.1 508 Loop Detected\r\nContent-Length: 0\r\n\r\n"
			}
			return "HTTP/1.1 302 Found\r\nLocation: /ws\r\nContent-Length: 0\r\n\r\n"
		})
		p.saw("there is an error", d.err != nil)
		p.saw("requests", len(d.requests))
	}},
	{"dial-redirect-downgrade", func(p *play) {
		var schemes []string
		d := p.dial(background, "wss://example.com/ws", &options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			schemes = append(schemes, r.URL.Scheme)
			if len(schemes) == 1 {
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {url1}}, Body: http.NoBody, Request: r}, nil
			}
			return nil, errors.New("enough")
		})}}, yes)
		p.saw("there is an error", d.err != nil)
		p.saw("schemes", schemes)
	}},
	{"dial-cookies", func(p *play) {
		jar, _ := cookiejar.New(nil)
		u, _ := url.Parse("http://example.com/")
		jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: "b"}})
		d := p.dial(background, url1, &options{HTTPClient: &http.Client{Jar: jar}}, func(r *http.Request) string {
			return accepting(r, "Set-Cookie: c=d")
		})
		p.saw("the cookie is sent", strings.Contains(d.requests[0], "Cookie: a=b"))
		p.saw("cookies in the jar", len(jar.Cookies(u)))
	}},
	{"dial-proxy", func(p *play) {
		proxy, _ := url.Parse("http://proxy.example:3128")
		d := p.dial(background, url1, &options{HTTPClient: &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}}, func(r *http.Request) string {
			if r.Method == "CONNECT" {
				return "HTTP/1.1 200 OK\r\n\r\n"
			}
			return accepting(r)
		})
		p.saw("error", p.err(d.err))
		p.saw("the proxy is asked for", strings.SplitN(d.requests[0], "\r\n", 2)[0])
	}},
	{"dial-no-upgrading-transport", func(p *play) {
		d := p.dial(background, url1, &options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {wiretest.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))}}
			for name, values := range r.Header {
				if strings.EqualFold(name, "Sec-WebSocket-Key") {
					h["Sec-Websocket-Accept"] = []string{wiretest.AcceptKey(values[0])}
				}
			}
			return &http.Response{StatusCode: 101, Header: h, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
		})}}, yes)
		p.saw("error", p.err(d.err))
		p.saw("there is a response", d.resp != nil)
	}},
	{"dial-roundtripper-key", func(p *play) {
		got := ""
		p.dial(background, url1, &options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			got = fmt.Sprint(r.Header.Get("Sec-WebSocket-Version"))
			return nil, errors.New("enough")
		})}}, yes)
		p.saw("what a RoundTripper sees by Header.Get(\"Sec-WebSocket-Version\")", fmt.Sprintf("%q", got))
	}},
}
