package http2_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestOrderlyEnd: a client that has closed in order ends its stream by END_STREAM (RFC 8441, section 5), and one that gives up resets it.
// Servers count resets.
func TestOrderlyEnd(t *testing.T) {
	for range 20 {
		for _, orderly := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan string, 2)
				s := &refuser{answer: func(_ int, h [9]byte) []byte { return frame(headersType, 4, h, status200) }}
				s.hears = func(h [9]byte) []byte {
					switch {
					case h[3] == resetType:
						end <- "RST_STREAM"
					case h[4]&1 != 0:
						end <- "END_STREAM"
					default: // its Close
						return append(frame(dataType, 0, h, 0x88, 2, 3, 0xe8), frame(dataType, 1, h)...)
					}
					return nil
				}
				transport := s.transport(0)
				c, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport))
				if err != nil {
					t.Fatal(err)
				}
				want := "END_STREAM"
				if orderly {
					if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
						t.Error(err)
					}
				} else {
					want = "RST_STREAM"
					c.CloseNow()
				}
				got := <-end
				if !orderly && got == "END_STREAM" { // net/http may be as quick with that
					got = <-end
				}
				if got != want {
					t.Errorf("orderly %v: the client sent %s", orderly, got)
				}
				synctest.Wait()
				if len(end) > 0 {
					t.Errorf("and then %s", <-end)
				}
				transport.CloseIdleConnections()
			})
		}
	}
}

// TestStuckServer: a server takes nothing more of the whole HTTP/2 connection. Its client's calls return all the same, on each of the
// connection's WebSockets.
func TestStuckServer(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, c *websocket.Conn){
		"CloseNow": func(t *testing.T, c *websocket.Conn) { c.CloseNow() },
		"Close": func(t *testing.T, c *websocket.Conn) {
			if err := c.Close(websocket.StatusNormalClosure, ""); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Close gave %v", err)
			}
		},
		"CloseOnCancel": func(t *testing.T, c *websocket.Conn) {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			if _, _, err := c.Read(ctx); err != context.DeadlineExceeded {
				t.Errorf("Read gave %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // not in a bubble: net/http waits for the connection at a mutex
			free := make(chan struct{})
			defer close(free)
			s := &refuser{answer: func(_ int, h [9]byte) []byte {
				return append(frame(headersType, 4, h, status200), frame(dataType, 0, h, 0x81, 1)...) // and half a message, which stays unread
			}}
			s.hears = func([9]byte) []byte { <-free; return nil }
			transport := s.transport(0)
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				client, server := memconn.Pipe(4 << 10)
				go s.serve(server)
				return client, nil
			}
			opts := dialled(transport)
			opts.CloseTimeout, opts.CloseOnCancel = time.Second, true
			var all []*websocket.Conn
			for range 3 {
				c, _, err := websocket.Dial(bg, "ws://server.example", opts)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
			}
			if n := s.conns.Load(); n != 1 {
				t.Fatalf("there are %d connections", n)
			}
			ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
			defer cancel()
			if err := all[0].Write(ctx, websocket.MessageBinary, make([]byte, 1<<20)); err == nil {
				t.Error("the server takes everything")
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for _, c := range all[1:] {
					call(t, c)
				}
				all[0].CloseNow()
			}()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Error("a call has not returned for 20 seconds")
			}
		})
	}
}

// TestClosedIsFree: when Close has returned, the stream's place is free, and the connection is idle if it has no other.
func TestClosedIsFree(t *testing.T) {
	s := httptest.NewUnstartedServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }))
	s.EnableHTTP2, s.Config.HTTP2 = true, &http.HTTP2Config{MaxConcurrentStreams: 1}
	s.StartTLS()
	defer s.Close()
	var dials atomic.Int32
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	defer transport.CloseIdleConnections()
	for range 100 {
		c, _, err := websocket.Dial(bg, "wss"+strings.TrimPrefix(s.URL, "https"), dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
	}
	if n := dials.Load(); n > 2 { // one more if a busy machine takes longer than Close waits
		t.Errorf("there were %d connections", n)
	}
}
