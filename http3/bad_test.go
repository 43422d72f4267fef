package http3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// rawStream opens a WebSocket by hand, on a connection of its own.
func rawStream(t *testing.T, conn *http3.ClientConn, url string) *http3.RequestStream {
	t.Helper()
	str, err := conn.OpenRequestStream(bg)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodConnect, "https"+strings.TrimPrefix(url, "wss"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Proto = "websocket"
	req.Header.Set("Sec-WebSocket-Version", "13")
	if err := str.SendRequestHeader(req); err != nil {
		t.Fatal(err)
	}
	if resp, err := str.ReadResponse(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	return str
}

// TestBadPeer: whatever one peer does on its stream, its WebSocket ends with a clear error, and those beside it live.
func TestBadPeer(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(str *http3.RequestStream)
		want func(err error) bool
		code uint16 // of the Close frame that the peer is sent; 0: none
	}{
		"resets the stream": {
			do: func(str *http3.RequestStream) { str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled)) },
			want: func(err error) bool {
				return websocket.CloseStatus(err) == -1 && strings.Contains(err.Error(), "H3_REQUEST_CANCELLED")
			},
		},
		"resets both directions": {
			do: func(str *http3.RequestStream) {
				str.CancelRead(quic.StreamErrorCode(http3.ErrCodeInternalError))
				str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeInternalError))
			},
			want: func(err error) bool { return websocket.CloseStatus(err) == -1 },
		},
		"ends without a Close frame": {
			do:   func(str *http3.RequestStream) { str.Close() },
			want: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) },
		},
		"ends inside a frame": {
			do: func(str *http3.RequestStream) {
				str.Write([]byte{0x81, 0x85, 0, 0, 0, 0, 'h'})
				str.Close()
			},
			want: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		},
		"does not mask": {
			do:   func(str *http3.RequestStream) { str.Write([]byte{0x81, 0x01, 'a'}) },
			want: func(err error) bool { var p websocket.ProtocolError; return errors.As(err, &p) },
			code: 1002,
		},
		"is not UTF-8": {
			do:   func(str *http3.RequestStream) { str.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 0xff}) },
			want: func(err error) bool { var p websocket.ProtocolError; return errors.As(err, &p) },
			code: 1007,
		},
		"stops reading and closes": {
			do: func(str *http3.RequestStream) {
				str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
				str.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8})
			},
			want: func(err error) bool { return websocket.CloseStatus(err) == websocket.StatusNormalClosure },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			mux := http.NewServeMux()
			mux.Handle("/echo", accept(nil, echo))
			mux.Handle("/", accept(nil, func(c *websocket.Conn) {
				_, _, err := c.Read(bg)
				ended <- err
				c.CloseNow()
			}))
			s := serve(t, nil, mux)
			q, err := quic.DialAddr(bg, s.addr.String(), clientTLS(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer q.CloseWithError(0, "")
			conn := (&http3.Transport{DisableCompression: true}).NewClientConn(q)
			beside := rawStream(t, conn, s.url+"/echo")
			str := rawStream(t, conn, s.url+"/")
			test.do(str)
			select {
			case err := <-ended:
				if err == nil || !test.want(err) {
					t.Errorf("Read gave %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Read does not return")
			}
			if test.code != 0 {
				b, err := io.ReadAll(str)
				if len(b) < 4 || b[0] != 0x88 || uint16(b[2])<<8|uint16(b[3]) != test.code || err != nil {
					t.Errorf("the peer got % x, %v", b, err)
				}
			}
			beside.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'})
			got := make([]byte, 3)
			if _, err := io.ReadFull(beside, got); err != nil || string(got) != "\x81\x01x" {
				t.Errorf("beside it came % x, %v", got, err)
			}
		})
	}
}

