package http2_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// Servers that refuse the request of a handshake before a handler has seen it.

const (
	dataType, headersType, resetType, settingsType, goAwayType = 0, 1, 3, 4, 7 // of frames
	protocolError, refusedStream, cancelled                    = 1, 7, 8       // error codes
	status200                                                  = 0x88          // a header block
)

// frame returns a frame of HTTP/2 (RFC 9113, section 4.1) with the stream's identifier of another one's header.
func frame(typ, flags byte, of [9]byte, payload ...byte) []byte {
	return append([]byte{0, 0, byte(len(payload)), typ, flags, of[5], of[6], of[7], of[8]}, payload...)
}

// reset returns RST_STREAM with an error code.
func reset(of [9]byte, code byte) []byte { return frame(resetType, 0, of, 0, 0, 0, code) }

// A refuser is a server that sends answer's frame for each request. They have numbers, from 1 on.
type refuser struct {
	answer       func(n int, header [9]byte) []byte
	settings     []byte                      // more of them
	hears        func(header [9]byte) []byte // its answer to DATA and RST_STREAM; nil: none
	asked, conns atomic.Int32
}

func (r *refuser) serve(nc net.Conn) {
	defer nc.Close()
	r.conns.Add(1)
	var h [9]byte
	nc.Write(frame(settingsType, 0, h, append([]byte{0, 8, 0, 0, 0, 1}, r.settings...)...)) // SETTINGS_ENABLE_CONNECT_PROTOCOL
	io.CopyN(io.Discard, nc, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	for {
		if _, err := io.ReadFull(nc, h[:]); err != nil {
			return
		}
		io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(h[:])>>8))
		switch {
		case h[3] == settingsType && h[4] == 0:
			nc.Write(frame(settingsType, 1, h))
		case h[3] == headersType:
			nc.Write(r.answer(int(r.asked.Add(1)), h))
		case r.hears != nil && (h[3] == dataType || h[3] == resetType):
			nc.Write(r.hears(h))
		}
	}
}

// transport returns a Transport whose dialling takes that long.
func (r *refuser) transport(takes time.Duration) *http.Transport {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	t.DialContext = func(context.Context, string, string) (net.Conn, error) {
		<-time.After(takes)
		client, server := memconn.Pipe(0)
		go r.serve(server)
		return client, nil
	}
	return t
}

// TestRefusedOnce: a server refuses the first request, and Dial sends it again at once, however long dialling takes.
func TestRefusedOnce(t *testing.T) {
	for name, refusal := range map[string]func(h [9]byte) []byte{
		"REFUSED_STREAM": func(h [9]byte) []byte { return reset(h, refusedStream) },
		"GOAWAY":         func([9]byte) []byte { return frame(goAwayType, 0, [9]byte{}, 0, 0, 0, 0, 0, 0, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, takes := range []time.Duration{0, 10 * time.Second} {
				synctest.Test(t, func(t *testing.T) {
					s := &refuser{answer: func(n int, h [9]byte) []byte {
						if n == 1 {
							return refusal(h)
						}
						return frame(headersType, 4, h, status200)
					}}
					transport := s.transport(takes)
					defer transport.CloseIdleConnections()
					begun := time.Now()
					c, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport))
					if err != nil {
						t.Fatalf("dialling takes %v: %v", takes, err)
					}
					if took, most := time.Since(begun), takes*time.Duration(s.conns.Load())+100*time.Millisecond; took > most {
						t.Errorf("it took %v over %d connections; dialling takes %v", took, s.conns.Load(), takes)
					}
					c.CloseNow()
				})
			}
		})
	}
}

