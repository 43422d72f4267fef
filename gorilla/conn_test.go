package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// pair returns the two ends of a connection.
func pair(t *testing.T, u Upgrader, d Dialer) (server, client *Conn) {
	t.Helper()
	return pairBy(t, func(w http.ResponseWriter, r *http.Request) (*Conn, error) { return u.Upgrade(w, r, nil) }, d)
}

// pairBy is pair with another way to accept.
func pairBy(t *testing.T, accept func(w http.ResponseWriter, r *http.Request) (*Conn, error), d Dialer) (server, client *Conn) {
	t.Helper()
	accepted := make(chan *Conn, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := accept(w, r)
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}))
	t.Cleanup(s.Close)
	client, _, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return server, client
}

// wantMessage reads a text message.
func wantMessage(t *testing.T, c *Conn, want string) {
	t.Helper()
	if typ, p, err := c.ReadMessage(); err != nil || typ != TextMessage || string(p) != want {
		t.Fatalf("read %d, %q, %v; want %q", typ, p, err, want)
	}
}

func send(t *testing.T, c *Conn, typ int, text string) {
	t.Helper()
	if err := c.WriteMessage(typ, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// TestHandlers: handlers run in calls that read, in order with the messages, and not while nobody reads.
func TestHandlers(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	var events []string // without a lock: the race detector looks
	s.SetPingHandler(func(p string) error {
		events = append(events, "ping "+p)
		return s.WriteMessage(PongMessage, []byte(p))
	})
	s.SetPongHandler(func(p string) error { events = append(events, "pong "+p); return nil })
	send(t, c, PingMessage, "1")
	send(t, c, TextMessage, "a")
	send(t, c, PongMessage, "2")
	send(t, c, TextMessage, "b")
	<-time.After(60 * time.Millisecond)
	if len(events) > 0 {
		t.Fatalf("%q while nobody read", events)
	}
	wantMessage(t, s, "a")
	if got := fmt.Sprint(events); got != "[ping 1]" {
		t.Errorf("%s before the first message", got)
	}
	wantMessage(t, s, "b")
	if got := fmt.Sprint(events); got != "[ping 1 pong 2]" {
		t.Errorf("%s before the second", got)
	}
	ponged := ""
	c.SetPongHandler(func(p string) error { ponged = p; return nil })
	send(t, s, TextMessage, "done")
	wantMessage(t, c, "done")
	if ponged != "1" {
		t.Errorf("the Ping was answered with %q", ponged)
	}
}

// TestHandlerFails: a handler's error ends the call that reads and all later ones.
func TestHandlerFails(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	failure := errors.New("enough")
	s.SetPingHandler(func(string) error { return failure })
	send(t, c, PingMessage, "")
	for range 2000 { // which never panics
		if _, _, err := s.ReadMessage(); err != failure {
			t.Fatalf("ReadMessage: %v", err)
		}
	}
}

// TestAutoControl: with it, Pings and the peer's Close are answered while nobody reads.
func TestAutoControl(t *testing.T) {
	s, c := pair(t, Upgrader{AutoControl: true}, Dialer{})
	ponged, read := make(chan string, 1), make(chan error, 1)
	c.SetPongHandler(func(p string) error { ponged <- p; return nil })
	go func() {
		_, _, err := c.ReadMessage()
		read <- err
	}()
	send(t, c, PingMessage, "up?")
	if p := <-ponged; p != "up?" {
		t.Errorf("the Pong is %q", p)
	}
	c.WriteControl(CloseMessage, FormatCloseMessage(CloseGoingAway, "bye"), time.Now().Add(time.Second))
	if err := <-read; !IsCloseError(err, CloseGoingAway) {
		t.Errorf("the client read %v", err)
	}
	told := ""
	s.SetCloseHandler(func(code int, text string) error { told = fmt.Sprint(code, text); return nil })
	if _, _, err := s.ReadMessage(); !IsCloseError(err, CloseGoingAway) || told != "1001bye" {
		t.Errorf("the server was told %q, and read %v", told, err)
	}
}

// TestReadDeadline: one that passes in a call is final; one that passes between calls can be moved.
func TestReadDeadline(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	s.SetReadDeadline(time.Now().Add(time.Millisecond))
	<-time.After(10 * time.Millisecond)
	s.SetReadDeadline(time.Now().Add(time.Minute))
	send(t, c, TextMessage, "in time")
	wantMessage(t, s, "in time")
	s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	for range 2 {
		_, _, err := s.ReadMessage()
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasSuffix(err.Error(), "i/o timeout") {
			t.Fatalf("ReadMessage: %v", err)
		}
		s.SetReadDeadline(time.Time{})
		send(t, c, TextMessage, "too late")
	}
	send(t, s, TextMessage, "still writes")
	wantMessage(t, c, "still writes")

	go c.SetReadDeadline(time.Now()) // from another goroutine, as some programs do
	if _, _, err := c.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ReadMessage: %v", err)
	}
}

// TestWriteDeadline: one that passes in a call is final.
func TestWriteDeadline(t *testing.T) {
	s, _ := pair(t, Upgrader{}, Dialer{})
	s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	big := make([]byte, 1<<20)
	var err error
	for err == nil {
		err = s.WriteMessage(BinaryMessage, big)
	}
	s.SetWriteDeadline(time.Time{})
	if again := s.WriteMessage(BinaryMessage, nil); again != err || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteMessage: %v, and then %v", err, again)
	}
	if err := s.WriteControl(PingMessage, nil, time.Now().Add(-time.Second)); err == nil {
		t.Error("WriteControl with a deadline in the past returns nil")
	}
}

