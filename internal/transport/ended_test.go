package transport

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// TestEndedContexts: contexts that were cancelled before anybody asked for their channel have the same one. Each interrupts
// its call.
func TestEndedContexts(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, _ net.Conn) {
		b := &Buffer{B: make([]byte, 8<<20)}
		if c.TryWrite(b, nil) {
			t.Fatal("the peer does not read, and all is written")
		}
		for range 3 {
			ctx, cancel := context.WithCancel(bg)
			cancel()
			reading := start(func() error {
				for {
					if n, err := c.Read(ctx, nil); n > 0 || err != nil {
						return err
					}
				}
			})
			if err := soon(t, "Read", reading); err != ErrInterrupted {
				t.Fatalf("Read: %v", err)
			}
			writing := start(func() error { return c.Write(ctx, b, nil) })
			if err := soon(t, "Write", writing); err != ErrInterrupted {
				t.Fatalf("Write: %v", err)
			}
		}
	})
}

// TestUnsettled: a write over TLS was interrupted, and a goroutine has still a record to write. An attempt to write does
// not wait for it; a Write that has nothing else to do does.
func TestUnsettled(t *testing.T) {
	a, b := socketPair(t, "tcp")
	nc, peer := secure(t, a, b)
	c := open(nc)
	first := &Buffer{B: []byte("first")}
	if !c.TryWrite(first, nil) && canPoll {
		t.Fatal("the socket is empty, and takes nothing")
	}
	large := &Buffer{B: make([]byte, 16<<20)}
	ctx, cancel := context.WithCancel(bg)
	writing := start(func() error { return c.Write(ctx, large, nil) })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for taken := int64(-1); taken != c.taken.Load(); <-tick.C { // until the socket is full
		taken = c.taken.Load()
	}
	cancel()
	if err := soon(t, "Write", writing); err != ErrInterrupted {
		t.Fatal(err)
	}
	tried := start(func() error { c.TryWrite(&Buffer{B: []byte("x")}, nil); return nil })
	if err := soon(t, "TryWrite", tried); err != nil {
		t.Fatal(err)
	}
	all := &Buffer{B: large.B[:large.N], N: large.N}
	settled := start(func() error { return c.Write(nil, all, nil) })
	select {
	case err := <-settled:
		t.Fatalf("Write returned before all was written: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	go func() {
		scrap := make([]byte, 1<<20)
		for {
			if _, err := peer.Read(scrap); err != nil {
				return
			}
		}
	}()
	if err := soon(t, "Write", settled); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestUnsettledStream: the same over a stream. All was handed over when the Write was interrupted; the next one does not
// return before all is written.
func TestUnsettledStream(t *testing.T) {
	a, b := net.Pipe()
	closed(t, a, b)
	c := open(streamconn.New(a))
	bye := &Buffer{B: []byte("bye")}
	writing := start(func() error { return c.Write(nil, bye, nil) })
	select {
	case err := <-writing:
		t.Fatalf("nobody reads, and Write returned %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	c.InterruptWrite()
	if err := soon(t, "Write", writing); err != ErrInterrupted {
		t.Fatal(err)
	}
	settled := start(func() error { return c.Write(nil, bye, nil) })
	select {
	case err := <-settled:
		t.Fatalf("Write returned before all was written: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	got := make([]byte, 3)
	if _, err := b.Read(got); err != nil || string(got) != "bye" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := soon(t, "Write", settled); err != nil {
		t.Fatal(err)
	}
}

// TestInterruptionSettles: a call was interrupted and goes on while somebody is still setting the deadline. It waits for
// that, and the deadline is in the past no more.
func TestInterruptionSettles(t *testing.T) {
	var i interruption
	var past atomic.Bool
	entered, gate := make(chan struct{}), make(chan struct{})
	set := func(at time.Time) error {
		if !at.IsZero() {
			close(entered)
			<-gate
		}
		past.Store(!at.IsZero())
		return nil
	}
	go i.ask(set)
	<-entered
	cleared := start(func() error {
		if !i.clear(set) {
			return errors.New("it was an interruption")
		}
		return nil
	})
	select {
	case <-cleared:
		t.Fatal("the call goes on while the deadline is being set")
	case <-time.After(20 * time.Millisecond):
	}
	close(gate)
	if err := soon(t, "clear", cleared); err != nil {
		t.Fatal(err)
	}
	if past.Load() {
		t.Error("the deadline is still in the past")
	}
}

// TestNobodyMade: the zero value panics in the goroutine that uses it, which can recover, and in no other.
func TestNobodyMade(t *testing.T) {
	for _, use := range []func(*Conn, context.Context){
		func(c *Conn, ctx context.Context) { c.Read(ctx, make([]byte, 1)) },
		func(c *Conn, ctx context.Context) { c.Write(ctx, &Buffer{B: []byte("x")}, nil) },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bg)
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
				cancel()
				synctest.Wait()
			}()
			use(new(Conn), ctx)
		})
	}
}
