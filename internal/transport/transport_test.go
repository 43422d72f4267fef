package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var bg = context.Background()

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// read reads until something has come, and appends it. It counts the interruptions.
func (c *Conn) readSome(ctx context.Context, dst, got []byte, hits *int) ([]byte, error) {
	for {
		n, err := c.Read(ctx, dst)
		switch {
		case err == ErrInterrupted:
			*hits++
			if n != 0 {
				return got, fmt.Errorf("%d bytes came with an interruption", n)
			}
		case err != nil:
			return got, err
		case n > 0 && dst != nil:
			return append(got, dst[:n]...), nil
		case n > 0:
			b := c.in.Bytes()
			if n > len(b) {
				return got, fmt.Errorf("%d bytes came, and %d are there", n, len(b))
			}
			got = append(got, b...)
			c.in.Take(len(b))
			return got, nil
		}
	}
}

// TestReadInterrupted: whatever interrupts it at whatever time, all that the peer wrote is read, once.
func TestReadInterrupted(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		want := noise(150 << 10)
		wrote := start(func() error {
			random := rand.New(rand.NewPCG(1, 2))
			for b := want; len(b) > 0; {
				n := min(len(b), 1+random.IntN(20<<10))
				if _, err := peer.Write(b[:n]); err != nil {
					return err
				}
				b = b[n:]
			}
			return nil
		})
		var done atomic.Bool
		var interrupters sync.WaitGroup
		for range 3 {
			interrupters.Go(func() {
				for !done.Load() {
					c.InterruptRead()
					yield()
				}
			})
		}
		var got []byte
		hits := 0
		random := rand.New(rand.NewPCG(3, 4))
		for len(got) < len(want) {
			var dst []byte
			if random.IntN(2) == 0 {
				dst = make([]byte, 1+random.IntN(40<<10))
			}
			var err error
			if got, err = c.readSome(nil, dst, got, &hits); err != nil {
				t.Error(err)
				break
			}
			c.in.Release()
		}
		done.Store(true)
		interrupters.Wait()
		if !bytes.Equal(got, want) {
			t.Fatalf("of %d bytes others came (%d)", len(want), len(got))
		}
		if err := soon(t, "the peer", wrote); err != nil {
			t.Fatal(err)
		}
		if hits == 0 {
			t.Log("it was never interrupted")
		}
	})
}

// writeAll writes b and tail, over all interruptions.
func (c *Conn) writeAll(ctx context.Context, b *Buffer, tail []byte, try bool, hits *int) error {
	if try && c.TryWrite(b, tail) {
		return nil
	} else if !try {
		b.N, b.Err = 0, nil
	}
	for {
		before := b.N
		err := c.Write(ctx, b, tail)
		switch {
		case b.N < before || b.N > len(b.B)+len(tail):
			return fmt.Errorf("of %d bytes %d were written, after %d", len(b.B)+len(tail), b.N, before)
		case err == ErrInterrupted:
			*hits++
		case err == nil && b.N != len(b.B)+len(tail):
			return fmt.Errorf("of %d bytes %d were written", len(b.B)+len(tail), b.N)
		default:
			return err
		}
	}
}

// TestWriteInterrupted: a write that is interrupted, at whatever time, goes on where it was; the peer reads all that was
// written, once.
func TestWriteInterrupted(t *testing.T) {
	t.Parallel() // it waits
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		const messages = 60
		random := rand.New(rand.NewPCG(5, 6))
		stuff := noise(200 << 10)
		var want []byte
		type message struct{ head, tail []byte }
		var all []message
		for i := range messages {
			head := stuff[i : i+1+random.IntN(BufferSize-1)]
			var tail []byte
			if i%2 == 0 {
				tail = stuff[i : i+1+random.IntN(64<<10)]
			}
			all = append(all, message{head, tail})
			want = append(append(want, head...), tail...)
		}
		var done atomic.Bool
		var interrupters sync.WaitGroup
		for range 2 {
			interrupters.Go(func() {
				for !done.Load() {
					c.InterruptWrite()
					yield()
				}
			})
		}
		hits := 0
		written := start(func() error {
			for i, m := range all {
				b := Get()
				b.B = append(b.B, m.head...)
				if err := c.writeAll(nil, b, m.tail, i%3 != 0, &hits); err != nil {
					return fmt.Errorf("message %d: %w", i, err)
				}
				Put(b)
			}
			return nil
		})
		got := make([]byte, len(want))
		read := start(func() error { _, err := io.ReadFull(peer, got); return err })
		if err := soon(t, "writing", written); err != nil {
			t.Error(err)
		}
		done.Store(true)
		interrupters.Wait()
		if err := soon(t, "the peer", read); err != nil || !bytes.Equal(got, want) {
			t.Errorf("something else came, %v", err)
		}
		if taken, outstanding := c.Taken(); taken+outstanding != int64(len(want)) && c.Tries() || taken+outstanding > int64(len(want)) {
			t.Errorf("%d were taken and %d not yet, of %d", taken, outstanding, len(want))
		}
	})
}

