package transport

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestEndedContexts: contexts that were cancelled before anybody asked for their channel have the same one. Each interrupts
// its call.
func TestEndedContexts(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, _ net.Conn) {
		c.owner = nobody{}
		b := &Buffer{B: make([]byte, 8<<20)}
		if c.TryWrite(b, nil) {
			t.Fatal("the peer does not read, and all is written")
		}
		for range 3 {
			ctx, cancel := context.WithCancel(bg)
			cancel()
			reading := start(func() error { _, err := c.Read(ctx, nil); return err })
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
	time.Sleep(50 * time.Millisecond)
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
