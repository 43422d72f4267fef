package websocket

import (
	"context"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A reason that is known comes at once, and before the context's error.

// lingering is a peer that closes with 4000 and a reason, and keeps TCP open.
func lingering(t *connTest) {
	t.p.SendClose(4000, "moved")
	t.p.WantClose("it is answered", 4000)
}

// wantMoved asserts that an error is what lingering's Close said.
func (t *connTest) wantMoved(call string, err error) {
	t.Helper()
	if CloseStatus(err) != 4000 {
		t.Errorf("%s gave %v, want the peer's Close", call, err)
	}
}

// TestServerKeepsTCP: the server closes and keeps TCP open. All calls of the client tell its reason at once, and Context
// ends; Close alone waits for TCP, until it ends or for the close timeout.
func TestServerKeepsTCP(t *testing.T) {
	for _, ends := range []bool{true, false} {
		timeout := 250 * time.Millisecond
		if ends { // nobody waits for it
			timeout = 10 * time.Second
		}
		runConnTest(t, config{settings: newSettings(0, timeout, 0)}, func(t *connTest) {
			if t.p.Role == wiretest.Client {
				return // the server closes TCP itself
			}
			read := start(func() error { _, _, err := t.c.Read(bg); return err })
			ping := start(func() error { return t.c.Ping(bg) })
			if f := t.p.ReadFrame("a Ping"); f.Opcode != wiretest.OpPing {
				t.Fatal(f)
			}
			lingering(t)
			begun := time.Now()
			t.wantMoved("Read", t.want("Read", read))
			t.wantMoved("Ping", t.want("Ping", ping))
			<-t.c.Context().Done()
			t.wantMoved("the context's cause", context.Cause(t.c.Context()))
			if took := time.Since(begun); took > timeout/2 || !t.real && took > 0 {
				t.Errorf("all knew the reason after %v", took)
			}
			closing := start(func() error { return t.c.Close(1000, "") })
			t.blocked("TCP has not ended", closing)
			if ends {
				t.p.Close()
			}
			if err := t.want("Close", closing); err != nil {
				t.Errorf("Close gave %v", err)
			}
			if took := time.Since(begun); !t.real && !ends && took != timeout || ends && took > timeout/2 {
				t.Errorf("Close returned after %v", took)
			}
		})
	}
}

// TestReasonBeforeContext: a context is cancelled when the peer's Close has come. Every call under it tells the peer's
// reason, those that wait and those that come later.
func TestReasonBeforeContext(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error { _, _, err := t.c.Read(ctx); return err })
		ping := start(func() error { return t.c.Ping(ctx) })
		if f := t.p.ReadFrame("a Ping"); f.Opcode != wiretest.OpPing {
			t.Fatal(f)
		}
		lingering(t)
		cancel()
		t.wantMoved("Read", t.want("Read", read))
		t.wantMoved("Ping", t.want("Ping", ping))
		for name, call := range map[string]func() error{
			"Read":   func() error { _, _, err := t.c.Read(ctx); return err },
			"Reader": func() error { _, _, err := t.c.Reader(ctx); return err },
			"Write":  func() error { return t.c.Write(ctx, MessageText, nil) },
			"Writer": func() error { _, err := t.c.Writer(ctx, MessageText); return err },
			"Ping":   func() error { return t.c.Ping(ctx) },
			"Flush": func() error { // which has to wait
				t.c.writeTurn.Await(nil, nil)
				defer t.c.leaveWrite()
				return t.c.Flush(ctx)
			},
		} {
			t.wantMoved("a later "+name, call())
		}
	})
}

// TestCloseContextOfItsOwn: both Close frames were exchanged, and so the connection's context has ended. A CloseContext under it has
// succeeded.
func TestCloseContextOfItsOwn(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		closing := start(func() error { return t.c.CloseContext(t.c.Context(), 4000, "") })
		t.p.WantClose("Close", 4000)
		t.p.SendClose(4000, "")
		if err := t.want("CloseContext", closing); err != nil {
			t.Errorf("CloseContext gave %v", err)
		}
	})
}

// TestReasonBeforeContextAtOnce is the same for a Read, where the two are as close as can be.
func TestReasonBeforeContextAtOnce(t *testing.T) {
	runRounds(t, config{}, 200, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error { _, _, err := t.c.Read(ctx); return err })
		lingering(t)
		cancel()
		t.wantMoved("Read", t.want("Read", read))
		t.p.Close()
	})
}
