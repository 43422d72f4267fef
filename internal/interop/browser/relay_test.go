package browser

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A relay stands between a page and a server, and notes what the messages of
// WebSockets look like on the wire. The server has a TCP connection as it would
// have without.
type relay struct {
	url    string
	server string // address

	mu    sync.Mutex
	pairs []*streams
}

// streams are the two directions of a connection.
type streams struct{ page, server stream }

func startRelay(t *testing.T, url string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	r := &relay{url: "http://" + ln.Addr().String(), server: strings.TrimPrefix(url, "http://")}
	go func() {
		for {
			page, err := ln.Accept()
			if err != nil {
				return
			}
			go r.pass(page)
		}
	}()
	return r
}

func (r *relay) pass(page net.Conn) {
	defer page.Close()
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		return // the page reports it
	}
	defer server.Close()
	pair := new(streams)
	r.mu.Lock()
	r.pairs = append(r.pairs, pair)
	r.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range []struct {
		from, to net.Conn
		noted    *stream
	}{{page, server, &pair.page}, {server, page, &pair.server}} {
		both.Go(func() {
			io.Copy(way.to, io.TeeReader(way.from, way.noted))
			way.to.(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}

// webSocket returns the streams of the only WebSocket there was.
func (r *relay) webSocket(t *testing.T) *streams {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*streams
	for _, pair := range r.pairs {
		pair.server.mu.Lock()
		if strings.HasPrefix(pair.server.head, "HTTP/1.1 101 ") {
			found = append(found, pair)
		}
		pair.server.mu.Unlock()
	}
	if len(found) != 1 {
		t.Fatalf("%d WebSockets were opened, want 1", len(found))
	}
	return found[0]
}

// A stream takes apart what one end of a WebSocket sends.
type stream struct {
	mu       sync.Mutex
	rest     []byte // what has not been taken apart
	head     string // of the request or the response; "" before its end
	messages []sent
	open     bool // the last of messages is not complete
}

// sent is what a message was on the wire.
type sent struct {
	size       int // of its payload
	compressed bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = append(s.rest, p...)
	if s.head == "" {
		head, rest, whole := bytes.Cut(s.rest, []byte("\r\n\r\n"))
		if !whole {
			return len(p), nil
		}
		s.head, s.rest = string(head)+"\r\n", rest
	}
	if !strings.Contains(s.head, "\r\nSec-WebSocket-") {
		s.rest = nil // other HTTP
	}
	for s.frame() {
	}
	return len(p), nil
}

// frame takes a frame off, if there is a whole one.
func (s *stream) frame() bool {
	h, n := wiretest.ParseHeader(s.rest)
	if n == 0 || uint64(len(s.rest)-n) < h.Length {
		return false
	}
	if !h.Control() {
		if !s.open {
			s.messages = append(s.messages, sent{compressed: h.RSV1})
		}
		s.messages[len(s.messages)-1].size += int(h.Length)
		s.open = !h.FIN
	}
	s.rest = s.rest[n+int(h.Length):]
	return true
}

// field returns a header field of the request or the response.
func (s *stream) field(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.head) {
		key, value, _ := strings.Cut(line, ":")
		if http.CanonicalHeaderKey(key) == http.CanonicalHeaderKey(name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// sent returns the messages that went this way.
func (s *stream) sent() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}