// TestNobodyReads: TryWrite never waits, Write does until it is interrupted; then the peer reads, and has all of it.
func TestNobodyReads(t *testing.T) {
	t.Parallel() // it waits
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		stuff := noise(2 << 20)
		b := &Buffer{B: stuff[:100]}
		tried := start(func() error {
			if c.TryWrite(b, stuff[100:]) {
				return errors.New("all was taken")
			}
			return b.Err
		})
		if err := soon(t, "TryWrite", tried); err != nil {
			t.Fatal(err)
		}
		if b.N == 0 && c.Tries() && (canSendBoth || !c.Gathers()) {
			t.Error("nothing was taken of what there is room for")
		}
		ctx, cancel := context.WithCancel(bg)
		writing := start(func() error { return c.Write(ctx, b, stuff[100:]) })
		select {
		case err := <-writing:
			t.Fatalf("nobody reads, and Write returned %v with %d written", err, b.N)
		case <-time.After(20 * time.Millisecond):
		}
		cancel()
		if err := soon(t, "Write", writing); err != ErrInterrupted {
			t.Fatal(err)
		}
		n := b.N
		if c.TryWrite(&Buffer{B: []byte("x")}, nil) {
			t.Error("there is room")
		}
		if err := soon(t, "a context that is done", start(func() error { return c.Write(ctx, b, stuff[100:]) })); err != ErrInterrupted || b.N != n {
			t.Errorf("a context that is done: %v, %d after %d", err, b.N, n)
		}
		got := make([]byte, len(stuff))
		read := start(func() error { _, err := io.ReadFull(peer, got); return err })
		hits := 0
		written := start(func() error {
			for {
				if err := c.Write(nil, b, stuff[100:]); err != ErrInterrupted {
					return err
				}
				hits++
			}
		})
		if err := soon(t, "the rest", written); err != nil || hits > 2 {
			t.Fatalf("%v, after %d interruptions", err, hits)
		}
		if err := soon(t, "the peer", read); err != nil || !bytes.Equal(got, stuff) {
			t.Fatalf("something else came, %v", err)
		}
	})
}

// TestNoInterruptionIsLost: many ask at once. Whoever asks changes something first, and whoever is hit looks: each change
// is seen, no time-out is taken for somebody else's, and afterwards none is left.
func TestNoInterruptionIsLost(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		const askers, rounds = 6, 60
		var asked [askers]atomic.Int64
		var seen [askers]chan int64
		for i := range seen {
			seen[i] = make(chan int64, rounds+1)
		}
		reading := start(func() error {
			var told [askers]int64
			for {
				n, err := c.Read(nil, nil)
				if n > 0 {
					return nil
				}
				if err != nil && err != ErrInterrupted {
					return err
				}
				for i := range told {
					if v := asked[i].Load(); v != told[i] {
						told[i] = v
						seen[i] <- v
					}
				}
			}
		})
		var all sync.WaitGroup
		for i := range askers {
			all.Go(func() {
				for v := range int64(rounds) {
					asked[i].Store(v + 1)
					c.InterruptRead()
					select {
					case <-seen[i]:
					case err := <-reading:
						t.Errorf("Read: %v", err)
						return
					case <-time.After(20 * time.Second):
						t.Errorf("interruption %d of %d is lost", v, i)
						return
					}
					if v%8 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := soon(t, "Read", reading); err != nil {
			t.Error(err)
		}
		hits := 0
		for range 3 {
			go peer.Write([]byte("y"))
			if _, err := c.readSome(nil, nil, nil, &hits); err != nil {
				t.Error(err)
			}
		}
		if hits > 1 {
			t.Errorf("a deadline in the past is left behind: %d interruptions that nobody asked for", hits)
		}
	})
}

// TestNoWriteInterruptionIsLost is the same for a Write that waits.
func TestNoWriteInterruptionIsLost(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		const rounds = 200
		b := &Buffer{B: noise(1 << 20)}
		var asked, seen atomic.Int64
		saw := make(chan struct{}, rounds+1)
		writing := start(func() error {
			for {
				err := c.Write(nil, b, nil)
				if err != ErrInterrupted {
					return err
				}
				if v := asked.Load(); v != seen.Swap(v) {
					saw <- struct{}{}
				}
			}
		})
		for range rounds {
			asked.Add(1)
			var both sync.WaitGroup
			both.Go(c.InterruptWrite)
			both.Go(c.InterruptWrite)
			select {
			case <-saw:
			case err := <-writing:
				t.Fatalf("Write: %v", err)
			case <-time.After(20 * time.Second):
				t.Fatal("an interruption is lost")
			}
			both.Wait()
		}
		got := make([]byte, len(b.B))
		if err := soon(t, "the peer", start(func() error { _, err := io.ReadFull(peer, got); return err })); err != nil || !bytes.Equal(got, b.B) {
			t.Fatalf("something else came, %v", err)
		}
		if err := soon(t, "Write", writing); err != nil {
			t.Error(err)
		}
	})
}

