package websocket

import (
	"context"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestNothingHeldAfterBurst: when many connections have been busy at the same time,
// three collections later they hold no buffers, and neither do the pools.
func TestNothingHeldAfterBurst(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	const conns, size = 100, 200 << 10
	var busy, release sync.WaitGroup
	release.Add(1)
	srv := httptest.NewServer(Handler(nil, func(ctx context.Context, c *Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
				return
			}
		}
	}))
	defer srv.Close()
	burst := func(list []*Conn) {
		message := make([]byte, size)
		var done sync.WaitGroup
		for _, c := range list {
			done.Go(func() {
				if err := c.Write(bg, MessageBinary, message); err != nil {
					t.Error(err)
				}
				busy.Done()
				release.Wait()
				if _, p, err := c.Read(bg); err != nil || len(p) != size {
					t.Error(len(p), err)
				}
			})
		}
		done.Wait()
	}
	var list []*Conn
	for range conns {
		c, _, err := Dial(bg, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		list = append(list, c)
	}
	before := heapInUse()
	busy.Add(conns)
	go func() { busy.Wait(); release.Done() }()
	burst(list)
	if grown := (heapInUse() - before) / conns; grown > 8<<10 {
		t.Errorf("each of %d connections holds %d bytes more than before the burst", conns, grown)
	}
}

// TestNothingHeldMidMessage: who waits on a socket for the rest of a large message has memory for the message, and no other
// buffer.
func TestNothingHeldMidMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	const conns, size, part = 50, 300 << 10, 200 << 10
	for _, client := range []bool{true, false} {
		var pairs []*connTest
		var rest [][]byte
		var reads []<-chan error
		for range conns {
			ours, theirs := tcpPair(t)
			c := newConn(ours, config{client: client, parent: bg, readLimit: size, settings: newSettings(0, 0, 0)})
			defer c.CloseNow()
			role := wiretest.Client
			if client {
				role = wiretest.Server
			}
			p := &connTest{t, c, wiretest.NewPeer(t, theirs, role), true}
			pairs = append(pairs, p)
			rest = append(rest, p.p.Encode(wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Payload: make([]byte, size)}))
			buf := make([]byte, 0, 2*size)
			reads = append(reads, start(func() error { _, _, err := c.AppendRead(bg, buf); return err }))
		}
		send := func(n int) {
			for i, p := range pairs {
				p.p.SendRaw(rest[i][:n])
				rest[i] = rest[i][n:]
			}
		}
		settled := func(n int64) {
			for _, p := range pairs {
				for deadline := time.Now().Add(10 * time.Second); p.c.Stats().Read.WireBytes < n; runtime.Gosched() {
					if time.Now().After(deadline) {
						t.Fatalf("of %d bytes %d were read", n, p.c.Stats().Read.WireBytes)
					}
				}
			}
		}
		before := heapInUse()
		send(part / 2)
		settled(part / 2)
		send(part / 2)
		settled(part)
		if grown := (heapInUse() - before) / conns; grown > 8<<10 {
			t.Errorf("client %v: each of %d connections holds %d bytes in the middle of a message", client, conns, grown)
		}
		send(len(rest[0]))
		for i, read := range reads {
			if err := pairs[i].want("Read", read); err != nil {
				t.Error(err)
			}
		}
	}
}

// heapInUse returns how much of the heap is in use when nothing that the pools and shelves let go of is left.
func heapInUse() int64 {
	for range 3 {
		collect()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// collect collects garbage, and returns when finalizers have run. It may be called in a bubble, and finalizers run in none.
func collect() {
	done := new(atomic.Bool)
	runtime.SetFinalizer(&[]byte{0}, func(*[]byte) { done.Store(true) })
	runtime.GC()
	for range 1_000_000 {
		if runtime.Gosched(); done.Load() {
			return
		}
	}
}

// TestNothingHeldAfterPing: a connection over TLS has answered a Ping, or seen the Pong to its own, in the middle of a Read
// or while nobody reads. It goes on waiting without a buffer.
func TestNothingHeldAfterPing(t *testing.T) {
	for _, reading := range []bool{false, true} {
		runConnTest(t, config{}, func(t *connTest) {
			ctx, cancel := context.WithCancel(bg)
			read := start(func() error {
				if !reading {
					<-ctx.Done()
					return nil
				}
				_, _, err := t.c.Read(ctx)
				return err
			})
			pinged := start(func() error { return t.c.Ping(bg) })
			ping := t.p.ReadFrame("our Ping")
			t.p.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpPong, Payload: ping.Payload})
			if err := t.want("Ping", pinged); err != nil {
				t.Fatal(err)
			}
			t.p.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpPing, Payload: []byte("you?")})
			t.p.ReadFrame("the Pong")
			if t.real { // where nothing tells when it waits again
				cancel()
				t.want("Read", read)
				return
			}
			t.settle()
			if size := cap(t.c.receiver.inbox.Bytes()); size > 0 {
				t.Errorf("reading %v: it waits with a buffer of %d bytes", reading, size)
			}
			cancel()
			t.want("Read", read)
		})
	}
}

// TestPolledRead: a Read that gives up in the middle of a large message, in which nothing has come meanwhile, leaves no garbage that
// is worth mentioning.
func TestPolledRead(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	ours, theirs := tcpPair(t)
	runOne(t, false, config{readLimit: -1}, ours, theirs, true, func(t *connTest) {
		frame := t.p.Encode(wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Payload: make([]byte, 1<<20)})
		go t.p.Conn.Write(frame[:len(frame)-1])
		poll := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(bg, d)
			defer cancel()
			if _, _, err := t.c.Read(ctx); err != context.DeadlineExceeded {
				t.Fatal(err)
			}
		}
		for range 20 {
			poll(10 * time.Millisecond) // until all has come
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const calls = 100
		for range calls {
			poll(time.Millisecond)
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / calls; each > 8<<10 {
			t.Errorf("each call leaves %d bytes", each)
		}
	})
}
