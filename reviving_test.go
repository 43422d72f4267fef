package websocket

import (
	"context"
	"sync/atomic"
	"testing"
)

// A reviving context is done for as long as it takes to wake who waits, and then it is not any more. A Context must not do that.
type reviving struct {
	context.Context
	done chan struct{}
	over atomic.Bool
}

func (r *reviving) Done() <-chan struct{} { return r.done }

func (r *reviving) Err() error {
	if r.over.Load() {
		return context.Canceled
	}
	return nil
}

// TestRevivingContext: a Write that has given up waiting for its turn does not take it, whatever its Context says then. Messages stay
// whole.
func TestRevivingContext(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		large := make([]byte, 64<<10)
		first := start(func() error { return t.c.Write(bg, MessageBinary, large) })
		t.settle()
		ctx := &reviving{Context: bg, done: make(chan struct{})}
		second := start(func() error { return t.c.Write(ctx, MessageBinary, make([]byte, 8<<20)) }) // too large for the queue
		t.settle()
		close(ctx.done)
		t.settle()
		if f := t.p.ReadFrame("the first message"); len(f.Payload) != len(large) || !f.FIN {
			t.Errorf("the first message is one of %d bytes", len(f.Payload))
		}
		if err := t.want("Write", first); err != nil {
			t.Error(err)
		}
		if err := t.want("Write that gave up", second); err != context.Canceled {
			t.Errorf("%v, want context.Canceled", err)
		}
	})
}