// TestRefusedAlways: a server refuses every request. Dial asks a few times, with pauses, and says then what the server said.
func TestRefusedAlways(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   func(n int, h [9]byte) []byte
		settings []byte
		says     string
		most     int32 // requests and connections
	}{
		"REFUSED_STREAM": {answer: func(_ int, h [9]byte) []byte { return reset(h, refusedStream) }, says: "REFUSED_STREAM", most: 12},
		"PROTOCOL_ERROR": {answer: func(_ int, h [9]byte) []byte { return reset(h, protocolError) }, says: "PROTOCOL_ERROR", most: 1},
		"CANCEL":         {answer: func(_ int, h [9]byte) []byte { return reset(h, cancelled) }, says: "CANCEL", most: 1},
		"GOAWAY": {answer: func(int, [9]byte) []byte { return frame(goAwayType, 0, [9]byte{}, 0, 0, 0, 0, 0, 0, 0, 0) },
			says: "GOAWAY", most: 12},
		"one and then the other": {answer: func(n int, h [9]byte) []byte {
			if n == 3 {
				return frame(goAwayType, 0, [9]byte{}, 0, 0, 0, 0, 0, 0, 0, 0)
			}
			return reset(h, refusedStream)
		}, says: "REFUSED_STREAM", most: 12},
		"no streams at all": {settings: []byte{0, 3, 0, 0, 0, 0}, says: "SETTINGS_MAX_CONCURRENT_STREAMS", most: 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &refuser{answer: tt.answer, settings: tt.settings}
				transport := s.transport(0)
				defer transport.CloseIdleConnections()
				begun := time.Now()
				_, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport))
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("Dial gave %v; want %s in it", err, tt.says)
				}
				if asked, conns := s.asked.Load(), s.conns.Load(); asked > tt.most || conns > tt.most {
					t.Errorf("asked %d times over %d connections", asked, conns)
				}
				if took := time.Since(begun); took > 4*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestRefusedSlowly: only the time counts in which a server refuses, and dialling does not. A server that takes its time
// is not asked for minutes.
func TestRefusedSlowly(t *testing.T) {
	refuses := func(_ int, h [9]byte) []byte { return frame(goAwayType, 0, [9]byte{}, 0, 0, 0, 0, 0, 0, 0, 0) }
	t.Run("dialling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &refuser{answer: refuses}
			transport := s.transport(time.Minute)
			defer transport.CloseIdleConnections()
			if _, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport)); err == nil || s.asked.Load() < 5 {
				t.Errorf("asked %d times: %v", s.asked.Load(), err)
			}
		})
	})
	t.Run("answering", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &refuser{answer: func(n int, h [9]byte) []byte {
				<-time.After(2 * time.Second)
				return refuses(n, h)
			}}
			transport := s.transport(0)
			defer transport.CloseIdleConnections()
			if _, _, err := websocket.Dial(bg, "ws://server.example", dialled(transport)); err == nil || s.asked.Load() > 3 {
				t.Errorf("asked %d times: %v", s.asked.Load(), err)
			}
		})
	})
}

// TestRefusedCancelled: a context that ends during a pause ends Dial at once, with the context's error.
func TestRefusedCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &refuser{answer: func(_ int, h [9]byte) []byte { return reset(h, refusedStream) }}
		transport := s.transport(0)
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(bg, 321*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, _, err := websocket.Dial(ctx, "ws://server.example", dialled(transport))
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 321*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// TestLostAfterAnother: the connection that a request was about to get refuses new ones (GOAWAY), and the next one is lost before it
// answers. net/http can't close the request's body a second time; Dial returns all the same.
func TestLostAfterAnother(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var mu sync.Mutex
	conns := map[string]net.Conn{} // by the client's address
	var drops atomic.Bool
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[nc.RemoteAddr().String()] = nc
			mu.Unlock()
			r := &refuser{settings: []byte{0, 3, 0, 0, 0, 1}, answer: func(_ int, h [9]byte) []byte { // one stream
				if drops.Load() {
					<-time.After(50 * time.Millisecond) // the body is being read
					nc.Close()
				}
				return frame(headersType, 4, h, status200)
			}}
			go r.serve(nc)
		}
	}()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	url := "ws://" + ln.Addr().String()
	var open []*websocket.Conn
	for range 2 { // connections, since each has one stream
		c, _, err := websocket.Dial(bg, url, dialled(transport))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	for _, c := range open {
		c.CloseNow()
	}
	<-time.After(100 * time.Millisecond)
	drops.Store(true)
	got := 0
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if got++; got == 1 {
			var nc net.Conn
			for nc == nil { // it may be a new one, which the server has not accepted yet
				runtime.Gosched()
				mu.Lock()
				nc = conns[info.Conn.LocalAddr().String()]
				mu.Unlock()
			}
			nc.Write(frame(goAwayType, 0, [9]byte{}, 0, 0, 0, 1, 0, 0, 0, 0))
			<-time.After(100 * time.Millisecond)
		}
	}}
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	if _, _, err := websocket.Dial(httptrace.WithClientTrace(ctx, trace), url, dialled(transport)); err == nil || ctx.Err() != nil {
		t.Errorf("Dial: %v", err)
	}
}
