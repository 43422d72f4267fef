package websocket

import (
	"context"
	"testing"
)

// TestEndedWhileTakingTurn: a call looks at its context, and then takes the turn. If
// the context ends in between, the interruption hits whoever had the turn before, and
// the call must not wait for another.
func TestEndedWhileTakingTurn(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		first := start(func() error { _, _, err := t.c.Read(ctx); return err })
		t.blocked("nothing comes", first)
		t.p.SendText("first") // from now on the end of ctx interrupts reading
		if err := t.want("the first Read", first); err != nil {
			t.Fatal(err)
		}
		other := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.blocked("nothing comes", other)
		if t.c.resumes {
			t.c.watchWrite(ctx)
		}
		cancel()
		t.blocked("it was not meant", other)
		t.p.SendText("second")
		if err := t.want("another's Read", other); err != nil {
			t.Fatal(err)
		}

		t.c.readTurn.await(bg, nil)
		read := start(func() error { _, err := t.c.receive(ctx, nil); return err })
		if err := t.want("reading", read); err != context.Canceled {
			t.Fatal(err)
		}
		t.c.readTurn.release()

		if !t.c.resumes {
			return
		}
		t.settle()
		t.c.unpokeWrite()
		t.c.writeTurn.await(bg, nil)
		b := &buffer{b: make([]byte, t.blockedSize())}
		written := start(func() error { return t.c.sendAll(ctx, b, nil) })
		if err := t.want("writing", written); err != context.Canceled || b.n != 0 {
			t.Fatalf("%d bytes were sent: %v", b.n, err)
		}
		t.c.writeTurn.release()
	})
}