// TestContexts: the end of the context of the call that is under way interrupts it; that of one before does
// not.
func TestContexts(t *testing.T) {
	t.Parallel() // it waits
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		read := func(ctx context.Context) <-chan error {
			return start(func() error {
				for {
					n, err := c.Read(ctx, nil)
					if n > 0 {
						c.in.Take(n)
					}
					if n > 0 || err != nil {
						return err
					}
				}
			})
		}
		first, cancelFirst := context.WithCancel(bg)
		for range 3 { // the same context again
			reading := read(first)
			go peer.Write([]byte("x"))
			if err := soon(t, "Read", reading); err != nil {
				t.Fatal(err)
			}
		}
		second, cancelSecond := context.WithCancel(bg)
		reading := read(second)
		select {
		case err := <-reading:
			t.Fatalf("Read: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		cancelFirst()
		select {
		case err := <-reading:
			t.Fatalf("the end of a context before: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		cancelSecond()
		if err := soon(t, "Read", reading); err != ErrInterrupted {
			t.Fatal(err)
		}
		c.Quiet()
		third, cancelThird := context.WithCancel(bg)
		cancelThird()
		hangUp(peer)
		c.Close()
		if err := soon(t, "after the end", read(third)); err == nil {
			t.Error("Read after Close succeeds")
		}
	})
}

// TestForeignDeadline: a deadline that somebody else has set is an error like any other, and no interruption.
func TestForeignDeadline(t *testing.T) {
	past := time.Unix(1, 0)
	for _, w := range wires {
		if w.name == "no deadlines" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			nc, peer := w.pair(t)
			c := open(nc)
			defer c.Close()
			defer hangUp(peer)
			reading := start(func() error {
				for {
					if _, err := c.Read(nil, nil); err != nil {
						return err
					}
				}
			})
			c.InterruptRead()
			if err := soon(t, "an interruption", reading); err != ErrInterrupted {
				t.Fatal(err)
			}
			nc.SetReadDeadline(past)
			reading = start(func() error {
				for {
					if _, err := c.Read(nil, nil); err != nil {
						return err
					}
				}
			})
			if err := soon(t, "Read", reading); err == nil || err == ErrInterrupted || !isTimeout(err) {
				t.Errorf("Read: %v", err)
			}

			b := &Buffer{B: make([]byte, 2<<20)}
			c.TryWrite(b, nil)
			c.InterruptWrite()
			writing := start(func() error { return c.Write(nil, b, nil) })
			if err := soon(t, "an interruption", writing); err != ErrInterrupted {
				t.Fatal(err)
			}
			nc.SetWriteDeadline(past)
			writing = start(func() error { return c.Write(nil, b, nil) })
			if err := soon(t, "Write", writing); err == nil || err == ErrInterrupted || !isTimeout(err) {
				t.Errorf("Write: %v", err)
			}
		})
	}
}

// TestEndOfStream: what came before the end comes before it, and the end stays.
func TestEndOfStream(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		wrote := start(func() error {
			_, err := peer.Write([]byte("last"))
			return errors.Join(err, peer.Close())
		})
		var got []byte
		hits := 0
		var err error
		for err == nil {
			got, err = c.readSome(nil, nil, got, &hits)
		}
		if string(got) != "last" || err != io.EOF {
			t.Errorf("%q, %v", got, err)
		}
		if _, again := c.readSome(nil, nil, nil, &hits); again != io.EOF {
			t.Errorf("the end stays: %v", again)
		}
		if err := soon(t, "the peer", wrote); err != nil {
			t.Error(err)
		}
	})
}

// TestInbox: bytes that did not fit move to the front when room for a control frame is short.
func TestInbox(t *testing.T) {
	var in Inbox
	if !in.Empty() || in.Bytes() != nil {
		t.Error("it is empty")
	}
	in.Release()
	stuff := noise(BufferSize)
	in.Came(copy(in.Room(), stuff))
	in.Take(BufferSize - 10)
	if n := len(in.Room()); n < minRoom {
		t.Errorf("there is room for %d", n)
	}
	if !bytes.Equal(in.Bytes(), stuff[BufferSize-10:]) {
		t.Error("other bytes are left")
	}
	in.Release()
	if in.Empty() {
		t.Error("what is there is kept")
	}
	in.Clear()
	in.Release()
	if in.buf != nil {
		t.Error("a connection that waits holds no buffer")
	}
	for _, size := range []int{1, BufferSize, BufferSize + 1, 200 << 10} {
		want := noise(size)
		in.Put(want)
		if !bytes.Equal(in.Bytes(), want) {
			t.Errorf("%d bytes were put, others are there", size)
		}
		clear(want) // it is a copy
		if bytes.Equal(in.Bytes(), want) {
			t.Errorf("%d bytes were not copied", size)
		}
		in.Take(size)
		in.Release()
	}
}
