package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// serveInMemory runs an http.Server without a network, until the test ends. Its errors are the test's.
func serveInMemory(t testing.TB, h http.Handler) *memconn.Listener {
	return serverInMemory(t, &http.Server{Handler: h})
}

func serverInMemory(t testing.TB, server *http.Server) *memconn.Listener {
	if server.ErrorLog == nil {
		server.ErrorLog = log.New(errorWriter{t}, "", 0)
	}
	ln := memconn.Listen()
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return ln
}

// errorWriter makes what a server logs an error of the test.
type errorWriter struct{ t testing.TB }

func (w errorWriter) Write(p []byte) (int, error) {
	w.t.Errorf("the server logs: %s", p)
	return len(p), nil
}

// rawClient connects to a listener as a raw peer.
func rawClient(t testing.TB, ln *memconn.Listener) *wiretest.Peer {
	conn, err := ln.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return wiretest.NewPeer(t, conn, wiretest.Client)
}

// bubble runs f where time is fake, and where a goroutine that is left behind fails the test.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// echoOnce accepts, answers one message and closes.
func echoOnce(opts *websocket.AcceptOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		typ, p, err := c.Read(r.Context())
		if err == nil && c.Write(r.Context(), typ, p) == nil {
			c.Close(websocket.StatusNormalClosure, "")
		}
	})
}

// upgradeRequest is a proper handshake of a client, after the sample of RFC 6455, section 1.3.
const upgradeRequest = "GET /chat HTTP/1.1\r\n" +
	"Host: example.com\r\n" +
	"Connection: Upgrade\r\n" +
	"Upgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"\r\n"

// withField is upgradeRequest with one more header field.
func withField(field string) string {
	return strings.TrimSuffix(upgradeRequest, "\r\n") + field + "\r\n\r\n"
}

// without is upgradeRequest with something replaced.
func without(old, new string) string {
	if !strings.Contains(upgradeRequest, old) {
		panic(old)
	}
	return strings.Replace(upgradeRequest, old, new, 1)
}

