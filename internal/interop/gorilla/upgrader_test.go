package gorilla

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	theirs "github.com/gorilla/websocket"
)

const upgradeRequest = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// TestUpgrader: a request has the same answer, header fields included, and Upgrade returns the same. The exceptions are where
// ours obeys the RFC, or takes more.
func TestUpgrader(t *testing.T) {
	with := func(field string) string { return upgradeRequest + field + "\r\n" }
	in := func(old, new string) string { return strings.Replace(upgradeRequest, old, new, 1) }
	header := func(name string, values ...string) http.Header { return http.Header{name: values} }
	speaks := func(names ...string) theirs.Upgrader { return theirs.Upgrader{Subprotocols: names} }
	compresses := theirs.Upgrader{EnableCompression: true}
	const protocol = "Sec-Websocket-Protocol"
	for _, tt := range []struct {
		name, request string
		upgrader      theirs.Upgrader
		header        http.Header
		differs       string
	}{
		{name: "plain", request: upgradeRequest},
		{name: "HTTP/1.0", request: in("1.1", "1.0"), differs: "400: the request is of HTTP/1.0"},
		{name: "POST", request: in("GET", "POST")},
		{name: "an empty body", request: with("Content-Length: 0")},
		{name: "a body", request: with("Content-Length: 2") + "\r\n", differs: "400: the request has a body"},
		{name: "no Upgrade", request: in("Upgrade: websocket\r\n", "")},
		{name: "no Connection", request: in("Connection: Upgrade\r\n", "")},
		{name: "tokens in lists, in capitals", request: strings.NewReplacer("Connection: Upgrade", "Connection: keep-alive, UPGRADE", "websocket", "foo, WebSocket").Replace(upgradeRequest)},
		{name: "a token with a version", request: in("websocket", "websocket/13")},
		{name: "a token with a parameter", request: in("Connection: Upgrade", `Connection: "a,b", upgrade;q=1`)},
		{name: "a token with the Kelvin sign", request: in("websocket", "websoc\u212aet")},

		{name: "no key", request: in("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")},
		{name: "a short key", request: in("dGhl", "")},
		{name: "two keys", request: with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), differs: "400: there are 2 Sec-WebSocket-Key"},
		{name: "another version", request: in("13", "12")},
		{name: "a list of versions", request: in("13", "8, 13"), differs: "unsupported version: 13 not found"},
		{name: "two versions", request: with("Sec-WebSocket-Version: 8"), differs: "unsupported version: 13 not found"},

		{name: "its own Origin", request: with("Origin: http://x")},
		{name: "its own Origin in capitals", request: with("Origin: http://X")},
		{name: "its own Origin with a port", request: with("Origin: http://x:80")},
		{name: "another Origin", request: with("Origin: http://y")},
		{name: "another Origin, allowed", request: with("Origin: http://y"), upgrader: theirs.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}},
		{name: "an opaque Origin", request: with("Origin: null")},
		{name: "an Origin that is the Kelvin sign", request: strings.Replace(with("Origin: http://\u212a"), "Host: x", "Host: k", 1)},

		{name: "the server's order of subprotocols", request: with(protocol + ": a, b"), upgrader: speaks("b", "a")},
		{name: "a subprotocol in another case", request: with(protocol + ": A"), upgrader: speaks("a")},
		{name: "subprotocols in two lines", request: with(protocol + ": a\r\n" + protocol + ": b"), upgrader: speaks("b", "a")},
		{name: "no subprotocol in common, and one in the header", request: with(protocol + ": a"), upgrader: speaks("b"), header: header(protocol, "z")},
		{name: "a subprotocol in the header", request: with(protocol + ": a, b"), header: header(protocol, "b")},
		{name: "one in the header that was not offered", request: upgradeRequest, header: header(protocol, "b")},
		{name: "two in the header", request: with(protocol + ": a, b"), header: header(protocol, "b", "a")},
		{name: "a list in the header", request: with(protocol + ": a, b"), header: header(protocol, "a, b"), differs: "500 Internal"},
		{name: "an empty list of the server's", request: with(protocol + ": a, b"), upgrader: speaks([]string{}...), header: header(protocol, "b")},
		{name: "a subprotocol that is not a token", request: with(protocol + ": a/b c"), upgrader: speaks("a/b c"), differs: "400: Sec-WebSocket-Protocol has"},
		{name: "one that is none but is in use", request: with(protocol + ": base64.YWI/+="), upgrader: speaks("base64.YWI/+=")},

		{name: "header fields", request: upgradeRequest, header: http.Header{"Set-Cookie": {"a=b", "c=d"}, "x-lower": {"1\r\nInjected: 2"}, "Date": {"now"}}},
		{name: "extensions in the header", request: upgradeRequest, header: header("Sec-Websocket-Extensions", "foo")},
		{name: "permessage-deflate", request: with("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), upgrader: compresses},
		{name: "permessage-deflate, malformed", request: with("Sec-WebSocket-Extensions: permessage-deflate; ;;"), upgrader: compresses},
		{name: "permessage-deflate, not enabled", request: with("Sec-WebSocket-Extensions: permessage-deflate")},
		{name: "permessage-deflate with a window", request: with("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10"), upgrader: compresses, differs: "server_max_window_bits=10"},
		{name: "another extension", request: with("Sec-WebSocket-Extensions: x-webkit-deflate-frame"), upgrader: compresses},
		{name: "a frame behind the request", request: upgradeRequest + "\r\n\x81\x85\x00\x00\x00\x00early", differs: "101 Switching Protocols"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t, tt.differs, func(t *testing.T, s side) string {
				upgraded := make(chan string, 1)
				handler := func(w http.ResponseWriter, r *http.Request) {
					defer close(upgraded)
					c, err := s.upgrade(tt.upgrader, w, r, tt.header)
					if err != nil {
						upgraded <- described(err)
						return
					}
					defer c.Close()
					upgraded <- fmt.Sprintf("subprotocol %q", c.Subprotocol())
				}
				return answer(t, handler, tt.request+"\r\n") + "; Upgrade: " + <-upgraded
			})
		})
	}
}

