package websocket

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// TestDeadlineMoved: a context stays done when the deadline that has passed is moved: who has seen that may ask for the reason later,
// as package context does, which panics if there is none. Calls that begin then have a context of their own.
func TestDeadlineMoved(t *testing.T) {
	for range 100 {
		var d deadline
		before := d.context()
		d.set(time.Now().Add(time.Hour))
		if d.context() != before {
			t.Fatal("moving a deadline that has not passed has made a new context")
		}
		derived, cancel := context.WithCancel(before)
		ended := make(chan error, 1)
		context.AfterFunc(before, func() { ended <- before.Err() })
		d.set(time.Unix(1, 0))
		d.set(time.Time{})
		if err := <-ended; err != os.ErrDeadlineExceeded {
			t.Fatalf("Err gives %v after the deadline", err)
		}
		<-derived.Done()
		cancel()
		if err := d.context().Err(); err != nil {
			t.Fatalf("a call that begins after the deadline was moved has a context with %v", err)
		}
		d.interrupt()
		d.set(time.Time{})
		if d.context().Err() == nil {
			t.Fatal("a deadline was moved that is final")
		}
		d.stop()
	}
}

// TestWriteDeadlineMoved: a WriteMessage waits for its turn when the deadline passes, and is moved at once. It fails, and the message
// under way stays whole.
func TestWriteDeadlineMoved(t *testing.T) {
	s, c := pair(t, Upgrader{}, Dialer{})
	const size = 6 << 20
	first, second := make(chan error, 1), make(chan error, 1)
	s.SetWriteDeadline(time.Now().Add(time.Hour))
	go func() {
		first <- s.Modern().Write(context.Background(), websocket.MessageBinary, bytes.Repeat([]byte("a"), size))
	}()
	for s.Modern().Stats().Written.WireBytes < 1000 {
		runtime.Gosched() // until the kernel takes no more
	}
	go func() { second <- s.WriteMessage(BinaryMessage, bytes.Repeat([]byte("b"), size)) }()
	for begun := time.Now(); time.Since(begun) < 5*time.Second; {
		s.SetWriteDeadline(time.Now())
		s.SetWriteDeadline(time.Now().Add(time.Hour))
		select {
		case err := <-second:
			if err == nil {
				t.Error("WriteMessage returned nil, and nobody reads")
			}
			begun = time.Time{}
		default:
		}
	}
	if _, p, err := c.ReadMessage(); err != nil || len(p) != size || bytes.Count(p, []byte("a")) != size {
		t.Errorf("read %d bytes, %d of them of the first message, %v", len(p), bytes.Count(p, []byte("a")), err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
}