func TestAcceptRefuses(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const version = "Sec-WebSocket-Version: 13\r\n"
	for _, tt := range []struct {
		name    string
		request string
		status  int
		says    string
		header  string // "Name: value" of the answer
	}{
		{"POST", without("GET", "POST"), 405, "the method is POST", "Allow: GET"},
		{"a method in small letters", without("GET", "get"), 405, "the method is get", "Allow: GET"},
		{"HTTP/1.0", without("HTTP/1.1", "HTTP/1.0"), 400, "HTTP/1.0", ""},
		{"no Connection", without("Connection: Upgrade\r\n", ""), 426, "Connection: Upgrade", "Upgrade: websocket"},
		{"another Connection", without("Connection: Upgrade", "Connection: keep-alive"), 426, "Connection: Upgrade", "Upgrade: websocket"},
		{"no Upgrade", without("Upgrade: websocket\r\n", ""), 426, "Upgrade: websocket", "Upgrade: websocket"},
		{"another Upgrade", without("Upgrade: websocket", "Upgrade: h2c"), 426, "Upgrade: websocket", "Upgrade: websocket"},
		{"an ordinary request", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 426, "this URL is for WebSockets", "Connection: Upgrade"},
		{"no version", without(version, ""), 426, `Sec-WebSocket-Version is ""`, "Sec-WebSocket-Version: 13"},
		{"version 8", without("13", "8"), 426, `Sec-WebSocket-Version is "8"`, "Sec-WebSocket-Version: 13"},
		{"two versions", without(version, version+"Sec-WebSocket-Version: 8\r\n"), 426, `"13, 8"`, "Sec-WebSocket-Version: 13"},
		{"a list of versions", without("13", "13, 8"), 426, `"13, 8"`, "Sec-WebSocket-Version: 13"},
		{"no key", without(key, ""), 400, "0 Sec-WebSocket-Key", ""},
		{"an empty key", without("dGhlIHNhbXBsZSBub25jZQ==", ""), 400, "16 bytes", ""},
		{"two keys", without(key, key+key), 400, "2 Sec-WebSocket-Key", ""},
		{"a key that is not base64", without("dGhl", "d*hl"), 400, "16 bytes", ""},
		{"a key of 15 bytes", without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), 400, "16 bytes", ""},
		{"a key of 17 bytes", without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU="), 400, "16 bytes", ""},
		{"a body", withField("Content-Length: 5") + "Hello", 400, "body", ""},
		{"a body in chunks", withField("Transfer-Encoding: chunked") + "5\r\nHello\r\n0\r\n\r\n", 400, "body", ""},
		{"a subprotocol with a space", withField("Sec-WebSocket-Protocol: chat, a b"), 400, `"a b"`, ""},
		{"a foreign Origin", withField("Origin: http://evil.example"), 403, `"http://evil.example"`, ""},
		{"an Origin on another port", withField("Origin: http://example.com:8080"), 403, "example.com:8080", ""},
		{"an Origin whose capital is the Kelvin sign", strings.Replace(withField("Origin: http://\u212aelvin.example"), "Host: example.com", "Host: kelvin.example", 1), 403, "elvin.example", ""},
		{"the same, escaped", strings.Replace(withField("Origin: http://%E2%84%AAelvin.example"), "Host: example.com", "Host: kelvin.example", 1), 403, "elvin.example", ""},
		{"an Origin that only begins alike", withField("Origin: http://example.com.evil.example"), 403, "evil", ""},
		{"an opaque Origin", withField("Origin: null"), 403, `"null"`, ""},
		{"an Origin without scheme", withField("Origin: example.com"), 403, `"example.com"`, ""},
		{"an Origin that is not a URL", withField("Origin: http://[::1"), 403, "not a URL", ""},
		{"an Origin without host, to an empty Host", strings.Replace(withField("Origin: file://"), "Host: example.com", "Host:", 1), 403, `"file://"`, ""},
		{"an opaque Origin, to an empty Host", strings.Replace(withField("Origin: null"), "Host: example.com", "Host:", 1), 403, `"null"`, ""},
		{"an Origin on the other scheme's port", strings.Replace(withField("Origin: http://example.com"), "Host: example.com", "Host: example.com:443", 1), 403, `"example.com:443"`, ""},
		{"two Origins", withField("Origin: http://example.com\r\nOrigin: http://evil.example"), 403, "2 Origin", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				refused := make(chan error, 1)
				ln := serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, err := websocket.Accept(w, r, nil)
					if c != nil {
						t.Error("there is a Conn")
						c.CloseNow()
					}
					refused <- err
				}))
				p := rawClient(t, ln)
				p.SendRaw([]byte(tt.request))
				resp := p.ReadResponse()
				err := <-refused
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.status {
					t.Errorf("the status is %s, want %d", resp.Status, tt.status)
				}
				if err == nil || !strings.HasPrefix(err.Error(), "websocket: ") || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("the error is %v, want something of %q", err, tt.says)
				}
				if strings.TrimSpace(string(body)) != err.Error() {
					t.Errorf("the body is %q, the error %q", body, err)
				}
				if name, value, ok := strings.Cut(tt.header, ": "); ok && resp.Header.Get(name) != value {
					t.Errorf("%s is %q, want %q", name, resp.Header.Get(name), value)
				}
				for _, name := range []string{"Sec-Websocket-Accept", "Sec-Websocket-Protocol"} {
					if resp.Header[name] != nil {
						t.Errorf("a refusal has %s", name)
					}
				}
				p.Close()
			})
		})
	}
}

// TestAcceptOnRefuse: the application writes each refusal itself, knows the status and why, and may choose another.
func TestAcceptOnRefuse(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request string
		opts    websocket.AcceptOptions
		hidden  bool
		status  int
		header  string
	}{
		{"not an upgrade", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", websocket.AcceptOptions{}, false, 426, "Upgrade: websocket"},
		{"another version", without("13", "8"), websocket.AcceptOptions{}, false, 426, "Sec-WebSocket-Version: 13"},
		{"POST", without("GET", "POST"), websocket.AcceptOptions{}, false, 405, "Allow: GET"},
		{"a foreign Origin", withField("Origin: http://evil.example"), websocket.AcceptOptions{}, false, 403, ""},
		{"CheckOrigin", upgradeRequest, websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}, false, 403, ""},
		{"a malformed pattern", upgradeRequest, websocket.AcceptOptions{OriginPatterns: []string{"a/"}}, false, 500, ""},
		{"a misused option", upgradeRequest, websocket.AcceptOptions{CompressionMode: 7}, false, 500, ""},
		{"a hidden connection", upgradeRequest, websocket.AcceptOptions{}, true, 501, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var why error
				tt.opts.OnRefuse = func(w http.ResponseWriter, r *http.Request, status int, err error) {
					if r.Host != "example.com" || status != tt.status {
						t.Errorf("OnRefuse is called for %s with %d, want %d", r.Host, status, tt.status)
					}
					why = err
					w.Header().Set("Content-Length", "2")
					w.WriteHeader(status + 9)
					io.WriteString(w, "no")
				}
				refused := make(chan error, 1)
				p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if tt.hidden {
						w = hiding{w}
					}
					_, err := websocket.Accept(w, r, &tt.opts)
					refused <- err
				})))
				p.SendRaw([]byte(tt.request))
				head := readHead(t, p.Conn)
				if err := <-refused; err == nil || why == nil || !errors.Is(err, why) {
					t.Errorf("Accept returned %v, OnRefuse was given %v", err, why)
				}
				if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", tt.status+9)) || !strings.Contains(head, "\r\n"+tt.header+"\r\n") && tt.header != "" {
					t.Errorf("the response is %q, want the field %q", head, tt.header)
				}
				p.Close()
			})
		})
	}
}