// answer sends a request to a handler, and writes down the response.
func answer(t *testing.T, handler http.HandlerFunc, request string) string {
	server := httptest.NewServer(handler)
	defer server.Close()
	nc, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(nc, request)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return described(err)
	}
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ = io.ReadAll(resp.Body)
	}
	return fmt.Sprintf("%s, %s, %q", resp.Status, fields(resp.Header), body)
}

// hijackOnly is a ResponseWriter whose other methods panic.
type hijackOnly struct {
	http.ResponseWriter // nil
	http.Hijacker
}

// headless has no header.
type headless struct{ hijackOnly }

func (headless) Header() http.Header { return nil }

// hijackFails is a wrapper as middleware makes it around a ResponseWriter that is no Hijacker.
type hijackFails struct{ http.ResponseWriter }

func (hijackFails) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("not a Hijacker")
}

// TestWriters: Upgrade takes the same ResponseWriters, and says the same of others.
func TestWriters(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wrap    func(w http.ResponseWriter) http.ResponseWriter
		differs string
	}{
		{"it only hijacks", func(w http.ResponseWriter) http.ResponseWriter { return hijackOnly{nil, w.(http.Hijacker)} }, ""},
		{"its header is nil", func(w http.ResponseWriter) http.ResponseWriter { return headless{hijackOnly{nil, w.(http.Hijacker)}} }, ""},
		{"it can't be hijacked", func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} }, ""},
		{"it fails to hijack", func(w http.ResponseWriter) http.ResponseWriter { return hijackFails{w} }, "failed behind its WriteHeader"}, // 500 in both
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t, tt.differs, func(t *testing.T, s side) string {
				upgraded := make(chan string, 1)
				handler := func(w http.ResponseWriter, r *http.Request) {
					defer close(upgraded)
					c, err := s.upgrade(theirs.Upgrader{}, tt.wrap(w), r, http.Header{"X-Room": {"blue"}})
					upgraded <- described(err)
					if err == nil {
						c.Close()
					}
				}
				return answer(t, handler, upgradeRequest+"\r\n") + "; Upgrade: " + <-upgraded
			})
		})
	}
}