// TestOrderlyEnd: a server's stream ends as RFC 9220 says: with FIN behind the Close frames, and without a reset.
func TestOrderlyEnd(t *testing.T) {
	for range 20 {
		closed := make(chan error, 1)
		s := serve(t, nil, accept(nil, func(c *websocket.Conn) { closed <- c.Close(websocket.StatusNormalClosure, "") }))
		q, err := quic.DialAddr(bg, s.addr.String(), clientTLS(), nil)
		if err != nil {
			t.Fatal(err)
		}
		str := rawStream(t, (&http3.Transport{DisableCompression: true}).NewClientConn(q), s.url+"/")
		frame := make([]byte, 4)
		if _, err := io.ReadFull(str, frame); err != nil || frame[0] != 0x88 {
			t.Fatalf("% x, %v", frame, err)
		}
		str.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8})
		if rest, err := io.ReadAll(str); len(rest) > 0 || err != nil {
			t.Errorf("behind the Close frame came % x, %v", rest, err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		q.CloseWithError(0, "")
	}
}

// TestNoExtendedConnect: a server that does not announce extended CONNECT is sent nothing.
func TestNoExtendedConnect(t *testing.T) {
	serverTLS, _ := certificate()
	ln, err := quic.ListenAddr("127.0.0.1:0", serverTLS, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	opened := make(chan struct{}, 1)
	go func() {
		q, err := ln.Accept(bg)
		if err != nil {
			return
		}
		control, err := q.OpenUniStream()
		if err != nil {
			return
		}
		control.Write([]byte{0x00, 0x04, 0x00}) // a control stream; SETTINGS, which are empty
		if _, err := q.AcceptStream(bg); err == nil {
			opened <- struct{}{}
		}
	}()
	d := dialer(t)
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if _, _, err := d.Dial(ctx, "wss://"+ln.Addr().String(), nil); err == nil || !strings.Contains(err.Error(), "RFC 9220") {
		t.Errorf("Dial gave %v", err)
	}
	select {
	case <-opened:
		t.Error("a request was sent")
	default:
	}
}

// TestStreamLimit: a Dial for which the server has no stream waits until another WebSocket ends.
func TestStreamLimit(t *testing.T) {
	s := serve(t, &quic.Config{MaxIncomingStreams: 2}, accept(nil, echo))
	d := dialer(t)
	a, _ := dial(t, d, s.url, nil), dial(t, d, s.url, nil)
	short, cancel := context.WithTimeout(bg, 200*time.Millisecond)
	defer cancel()
	if _, _, err := d.Dial(short, s.url, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial gave %v", err)
	}
	third := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		defer cancel()
		c, _, err := d.Dial(ctx, s.url, nil)
		if err == nil {
			err = bounce(c, "third")
			c.CloseNow()
		}
		third <- err
	}()
	if err := a.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if err := <-third; err != nil {
		t.Error(err)
	}
}

// TestMiddleware: Accept finds the stream below wrappers that have Unwrap, and says what is missing if one has not.
func TestMiddleware(t *testing.T) {
	type hides struct{ http.ResponseWriter }
	errs := make(chan error, 2)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var wrapped http.ResponseWriter = unwraps{w}
		if r.URL.Path == "/hidden" {
			wrapped = hides{w}
		}
		c, err := ws3.Accept(wrapped, r, nil)
		if errs <- err; err == nil {
			echo(c)
		}
	}))
	d := dialer(t)
	if err := bounce(dial(t, d, s.url, nil), "through"); err != nil || <-errs != nil {
		t.Error(err)
	}
	if _, resp, err := d.Dial(bg, s.url+"/hidden", nil); err == nil || resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("Dial gave %v, %v", resp, err)
	}
	if err := <-errs; err == nil || !strings.Contains(err.Error(), "Unwrap") {
		t.Errorf("Accept gave %v", err)
	}
}

type unwraps struct{ http.ResponseWriter }

func (u unwraps) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// TestOtherVersions: the same handler accepts WebSockets over HTTP/1.1.
func TestOtherVersions(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: accept(nil, echo)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(ln)
	}()
	defer func() { server.Close(); <-served }()
	c, _, err := websocket.Dial(bg, "ws://"+ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := bounce(c, "over TCP"); err != nil {
		t.Error(err)
	}
}