func TestAcceptTakes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request string
	}{
		{"the sample", upgradeRequest},
		{"in any case", without("Connection: Upgrade\r\nUpgrade: websocket", "connection: UPGRADE\r\nupgrade: WebSocket")},
		{"in lists", without("Connection: Upgrade\r\nUpgrade: websocket", "Connection: keep-alive, upgrade\r\nUpgrade: h2c, websocket")},
		{"in several fields", without("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade")},
		{"with spaces", without("Version: 13", "Version:  13 ")},
		{"an empty body", withField("Content-Length: 0")},
		{"its own Origin", withField("Origin: http://example.com")},
		{"its own Origin over TLS, in capitals", withField("Origin: https://EXAMPLE.com")},
		{"an empty Origin", withField("Origin: ")},
		{"its own Origin, the port of https in Host", strings.Replace(withField("Origin: https://example.com"), "Host: example.com", "Host: example.com:443", 1)},
		{"its own Origin, the port of http in Host", strings.Replace(withField("Origin: http://example.com"), "Host: example.com", "Host: example.com:80", 1)},
		{"its own Origin with the port of https", withField("Origin: https://example.com:443")},
		{"no subprotocol", withField("Sec-WebSocket-Protocol: ")},
		{"a subprotocol that is not a token", withField("Sec-WebSocket-Protocol: base64url.bearer.YWJj/+0=, chat")},
		{"an extension, which is declined", withField("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")},
		{"an extension nobody knows", withField("Sec-WebSocket-Extensions: x-unknown; a=\"b,c\"")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := rawClient(t, serveInMemory(t, echoOnce(nil)))
				p.SendRaw([]byte(tt.request))
				resp := p.ReadResponse()
				if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
					resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade" {
					t.Fatalf("the answer is %s %v", resp.Status, resp.Header)
				}
				for name := range resp.Header {
					if !slices.Contains([]string{"Upgrade", "Connection", "Sec-Websocket-Accept"}, name) {
						t.Errorf("nobody asked for %s: %q", name, resp.Header[name])
					}
				}
				p.SendText("hello")
				p.WantText("it is a WebSocket", "hello")
				p.WantClose("and ends as one", 1000)
				p.SendClose(1000, "")
				p.WantEOF("the server closes TCP")
			})
		})
	}
}

// checkOrigin is a CheckOrigin that says ok to the Origin it expects.
func checkOrigin(origin string, ok bool) func(*http.Request) bool {
	return func(r *http.Request) bool { return ok == (r.Header.Get("Origin") == origin) }
}

