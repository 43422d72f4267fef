package http2_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

const http11Required = 0xd // an error code (RFC 9113, section 7)

// goAway returns GOAWAY with the last stream that the server may have processed, and an error code.
func goAway(last uint32, code byte, debug string) []byte {
	return frame(goAwayType, 0, [9]byte{}, append(binary.BigEndian.AppendUint32(nil, last), append([]byte{0, 0, 0, code}, debug...)...)...)
}

// TestHTTP11Required: a server answers the request of HTTP/2 by HTTP_1_1_REQUIRED, on its stream or for the connection. HTTP2Try
// sends it over HTTP/1.1 then, and HTTP2Only names the error code. Any other error code is an error.
func TestHTTP11Required(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   func(h [9]byte) []byte
		closes   bool // the connection
		required bool
	}{
		"RST_STREAM":                       {answer: func(h [9]byte) []byte { return reset(h, http11Required) }, required: true},
		"GOAWAY before the stream":         {answer: func([9]byte) []byte { return goAway(0, http11Required, "use it") }, required: true},
		"GOAWAY, and closes":               {answer: func([9]byte) []byte { return goAway(1, http11Required, "use it") }, closes: true, required: true},
		"another RST_STREAM":               {answer: func(h [9]byte) []byte { return reset(h, http11Required-1) }},
		"another GOAWAY":                   {answer: func([9]byte) []byte { return goAway(0, http11Required-1, "HTTP_1_1_REQUIRED") }},
		"another GOAWAY, and closes":       {answer: func([9]byte) []byte { return goAway(1, http11Required-1, ", ErrCode=HTTP_1_1_REQUIRED") }, closes: true},
		"a lost connection without GOAWAY": {answer: func([9]byte) []byte { return nil }, closes: true},
	} {
		t.Run(name, func(t *testing.T) {
			secured := h2test.Start(nil, true, nil) // for its certificate
			secured.Close()
			config := secured.TLS.Clone()
			config.NextProtos = []string{"h2", "http/1.1"}
			ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
			if err != nil {
				t.Fatal(err)
			}
			var asked atomic.Int32
			var conns sync.WaitGroup
			defer conns.Wait()
			defer ln.Close()
			conns.Go(func() {
				for {
					nc, err := ln.Accept()
					if err != nil {
						return
					}
					conns.Go(func() {
						defer nc.Close()
						nc.SetDeadline(time.Now().Add(20 * time.Second))
						secured := nc.(*tls.Conn)
						if err := secured.Handshake(); err != nil {
							return
						}
						if secured.ConnectionState().NegotiatedProtocol == "h2" {
							r := &refuser{answer: func(_ int, h [9]byte) []byte {
								asked.Add(1)
								nc.Write(tt.answer(h))
								if tt.closes {
									secured.CloseWrite() // and no reset, which could overtake what was written
								}
								return nil
							}}
							r.serve(nc)
							return
						}
						p := wiretest.NewPeer(t, nc, wiretest.Server)
						p.ServeHandshake(nil)
						p.SendText("hello")
						p.WantGone("the client is satisfied")
					})
				}
			})
			transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: secured.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
			defer transport.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(bg, 20*time.Second)
			defer cancel()
			opts := dialled(transport)
			_, _, err = websocket.Dial(ctx, "wss://"+ln.Addr().String(), opts)
			if err == nil || errors.Is(err, errors.ErrUnsupported) != tt.required || tt.required && !strings.Contains(err.Error(), "sent HTTP_1_1_REQUIRED") {
				t.Errorf("only: %v", err)
			}
			t.Log(err)
			opts.HTTP2 = websocket.HTTP2Try
			c, _, err := websocket.Dial(ctx, "wss://"+ln.Addr().String(), opts)
			if (err == nil) != tt.required || err != nil && errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("try: %v", err)
			}
			if c != nil {
				if _, p, err := c.Read(ctx); err != nil || string(p) != "hello" {
					t.Errorf("%q, %v", p, err)
				}
				c.CloseNow()
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("asked %d times over HTTP/2, for two Dials", n)
			}
		})
	}
}
