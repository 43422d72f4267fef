package websocket

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// recovered calls f, and returns what it has panicked with.
func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// TestHandlerPanics: a handler's panic goes on in the call that reads, and the next call reads on, whatever came with the frame.
func TestHandlerPanics(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	s.SetPingHandler(func(p string) error { panic(p) })
	for name, next := range map[string]func() (string, error){
		"ReadMessage": func() (string, error) { _, p, err := s.ReadMessage(); return string(p), err },
		"NextReader": func() (string, error) {
			_, r, err := s.NextReader()
			if err != nil {
				return "", err
			}
			p, err := io.ReadAll(r)
			return string(p), err
		},
	} {
		for range 20 {
			send(t, c, PingMessage, "boom")
			send(t, c, TextMessage, "after")
			if v := recovered(func() { next() }); v != "boom" {
				t.Fatalf("%s: recovered %v", name, v)
			}
			if p, err := next(); p != "after" || err != nil {
				t.Fatalf("%s: %q, %v", name, p, err)
			}
		}
	}

	w, err := c.NextWriter(TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, strings.Repeat("a", 5000)) // a fragment
	c.WriteControl(PingMessage, []byte("inside"), time.Now().Add(time.Second))
	io.WriteString(w, "b")
	w.Close()
	if v := recovered(func() { s.ReadMessage() }); v != "inside" {
		t.Fatalf("recovered %v", v)
	}
	wantMessage(t, s, strings.Repeat("a", 5000)+"b")
	s.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, _, err := s.ReadMessage(); err == nil {
		t.Error("the read deadline is gone")
	}
}

// TestLateAnswer: a close handler may leave the answer to the application, which has as long as it likes, and may have tried
// to send a message before.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	s, c := pair(t, Upgrader{}, Dialer{})
	s.SetCloseHandler(func(int, string) error { return nil })
	send(t, c, CloseMessage, string(FormatCloseMessage(CloseNormalClosure, "")))
	if _, _, err := s.ReadMessage(); !IsCloseError(err, CloseNormalClosure) {
		t.Fatalf("the server read %v", err)
	}
	if err := s.WriteMessage(TextMessage, nil); err != ErrCloseSent {
		t.Errorf("WriteMessage: %v", err)
	}
	<-time.After(5500 * time.Millisecond) // the core's own time-out is 5 s
	if err := s.WriteControl(CloseMessage, FormatCloseMessage(4000, "late"), time.Now().Add(time.Second)); err != nil {
		t.Errorf("WriteControl: %v", err)
	}
	if _, _, err := c.ReadMessage(); !IsCloseError(err, 4000) {
		t.Errorf("the client read %v", err)
	}
}

// TestLost: if the connection is lost, the errors are those of the net.Conn, and not ErrCloseSent.
func TestLost(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	c.Close()
	if _, _, err := s.ReadMessage(); !IsCloseError(err, CloseAbnormalClosure) {
		t.Errorf("after the end of the stream: %v", err)
	}
	err := s.WriteMessage(TextMessage, nil)
	if e, ok := err.(*net.OpError); !ok || e.Op != "write" || !errors.Is(err, errBrokenPipe) {
		t.Errorf("WriteMessage: %v", err)
	}

	s, c = pair(t, Upgrader{}, Dialer{})
	c.NetConn().(*net.TCPConn).SetLinger(0)
	c.NetConn().Close() // a reset
	_, _, err = s.ReadMessage()
	if e, ok := err.(*net.OpError); !ok || e.Op != "read" {
		t.Errorf("ReadMessage: %T %v", err, err)
	}
	err = s.WriteMessage(TextMessage, nil)
	if e, ok := err.(*net.OpError); !ok || e.Op != "write" {
		t.Errorf("WriteMessage: %T %v", err, err)
	}

	s.Close()
	if err := s.SetReadDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetReadDeadline after Close: %v", err)
	}
}

// TestShortClose: a Close frame with a payload of one byte, which RFC 6455 forbids, leaves without a code.
func TestShortClose(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	if err := s.WriteControl(CloseMessage, []byte("x"), time.Time{}); err != nil {
		t.Error(err)
	}
	if _, _, err := c.ReadMessage(); !IsCloseError(err, CloseNoStatusReceived) {
		t.Errorf("the client read %v", err)
	}
}