func TestAcceptOrigin(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origin  string
		options websocket.AcceptOptions
		status  int
	}{
		{"any, if nobody looks", "http://evil.example", websocket.AcceptOptions{InsecureSkipVerify: true}, 101},
		{"a host", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"b.example", "a.example"}}, 101},
		{"a host in capitals", "https://A.Example", websocket.AcceptOptions{OriginPatterns: []string{"a.eXample"}}, 101},
		{"a pattern", "https://chat.a.example", websocket.AcceptOptions{OriginPatterns: []string{"*.a.example"}}, 101},
		{"a pattern is for the whole host", "https://a.example.evil", websocket.AcceptOptions{OriginPatterns: []string{"a.example"}}, 403},
		{"a pattern is not for its end", "https://evila.example", websocket.AcceptOptions{OriginPatterns: []string{"a.example"}}, 403},
		{"a pattern needs its dot", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"*.a.example"}}, 403},
		{"a host with its port", "https://a.example:8443", websocket.AcceptOptions{OriginPatterns: []string{"a.example:8443"}}, 101},
		{"a port that is not in the pattern", "https://a.example:8443", websocket.AcceptOptions{OriginPatterns: []string{"a.example"}}, 403},
		{"any port", "https://a.example:8443", websocket.AcceptOptions{OriginPatterns: []string{"a.example:*"}}, 101},
		{"a scheme", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"https://a.example"}}, 101},
		{"another scheme", "http://a.example", websocket.AcceptOptions{OriginPatterns: []string{"https://a.example"}}, 403},
		{"any scheme", "chrome-extension://abc", websocket.AcceptOptions{OriginPatterns: []string{"chrome-*://abc"}}, 101},
		{"a user before the host", "https://a.example@evil.example", websocket.AcceptOptions{OriginPatterns: []string{"a.example*"}}, 403},
		{"no pattern", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{}}, 403},
		{"a malformed pattern", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"[a"}}, 500},
		{"a malformed pattern, though nobody needs it", "", websocket.AcceptOptions{OriginPatterns: []string{"https://a.example", "[a"}}, 500},
		{"a pattern with a slash behind", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"https://a.example/"}}, 500},
		{"a pattern with a path", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"a.example/chat"}}, 500},
		{"an IPv6 address", "http://[::1]:3000", websocket.AcceptOptions{OriginPatterns: []string{"[::1]:3000"}}, 101},
		{"a pattern with the default port", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{"https://a.example:443"}}, 101},
		{"null, by name", "null", websocket.AcceptOptions{OriginPatterns: []string{"null"}}, 101},
		{"null, among all", "null", websocket.AcceptOptions{OriginPatterns: []string{"*"}}, 101},
		{"null is not a host", "null", websocket.AcceptOptions{OriginPatterns: []string{"*.example", "null.example", "n?ll", ""}}, 403},
		{"an empty pattern", "https://a.example", websocket.AcceptOptions{OriginPatterns: []string{""}}, 403},
		{"CheckOrigin says yes", "http://evil.example", websocket.AcceptOptions{CheckOrigin: checkOrigin("http://evil.example", true)}, 101},
		{"CheckOrigin says no", "http://example.com", websocket.AcceptOptions{CheckOrigin: checkOrigin("http://example.com", false), InsecureSkipVerify: true, OriginPatterns: []string{"*"}}, 403},
		{"CheckOrigin without Origin", "", websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}, 403},
		{"no Origin", "", websocket.AcceptOptions{OriginPatterns: []string{"a.example"}}, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := rawClient(t, serveInMemory(t, echoOnce(&tt.options)))
				header := http.Header{}
				if tt.origin != "" {
					header.Set("Origin", tt.origin)
				}
				if resp := p.ClientHandshake("/", header); resp.StatusCode != tt.status {
					body, _ := io.ReadAll(resp.Body)
					t.Errorf("%s %q, want %d", resp.Status, body, tt.status)
				}
				p.Close()
			})
		})
	}
}

func TestAcceptSubprotocol(t *testing.T) {
	for _, tt := range []struct {
		name    string
		offered []string
		ours    []string
		preset  http.Header // set by the handler before
		want    string      // as the client spells it
	}{
		{name: "one", offered: []string{"chat"}, ours: []string{"chat"}, want: "chat"},
		{name: "the server's order wins", offered: []string{"a, b"}, ours: []string{"b", "a"}, want: "b"},
		{name: "in several fields", offered: []string{"a", "b, c"}, ours: []string{"c"}, want: "c"},
		{name: "in any case", offered: []string{"CHAT"}, ours: []string{"chat"}, want: "CHAT"},
		{name: "none in common", offered: []string{"a"}, ours: []string{"b"}},
		{name: "none offered", ours: []string{"a"}},
		{name: "none of ours", offered: []string{"a"}},
		{name: "empty names", offered: []string{"", ", ,"}, ours: []string{""}},
		{name: "an empty name of ours", offered: []string{"a"}, ours: []string{"", "a"}, want: "a"},
		{name: "not a token", offered: []string{"chat, base64.YWJj/+0="}, ours: []string{"base64.YWJj/+0="}, want: "base64.YWJj/+0="},
		{name: "a megabyte behind it", offered: []string{"chat" + strings.Repeat(",x", 400000)}, ours: []string{"y", "chat"}, want: "chat"},
		{name: "the handler's", offered: []string{"a, b"}, preset: http.Header{"Sec-Websocket-Protocol": {"b"}}, want: "b"},
		{name: "the handler's, spelled as in the RFC", offered: []string{"a, b"}, preset: http.Header{"Sec-WebSocket-Protocol": {" b "}}, want: "b"},
		{name: "the handler's, if the options have none", offered: []string{"a, b"}, ours: []string{"c"}, preset: http.Header{"Sec-Websocket-Protocol": {"b"}}, want: "b"},
		{name: "the options' before the handler's", offered: []string{"a, b"}, ours: []string{"a"}, preset: http.Header{"Sec-Websocket-Protocol": {"b"}}, want: "a"},
		{name: "the handler's is empty", offered: []string{"a"}, preset: http.Header{"Sec-Websocket-Protocol": {""}}},
	} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/wrapped=%t", tt.name, wrapped), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					got := make(chan string, 1)
					p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						for name, values := range tt.preset {
							w.Header()[name] = values
						}
						if wrapped {
							w = unwrapping{w}
						}
						c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: tt.ours})
						if err != nil {
							t.Error(err)
							close(got)
							return
						}
						got <- c.Subprotocol()
						c.CloseNow()
					})))
					resp := p.ClientHandshake("/", http.Header{"Sec-Websocket-Protocol": tt.offered})
					if got := <-got; got != tt.want {
						t.Errorf("Subprotocol is %q, want %q", got, tt.want)
					}
					var want []string
					if tt.want != "" {
						want = []string{tt.want}
					}
					if got := resp.Header["Sec-Websocket-Protocol"]; !slices.Equal(got, want) {
						t.Errorf("the answer has %q, want %q", got, want)
					}
					p.WantEOF("the end")
				})
			})
		}
	}
}

