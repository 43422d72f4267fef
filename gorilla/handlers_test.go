package websocket

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
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

// TestHandlersAfterError: an error of a handler ends reading, and no handler runs for what came in the same bytes.
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
		c.SetPingHandler(func(string) error { calls++; return errors.New("no Pings, please") })
		<-sent
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
	if err := <-ended; err == nil || err.Error() != "no Pings, please" || calls != 1 {
		t.Errorf("the handler was called %d times; ReadMessage gave %v", calls, err)
	}
}
