package gorilla

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	theirs "github.com/gorilla/websocket"
)

// A reply is what a server answers to a handshake: the bytes, for the Sec-WebSocket-Accept that belongs to the key.
type reply func(accept string) string

// accepts is a valid answer with more fields.
func accepts(more ...string) reply {
	return func(accept string) string {
		head := append([]string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + accept}, more...)
		return strings.Join(head, "\r\n") + "\r\n\r\n"
	}
}

// text is always the same answer.
func text(s string) reply { return func(string) string { return s } }

// TestDialer: Dial sends the same request, takes and refuses the same answers, and returns the same response and error. The
// exceptions are where ours obeys the RFC, or takes more.
func TestDialer(t *testing.T) {
	plain := theirs.Dialer{}
	offers := theirs.Dialer{Subprotocols: []string{"a", "b"}}
	compresses := theirs.Dialer{EnableCompression: true}
	shared := theirs.Dialer{TLSClientConfig: &tls.Config{NextProtos: []string{"h2"}}}
	const protocol, extensions, both = "Sec-WebSocket-Protocol: ", "Sec-WebSocket-Extensions: ", "; server_no_context_takeover; client_no_context_takeover"
	for _, tt := range []struct {
		name, path string
		dialer     theirs.Dialer
		header     http.Header
		reply      reply
		differs    string
	}{
		{name: "plain", path: "/p?q=1#fragment", dialer: plain, reply: accepts()},
		{name: "without a path", dialer: plain, reply: accepts()},
		{name: "only a query", path: "?a=b", dialer: plain, reply: accepts()},
		{name: "header fields", dialer: plain, reply: accepts(), header: http.Header{
			"Host": {"other.example"}, "User-Agent": {"me"}, "x-lower": {"1", "2"}, "Origin": {"http://o"}, "Cookie": {"a=b"}}},
		{name: "a line break in a field", dialer: plain, reply: accepts(), header: http.Header{"Authorization": {" Bearer x\r\n"}, "X": {"a\nb"}}},
		{name: "a field whose name is not a token", dialer: plain, reply: accepts(), header: http.Header{"X y": {"a"}, "X-": {}}},
		{name: "a field of the handshake", dialer: plain, header: http.Header{"Upgrade": {"x"}}, reply: accepts()},

		{name: "a subprotocol", dialer: offers, reply: accepts(protocol + "b")},
		{name: "one in another case", dialer: offers, reply: accepts(protocol + "B")},
		{name: "one that was not offered", dialer: offers, reply: accepts(protocol + "z")},
		{name: "one, and none was offered", dialer: plain, reply: accepts(protocol + "z")},
		{name: "two", dialer: offers, reply: accepts(protocol+"b", protocol+"a")},
		{name: "one of the header's", dialer: plain, header: http.Header{"Sec-Websocket-Protocol": {"x, y"}}, reply: accepts(protocol + "y")},
		{name: "one of the header's, in the RFC's spelling", dialer: plain, header: http.Header{"Sec-WebSocket-Protocol": {"x"}}, reply: accepts(protocol + "x")},
		{name: "the header's beside the option's", dialer: offers, header: http.Header{"Sec-Websocket-Protocol": {"x"}}, reply: accepts()},
		{name: "a space in one", dialer: theirs.Dialer{Subprotocols: []string{"a b"}}, reply: accepts(), differs: `the subprotocol "a b" has`},

		{name: "compression", dialer: compresses, reply: accepts(extensions + "permessage-deflate" + both)},
		{name: "compression refused", dialer: compresses, reply: accepts()},
		{name: "compression without a promise for the client", dialer: compresses, reply: accepts(extensions + "permessage-deflate; server_no_context_takeover"), differs: "written <nil>"},
		{name: "compression without one for the server", dialer: compresses, reply: accepts(extensions + "permessage-deflate; client_no_context_takeover")},
		{name: "compression that was not offered", dialer: plain, reply: accepts(extensions + "permessage-deflate" + both), differs: "invalid compression negotiation"},
		{name: "another extension", dialer: compresses, reply: accepts(extensions + "foo"), differs: "invalid compression negotiation"},

		{name: "the wrong Accept", dialer: plain, reply: func(string) string { return accepts()("x") }},
		{name: "the wrong Accept with compression", dialer: compresses, reply: func(string) string { return accepts(extensions + "permessage-deflate" + both)("x") }},
		{name: "no Upgrade", dialer: plain, reply: func(accept string) string { return strings.Replace(accepts()(accept), "Upgrade: websocket\r\n", "", 1) }},
		{name: "HTTP/1.0", dialer: plain, reply: func(accept string) string { return strings.Replace(accepts()(accept), "1.1", "1.0", 1) }},
		{name: "200", dialer: plain, reply: text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello")},
		{name: "403 with a long body", dialer: plain, reply: text("HTTP/1.1 403 Forbidden\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000))},
		{name: "401 until the end", dialer: plain, reply: text("HTTP/1.1 401 Unauthorized\r\n\r\nbody\x00")},
		{name: "302", dialer: plain, reply: text("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")},
		{name: "302 to nowhere", dialer: plain, reply: text("HTTP/1.1 302 Found\r\nLocation: :::\r\nContent-Length: 2\r\n\r\nhi")},
		{name: "302 without a Location", dialer: plain, reply: text("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi")},
		{name: "an interim response", dialer: plain, reply: func(accept string) string { return "HTTP/1.1 103 Early Hints\r\n\r\n" + accepts()(accept) }, differs: "written <nil>"},
		{name: "not HTTP", dialer: plain, reply: text("nonsense\r\n\r\n\x00")},
		{name: "half a header", dialer: plain, reply: text("HTTP/1.1 101 Switching Protocols\r\nUpgr\x00")},
		{name: "not HTTP, and a configuration with h2", dialer: shared, reply: text("nonsense\r\n\r\n\x00"), differs: "is the tls.Config shared"},
		{name: "the end", dialer: plain, reply: text("\x00")},
		{name: "nothing", dialer: theirs.Dialer{HandshakeTimeout: 20 * time.Millisecond}, reply: text("")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t, tt.differs, func(t *testing.T, s side) string {
				addr, requests := replies(t, tt.reply)
				said := dialled(s.dial(tt.dialer, "ws://"+addr+tt.path, tt.header))
				select {
				case r := <-requests:
					delete(r.Header, "Sec-Websocket-Key")
					return fmt.Sprintf("%s %s %s; %s", r.RequestURI, strings.Replace(r.Host, addr, "addr", 1), fields(r.Header), said)
				default:
					return said
				}
			})
		})
	}
}

// replies answers handshakes. The connection is closed behind an answer that ends with a NUL, which is not sent.
func replies(t *testing.T, with reply) (addr string, requests <-chan *http.Request) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	got := make(chan *http.Request, 10)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				br := bufio.NewReader(nc)
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				hash := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				got <- r
				answer, ends := strings.CutSuffix(with(base64.StdEncoding.EncodeToString(hash[:])), "\x00")
				io.WriteString(nc, answer)
				if !ends {
					io.Copy(io.Discard, br)
				}
			}()
		}
	}()
	return ln.Addr().String(), got
}

