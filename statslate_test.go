package websocket

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// takesAll is a net.Conn whose Write, when it is closed, says that all was written.
type takesAll struct {
	*memconn.Conn
	closed chan struct{}
	once   atomic.Bool
}

func (c *takesAll) Write(p []byte) (int, error) {
	<-c.closed
	return len(p), nil
}

func (c *takesAll) Close() error {
	if c.once.CompareAndSwap(false, true) {
		close(c.closed)
	}
	return c.Conn.Close()
}

// TestStatsAfterLateWrite: what is on its way when the net.Conn is closed is not taken off the queue twice.
func TestStatsAfterLateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(0)
		defer theirs.Close()
		c := newConn(&takesAll{Conn: ours, closed: make(chan struct{})}, config{parent: bg, readLimit: -1, settings: newSettings(0, time.Second, -1)})
		for range 3 {
			if err := c.TryWrite(MessageBinary, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		c.Close(1000, "")
		time.Sleep(time.Minute)
		if s := c.Stats(); s.QueuedBytes != 0 || s.QueuedMessages != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestClosedStats: what Closed is told is final, also if somebody was writing when the connection ended.
func TestClosedStats(t *testing.T) {
	s := newSettings(0, time.Second, -1)
	s.trace = &Trace{Closed: func(c *Conn, _ error, told Stats) {
		if c.Context().Err() == nil {
			t.Error("Context has not ended")
		}
		time.Sleep(time.Minute)
		if final := c.Stats(); told != final {
			t.Errorf("Closed was told\n%+v, in the end it is\n%+v", told, final)
		}
	}}
	for _, lost := range []bool{false, true} {
		for range 20 {
			runInMemory(t, config{settings: s}, func(t *connTest) {
				start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 10<<10)) })
				t.settle()
				for t.c.TryWrite(MessageText, []byte("hello")) == nil {
				}
				if lost {
					t.p.Conn.(*memconn.Conn).Reset()
				} else {
					t.c.CloseNow()
				}
				time.Sleep(2 * time.Minute)
			})
		}
	}
}
