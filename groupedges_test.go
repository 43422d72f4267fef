package websocket

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestTraceGoexitAtTheEnd: a MessageWritten that does not return, for a broadcast that leaves with the last Close frame, does not keep the connection from ending.
func TestTraceGoexitAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSettings(0, 0, -1)
		var called atomic.Int64
		s.trace = &Trace{MessageWritten: func(c *Conn, m MessageInfo) {
			if m.Size == 4 {
				called.Add(1)
				runtime.Goexit()
			}
		}}
		var g Group
		m := joinedMember(t, &g, config{settings: s}, 1<<10)
		m.stall(t, 8<<10)
		broadcast(t, &g, "four")
		synctest.Wait()
		m.p.SendRaw([]byte{0xff, 0x80, 1, 2, 3, 4}) // a violation
		read := start(func() error { _, _, err := m.c.Read(bg); return err })
		synctest.Wait()
		m.c.mu.Lock()
		t.Logf("closing %+v", m.c.closing)
		m.c.mu.Unlock()
		m.p.ReadFrame("the large one")
		m.p.WantText("", "four")
		f := m.p.ReadFrame("close")
		t.Logf("%v", f)
		t.Log(<-read)
		time.Sleep(time.Hour)
		m.c.mu.Lock()
		cl := m.c.closing
		m.c.mu.Unlock()
		t.Logf("called %d, closing %+v", called.Load(), cl)
		select {
		case <-m.c.Context().Done():
		default:
			t.Errorf("after an hour the Context is not done; the group has %d members", g.Len())
		}
		closed := make(chan bool)
		go func() { m.c.CloseNow(); m.c.Close(1000, ""); close(closed) }()
		time.Sleep(time.Hour)
		select {
		case <-closed:
		default:
			t.Errorf("CloseNow and Close do not return")
		}
		if _, err := m.under.Conn.Write([]byte("x")); err == nil {
			t.Errorf("the net.Conn is open")
		}
		m.under.Conn.Close()
		m.p.Close()
		_ = m
		synctest.Wait()
		m.c.mu.Lock()
		m.c.closing.hungUp = true
		m.c.unlock()
	})
}

// TestGraceLagsAgain: a member that becomes full again while its grace is looked at is watched again.
func TestGraceLagsAgain(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	g := Group{MaxQueued: 2, Grace: 300 * time.Millisecond}
	m := joinedMember(t, &g, config{}, 1<<10)
	settle := func() { <-time.After(20 * time.Millisecond) }
	go m.c.Write(bg, MessageBinary, make([]byte, 8<<10))
	settle()
	for range 3 {
		broadcast(t, &g, "x")
	}
	settle()
	if s, _ := g.Member(m.c); s.Full == 0 {
		t.Fatal("not full")
	}
	m.p.ReadFrame("the large one") // it has drained in time
	m.p.WantText("", "x")
	m.p.WantText("", "x")
	settle()
	go m.c.Write(bg, MessageBinary, make([]byte, 8<<10)) // the next is slow
	settle()
	// What waits to be pulled, as while another round is under way.
	g.mu.Lock()
	g.delivering = true
	g.mu.Unlock()
	for range 3 {
		broadcast(t, &g, "y")
	}
	m.c.mu.Lock()
	go g.endGrace() // the timer
	settle()        // it waits for Conn.mu
	g.mu.Lock()
	m.c.mu.Unlock()
	settle() // it has seen that the member is not full, and waits for Group.mu
	g.mu.Unlock()
	m.c.pull() // by a Write, or a round: the member is full again
	if s, _ := g.Member(m.c); s.Full == 0 {
		t.Fatal("not full again")
	}
	<-time.After(1500 * time.Millisecond)
	if s, ok := g.Member(m.c); ok {
		g.mu.Lock()
		n := len(g.lagging)
		g.mu.Unlock()
		t.Errorf("after five times its grace it is still a member: %+v, %d are watched", s, n)
	}
}

