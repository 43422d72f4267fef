package websocket

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestPanicsMeet: one handler panics while the panic of another goes on in the call that reads, as they may with AutoControl. Reads are
// interrupted afterwards if there is something to tell, and only then.
func TestPanicsMeet(t *testing.T) {
	for range 20_000 {
		var c Conn
		c.interrupt(&trouble{panicked: "first"})
		var meeting sync.WaitGroup
		meeting.Go(func() { c.interrupt(&trouble{panicked: "second"}) })
		meeting.Go(func() {
			defer func() { recover() }()
			c.panicOn(func() {})
		})
		meeting.Wait()
		if told, interrupted := c.trouble.Load() != nil, c.reads.interrupted.Load(); told != interrupted {
			t.Fatalf("something to tell: %t; interrupted: %t", told, interrupted)
		}
	}
}

// TestErrorBehindPanic: an error ends reading also if it came behind panics that nobody has seen yet.
func TestErrorBehindPanic(t *testing.T) {
	var c Conn
	bad := errors.New("the handler's error")
	for _, left := range []trouble{{panicked: "first"}, {panicked: "second"}, {err: bad}, {panicked: "after it"}} {
		c.interrupt(&left)
	}
	func() {
		defer func() {
			if v := recover(); v != "first" {
				t.Errorf("panicked with %v", v)
			}
		}()
		c.panicOn(func() {})
	}()
	if left := c.panicOn(func() {}); left == nil || left.err != bad || !c.reads.interrupted.Load() {
		t.Errorf("then: %+v; interrupted: %t", left, c.reads.interrupted.Load())
	}
}

// TestHandlersAfterError: an error of a handler ends reading, and no handler runs for what came in the same bytes, though one has
// panicked before.
func TestHandlersAfterError(t *testing.T) {
	calls, ended := 0, make(chan error, 1)
	sent := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(Upgrader).Upgrade(w, r, nil)
		if err != nil {
			ended <- err
			return
		}
		defer c.Close()
		c.SetPingHandler(func(string) error {
			if calls++; calls == 1 {
				panic("a bug")
			}
			return errors.New("no Pings, please")
		})
		<-sent
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			c.ReadMessage()
		}()
		_, _, err = c.ReadMessage()
		ended <- err
	}))
	defer s.Close()
	c, _, err := DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 10 {
		c.WriteMessage(PingMessage, nil)
	}
	close(sent)
	if err := <-ended; err == nil || err.Error() != "no Pings, please" || calls != 2 {
		t.Errorf("the handler was called %d times; ReadMessage gave %v", calls, err)
	}
}

// TestCloseWaitsForPeer: the peer's Close has come, and it takes nothing for two seconds. WriteControl returns when its Close has left, or
// at its deadline.
func TestCloseWaitsForPeer(t *testing.T) {
	for _, patience := range []time.Duration{time.Second / 2, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe() // where a write waits for the read
			core, err := websocket.NewConn(ours, &websocket.ConnOptions{Passive: true})
			if err != nil {
				t.Fatal(err)
			}
			p := wiretest.NewPeer(t, theirs, wiretest.Client)
			go p.SendClose(1000, "")
			if _, _, err := core.Read(t.Context()); websocket.CloseStatus(err) != 1000 {
				t.Fatal(err)
			}
			c := From(core)
			begun := time.Now()
			time.AfterFunc(2*time.Second, func() { p.WantClose("the answer", 1000) })
			err = c.WriteControl(CloseMessage, FormatCloseMessage(1000, ""), begun.Add(patience))
			took := time.Since(begun)
			if late, ok := err.(net.Error); patience < time.Second && (!ok || !late.Timeout() || took != patience) {
				t.Errorf("WriteControl gave %v after %v", err, took)
			} else if patience > time.Second && (err != nil || took != 2*time.Second) {
				t.Errorf("WriteControl gave %v after %v", err, took)
			}
			time.Sleep(3 * time.Second)
			p.Close()
			c.Close()
			time.Sleep(10 * time.Second)
		})
	}
}