// TestAcceptSubprotocolMisused: what a handler sets and can't be sent is an error, not a smuggled line.
func TestAcceptSubprotocolMisused(t *testing.T) {
	for _, preset := range [][]string{{"a b"}, {"a, b"}, {"a", "b"}, {"a\r\nX-Injected: yes"}, {"a\x00"}, {"\x7f"}} {
		bubble(t, func(t *testing.T) {
			p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Sec-Websocket-Protocol"] = preset
				c, err := websocket.Accept(w, r, nil)
				if c != nil || err == nil || !strings.Contains(err.Error(), "the handler has set") {
					t.Errorf("%q: %v, %v", preset, c, err)
				}
			})))
			resp := p.ClientHandshake("/", nil)
			if resp.StatusCode != 500 || resp.Header["X-Injected"] != nil {
				t.Errorf("%q: %s, %v", preset, resp.Status, resp.Header)
			}
			p.Close()
		})
	}
}

func TestAcceptSendsHeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
			h.Set("X-Room", "blue")
			h.Set("X-Evil", "1\r\nX-Injected: yes\r\n\r\n\x81\x02hi")
			h["X-Evil: 1\r\nX-Injected"] = []string{"yes"}
			h.Set("Content-Length", "7")
			h.Set("Transfer-Encoding", "chunked")
			h.Set("Connection", "close")
			h.Set("Upgrade", "h2c")
			h.Set("Sec-WebSocket-Accept", "wrong")
			h.Set("Sec-WebSocket-Extensions", "permessage-deflate")
			h["sec-websocket-extensions"] = []string{"permessage-deflate"} // net/http sends these as they are spelled
			h["UPGRADE"] = []string{"h2c"}
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c.CloseNow()
		})))
		resp := p.ClientHandshake("/", nil)
		for name, want := range map[string][]string{
			"Set-Cookie":               {"a=1", "b=2"},
			"X-Room":                   {"blue"},
			"X-Evil":                   {"1  X-Injected: yes    \x81 hi"},
			"X-Injected":               nil,
			"Content-Length":           nil,
			"Transfer-Encoding":        nil,
			"Connection":               {"Upgrade"},
			"Upgrade":                  {"websocket"},
			"Sec-Websocket-Accept":     {wiretest.AcceptKey(wiretest.SampleKey)},
			"Sec-Websocket-Extensions": nil,
		} {
			if got := resp.Header[name]; !slices.Equal(got, want) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		p.WantEOF("the end")
	})
}

// TestAcceptKeepsEarlyFrames: a client may send frames before it has seen the answer.
func TestAcceptKeepsEarlyFrames(t *testing.T) {
	for _, size := range []int{5, 3000, 20000} {
		for _, dawdle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/dawdle=%t", size, dawdle), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					text := strings.Repeat("x", size)
					asked := make(chan struct{})
					p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						close(asked)
						if dawdle { // until the server, which looks whether the client goes, has read a byte of the frame
							time.Sleep(time.Second)
						}
						echoOnce(nil).ServeHTTP(w, r)
					})))
					frame := p.Encode(wiretest.Text(text))
					if dawdle {
						p.SendRaw([]byte(upgradeRequest))
						<-asked
						synctest.Wait()
						p.SendRaw(frame)
					} else {
						p.SendRaw(append([]byte(upgradeRequest), frame...))
					}
					if resp := p.ReadResponse(); resp.StatusCode != 101 {
						t.Fatal(resp.Status)
					}
					p.WantMessage("the early frame is not lost", wiretest.OpText, text)
					p.WantClose("nor is the end", 1000)
					p.Close()
				})
			})
		}
	}
}

