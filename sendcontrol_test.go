package websocket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestSendPing: frames of the application's own leave as they are, in order, though nobody reads; OnPongReceived hears of the
// Pong, and Ping does not take it for its own.
func TestSendPing(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 100)
	s := newSettings(0, 0, 0)
	s.onPong = func(_ context.Context, p []byte) { heard <- string(p) }
	runConnTest(t, config{settings: s}, func(t *connTest) {
		counter := string(binary.BigEndian.AppendUint64(nil, 1)) // as Ping's own once were
		largest := strings.Repeat("p", 125)
		p := []byte(counter)
		for _, err := range []error{t.c.SendPing(p), t.c.SendPong([]byte("unasked")), t.c.SendPing(nil), t.c.SendPong(nil), t.c.SendPing([]byte(largest))} {
			if err != nil {
				t.Error(err)
			}
		}
		clear(p)
		for _, want := range []wiretest.Frame{wiretest.Ping(counter), wiretest.Pong("unasked"), wiretest.Ping(""), wiretest.Pong(""), wiretest.Ping(largest)} {
			t.p.WantFrame("as it is", want)
		}
		ping := start(func() error { return t.c.Ping(bg) })
		own := t.p.ReadFrame("Ping's own")
		t.p.SendPong(counter)
		if got := <-heard; got != counter {
			t.Errorf("OnPongReceived heard %q", got)
		}
		t.blocked("it is not Ping's", ping)
		t.p.SendPong(string(own.Payload))
		if err := t.want("Ping", ping); err != nil {
			t.Error(err)
		}
		<-heard
		for _, send := range []func([]byte) error{t.c.SendPing, t.c.SendPong} {
			if err := send(make([]byte, 126)); err == nil || !strings.HasPrefix(err.Error(), "websocket: ") {
				t.Errorf("126 bytes: %v", err)
			}
		}
		t.p.WantIdle("nothing of that", 20*time.Millisecond)
		t.wantAlive()
	})
}

// wantAlive asserts that messages still pass.
func (t *connTest) wantAlive() {
	t.Helper()
	t.p.SendText("still here")
	t.wantRead("it lives", MessageText, "still here")
}

// TestSendPingInsideMessage: they pass between the fragments of a Writer's message.
func TestSendPingInsideMessage(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		fragment := bytes.Repeat([]byte("x"), bufferSize+1)
		written := start(func() error { _, err := w.Write(fragment); return err })
		t.p.WantFrame("the first fragment", wiretest.Binary(string(fragment)).More())
		if err := t.want("Write", written); err != nil {
			t.Fatal(err)
		}
		if err := t.c.SendPing([]byte("between")); err != nil {
			t.Error(err)
		}
		t.p.WantFrame("between the fragments", wiretest.Ping("between"))
		closed := start(w.Close)
		t.p.WantFrame("the last", wiretest.Continuation(""))
		if err := t.want("Close", closed); err != nil {
			t.Error(err)
		}
	})
}

// TestSendPingIsBounded: while the peer does not read, a few wait, in order, and do not push each other nor the answers to
// the peer's Pings aside; then it is ErrQueueFull, whatever the queue limit is.
func TestSendPingIsBounded(t *testing.T) {
	t.Parallel()
	s := newSettings(-1, 0, -1)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		stuck := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", stuck)
		var want []wiretest.Frame
		for i := range 20 {
			text := fmt.Sprintf("%0125d", i)
			send, f := t.c.SendPing, wiretest.Ping(text)
			if i%2 == 1 {
				send, f = t.c.SendPong, wiretest.Pong(text)
			}
			switch err := send([]byte(text)); {
			case err == nil:
				want = append(want, f)
			case err != ErrQueueFull:
				t.Error(err)
			}
		}
		if len(want) != 16 {
			t.Errorf("%d were accepted, not 16", len(want))
		}
		t.p.SendPing("theirs")
		t.settle()
		if t.real {
			t.p.SendText("behind it")
			t.wantRead("the Ping has come", MessageText, "behind it")
		}
		if err := t.c.SendPing([]byte("one more")); err != ErrQueueFull {
			t.Error(err)
		}
		t.p.Timeout = time.Minute
		t.p.ReadFrame("the message that was stuck")
		t.p.WantPong("the answer", "theirs")
		for _, f := range want {
			t.p.WantFrame("in order", f)
		}
		if err := t.want("Write", stuck); err != nil {
			t.Error(err)
		}
		if err := t.c.SendPing([]byte("there is room")); err != nil {
			t.Error(err)
		}
		t.p.WantFrame("again", wiretest.Ping("there is room"))
	})
}

