package websocket

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// wantTimeout asserts that a call failed because of a time-out of the net.Conn's.
func wantTimeout(t *connTest, call string, err error) {
	t.Helper()
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%s gave %v, want the net.Conn's time-out", call, err)
	}
}

// TestForeignReadDeadline: somebody else sets a deadline on the net.Conn. It ends the connection with that error.
func TestForeignReadDeadline(t *testing.T) {
	notOverStreams(t)
	t.Parallel()
	for _, reading := range []bool{true, false} {
		runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
			var read <-chan error
			if reading {
				read = start(func() error { _, _, err := t.c.Read(bg); return err })
				t.blocked("nothing comes", read)
			} else { // the reader goroutine reads
				t.p.SendPing("up")
				t.p.WantPong("the connection reads by itself", "up")
			}
			t.c.transport.NetConn().SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			<-t.c.Context().Done()
			wantTimeout(t, "the context's cause", context.Cause(t.c.Context()))
			if reading {
				wantTimeout(t, "Read", t.want("Read", read))
			}
			_, _, err := t.c.Read(bg)
			wantTimeout(t, "a later Read", err)
			wantTimeout(t, "a later Write", t.c.Write(bg, MessageText, nil))
		})
	}
}

// TestForeignDeadlineBehindOurs: it is noticed too when calls were interrupted by their contexts before.
func TestForeignDeadlineBehindOurs(t *testing.T) {
	notOverStreams(t)
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		for range 3 {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			if _, _, err := t.c.Read(ctx); err != context.DeadlineExceeded {
				t.Fatal(err)
			}
			cancel()
		}
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.blocked("nothing comes", read)
		t.c.transport.NetConn().SetReadDeadline(time.Now())
		wantTimeout(t, "Read", t.want("Read", read))
	})
}

// TestForeignWriteDeadline is the same for a Write that waits, and for one that comes when the deadline has passed.
func TestForeignWriteDeadline(t *testing.T) {
	notOverStreams(t)
	t.Parallel()
	for _, before := range []bool{true, false} {
		runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
			if t.real && (before || t.p.Role == wiretest.Server) {
				return // once is enough: the peer has a second to say why
			}
			if before {
				t.c.transport.NetConn().SetWriteDeadline(time.Now())
			}
			write := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
			if !before {
				t.blocked("nobody reads", write)
				t.c.transport.NetConn().SetWriteDeadline(time.Now())
			}
			wantTimeout(t, "Write", t.want("Write", write))
			<-t.c.Context().Done()
			wantTimeout(t, "the context's cause", context.Cause(t.c.Context()))
			_, _, err := t.c.Read(bg)
			wantTimeout(t, "a later Read", err)
		})
	}
}
