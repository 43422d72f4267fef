package http2_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// masked are frames as a client sends them.
func masked(frames ...wiretest.Frame) (b []byte) {
	for _, f := range frames {
		f.Masked, f.Key = true, [4]byte{1, 2, 3, 4}
		b = f.Append(b)
	}
	return b
}

// TestBadPeer: what a peer does wrong on one stream ends the WebSocket there with an error, or opens none; the connection's
// other WebSocket lives.
func TestBadPeer(t *testing.T) {
	type outcome struct{ accept, read error }
	seen := make(chan outcome, 1)
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			seen <- outcome{accept: err}
			return
		}
		defer c.CloseNow()
		for {
			typ, p, err := c.Read(bg)
			if err != nil {
				seen <- outcome{read: err}
				return
			}
			c.Write(bg, typ, p)
		}
	}), false, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2} })
	defer s.Close()
	hello := masked(wiretest.Text("hello"))
	open := func(r *h2test.Raw) error { // waits for an echo: Accept has returned
		err := errors.Join(r.Connect(3, 0), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: hello}))
		if err == nil {
			_, err = r.Want(h2test.FrameData, 3)
		}
		return err
	}
	for name, tt := range map[string]struct {
		send   func(r *h2test.Raw) error
		reset  bool   // the stream is reset without a call of the handler
		accept string // what Accept says
		read   error  // what Read returns
	}{
		"resets the stream": {send: func(r *h2test.Raw) error {
			return errors.Join(open(r), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: hello[:3]}), r.Send(h2test.Frame{Type: h2test.FrameReset, Stream: 3, Payload: []byte{0, 0, 0, 8}}))
		}},
		"ends the stream": {send: func(r *h2test.Raw) error {
			return errors.Join(open(r), r.Send(h2test.Frame{Type: h2test.FrameData, Flags: h2test.EndStream, Stream: 3, Payload: hello[:3]}))
		}, read: io.ErrUnexpectedEOF},
		"DATA after END_STREAM": {send: func(r *h2test.Raw) error {
			return errors.Join(open(r), r.Send(h2test.Frame{Type: h2test.FrameData, Flags: h2test.EndStream, Stream: 3}), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: hello}))
		}},
		"CONNECT with END_STREAM": {send: func(r *h2test.Raw) error { return r.Connect(3, h2test.EndStream) }, accept: "ends its stream"},
		"CONNECT with a length":   {send: func(r *h2test.Raw) error { return r.Connect(3, 0, "content-length", "11") }, accept: "Content-Length"},
		"two versions":            {send: func(r *h2test.Raw) error { return r.Connect(3, 0, "sec-websocket-version", "13") }, accept: "Version"},
		"a proxy's header fields": {send: func(r *h2test.Raw) error {
			return errors.Join(r.Connect(3, 0, "sec-websocket-key", "nonsense", "via", "1.1 proxy"), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: masked(wiretest.Close(1000, ""))}))
		}, read: websocket.CloseError{Code: 1000}},
		"Connection: Upgrade": {send: func(r *h2test.Raw) error { return r.Connect(3, 0, "connection", "Upgrade", "upgrade", "websocket") }, reset: true},
		"CONNECT without protocol": {send: func(r *h2test.Raw) error {
			return r.Headers(3, 0, ":method", "CONNECT", ":authority", "server.example")
		}, accept: "no :protocol"},
		"without it, with a path": {send: func(r *h2test.Raw) error {
			return r.Headers(3, 0, ":method", "CONNECT", ":scheme", "http", ":path", "/", ":authority", "server.example")
		}, reset: true},
		"another protocol": {send: func(r *h2test.Raw) error {
			return r.Headers(3, 0, ":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "http", ":path", "/", ":authority", "server.example")
		}, accept: "connect-udp"},
		"an empty protocol": {send: func(r *h2test.Raw) error {
			return r.Headers(3, 0, ":method", "CONNECT", ":protocol", "", ":scheme", "http", ":path", "/", ":authority", "server.example")
		}, reset: true},
		"GET with a protocol": {send: func(r *h2test.Raw) error {
			return r.Headers(3, 0, ":method", "GET", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "server.example")
		}, accept: "GET"},
		"a GET of HTTP/1.1": {send: func(r *h2test.Raw) error {
			return r.Headers(3, h2test.EndStream, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "server.example", "sec-websocket-version", "13", "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
		}, accept: "GET"},
		"bytes that are no frame": {send: func(r *h2test.Raw) error {
			return errors.Join(r.Connect(3, 0), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: []byte("GET / HTTP/1.1\r\n\r\n")}))
		}, read: websocket.ProtocolError{}},
		"a frame that is not masked": {send: func(r *h2test.Raw) error {
			return errors.Join(r.Connect(3, 0), r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 3, Payload: wiretest.Text("hello").Append(nil)}))
		}, read: websocket.ProtocolError{}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := h2test.NewRaw(s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := r.Connect(1, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Want(h2test.FrameHeaders, 1); err != nil {
				t.Fatal(err)
			}
			if err := tt.send(r); err != nil {
				t.Fatal(err)
			}
			if tt.reset {
				if _, err := r.Want(h2test.FrameReset, 3); err != nil {
					t.Fatal(err)
				}
			} else {
				got := <-seen
				var broken websocket.ProtocolError
				switch {
				case tt.accept != "":
					if got.accept == nil || !strings.Contains(got.accept.Error(), tt.accept) {
						t.Errorf("Accept: %v, want one of %q", got.accept, tt.accept)
					}
				case got.read == nil:
					t.Errorf("Read has no error; Accept: %v", got.accept)
				case errors.As(tt.read, &broken):
					if !errors.As(got.read, &broken) {
						t.Errorf("Read: %v", got.read)
					}
				case tt.read != nil && !errors.Is(got.read, tt.read):
					t.Errorf("Read: %v, want %v", got.read, tt.read)
				}
				t.Log(got.accept, got.read)
			}
			if err := r.Send(h2test.Frame{Type: h2test.FrameData, Stream: 1, Payload: hello}); err != nil {
				t.Fatal(err)
			}
			if f, err := r.Want(h2test.FrameData, 1); err != nil || string(f.Payload) != "\x81\x05hello" {
				t.Errorf("the other WebSocket echoes %q, %v", f.Payload, err)
			}
			r.Close()
			if got := <-seen; got.read == nil {
				t.Errorf("the other ends with %v", got)
			}
		})
	}

	// More streams than the server allows are refused; those that are open live.
	r, err := h2test.NewRaw(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(r.Connect(1, 0), r.Connect(3, 0), r.Connect(5, 0)); err != nil {
		t.Fatal(err)
	}
	if f, err := r.Want(h2test.FrameReset, 5); err != nil || string(f.Payload) != "\x00\x00\x00\x07" {
		t.Errorf("the third is answered by %q, %v; want REFUSED_STREAM", f.Payload, err)
	}
	for _, stream := range []uint32{1, 3} {
		r.Send(h2test.Frame{Type: h2test.FrameData, Stream: stream, Payload: hello})
		if _, err := r.Want(h2test.FrameData, stream); err != nil {
			t.Error(err)
		}
	}
	r.Close()
	<-seen
	<-seen
}

// TestWindows: with the configuration that the documentation names, a WebSocket that the application does not read holds
// nobody up.
func TestWindows(t *testing.T) {
	t.Parallel()
	s := h2test.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if r.URL.Path == "/deaf" {
			<-c.Context().Done()
			return
		}
		echo(bg, c)
	}), true, func(s *http.Server) {
		s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 2 << 20}
	})
	defer s.Close()
	transport := h2test.Transport(s)
	defer transport.CloseIdleConnections()
	p, _ := h2test.OpenPeer(t, transport, s.URL, nil)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	for range 10 {
		_, nc, err := h2test.Open(transport, s.URL+"/deaf", nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := websocket.NewConn(nc, &websocket.ConnOptions{Client: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		go c.Write(ctx, websocket.MessageBinary, make([]byte, 4<<20))
	}
	for range 5 {
		p.SendText(strings.Repeat("x", 30<<10))
		p.WantText("the one that is read echoes", strings.Repeat("x", 30<<10))
	}
	p.SendClose(1000, "")
	p.WantClosed("and closes", 1000)
}
