package websocket

import (
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
