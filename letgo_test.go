package websocket

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// registrations is a context that counts who waits for its end.
type registrations struct {
	context.Context
	n chan int
}

// Value hides that it is of package context's own, which would not ask for AfterFunc.
func (registrations) Value(any) any { return nil }

func (r registrations) AfterFunc(f func()) func() bool {
	r.n <- <-r.n + 1
	return func() bool {
		r.n <- <-r.n - 1
		return true
	}
}

// TestNetConnLetsGo: a connection that others than NetConn's Close have ended is not held by NetConn's context.
func TestNetConnLetsGo(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		r := registrations{ctx, make(chan int, 1)}
		r.n <- 0
		NetConn(r, t.c, MessageBinary)
		t.c.CloseNow()
		for limit := time.Now().Add(5 * time.Second); ; {
			n := <-r.n
			r.n <- n
			if n == 0 {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%d registrations are left", n)
			}
			<-time.After(time.Millisecond)
		}
	})
}

// TestCloseOnCancelLeavesTCP: a client with CloseOnCancel and a context that ends with the connection leaves it to the
// server to close TCP first.
func TestCloseOnCancelLeavesTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memconn.Pipe(1 << 10)
		cfg := config{client: true, parent: bg, readLimit: -1, settings: newSettings(0, time.Minute, -1)}
		cfg.settings.cancels = true
		c := newConn(a, cfg)
		p := wiretest.NewPeer(t, b, wiretest.Server)
		p.Timeout = 2 * time.Minute
		c.CloseRead(c.Context())
		closing := start(func() error { return c.Close(StatusNormalClosure, "") })
		p.WantClose("ours", 1000)
		p.SendClose(1000, "")
		p.WantIdle("TCP stays open", 30*time.Second)
		p.Close()
		if err := <-closing; err != nil {
			t.Fatal(err)
		}
	})
}
