package http2_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestDialMany: many Dials at once to a server that allows few streams on a connection get one each, and stay open together. The
// connections that this takes are not many more than those that are needed and those that net/http dials at first, when nobody knows
// yet how many streams there are.
func TestDialMany(t *testing.T) {
	for name, tt := range map[string]struct{ streams, idle int }{
		"one stream":                      {1, 0},
		"ten streams":                     {10, 0},
		"one stream, MaxIdleConnsPerHost": {1, 100}, // net/http tries those that it keeps one by one
	} {
		t.Run(name, func(t *testing.T) {
			var accepted *atomic.Int32
			onBoth(t, websocket.Handler(nil, echo), func(s *http.Server) {
				accepted = new(atomic.Int32)
				s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: tt.streams}
				s.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateNew {
						accepted.Add(1)
					}
				}
			}, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
				transport.MaxIdleConnsPerHost = tt.idle
				count := 300
				if s.TLS != nil {
					count = 60 // the handshakes of TLS take long with the race detector
				}
				ctx, cancel := context.WithTimeout(bg, time.Minute)
				defer cancel()
				begun := time.Now()
				conns := make([]*websocket.Conn, count)
				var dialling sync.WaitGroup
				for i := range conns {
					opts := dialled(transport)
					if i%2 == 0 {
						opts.HTTP2 = websocket.HTTP2Try
					}
					dialling.Go(func() {
						c, _, err := websocket.Dial(ctx, s.URL, opts)
						if err != nil {
							t.Error(err)
							return
						}
						conns[i] = c
					})
				}
				dialling.Wait()
				t.Logf("%d connections in %v", accepted.Load(), time.Since(begun))
				if n := int(accepted.Load()); n > 4*count {
					t.Errorf("the server has seen %d connections", n)
				}
				for _, c := range conns {
					if c == nil {
						continue
					}
					if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
						t.Fatal(err)
					}
				}
				for _, c := range conns {
					if c == nil {
						continue
					}
					if _, p, err := c.Read(ctx); err != nil || string(p) != "hello" {
						t.Fatalf("%q, %v", p, err)
					}
					c.CloseNow()
				}
			})
		})
	}
}

// TestDialNoStreams: many Dials at once to a server that allows no streams at all fail together, after few connections for so many.
func TestDialNoStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100
		s := &refuser{settings: []byte{0, 3, 0, 0, 0, 0}}
		transport := s.transport(time.Millisecond)
		defer transport.CloseIdleConnections()
		begun := time.Now()
		var dialling sync.WaitGroup
		for range count {
			dialling.Go(func() {
				_, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport))
				if err == nil || !strings.Contains(err.Error(), "SETTINGS_MAX_CONCURRENT_STREAMS") {
					t.Errorf("Dial: %v", err)
				}
			})
		}
		dialling.Wait()
		if took, conns := time.Since(begun), s.conns.Load(); took > 4*time.Second || conns > 3*count+30 {
			t.Errorf("it took %v and %d connections", took, conns)
		}
	})
}

// TestDialHeldUp: Dials wait for a stream. One of them dials without end, and another gets a stream all the same; the context of one
// that waits ends, and so does its Dial, at once.
func TestDialHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const none, hangs, free = 0, 1, 2
		var state atomic.Int32
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer func() {
			synctest.Wait() // net/http may have dialled one more
			transport.CloseIdleConnections()
		}()
		released := make(chan struct{})
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			streams := byte(0)
			if state.CompareAndSwap(hangs, free) {
				<-released
			}
			if state.Load() == free {
				streams = 1
			}
			s := &refuser{settings: []byte{0, 3, 0, 0, 0, streams}, answer: func(_ int, h [9]byte) []byte {
				return frame(headersType, 4, h, status200)
			}}
			client, server := memconn.Pipe(0)
			go s.serve(server)
			return client, nil
		}
		dial := func(ctx context.Context, errs chan<- error) {
			c, _, err := websocket.Dial(ctx, "ws://server.example", dialled(transport))
			if err == nil {
				c.CloseNow()
			}
			errs <- err
		}
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		first, second, cancelled := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		go dial(bg, first)
		synctest.Wait()
		go dial(bg, second)
		go dial(ctx, cancelled)
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-cancelled:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		default:
			t.Error("the Dial that was cancelled has not returned")
		}
		state.Store(hangs)
		begun := time.Now()
		var err error
		select { // one of them dials without end
		case err = <-first:
			first = second
		case err = <-second:
		}
		if took := time.Since(begun); err != nil || took > 2*time.Second || state.Load() != free {
			t.Errorf("it took %v: %v", took, err)
		}
		close(released)
		if err := <-first; err != nil {
			t.Errorf("the one that was held up: %v", err)
		}
	})
}