// TestGraceDrained: a member that has drained in time is not closed for what fills its queue later.
func TestGraceDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{MaxQueued: 4}
		m := joinedMember(t, &g, config{settings: newSettings(64<<10, 0, -1)}, 1<<10)
		m.stall(t, 8<<10)
		for range 5 {
			broadcast(t, &g, "x")
		}
		synctest.Wait()
		time.Sleep(time.Second)
		m.p.ReadFrame("the large one")
		for range 4 {
			m.p.WantText("all that waited", "x")
		}
		synctest.Wait()
		if s, _ := g.Member(m.c); s.Queued != 0 || s.Bytes != 0 {
			t.Fatalf("%+v", s)
		}
		time.Sleep(3900 * time.Millisecond)
		// 0.1 s before the grace ends something of its own waits, for a moment.
		m.stall(t, 8<<10)
		if err := m.c.TryWrite(MessageBinary, make([]byte, 40<<10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if _, ok := g.Member(m.c); !ok || g.Stats().Closed != 0 {
			t.Errorf("closed, though all had left after a second: %+v", g.Stats())
		}
	})
}

// TestBacklogOwnMemory: short messages of a connection's own, between those that it shares, take little memory.
func TestBacklogOwnMemory(t *testing.T) {
	for _, how := range []string{"DropOldest", "TryWritePrepared", "CloseAfterGrace"} {
		synctest.Test(t, func(t *testing.T) {
			g := Group{Policy: DropOldest, MaxQueued: 1}
			if how == "CloseAfterGrace" {
				g = Group{}
			}
			m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
			m.stall(t, 8<<10)
			p := prepare(t, MessageText, "x")
			before := heapKiB()
			n := 0
			for ; n < 4000; n++ {
				if how == "TryWritePrepared" {
					if err := m.c.TryWritePrepared(p); err != nil {
						break
					}
				} else {
					g.BroadcastPrepared(p)
				}
				if err := m.c.TryWrite(MessageText, []byte("0123456789")); err != nil {
					break
				}
			}
			s := m.c.Stats()
			held := heapKiB() - before
			t.Logf("%s: %d messages, %d KiB; %d of 256 KiB are used", how, n, held, s.QueuedBytes>>10)
			if held > 4<<10 {
				t.Errorf("%s: %d KiB are held for %d bytes in the queue, by %d calls", how, held, s.QueuedBytes, n)
			}
			runtime.KeepAlive(m)
		})
	}
}

// TestRemovedHoldsNothing: what waits of a group that was left does not hold what the group broadcasts later.
func TestRemovedHoldsNothing(t *testing.T) {
	for _, removed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := Group{Policy: DropNewest, MaxQueued: 1}
			s := newSettings(0, 0, -1)
			m := joinedMember(t, &g, config{settings: s}, 1<<10)
			reader := joinedMember(t, &g, config{settings: s}, 1<<10)
			go io.Copy(io.Discard, reader.p.Conn)
			m.stall(t, 8<<10)
			broadcast(t, &g, "one waits")
			synctest.Wait()
			if removed {
				g.Remove(m.c)
			}
			before := heapKiB()
			for range 50 {
				g.Broadcast(MessageBinary, make([]byte, 1<<20))
				synctest.Wait()
			}
			if held := heapKiB() - before; held > 8<<10 {
				t.Errorf("removed %v: %d KiB are held; one byte waits for a connection that is no member; %+v", removed, held, m.c.Stats())
			}
			runtime.KeepAlive(&g)
		})
	}
}

// TestEndedInGraceHoldsNothing: a member that has ended in its grace does not hold what is broadcast later.
func TestEndedInGraceHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{MaxQueued: 1, Grace: time.Hour}
		s := newSettings(0, 0, -1)
		m := joinedMember(t, &g, config{settings: s}, 1<<10)
		reader := joinedMember(t, &g, config{settings: s}, 1<<10)
		go io.Copy(io.Discard, reader.p.Conn)
		m.stall(t, 8<<10)
		broadcast(t, &g, "x")
		broadcast(t, &g, "x")
		synctest.Wait()
		m.c.CloseNow()
		m.p.Close()
		synctest.Wait()
		if g.Len() != 1 {
			t.Fatal(g.Len())
		}
		before := heapKiB()
		for range 50 {
			g.Broadcast(MessageBinary, make([]byte, 1<<20))
			synctest.Wait()
		}
		if held := heapKiB() - before; held > 8<<10 {
			t.Errorf("%d KiB are held, and the slow member has ended", held)
		}
		runtime.KeepAlive(&g)
	})
}