// dialled writes down what Dial has returned.
func dialled(c end, resp *http.Response, err error) string {
	said := described(err)
	if resp != nil {
		delete(resp.Header, "Sec-Websocket-Accept")
		body, bodyErr := io.ReadAll(resp.Body)
		said += fmt.Sprintf("; %s, %s, %.20q of %d (%v)", resp.Status, fields(resp.Header), body, len(body), bodyErr)
	}
	if err == nil {
		said += fmt.Sprintf("; subprotocol %q on a %T, written %v", c.Subprotocol(), c.NetConn(), c.WriteMessage(theirs.TextMessage, []byte("x")))
		c.Close()
	}
	return said
}

// TestDialerFails: the errors of what Dial calls are returned as they are.
func TestDialerFails(t *testing.T) {
	failure := errors.New("my error")
	for name, d := range map[string]theirs.Dialer{
		"NetDial":           {NetDial: func(string, string) (net.Conn, error) { return nil, failure }},
		"NetDialContext":    {NetDialContext: func(context.Context, string, string) (net.Conn, error) { return nil, failure }},
		"NetDialTLSContext": {NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, failure }},
		"Proxy":             {Proxy: func(*http.Request) (*url.URL, error) { return nil, failure }},
		"NetDial, and a configuration with h2": {
			NetDial:         func(string, string) (net.Conn, error) { return nil, failure },
			TLSClientConfig: &tls.Config{NextProtos: []string{"h2"}},
		},
		"the way to the proxy": {
			Proxy:   func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.example") },
			NetDial: func(string, string) (net.Conn, error) { return nil, failure },
		},
	} {
		for _, scheme := range []string{"ws", "wss"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				beside(t, "", func(t *testing.T, s side) string {
					_, resp, err := s.dial(d, scheme+"://127.0.0.1:1", nil)
					return fmt.Sprint(described(err), err == failure, resp != nil)
				})
			})
		}
	}
}

// TestDialerTimeout: when HandshakeTimeout is over, the error is that of a read, whichever of the context and the connection's
// deadline ends first.
func TestDialerTimeout(t *testing.T) {
	addr, _ := replies(t, text(""))
	for range 10 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		there := func(string, string) (net.Conn, error) { return nc, nil }
		_, _, err = ourSide.dial(theirs.Dialer{NetDial: there, HandshakeTimeout: 30 * time.Millisecond}, "ws://"+addr, nil)
		if op, ok := err.(*net.OpError); !ok || op.Op != "read" || !op.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s", described(err))
		}
	}
}
