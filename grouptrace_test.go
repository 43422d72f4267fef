package websocket

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTraceGroup: a Trace is told of the messages of groups when they leave, of their frames, and once when a member is
// slow; of what a policy drops it is told nothing. The figures count it.
func TestTraceGroup(t *testing.T) {
	for _, policy := range []SlowPolicy{DropNewest, DropOldest, CloseSlow, CloseAfterGrace} {
		for _, client := range []bool{false, true} {
			t.Run(fmt.Sprint(policy, "/client ", client), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testTraceGroup(t, policy, client) })
			})
		}
	}
}

func testTraceGroup(t *testing.T, policy SlowPolicy, client bool) {
	r, trace := newTraced()
	s := newSettings(0, 0, -1)
	s.trace = trace
	g := Group{Policy: policy, MaxQueued: 4}
	m := joinedMember(t, &g, config{client: client, settings: s}, 1<<10)
	broadcast(t, &g, "quick")
	m.p.WantText("at once", "quick")
	synctest.Wait()
	m.stall(t, 8<<10)
	for i := range 10 {
		broadcast(t, &g, strings.Repeat("x", 10+i))
		synctest.Wait()
	}
	// Write has yet to return that sends the large one, unless it was closed, and nothing that waits has left.
	want := []string{"MessageText of 5", "slow at " + fmt.Sprint(queuedBefore(policy, client))}
	if policy == CloseSlow {
		want = append(want, "MessageBinary of 8192")
	}
	r.want(t, "while it stalls", &r.taken, want...)
	stats, first, shed := m.c.Stats(), 10, int64(6)
	switch policy {
	case DropOldest:
		first = 16
	case CloseSlow:
		shed = 5 // the four that waited, and the one for which there was no room; then it is no member any more
	}
	if stats.Dropped != shed || stats.DroppedByPolicy != shed {
		t.Errorf("%d were dropped, %d by a policy, want %d", stats.Dropped, stats.DroppedByPolicy, shed)
	}
	if gs := g.Stats(); gs.Dropped != uint64(shed) || gs.Policy != policy {
		t.Errorf("%+v", gs)
	}
	frames, taken := []string{"text 5", "binary 8192"}, []string{"MessageText of 5", "MessageBinary of 8192"}
	m.p.ReadFrame("the large one")
	if policy != CloseSlow {
		for i := range 4 {
			m.p.WantText("what waited", strings.Repeat("x", first+i))
			frames, taken = append(frames, fmt.Sprint("text ", first+i)), append(taken, fmt.Sprint("MessageText of ", first+i))
		}
	} else {
		m.p.WantClose("it was slow", 1013)
		frames = append(frames, "close 20")
	}
	synctest.Wait()
	r.want(t, "the frames", &r.out, frames...)
	r.mu.Lock()
	r.taken = slices.DeleteFunc(r.taken, func(s string) bool { return strings.HasPrefix(s, "slow") })
	slices.Sort(r.taken) // what waits leaves in the moment in which the Write of the large one returns
	slices.Sort(taken)
	r.mu.Unlock()
	r.want(t, "the messages", &r.taken, taken...)
}

// queuedBefore is what waits when the fifth message of TestTraceGroup has no room.
func queuedBefore(policy SlowPolicy, client bool) int {
	n := 4*2 + 10 + 11 + 12 + 13 // headers of two bytes
	if policy == DropOldest {
		n += 14 - 10
	}
	if client {
		n += 4 * 4 // masking keys
	}
	return n
}

// TestTraceGroupCut: a message that has left in part, and never will in whole, was told of.
func TestTraceGroupCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, trace := newTraced()
		s := newSettings(0, 0, -1)
		s.trace = trace
		var g Group
		m := joinedMember(t, &g, config{settings: s}, 1<<10)
		broadcast(t, &g, strings.Repeat("x", 8<<10))
		synctest.Wait()
		r.want(t, "it has begun to leave", &r.taken)
		m.c.CloseNow()
		synctest.Wait()
		r.want(t, "it never will have left", &r.taken, "MessageText of 8192")
		r.want(t, "nor has its frame", &r.out)
		if s := g.Stats(); s.Sent != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTraceGroupPanics: MessageWritten panics, or ends its goroutine, for a message of a group. The connection is closed, and
// the group goes on.
func TestTraceGroupPanics(t *testing.T) {
	for name, f := range map[string]func(){"panic": func() { panic("of the trace") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g Group
				other := joinedMember(t, &g, config{}, 0)
				s := newSettings(0, 0, -1)
				s.trace = &Trace{MessageWritten: func(*Conn, MessageInfo) { f() }}
				m := joinedMember(t, &g, config{settings: s}, 0)
				last := joinedMember(t, &g, config{}, 0)
				everybody := func(text string) {
					broadcast(t, &g, text)
					other.p.WantText("the others get it", text)
					last.p.WantText("the others get it", text)
				}
				everybody("one")
				m.p.WantText("it has left", "one")
				if name == "panic" {
					m.p.WantClose("the connection is closed", 1011)
					m.p.SendClose(1011, "")
					m.p.Close()
				} else {
					m.p.WantGone("the goroutine may have held the write turn")
				}
				everybody("two")
				time.Sleep(10 * time.Second)
				if g.Len() != 2 || m.c.Context().Err() == nil {
					t.Errorf("%d members, %v", g.Len(), m.c.Context().Err())
				}
			})
		})
	}
}

// TestTryWriteBehindBacklog: a message that waits behind references is compressed, too, and stays in order with them.
func TestTryWriteBehindBacklog(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		noise := make([]byte, t.blockedSize())
		rand.NewChaCha8([32]byte{}).Read(noise)
		big := start(func() error { return t.c.Write(bg, MessageBinary, noise) })
		t.blocked("nobody reads", big)
		if err := t.c.TryWritePrepared(prepare(t, MessageText, "first "+text(1000))); err != nil {
			t.Fatal(err)
		}
		limit := t.c.sender.limit
		if err := t.c.TryWrite(MessageText, []byte(text(limit))); err != ErrQueueFull {
			t.Fatalf("a message that never fits: %v", err)
		}
		for i := range 3 {
			if err := t.c.TryWrite(MessageText, fmt.Appendf(nil, "%d %s", i, text(1000))); err != nil {
				t.Fatal(err)
			}
		}
		d.unpack("what was begun", t.p.ReadFrame("what was begun"))
		for i := range 4 {
			want := fmt.Sprintf("%d %s", i-1, text(1000))
			if i == 0 {
				want = "first " + text(1000)
			}
			f := t.p.ReadFrame("what waits")
			if got := d.unpack("what waits", f); got != want || !f.RSV1 {
				t.Fatalf("message %d, compressed %v, is %.40q", i, f.RSV1, got)
			}
		}
		if err := t.want("Write", big); err != nil {
			t.Fatal(err)
		}
		s := start(func() error { return t.c.Write(bg, MessageText, []byte("after "+text(1000))) })
		if got := d.unpack("the next", t.p.ReadFrame("the next")); got != "after "+text(1000) {
			t.Fatalf("the next is %.40q", got)
		}
		if err := t.want("Write", s); err != nil {
			t.Fatal(err)
		}
	})
}