// TestTryWriteBehindMemory: what TryWrite leaves behind a backlog takes no more memory than the queue's limit.
func TestTryWriteBehindMemory(t *testing.T) {
	wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
	if err != nil {
		t.Fatal(err)
	}
	for _, behind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var g Group
			s := newSettings(256<<10, 0, -1)
			m := joinedMember(t, &g, config{deflate: newCompression(wish, false, 0), settings: s}, 1<<10)
			go m.c.Write(bg, MessageBinary, noise(20<<10)) // stalls
			synctest.Wait()
			if behind {
				broadcast(t, &g, "one message waits in the backlog")
				synctest.Wait()
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p := make([]byte, 200<<10)
			n := 0
			for ; n < 1500; n++ {
				if err := m.c.TryWrite(MessageBinary, p); err != nil {
					break
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			st := m.c.Stats()
			t.Logf("behind %v: %d messages accepted, %d KiB held; QueueLimit is 256 KiB; %+v", behind, n, held>>10, st)
			if held > 4<<20 {
				t.Errorf("behind %v: %d KiB are held, %d messages, with a QueueLimit of 256 KiB", behind, held>>10, n)
			}
			runtime.KeepAlive(m)
		})
	}
}

// TestTracePreparedFrames: FrameWritten is told of prepared messages of any size.
func TestTracePreparedFrames(t *testing.T) {
	for _, size := range []int{100, 9 << 10, 100 << 10} {
		for _, client := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var frames, messages atomic.Int64
				s := newSettings(0, 0, -1)
				s.trace = &Trace{
					FrameWritten:   func(c *Conn, f FrameInfo) { frames.Add(1) },
					MessageWritten: func(c *Conn, m MessageInfo) { messages.Add(1) },
				}
				m := newMember(t, config{client: client, settings: s}, 0)
				done := start(func() error { return m.c.WritePrepared(bg, prepare(t, MessageText, strings.Repeat("x", size))) })
				m.p.ReadFrame("it")
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if frames.Load() != 1 || messages.Load() != 1 {
					t.Errorf("size %d client %v: FrameWritten %d times, MessageWritten %d times", size, client, frames.Load(), messages.Load())
				}
			})
		}
	}
}

// TestTracePreparedBackground: and of one that the background finishes.
func TestTracePreparedBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var mu sync.Mutex
		s := newSettings(0, 0, -1)
		s.trace = &Trace{FrameWritten: func(c *Conn, f FrameInfo) {
			mu.Lock()
			got = append(got, fmt.Sprint(f.Opcode, " ", f.Length))
			mu.Unlock()
		}}
		m := newMember(t, config{settings: s}, 1<<10)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		go m.c.WritePrepared(ctx, prepare(t, MessageText, strings.Repeat("x", 20<<10)))
		synctest.Wait()
		time.Sleep(2 * time.Second)
		m.p.ReadFrame("it")
		go m.c.Write(bg, MessageText, []byte("short"))
		m.p.ReadFrame("short")
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 2 {
			t.Errorf("FrameWritten: %v", got)
		}
	})
}

// TestMemberFullNoMore: a member is not full when all has left.
func TestMemberFullNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{Policy: DropNewest, MaxQueued: 2}
		m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
		m.stall(t, 8<<10)
		for range 3 {
			broadcast(t, &g, "x")
		}
		synctest.Wait()
		m.p.ReadFrame("the large one")
		m.p.WantText("", "x")
		m.p.WantText("", "x")
		synctest.Wait()
		time.Sleep(time.Hour)
		if s, _ := g.Member(m.c); s.Queued != 0 || s.Full != 0 {
			t.Errorf("nothing has waited for an hour: %+v", s)
		}
	})
}