// TestSendPingAfterTheEnd: after a Close of either side, and the end, nothing is sent, and the reason returned at once.
func TestSendPingAfterTheEnd(t *testing.T) {
	both := func(t *connTest, want func(error) bool) {
		t.Helper()
		for name, send := range map[string]func([]byte) error{"SendPing": t.c.SendPing, "SendPong": t.c.SendPong} {
			if err := send([]byte("late")); err == nil || !want(err) {
				t.Errorf("%s gave %v", name, err)
			}
		}
	}
	closed := func(err error) bool { return errors.Is(err, net.ErrClosed) }
	runConnTest(t, config{}, func(t *connTest) {
		closing := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("ours", 1000)
		both(t, closed)
		t.p.WantIdle("nothing behind it", 20*time.Millisecond)
		t.p.SendClose(1000, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Error(err)
		}
		both(t, closed)
	})
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendClose(4000, "they")
		t.p.WantClose("the echo", 4000)
		<-t.c.Context().Done()
		both(t, func(err error) bool { return closed(err) && CloseStatus(err) == 4000 })
	})
	runConnTest(t, config{}, func(t *connTest) {
		t.c.CloseNow()
		both(t, closed)
	})
}

// TestFlush: it returns when the kernel has taken what was accepted, a Close frame included, and does not wait if its context is done.
func TestFlush(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		done, cancel := context.WithCancel(bg)
		cancel()
		if err := t.c.Flush(done); err != nil {
			t.Errorf("with nothing pending: %v", err)
		}
		stuck := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", stuck)
		if err := t.c.SendPing([]byte("behind")); err != nil {
			t.Error(err)
		}
		flushed := start(func() error { return t.c.Flush(bg) })
		t.blocked("the Ping can't leave", flushed)
		if err := t.c.Flush(done); err != context.Canceled {
			t.Errorf("with a context that is done: %v", err)
		}
		t.p.Timeout = time.Minute
		t.p.ReadFrame("the message that was stuck")
		t.p.WantFrame("behind it", wiretest.Ping("behind"))
		for name, call := range map[string]<-chan error{"Flush": flushed, "Write": stuck} {
			if err := t.want(name, call); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		t.c.CloseWrite(4000, "")
		flushed = start(func() error { return t.c.Flush(bg) })
		t.p.WantClose("ours", 4000)
		if err := t.want("Flush", flushed); err != nil {
			t.Error(err)
		}
		t.c.CloseNow()
		if err := t.c.Flush(bg); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestSendPingFromCallback: they may be sent where control frames are heard of.
func TestSendPingFromCallback(t *testing.T) {
	runConnTestFor(t, func(bool) config {
		s := newSettings(0, 0, 0)
		s.onPing = func(context.Context, []byte) bool { return false }
		return config{settings: s}
	}, func(t *connTest) {
		t.c.hooks.onPing = func(_ context.Context, p []byte) bool {
			if err := t.c.SendPong(append([]byte("late "), p...)); err != nil {
				t.Error(err)
			}
			return false
		}
		t.p.SendPing("answer")
		t.p.WantPong("of the callback's own", "late answer")
		t.p.WantIdle("and no other", 20*time.Millisecond)
	})
}
