package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
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
	if canPoll { // a record waits for room, so there must be some, and too little
		a, b = socketPair(t, "unix")
		a.(*net.UnixConn).SetWriteBuffer(1)
	}
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

// TestBeforeFirstRecord: a write over TLS that was interrupted before the socket had room has taken nothing, and nothing of it is
// sent.
func TestBeforeFirstRecord(t *testing.T) {
	if !canPoll {
		t.Skip("a socket below TLS can't be asked for room here; streamconn's tests have the rest")
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := socketPair(t, network)
			nc, peer := secure(t, a, b)
			c := open(nc)
			var late *Buffer
			var writing <-chan error
			sent := -1
			for returned := true; returned; sent++ { // until the socket has no room
				late = &Buffer{B: []byte("x")}
				if c.TryWrite(late, nil) {
					continue
				}
				writing = start(func() error { return c.Write(nil, late, nil) })
				select {
				case err := <-writing:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(aMoment):
					returned = false
				}
			}
			c.InterruptWrite()
			if err := soon(t, "Write", writing); err != ErrInterrupted || late.N != 0 {
				t.Fatalf("Write: %v, and %d bytes were taken", err, late.N)
			}
			writing = start(func() error { return c.Write(nil, &Buffer{B: []byte("sent")}, nil) })
			want := strings.Repeat("x", sent) + "sent"
			got := make([]byte, len(want))
			if _, err := io.ReadFull(peer, got); err != nil || string(got) != want {
				t.Fatalf("something else came, %v", err)
			}
			if err := soon(t, "Write", writing); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// aMoment is long enough for a call that does not wait to have returned: the kernel tells nobody that it is waited for.
const aMoment = 100 * time.Millisecond

// waits asserts that a call has not returned, in a moment.
func waits(t *testing.T, returned <-chan error) {
	t.Helper()
	select {
	case err := <-returned:
		t.Fatalf("it returned: %v", err)
	case <-time.After(aMoment):
	}
}

// TestWaitingForRoom: a write over TLS was interrupted, and a goroutine still waits for the socket to have room. An attempt to write
// does not wait for it; a Write does, and hears of the peer's reset.
func TestWaitingForRoom(t *testing.T) {
	if !canPoll {
		t.Skip("a socket below TLS can't be asked for room here; streamconn's tests have the rest")
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/reset=%v", network, reset), func(t *testing.T) {
				a, b := socketPair(t, network)
				nc, peer := secure(t, a, b)
				c := open(nc)
				if !c.TryWrite(&Buffer{B: []byte("first")}, nil) { // after it the socket is not asked for a while
					t.Fatal("the socket is empty, and takes nothing")
				}
				large := &Buffer{B: noise(16 << 20)}
				for range 3 { // the system may make its buffers larger while it is written to
					writing := start(func() error { return c.Write(nil, large, nil) })
					waits(t, writing)
					c.InterruptWrite()
					if err := soon(t, "Write", writing); err != ErrInterrupted {
						t.Fatal(err)
					}
				}
				late := &Buffer{B: []byte("late")}
				tried := start(func() error { c.TryWrite(late, nil); return late.Err })
				if err := soon(t, "TryWrite", tried); err != nil || late.N != 0 {
					t.Fatalf("TryWrite: %v, and %d bytes were taken", err, late.N)
				}
				last := &Buffer{B: []byte("sent")}
				writing := start(func() error { return c.Write(nil, last, nil) })
				if reset { // who waits for room hears of it
					b.Close()
					if err := soon(t, "Write", writing); err == nil || err == ErrInterrupted {
						t.Fatalf("Write: %v", err)
					}
					return
				}
				want := "first" + string(large.B[:large.N]) + "sent"
				got := make([]byte, len(want))
				if _, err := io.ReadFull(peer, got); err != nil || string(got) != want {
					t.Fatalf("something else came, %v", err)
				}
				if err := soon(t, "Write", writing); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestUnsettledStream: TestUnsettled over a stream. All was handed over when the Write was interrupted; the next one does not
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