// TestDroppedUntaken: what a member did not take before its end counts as dropped.
func TestDroppedUntaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
		go m.c.Close(1000, "")
		m.p.WantClose("ours", 1000)
		for range 3 {
			broadcast(t, &g, "x")
		}
		synctest.Wait()
		gs, s := g.Stats(), m.c.Stats()
		if int64(gs.Unsent+gs.Dropped) != s.Dropped {
			t.Errorf("the group %+v; the connection: %d dropped", gs, s.Dropped)
		}
	})
}

// TestBrowserCloseBehindMuch: the server's Close is read behind however much.
func TestBrowserCloseBehindMuch(t *testing.T) {
	s := newBrowserStream()
	s.received(false, make([]byte, 17<<20))
	s.ended(1000, "bye", true)
	all, err := io.ReadAll(s)
	if err != nil || !strings.HasSuffix(string(all), "bye") {
		t.Errorf("%d bytes, and then %v", len(all), err)
	}
}

// TestOnSlowCloseSlow: OnSlow is told what waited, though the member is closed at once.
func TestOnSlowCloseSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []MemberStats
		g := Group{Policy: CloseSlow, MaxQueued: 4}
		g.OnSlow = func(c *Conn, m MemberStats) {
			_, member := g.Member(c)
			t.Log("member:", member, "cause:", c.cause())
			got = append(got, m)
		}
		m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
		m.stall(t, 8<<10)
		for range 5 {
			broadcast(t, &g, "x")
		}
		synctest.Wait()
		t.Logf("%+v", got)
		if len(got) != 1 || got[0].Queued != 4 || got[0].Dropped != 1 {
			t.Errorf("four waited when the fifth had no room: OnSlow was told %+v", got)
		}
	})
}

// TestPreparedWithoutQueue: without a queue no prepared message waits.
func TestPreparedWithoutQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMember(t, config{settings: newSettings(-1, 0, -1)}, 1<<10)
		m.stall(t, 8<<10)
		if err := m.c.TryWrite(MessageText, []byte("x")); err != ErrQueueFull {
			t.Errorf("TryWrite: %v", err)
		}
		if err := m.c.TryWritePrepared(prepare(t, MessageText, strings.Repeat("x", 1<<20))); err != ErrQueueFull {
			t.Errorf("TryWritePrepared: %v; %+v", err, m.c.Stats())
		}
	})
}

func heapKiB() int64 { return heapInUse() >> 10 }

func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 24)
	}
	return b
}

// TestJoiningKeepsOrder: what a goroutine broadcasts and then writes keeps its order on a connection that joins meanwhile.
func TestJoiningKeepsOrder(t *testing.T) {
	ours, theirs := memconn.Pipe(1 << 20)
	c := newConn(ours, config{parent: bg, readLimit: -1, settings: newSettings(1<<20, 0, -1)})
	defer c.CloseNow()
	peer := newConn(theirs, config{client: true, parent: bg, readLimit: -1, settings: newSettings(0, 0, -1)})
	defer peer.CloseNow()
	var g Group
	until := time.Now().Add(time.Second)
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		for time.Now().Before(until) {
			g.Add(c)
			g.Remove(c)
		}
	}()
	sent := make(chan error, 1)
	go func() {
		for n := 0; time.Now().Before(until); n += 2 {
			broadcast(t, &g, strconv.Itoa(n))
			if err := c.Write(bg, MessageText, []byte(strconv.Itoa(n+1))); err != nil {
				sent <- err
				return
			}
		}
		<-joined
		sent <- c.Close(1000, "")
	}()
	last := -1
	for m, err := range peer.Messages(bg) {
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(m.Data))
		if err != nil || n <= last {
			t.Fatalf("%q came behind %d", m.Data, last)
		}
		last = n
	}
	if err := <-sent; err != nil || last < 2 {
		t.Errorf("after %d messages: %v", last+1, err)
	}
}