// TestClosing: after a Close frame this end reads on, until the peer's, whatever code that has.
func TestClosing(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	s.SetCloseHandler(func(code int, text string) error { // answers otherwise, and later
		if code != CloseNormalClosure || text != "that was all" {
			t.Errorf("the handler got %d, %q", code, text)
		}
		return s.WriteControl(CloseMessage, FormatCloseMessage(4000, "mine"), time.Now().Add(time.Second))
	})
	send(t, c, CloseMessage, string(FormatCloseMessage(CloseNormalClosure, "that was all")))
	for name, err := range map[string]error{
		"WriteMessage": c.WriteMessage(TextMessage, nil),
		"WriteControl": c.WriteControl(CloseMessage, nil, time.Time{}),
		"WriteJSON":    c.WriteJSON(1),
	} {
		if err != ErrCloseSent {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	send(t, s, TextMessage, "on its way")
	wantMessage(t, c, "on its way")
	if _, _, err := s.ReadMessage(); !IsCloseError(err, CloseNormalClosure) {
		t.Errorf("the server read %v", err)
	}
	if err := s.WriteMessage(TextMessage, nil); err != ErrCloseSent {
		t.Errorf("WriteMessage after both: %v", err)
	}
	if _, _, err := c.ReadMessage(); !IsCloseError(err, 4000) || IsUnexpectedCloseError(err, 4000) {
		t.Errorf("the client read %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
}

// TestClose: Close is without a handshake, and ends a call that reads.
func TestClose(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	read := make(chan error)
	go func() {
		_, _, err := s.ReadMessage()
		read <- err
	}()
	<-time.After(10 * time.Millisecond)
	s.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "use of closed network connection") {
		t.Errorf("the server read %v", err)
	}
	if _, _, err := c.ReadMessage(); !IsCloseError(err, CloseAbnormalClosure) || err.Error() != "websocket: close 1006 (abnormal closure): unexpected EOF" {
		t.Errorf("the client read %v", err)
	}
}

// TestWriters: many goroutines write, and each message stays whole.
func TestWriters(t *testing.T) {
	s, c := pair(t, Upgrader{EnableCompression: true}, Dialer{EnableCompression: true})
	prepared, err := NewPreparedMessage(TextMessage, []byte(strings.Repeat("p", 700)))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 500)
			for range 100 {
				err := errors.Join(s.WriteMessage(TextMessage, []byte(text)), s.WritePreparedMessage(prepared), s.WriteJSON(text),
					s.WriteControl(PingMessage, nil, time.Now().Add(time.Second)))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 * 300 {
		_, p, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Trim(string(p), "\"\n"); strings.Count(text, text[:1]) != len(text) {
			t.Fatalf("%q came", p)
		}
	}
	all.Wait()
}

// TestMessages: the other ways to read and to write a message.
func TestMessages(t *testing.T) {
	s, c := pair(t, Upgrader{EnableCompression: true, WriteBufferSize: 100}, Dialer{})
	w, err := s.NextWriter(TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, strings.Repeat("x", 150)) // more than the write buffer: a fragment leaves
	_, r, err := c.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadFull(r, make([]byte, 150)); err != nil {
		t.Fatalf("%d bytes of the fragment: %v", n, err)
	}
	io.WriteString(w, "end")
	next, err := s.NextWriter(TextMessage) // which ends the message before
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(nil); err == nil {
		t.Error("Write after the end returns nil")
	}
	io.WriteString(next, `{"a":1} and more`)
	next.Close()
	if rest, err := io.ReadAll(r); string(rest) != "end" || err != nil {
		t.Errorf("%q, %v came", rest, err)
	}
	var v map[string]int
	if err := c.ReadJSON(&v); err != nil || v["a"] != 1 {
		t.Errorf("ReadJSON: %v, %v", v, err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the reader of the message before: %d, %v", n, err)
	}
	send(t, s, TextMessage, "\xff is no UTF-8")
	wantMessage(t, c, "\xff is no UTF-8")
	c.SetReadLimit(10)
	send(t, s, TextMessage, "more than ten")
	if _, _, err := c.ReadMessage(); err != ErrReadLimit {
		t.Errorf("over the limit: %v", err)
	}
	if _, _, err := s.ReadMessage(); !IsCloseError(err, CloseMessageTooBig) {
		t.Errorf("its sender read %v", err)
	}
}

// TestBothKinds: a program may use both kinds of a connection.
func TestBothKinds(t *testing.T) {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, core *websocket.Conn) {
		c := From(core)
		if c.Modern() != core {
			t.Error("Modern returns another connection")
		}
		for {
			typ, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			c.WriteMessage(typ, p)
		}
	}))
	defer server.Close()
	c, _, err := DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, TextMessage, "one")
	wantMessage(t, c, "one")
	modern, ctx := c.Modern(), context.Background()
	if err := modern.Write(ctx, websocket.MessageText, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if _, p, err := modern.Read(ctx); err != nil || string(p) != "two" {
		t.Errorf("%q, %v came", p, err)
	}
	if err := modern.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if _, _, err := c.ReadMessage(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the Close of the modern one: %v", err)
	}
}
