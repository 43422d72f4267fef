package websocket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// tooMuch is more than a connection takes whose peer does not read.
const tooMuch = 16 << 20

// stuck has c write a message that its peer does not read yet. The function that it returns reads it, and waits for its writer.
func stuck(t *testing.T, c, peer *Conn) (unstick func()) {
	t.Helper()
	written := make(chan error, 1)
	go func() { written <- c.WriteMessage(BinaryMessage, make([]byte, tooMuch)) }()
	for c.turn.Try() {
		c.turn.Release()
		<-time.After(time.Millisecond)
	}
	return func() {
		t.Helper()
		if _, p, err := peer.ReadMessage(); len(p) != tooMuch || err != nil {
			t.Errorf("%d bytes, %v came", len(p), err)
		}
		if err := <-written; err != nil {
			t.Errorf("WriteMessage: %v", err)
		}
	}
}

// TestControlWaits: control frames wait for a message that is on its way, until their deadline, and then for the peer.
func TestControlWaits(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	unstick := stuck(t, s, c)
	for _, typ := range []int{PingMessage, CloseMessage} {
		begun := time.Now()
		err := s.WriteControl(typ, nil, begun.Add(30*time.Millisecond))
		if err != errWriteTimeout || time.Since(begun) < 30*time.Millisecond {
			t.Errorf("WriteControl: %v after %v", err, time.Since(begun))
		}
	}
	sent := make(chan error)
	go func() {
		var err error
		for range 300 { // many more than wait in the connection
			err = errors.Join(err, s.WriteControl(PingMessage, make([]byte, 100), time.Now().Add(time.Minute)))
		}
		sent <- errors.Join(err, s.WriteMessage(TextMessage, []byte("end")))
	}()
	unstick()
	pings := 0
	c.SetPingHandler(func(string) error { pings++; return nil })
	wantMessage(t, c, "end")
	if err := <-sent; err != nil || pings != 300 {
		t.Errorf("%d Pings came: %v", pings, err)
	}
}

// TestPingsAlone: where only control frames are written, a peer that does not read is found out, too.
func TestPingsAlone(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	s.NetConn().(*net.TCPConn).SetWriteBuffer(4 << 10)
	c.NetConn().(*net.TCPConn).SetReadBuffer(4 << 10)
	var err error
	for begun := time.Now(); err == nil && time.Since(begun) < 20*time.Second; {
		err = s.WriteControl(PingMessage, make([]byte, 125), time.Now().Add(50*time.Millisecond))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteControl: %v", err)
	}
	if again := s.WriteMessage(TextMessage, nil); again != err {
		t.Errorf("WriteMessage: %v", again)
	}
}

// TestCloseBehindMessage: a Close frame waits for the message that is on its way, whose writer learns that it was sent.
func TestCloseBehindMessage(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	unstick := stuck(t, s, c)
	closed := make(chan error)
	go func() {
		closed <- s.WriteControl(CloseMessage, FormatCloseMessage(CloseGoingAway, ""), time.Now().Add(time.Minute))
	}()
	unstick()
	if _, _, err := c.ReadMessage(); !IsCloseError(err, CloseGoingAway) {
		t.Errorf("the client read %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("WriteControl: %v", err)
	}
}

// TestWriteThenClose: what was written before Close arrives, even if the peer reads late.
func TestWriteThenClose(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	unstick := stuck(t, s, c)
	sent := make(chan error)
	go func() {
		err := s.WriteMessage(TextMessage, []byte("second"))
		err = errors.Join(err, s.WriteControl(CloseMessage, FormatCloseMessage(4000, "done"), time.Now().Add(time.Minute)))
		sent <- errors.Join(err, s.Close())
	}()
	unstick()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	<-time.After(50 * time.Millisecond)
	wantMessage(t, c, "second")
	if _, _, err := c.ReadMessage(); !IsCloseError(err, 4000) {
		t.Errorf("the client read %v", err)
	}
}

// TestPreparedBesideWriter: a prepared message leaves before the message of an open writer, but never inside it.
func TestPreparedBesideWriter(t *testing.T) {
	s, c := pair(t, Upgrader{WriteBufferSize: 100}, Dialer{})
	prepared, err := NewPreparedMessage(TextMessage, []byte("prepared"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.NextWriter(TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "kept ")
	if err := s.WritePreparedMessage(prepared); err != nil {
		t.Errorf("WritePreparedMessage: %v", err)
	}
	text := strings.Repeat("x", 200)
	io.WriteString(w, text) // a fragment leaves
	if err := s.WritePreparedMessage(prepared); err == nil {
		t.Error("WritePreparedMessage inside a message returns nil")
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := s.WritePreparedMessage(prepared); err != nil {
		t.Errorf("WritePreparedMessage: %v", err)
	}
	for _, want := range []string{"prepared", "kept " + text, "prepared"} {
		wantMessage(t, c, want)
	}
}

// TestWriterFails: after a time-out each call of a writer returns the error, and the peer does not take what it has for the
// whole message.
func TestWriterFails(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	w, err := s.NextWriter(BinaryMessage)
	if err != nil {
		t.Fatal(err)
	}
	s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	s.SetWriteDeadline(time.Time{})
	_, small := w.Write([]byte("x"))
	if !errors.Is(err, os.ErrDeadlineExceeded) || small != err || w.Close() != err {
		t.Errorf("Write: %v, and then %v", err, small)
	}
	go func() {
		<-time.After(100 * time.Millisecond)
		s.Close()
	}()
	if _, p, err := c.ReadMessage(); err == nil {
		t.Errorf("%d bytes came as a message", len(p))
	}
}

// TestRefusedText: text that a connection of From refuses ends neither the connection nor its writing.
func TestRefusedText(t *testing.T) {
	served, c := pair(t, Upgrader{}, Dialer{})
	checked, other := checking(t)
	defer checked.Close()
	defer other.Close()
	for range 2 {
		if err := checked.WriteMessage(TextMessage, []byte("\xff")); err == nil {
			t.Error("text that is not UTF-8 was sent")
		}
		w, err := checked.NextWriter(TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{0xff}, 2*defaultWriteBuffer)); err == nil {
			t.Error("text that is not UTF-8 was sent by a writer")
		}
		send(t, checked, TextMessage, "fine")
		wantMessage(t, other, "fine")
	}
	send(t, served, TextMessage, "\xff") // as in gorilla/websocket
	wantMessage(t, c, "\xff")
}

// checking returns a connection of From, and its other end.
func checking(t *testing.T) (checked, other *Conn) {
	t.Helper()
	return pairBy(t, func(w http.ResponseWriter, r *http.Request) (*Conn, error) {
		c, err := websocket.Accept(w, r, nil)
		return From(c), err
	}, Dialer{})
}

// TestCompressionOfWriter: EnableWriteCompression counts when a message begins.
func TestCompressionOfWriter(t *testing.T) {
	s, c := pair(t, Upgrader{EnableCompression: true}, Dialer{EnableCompression: true})
	text := strings.Repeat("x", 3000)
	for _, compressed := range []bool{true, false, true} {
		before := s.Modern().Stats().Written.WireBytes
		s.EnableWriteCompression(compressed)
		w, err := s.NextWriter(TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		s.EnableWriteCompression(!compressed)
		io.WriteString(w, text)
		w.Close()
		wantMessage(t, c, text)
		if n := s.Modern().Stats().Written.WireBytes - before; n < 1000 != compressed {
			t.Errorf("%d bytes left, compressed: %v", n, compressed)
		}
	}
}