func TestAcceptOverHTTP2(t *testing.T) {
	refused := make(chan error, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := websocket.Accept(w, r, nil)
		refused <- err
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if err := <-refused; resp.ProtoMajor != 2 || resp.StatusCode != 501 || err == nil || !strings.Contains(string(body), "HTTP/2.0") {
		t.Errorf("%s %s %q, %v; want 501 that says HTTP/2.0", resp.Proto, resp.Status, body, err)
	}
}

// TestAcceptOutlivesServerTimeouts: the time-outs of an http.Server are for requests, not for WebSockets.
func TestAcceptOutlivesServerTimeouts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ln := serverInMemory(t, &http.Server{
			Handler:     echoOnce(&websocket.AcceptOptions{KeepAlive: -1}),
			ReadTimeout: time.Second, WriteTimeout: time.Second, IdleTimeout: time.Second, ReadHeaderTimeout: time.Second,
		})
		p := rawClient(t, ln)
		p.ClientHandshake("/", nil)
		p.WantIdle("it lives on", time.Hour)
		p.SendText("hello")
		p.WantText("and works", "hello")
		p.WantClose("to its end", 1000)
		p.Close()
	})
}

// TestAcceptOptions: every option arrives where it works.
func TestAcceptOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var heard []string
		type key struct{}
		handled := make(chan struct{})
		ln := serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(context.WithValue(r.Context(), key{}, "value"))
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
				ReadLimit:  10,
				KeepAlive:  time.Minute,
				QueueLimit: -1,
				OnPingReceived: func(ctx context.Context, p []byte) bool {
					heard = append(heard, "ping "+string(p))
					return string(p) != "no"
				},
				OnPongReceived: func(ctx context.Context, p []byte) { heard = append(heard, "pong "+string(p)) },
			})
			if err != nil {
				t.Error(err)
				return
			}
			if c.LocalAddr().String() != "server:80" || c.RemoteAddr().String() != "client:1" {
				t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
			}
			if c.Context().Value(key{}) != "value" || c.Context().Value(http.ServerContextKey) == nil {
				t.Error("the context has not the request's values")
			}
			if err := c.TryWrite(websocket.MessageText, nil); err != websocket.ErrQueueFull {
				t.Errorf("TryWrite without a queue returned %v", err)
			}
			go func() {
				defer close(handled)
				_, _, err := c.Read(context.Background())
				if !errors.Is(err, websocket.ErrMessageTooBig) {
					t.Errorf("Read returned %v", err)
				}
			}()
		}))
		p := rawClient(t, ln)
		p.ClientHandshake("/", nil)
		p.SendPing("no")
		p.SendPing("yes")
		p.WantPong("OnPingReceived decides", "yes")
		p.SendPong("unasked")
		p.WantIdle("the keepalive is an option", time.Minute*3/4-time.Second)
		asked := time.Now()
		if f := p.ReadFrame("after that it pings"); f.Opcode != wiretest.OpPing {
			t.Errorf("got %v", f)
		}
		if took := time.Since(asked); took > time.Minute/4+time.Second {
			t.Errorf("it pings after another %v", took)
		}
		p.SendText("eleven byte")
		p.WantClose("the read limit is an option", 1009)
		p.Close()
		<-handled
		if want := []string{"ping no", "ping yes", "pong unasked"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

// takenAway is a ResponseWriter whose connection can be taken over, but not written to.
type takenAway struct {
	http.ResponseWriter
	conn net.Conn
}

func (w takenAway) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

func TestAcceptOnBrokenConnection(t *testing.T) {
	ours, theirs := memconn.Pipe(0)
	theirs.Close()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(upgradeRequest)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := websocket.Accept(takenAway{httptest.NewRecorder(), ours}, r, nil)
	if c != nil || err == nil || !strings.HasPrefix(err.Error(), "websocket: the handshake's answer was not sent: ") {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := ours.Read(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

// TestAcceptAnswered: after an earlier Accept or a write, Accept returns an error that says so, and writes nothing: neither to
// a connection that has become a WebSocket, nor behind a response.
func TestAcceptAnswered(t *testing.T) {
	for _, wrapped := range wrappers {
		for _, written := range []bool{false, true} {
			if written && strings.Contains(wrapped.name, "closures") {
				continue // nobody knows
			}
			t.Run(fmt.Sprintf("%s/written %t", wrapped.name, written), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					logged := &lockedBuffer{}
					result := make(chan error, 1)
					p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						outer := wrapped.wrap(w)
						if written {
							w.WriteHeader(http.StatusTeapot)
							_, err := websocket.Accept(outer, r, nil)
							result <- err
							return
						}
						first, err := websocket.Accept(outer, r, nil)
						if err != nil {
							t.Error(err)
						}
						_, err = websocket.Accept(outer, r, nil)
						result <- err
						first.Close(websocket.StatusNormalClosure, "")
					})}))
					resp := p.ClientHandshake("/", nil)
					if !written {
						p.WantClose("the WebSocket lives, and nothing else was written", 1000)
						p.SendClose(1000, "")
						p.WantEOF("the server closes TCP")
					} else if resp.StatusCode != http.StatusTeapot || resp.Header["Sec-Websocket-Accept"] != nil {
						t.Errorf("%s, %v", resp.Status, resp.Header)
					}
					if err := <-result; err == nil || !strings.Contains(err.Error(), "has been answered already") {
						t.Errorf("Accept returned %v", err)
					}
					p.Close()
					if logged.String() != "" && wrapped.name != "closures" { // which must be called to see
						t.Errorf("net/http complains: %s", logged)
					}
				})
			})
		}
	}
}

