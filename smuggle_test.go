package websocket_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// This file has what may come from strangers through an application: names and values of header fields. None of
// them can begin another line.

// checkLines reports whether the head of a request or response has each field of once at most once, and no field
// but those, the others, and the one that was set.
func checkLines(t *testing.T, head, set string, once, others []string) {
	t.Helper()
	seen := map[string]int{}
	for line := range strings.SplitSeq(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n") {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q has a line %q", head, line)
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok {
			continue // the first line
		}
		name = http.CanonicalHeaderKey(name)
		seen[name]++
		if !slices.Contains(once, name) && !slices.Contains(others, name) && name != http.CanonicalHeaderKey(set) {
			t.Errorf("%q has the field %s, the application set %q", head, name, set)
		}
	}
	for _, name := range once {
		if seen[name] > 1 {
			t.Errorf("%q has %d fields %s", head, seen[name], name)
		}
	}
}

func addSmuggling(f *testing.F) {
	f.Add("X-Room", "blue", "chat")
	f.Add("X-Evil", "1\r\nX-Injected: yes\r\n\r\n", "a\r\nX-Injected: yes")
	f.Add("X-Evil: 1\r\nX-Injected", "yes", "a, b")
	f.Add("content-length", "5", "")
	f.Add("TRANSFER-ENCODING", "chunked", "a\x00")
	f.Add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "\x7f")
	f.Add("sec-websocket-protocol", "b\r\nX-Injected: yes", "")
	f.Add("Host", "evil.example\r\nX-Injected: yes", "a")
	f.Add("connection", "close", "a=/+")
}

// FuzzDialLines: a request has its own fields once, and no line that was smuggled in.
func FuzzDialLines(f *testing.F) {
	addSmuggling(f)
	f.Fuzz(func(t *testing.T, name, value, protocol string) {
		ln := memconn.Listen()
		defer ln.Close()
		opts := &websocket.DialOptions{
			HTTPClient:   &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}},
			HTTPHeader:   http.Header{name: {value}},
			Subprotocols: []string{protocol},
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		go func() {
			defer ln.Close()
			conn, err := ln.Accept()
			if err != nil {
				return // nothing was sent
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			var head strings.Builder
			r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &head)))
			if head.Len() == 0 {
				return // net/http found fault with a field before it sent anything
			}
			if err != nil {
				// A Host that a server refuses is the caller's own.
				if !strings.Contains(err.Error(), "Host") {
					t.Errorf("%q: %v", head.String(), err)
				}
				return
			}
			if r.ContentLength != 0 || r.TransferEncoding != nil || !websocket.IsWebSocketUpgrade(r) || r.RequestURI != "/" {
				t.Errorf("%q has a body, or is not an upgrade", head.String())
			}
			checkLines(t, head.String(), name,
				[]string{"Host", "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"},
				[]string{"User-Agent", "Accept-Encoding"})
		}()
		c, _, err := websocket.Dial(ctx, "ws://example.com/", opts)
		if c != nil || err == nil || ctx.Err() != nil {
			t.Errorf("%v, %v", c, err)
		}
	})
}

// FuzzAcceptLines: the same for the answer, by net/http's own ResponseWriter and by a wrapped one.
func FuzzAcceptLines(f *testing.F) {
	addSmuggling(f)
	f.Fuzz(func(t *testing.T, name, value, protocol string) {
		for _, wrapped := range []bool{false, true} {
			ln := memconn.Listen()
			server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()[name] = []string{value}
				if protocol != "" {
					w.Header()["Sec-WebSocket-Protocol"] = []string{protocol}
				}
				if wrapped {
					w = unwrapping{w}
				}
				if c, err := websocket.Accept(w, r, nil); err == nil {
					c.CloseNow()
				}
			})}
			go server.Serve(ln)
			conn, err := ln.Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(conn, upgradeRequest)
			head := readHead(t, conn)
			checkLines(t, head, name,
				[]string{"Connection", "Upgrade", "Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Date", "Content-Length"},
				[]string{"Content-Type", "X-Content-Type-Options"})
			if _, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil); err != nil && strings.HasPrefix(head, "HTTP/1.1 101") {
				t.Errorf("wrapped=%t: %q: %v", wrapped, head, err)
			}
			conn.Close()
			server.Close()
		}
	})
}