// TestAddTwiceAtOnce: while one Add waits for the group, another of the same connection does not return before it is a member.
func TestAddTwiceAtOnce(t *testing.T) {
	for _, shut := range []bool{false, true} {
		var g Group
		if shut {
			g.Close(bg, StatusGoingAway, "")
		}
		m := newMember(t, config{}, 1<<10)
		g.init()
		g.mu.Lock()
		adds := make(chan error, 2)
		add := func() { adds <- g.Add(m.c) }
		go add()
		for known := false; !known; _, known = g.Member(m.c) {
			runtime.Gosched()
		}
		go add()
		select {
		case err := <-adds:
			t.Errorf("Add returned %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		g.mu.Unlock()
		for range 2 {
			if err := <-adds; (err == nil) == shut {
				t.Errorf("the group is shut: %v; Add returned %v", shut, err)
			}
		}
		if n := g.Len(); !shut && n != 1 {
			t.Errorf("the group has %d members", n)
		}
	}
}

// TestClientJoinsNoGroup: what a server's handler dials with its request's context is not a member of the server's group.
func TestClientJoinsNoGroup(t *testing.T) {
	for client, want := range map[bool]int{true: 0, false: 1} {
		g := new(Group)
		stream, _ := memconn.Pipe(1 << 10)
		c, err := NewConn(stream, &ConnOptions{Client: client, Context: context.WithValue(bg, serverGroup{}, g)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if n := g.Len(); n != want {
			t.Errorf("client: %v; the group has %d members", client, n)
		}
	}
}

// TestBacklogMovesLittle: what a policy drops from the middle of a long backlog costs no more because the backlog is long.
// The work is counted: how many segments are moved, and that the search for the oldest does not begin anew.
func TestBacklogMovesLittle(t *testing.T) {
	const others, most = 1000, 20000
	r := rules{policy: DropOldest, most: most}
	a, b, tp := &account{limit: 1 << 30}, new(backlog), &topic{rules: &r}
	m := new(shared)
	m.init(opText, []byte("tick"))
	moved, pushes := 0, 0
	admit := func() {
		before, dropped := 0, r.dropped.Load()
		if b.line != nil {
			before = len(b.line.list)
		}
		full := b.line == nil || before == cap(b.line.list)
		b.admit(tp, m, &m.plain, a)
		if pushes++; full {
			moved += len(b.line.list)
		} else if len(b.line.list) != before+1 {
			t.Fatalf("after %d messages a list of %d is one of %d though it had room", pushes, before, len(b.line.list))
		}
		if d := r.dropped.Load() - dropped; d != map[bool]uint64{true: 1}[tp.waiting == most && pushes > most] {
			t.Fatalf("message %d drops %d", pushes, d)
		}
	}
	for range others {
		b.add(segment{message: m, form: &m.plain}, a)
	}
	for range 10 * most {
		admit()
	}
	if moved > 4*pushes {
		t.Errorf("%d messages moved %d segments", pushes, moved)
	}
	if n := cap(b.line.list); n > 3*(others+most) {
		t.Errorf("there is memory for %d segments where %d wait", n, others+most)
	}

	// What was passed is not looked at again: this one would be found.
	decoy := &b.line.list[b.line.first+others/2]
	decoy.topic = tp
	size := len(b.line.list)
	b.dropAll(tp, a)
	decoy.topic = nil
	if tp.waiting != 0 || tp.size != 0 || len(b.line.list) != size || decoy.form == nil {
		t.Errorf("after dropAll %d wait, with %d bytes, in a list of %d that was one of %d", tp.waiting, tp.size, len(b.line.list), size)
	}
	if want := others * a.cost(&m.plain); a.size != want || a.messages != others || b.shed != 10*most {
		t.Errorf("%d messages of others are left, with %d bytes, want %d with %d; %d were dropped", a.messages, a.size, others, want, b.shed)
	}

	// The others leave as if nothing had been between them, and what comes behind what is empty comes behind them.
	b.behind()
	last := b.pushed
	for i := range others {
		if n := b.first().number; n != uint64(i+1) || !b.waitsBefore(n) || b.waitsBefore(n-1) {
			t.Fatalf("segment %d of the others has the number %d", i, n)
		}
		b.remove(b.first())
	}
	if g := b.first(); g.number != last || g.own == nil {
		t.Fatalf("behind the others is %+v", g)
	}
	if b.remove(b.first()); b.waits() {
		t.Error("something still waits")
	}
}

// TestBacklogIsAList: whatever is dropped, wherever it waits, the rest leaves in the order in which it came.
func TestBacklogIsAList(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b, m := &account{limit: 1 << 30}, new(backlog), new(shared)
		m.init(opText, []byte("x"))
		topics := [3]*topic{nil, {rules: &rules{most: 1 << 30}}, {rules: &rules{most: 1 << 30}}} // nil: promised
		type entry struct {
			topic  *topic
			number uint64
		}
		var want []entry
		comes := 4 + r.IntN(3)
		for step := range 800 {
			switch n := r.IntN(10); {
			case n == 0 && b.waits():
				if b.behind(); len(want) == 0 || want[len(want)-1].number != b.pushed {
					want = append(want, entry{number: b.pushed})
				}
			case n <= comes:
				o := topics[r.IntN(3)]
				if o == nil {
					b.add(segment{message: m, form: &m.plain}, a)
				} else {
					b.admit(o, m, &m.plain, a)
				}
				want = append(want, entry{o, b.pushed})
			case n == 9:
				if len(want) > 0 {
					if g := b.first(); g.topic != nil {
						b.forget(g, a)
					}
					b.remove(b.first())
					want = want[1:]
				}
			default:
				o := topics[1+r.IntN(2)]
				if i := slices.IndexFunc(want, func(e entry) bool { return e.topic == o }); i >= 0 {
					b.dropOldest(o, a)
					want = slices.Delete(want, i, i+1)
				}
			}
			var got []entry
			if b.waits() {
				for _, g := range b.line.list[b.line.first:] {
					if !g.empty() {
						got = append(got, entry{g.topic, g.number})
					}
				}
				if b.first().empty() || b.line.empty != len(b.line.list)-len(got) {
					t.Fatalf("seed %d, step %d: first %+v, %d are empty in a list of %d where %d wait", seed, step, b.first(), b.line.empty, len(b.line.list), len(got))
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %v wait, want %v", seed, step, got, want)
			}
		}
	}
}

// TestDropOldestInVain: DropOldest drops nothing that waits if that makes no room, and all that waits if it takes all.
func TestDropOldestInVain(t *testing.T) {
	for _, client := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := Group{Policy: DropOldest, MaxQueued: 2}
			m := joinedMember(t, &g, config{client: client, settings: newSettings(1000, 0, 0)}, 1<<10)
			m.stall(t, 8<<10)
			promised := strings.Repeat("p", 500)
			if err := m.c.TryWrite(MessageText, []byte(promised)); err != nil {
				t.Fatal(err)
			}
			cast := func(letter string, n int, want MemberStats) {
				t.Helper()
				broadcast(t, &g, strings.Repeat(letter, n))
				synctest.Wait()
				s, _ := g.Member(m.c)
				if s.Queued != want.Queued || s.Dropped != want.Dropped || s.Bytes < 500+want.Bytes || s.Bytes > 530+want.Bytes {
					t.Errorf("after %d %q: %+v, want %+v", n, letter, s, want)
				}
				if c := m.c.Stats(); c.Dropped != int64(want.Dropped) || c.DroppedByPolicy != c.Dropped {
					t.Errorf("after %d %q: the connection counts %d and %d that were dropped", n, letter, c.Dropped, c.DroppedByPolicy)
				}
				balanced(t, &g, 1)
			}
			cast("a", 200, MemberStats{Queued: 1, Bytes: 200})
			cast("b", 600, MemberStats{Queued: 1, Bytes: 200, Dropped: 1}) // no room even without the first
			cast("c", 200, MemberStats{Queued: 2, Bytes: 400, Dropped: 1})
			cast("d", 600, MemberStats{Queued: 2, Bytes: 400, Dropped: 2})
			cast("e", 450, MemberStats{Queued: 1, Bytes: 450, Dropped: 4}) // in place of both
			cast("f", 100, MemberStats{Queued: 1, Bytes: 100, Dropped: 5})
			cast("g", 600, MemberStats{Queued: 1, Bytes: 100, Dropped: 6}) // what was dropped makes no room twice
			m.drain([]string{promised, strings.Repeat("f", 100)}, 0)
			if s := g.Stats(); s.Sent != 1 || s.Dropped != 6 {
				t.Errorf("in the end: %+v", s)
			}
			balanced(t, &g, 1)
		})
	}
}