// TestAcceptAnsweredUnwrapped: a wrapper around a ResponseWriter that Accept was called for directly does not make the
// connection look like a new one: no WriteHeader, and no deadline for a connection that has become a WebSocket.
func TestAcceptAnsweredUnwrapped(t *testing.T) {
	for _, wrapped := range wrappers {
		if strings.Contains(wrapped.name, "closures") {
			continue // nobody knows
		}
		t.Run(wrapped.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				logged := &lockedBuffer{}
				result := make(chan error, 1)
				p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					first, err := websocket.Accept(w, r, nil)
					if err != nil {
						t.Error(err)
					}
					_, err = websocket.Accept(wrapped.wrap(w), r, nil)
					result <- err
					first.Close(websocket.StatusNormalClosure, "")
				})}))
				p.ClientHandshake("/", nil)
				p.WantClose("the WebSocket lives", 1000)
				p.SendClose(1000, "")
				p.WantEOF("the server closes TCP")
				if err := <-result; err == nil || !strings.Contains(err.Error(), "has been answered already") {
					t.Errorf("Accept returned %v", err)
				}
				p.Close()
				if logged.String() != "" {
					t.Errorf("net/http complains: %s", logged)
				}
			})
		})
	}
}

// TestAcceptAnsweredRefuses: a request that would be refused is not refused behind a response.
func TestAcceptAnsweredRefuses(t *testing.T) {
	for _, opts := range []*websocket.AcceptOptions{
		nil,
		{OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) { io.WriteString(w, "refused") }},
	} {
		bubble(t, func(t *testing.T) {
			logged := &lockedBuffer{}
			result := make(chan error, 1)
			p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "a page")
				_, err := websocket.Accept(w, r, opts)
				result <- err
			})}))
			p.SendRaw([]byte("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
			all, err := io.ReadAll(p.Conn)
			if err != nil || !strings.HasSuffix(string(all), "\r\n\r\na page") {
				t.Errorf("the client got %q, %v", all, err)
			}
			if err := <-result; err == nil || !strings.Contains(err.Error(), "has been answered already") {
				t.Errorf("Accept returned %v", err)
			}
			p.Close()
			if logged.String() != "" {
				t.Errorf("net/http complains: %s", logged)
			}
		})
	}
}

// TestAcceptSays: mistakes of the application are named as it knows them.
func TestAcceptSays(t *testing.T) {
	for _, tt := range []struct {
		request string
		opts    websocket.AcceptOptions
		want    string
	}{
		{upgradeRequest, websocket.AcceptOptions{CompressionMode: 9}, "websocket: the option CompressionMode is 9; use CompressionDisabled, CompressionContextTakeover or CompressionNoContextTakeover"},
		{upgradeRequest, websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}, "websocket: the handshake was refused with 403: the request has no Origin, and CheckOrigin does not allow that"},
		{withField("Origin:"), websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}, "websocket: the handshake was refused with 403: the request has no Origin, and CheckOrigin does not allow that"},
		{withField("Origin: null"), websocket.AcceptOptions{CheckOrigin: checkOrigin("null", false)}, `websocket: the handshake was refused with 403: CheckOrigin does not allow the Origin "null"`},
	} {
		bubble(t, func(t *testing.T) {
			result := make(chan error, 1)
			p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := websocket.Accept(w, r, &tt.opts)
				result <- err
			})))
			p.SendRaw([]byte(tt.request))
			p.ReadResponse()
			if err := <-result; err == nil || err.Error() != tt.want {
				t.Errorf("Accept returned %q, want %q", err, tt.want)
			}
			p.Close()
		})
	}
}

func TestIsWebSocketUpgrade(t *testing.T) {
	for _, tt := range []struct {
		header http.Header
		want   bool
	}{
		{http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, true},
		{http.Header{"Connection": {"keep-alive, UPGRADE"}, "Upgrade": {"WebSocket"}}, true},
		{http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}, false},
		{http.Header{"Connection": {"close"}, "Upgrade": {"websocket"}}, false},
		{http.Header{"Upgrade": {"websocket"}}, false},
		{http.Header{}, false},
		{nil, false},
	} {
		if got := websocket.IsWebSocketUpgrade(&http.Request{Header: tt.header}); got != tt.want {
			t.Errorf("%v: %t", tt.header, got)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	r := &http.Request{Header: http.Header{"Sec-Websocket-Protocol": {"chat , superchat", "v2"}}}
	if got := websocket.Subprotocols(r); !slices.Equal(got, []string{"chat", "superchat", "v2"}) {
		t.Errorf("%q", got)
	}
	if got := websocket.Subprotocols(&http.Request{}); len(got) != 0 {
		t.Errorf("%q of none", got)
	}
}

// TestAcceptCost: a header of a megabyte costs little more than net/http's reading of it.
func TestAcceptCost(t *testing.T) {
	for _, field := range []string{
		"Sec-WebSocket-Extensions: x" + strings.Repeat(",permessage-deflate;q", 47000),
		"Sec-WebSocket-Extensions: " + strings.Repeat("permessage-deflate;client_max_window_bits=7,", 22000),
		"Sec-WebSocket-Protocol: chat" + strings.Repeat(",x", 490000),
		"Connection: " + strings.Repeat(",", 980000),
		"Upgrade: " + strings.Repeat("x,", 490000),
		"Origin: http://" + strings.Repeat("[", 980000),
		"Sec-WebSocket-Version: " + strings.Repeat("8,", 490000),
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(withField(field))))
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := memconn.Pipe(0)
		defer theirs.Close()
		go io.Copy(io.Discard, theirs)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, _ := websocket.Accept(takenAway{httptest.NewRecorder(), ours}, r, &websocket.AcceptOptions{
			Subprotocols:    []string{"a", "b", "c", "d", "chat"},
			OriginPatterns:  []string{"*.example", "https://*.example"},
			CompressionMode: websocket.CompressionContextTakeover,
		})
		runtime.ReadMemStats(&after)
		if c != nil {
			c.CloseNow()
		}
		if garbage := after.TotalAlloc - before.TotalAlloc; garbage > 256<<10 {
			t.Errorf("%.40s: %d bytes of garbage", field, garbage)
		}
	}
}

// FuzzAccept sends whatever to a server: it is answered by HTTP, or accepted as RFC 6455 says; the server never panics.
func FuzzAccept(f *testing.F) {
	f.Add([]byte(upgradeRequest))
	f.Add([]byte(upgradeRequest + "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"))
	f.Add([]byte(withField("Origin: http://example.com\r\nSec-WebSocket-Protocol: a, chat\r\nSec-WebSocket-Extensions: permessage-deflate; x=\"\\\"")))
	f.Add([]byte(withField("Origin: http://[fe80::1%25]:80")))
	f.Add([]byte(without("HTTP/1.1", "HTTP/1.0")))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))

	var logged bytes.Buffer
	var mu sync.Mutex
	ln := serverInMemory(f, &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, OriginPatterns: []string{"*.example.com", "https://*"}})
			if (c == nil) == (err == nil) {
				panic(fmt.Sprint("Accept returned ", c, err))
			}
			if c != nil {
				c.CloseNow()
			}
		}),
		ErrorLog: log.New(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return logged.Write(p)
		}), "", 0),
	})
	f.Fuzz(func(t *testing.T, request []byte) {
		conn, err := ln.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			conn.Write(request) // it may be too much for a server that has refused it
			conn.CloseWrite()
		}()
		answer, err := io.ReadAll(conn)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("the server does not come to an end: %v", err)
		}
		mu.Lock()
		said := logged.String()
		logged.Reset()
		mu.Unlock()
		if strings.Contains(said, "panic") {
			t.Fatal(said)
		}
		if len(answer) == 0 {
			return // the request was not whole
		}
		r, bad := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), r)
		if err != nil {
			t.Fatalf("%q is no HTTP: %v", answer, err)
		}
		if resp.StatusCode != 101 {
			if resp.StatusCode < 400 && resp.StatusCode != 100 {
				t.Fatalf("refused with %s", resp.Status)
			}
			return
		}
		if bad != nil {
			t.Fatalf("%q was accepted: %v", request, bad)
		}
		if got, want := resp.Header.Get("Sec-WebSocket-Accept"), wiretest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")); got != want {
			t.Fatalf("accepted with %q, want %q", got, want)
		}
		if r.Method != "GET" || r.Header.Get("Sec-WebSocket-Version") != "13" || len(r.Header["Sec-Websocket-Key"]) != 1 {
			t.Fatalf("%q was accepted", request)
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
