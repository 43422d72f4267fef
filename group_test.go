package websocket

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A groupMember is a member of a group and its raw peer.
type groupMember struct {
	c     *Conn
	p     *wiretest.Peer
	under *countedWrites
}

// countedWrites counts the Writes of a net.Conn.
type countedWrites struct {
	*memconn.Conn
	writes atomic.Int64
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// newMember makes a connection with a peer over a wire that holds size bytes. It is not a member yet.
func newMember(t *testing.T, cfg config, size int) *groupMember {
	t.Helper()
	ours, theirs := memconn.Pipe(size)
	m := &groupMember{under: &countedWrites{Conn: ours}}
	cfg.parent, cfg.readLimit = bg, defaultReadLimit
	if cfg.settings.closeTimeout == 0 {
		cfg.settings = newSettings(0, 0, 0)
	}
	role := wiretest.Client
	if cfg.client {
		role = wiretest.Server
	}
	m.c = newConn(m.under, cfg)
	m.p = wiretest.NewPeer(t, theirs, role)
	t.Cleanup(func() { m.c.CloseNow(); theirs.Close() })
	return m
}

// joinedMember makes a connection that is a member.
func joinedMember(t *testing.T, g *Group, cfg config, size int) *groupMember {
	t.Helper()
	m := newMember(t, cfg, size)
	if err := g.Add(m.c); err != nil {
		t.Fatal(err)
	}
	return m
}

func broadcast(t testing.TB, g *Group, s string) {
	t.Helper()
	if err := g.Broadcast(MessageText, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// balanced asserts that every message is accounted for, by a group whose members came before the first.
func balanced(t testing.TB, g *Group, members int) {
	t.Helper()
	s := g.Stats()
	waiting := 0
	for c := range g.All() {
		m, _ := g.Member(c)
		waiting += m.Queued
	}
	if all := s.Sent + s.Dropped + s.Unsent + uint64(waiting); all != s.Messages*uint64(members) {
		t.Errorf("%d of %d messages are accounted for: %+v, %d wait", all, s.Messages*uint64(members), s, waiting)
	}
}

// TestGroup: a broadcast reaches all who are members then, servers and clients.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		broadcast(t, &g, "to nobody")
		var all []*groupMember
		for i := range 10 {
			all = append(all, joinedMember(t, &g, config{client: i%2 == 0}, 0))
		}
		if err := g.Add(all[0].c); err != nil || g.Len() != 10 {
			t.Fatalf("a member that is added again: %v, %d members", err, g.Len())
		}
		broadcast(t, &g, "one")
		for _, m := range all {
			m.p.WantText("all get it", "one")
		}
		broadcast(t, &g, "two")
		g.Remove(all[3].c)
		g.Remove(all[3].c)
		broadcast(t, &g, "three")
		for i, m := range all {
			m.p.WantText("it was sent before Remove", "two")
			if i == 3 {
				m.p.WantIdle("it is no member any more", time.Second)
			} else {
				m.p.WantText("the others are", "three")
			}
		}
		seen := map[*Conn]bool{}
		for c := range g.All() {
			seen[c] = true
		}
		if len(seen) != 9 || seen[all[3].c] {
			t.Errorf("All has %d", len(seen))
		}
		for range g.All() {
			break
		}
		if s := g.Stats(); s.Messages != 4 || s.Sent != 29 || s.Members != 9 {
			t.Errorf("%+v", s)
		}
		if _, ok := g.Member(all[3].c); ok {
			t.Error("it is a member")
		}
		if err := g.Broadcast(MessageText, []byte("\xff")); err != errNotText {
			t.Errorf("text that is not UTF-8: %v", err)
		}
	})
}

// TestGroupLeaves: a connection that has ended is no member of any group any more, however it ended; one that is closing
// can't join.
func TestGroupLeaves(t *testing.T) {
	for name, end := range map[string]func(m *groupMember){
		"CloseNow": func(m *groupMember) { m.c.CloseNow() },
		"the peer's Close": func(m *groupMember) {
			m.p.SendClose(1000, "")
			m.p.WantClose("the answer", 1000)
			m.p.Close()
		},
		"the end of the stream": func(m *groupMember) { m.p.Close() },
		"a violation":           func(m *groupMember) { m.p.SendRaw([]byte{0xff, 0xff}); m.p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				groups := make([]Group, 20)
				m := newMember(t, config{}, 0)
				other := newMember(t, config{client: true}, 0)
				for i := range groups {
					for _, c := range []*Conn{m.c, other.c} {
						if err := groups[i].Add(c); err != nil {
							t.Fatal(err)
						}
					}
				}
				broadcast(t, &groups[7], "x")
				m.p.WantText("it is a member", "x")
				end(m)
				<-m.c.Context().Done()
				synctest.Wait()
				for i := range groups {
					if n := groups[i].Len(); n != 1 {
						t.Fatalf("group %d has %d members", i, n)
					}
				}
				if err := groups[0].Add(m.c); err == nil || groups[0].Len() != 1 {
					t.Errorf("it joins again: %v, %d members", err, groups[0].Len())
				}
				broadcast(t, &groups[0], "y")
				synctest.Wait()
				balanced(t, &groups[0], 1)
			})
		})
	}
}

// TestGroupOrder: what one goroutine writes and broadcasts comes in its order, by whichever calls and groups.
func TestGroupOrder(t *testing.T) {
	runConnTest(t, config{settings: newSettings(1<<20, 0, 0)}, func(t *connTest) {
		rooms := make([]Group, 3)
		for i := range rooms {
			if err := rooms[i].Add(t.c); err != nil {
				t.Fatal(err)
			}
		}
		const n = 300
		sent := start(func() error {
			for i := range n {
				s := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*i%500))
				if i%50 == 49 {
					s += strings.Repeat("y", 40<<10)
				}
				var err error
				switch i % 10 { // each behind a broadcast
				case 1:
					err = t.c.Write(bg, MessageText, []byte(s))
				case 3:
					err = t.c.TryWrite(MessageText, []byte(s))
				case 5:
					err = t.c.WritePrepared(bg, prepare(t, MessageText, s))
				case 7:
					err = t.c.TryWritePrepared(prepare(t, MessageText, s))
				case 9:
					w, failed := t.c.Writer(bg, MessageText)
					if failed != nil {
						return failed
					}
					w.Write([]byte(s))
					err = w.Close()
				default:
					err = rooms[i%3].Broadcast(MessageText, []byte(s))
				}
				if err != nil {
					return fmt.Errorf("message %d: %w", i, err)
				}
			}
			rooms[0].Broadcast(MessageText, []byte("the last"))
			go t.c.Close(1000, "")
			return nil
		})
		for i := range n {
			f := t.p.ReadFrame("the next")
			if !strings.HasPrefix(string(f.Payload), fmt.Sprint(i, " ")) {
				t.Fatalf("message %d is %.20q", i, f.Payload)
			}
			for !f.FIN {
				f = t.p.ReadFrame("the rest of it")
			}
		}
		if err := t.want("sending", sent); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("what was broadcast before Close", "the last")
		t.p.WantClose("then the Close", 1000)
	})
}

// TestGroupCompressed: broadcasts among messages of the connection's own are inflated right.
func TestGroupCompressed(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var g Group
		if err := g.Add(t.c); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			s := fmt.Sprintf("%d %s", i, text(i*37%2000))
			var err error
			sent := start(func() error {
				switch i % 4 {
				case 0:
					return t.c.Write(bg, MessageText, []byte(s))
				case 1:
					return t.c.TryWrite(MessageText, []byte(s))
				case 2:
					w, _ := t.c.Writer(bg, MessageText)
					w.Write([]byte(s[:1]))
					w.Write([]byte(s[1:]))
					return w.Close()
				}
				return g.Broadcast(MessageText, []byte(s))
			})
			if got := d.unpack("a message", t.p.ReadFrame("a message")); got != s {
				t.Fatalf("it is %.60q, want %.60q", got, s)
			}
			if err = t.want("sending", sent); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestGroupWhileWriterIsOpen: a broadcast waits for a message in fragments to end, compressed or not, and though nothing of
// that has left.
func TestGroupWhileWriterIsOpen(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var g Group
		if err := g.Add(t.c); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{10, 40 << 10, 200 << 10} {
			first, second := text(size), "the other half "+text(1000)
			said := "while it is open " + text(700)
			w, err := t.c.Writer(bg, MessageText)
			if err != nil {
				t.Fatal(err)
			}
			written := start(func() error {
				_, err := w.Write([]byte(first))
				return err
			})
			t.settle()
			if size < 100<<10 {
				if err := t.want("Write", written); err != nil {
					t.Fatal(err)
				}
			}
			broadcast(t, &g, said)
			t.settle()
			closed := start(func() error {
				if size >= 100<<10 {
					if err := <-written; err != nil {
						return err
					}
				}
				if _, err := w.Write([]byte(second)); err != nil {
					return err
				}
				return w.Close()
			})
			var got []string
			for len(got) < 2 {
				f := t.p.ReadFrame("a message")
				all := f
				for !f.FIN {
					f = t.p.ReadFrame("the next fragment")
					if f.Opcode != wiretest.OpContinuation {
						t.Fatalf("opcode %d inside a message", f.Opcode)
					}
					all.Payload = append(all.Payload, f.Payload...)
				}
				got = append(got, d.unpack("a message", all))
			}
			if err := t.want("closing the Writer", closed); err != nil {
				t.Fatal(err)
			}
			if got[0] == said {
				got[0], got[1] = got[1], got[0]
			}
			if got[0] != first+second || got[1] != said {
				t.Fatalf("%d bytes: it came as %d and %d bytes", size, len(got[0]), len(got[1]))
			}
		}
	})
}

// TestGroupBurst: a burst of messages costs a member little more than one write.
func TestGroupBurst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // who broadcasts goes on
	synctest.Test(t, func(t *testing.T) {
		var g Group
		var all []*groupMember
		for i := range 100 {
			all = append(all, joinedMember(t, &g, config{client: i%2 == 0}, 64<<10))
		}
		for i := range 16 {
			broadcast(t, &g, fmt.Sprint("message ", i))
		}
		synctest.Wait()
		writes := int64(0)
		for _, m := range all {
			for i := range 16 {
				m.p.WantText("in their order", fmt.Sprint("message ", i))
			}
			writes += m.under.writes.Load()
		}
		if writes > 100*5/4 {
			t.Errorf("%d writes for 100 members", writes)
		}
	})
}

// stall has everything of the wire taken, so that what is sent from now on waits.
func (m *groupMember) stall(t *testing.T, size int) {
	t.Helper()
	go m.c.Write(bg, MessageBinary, make([]byte, size))
	synctest.Wait()
}

// drain reads what waits: the message that stalls the member, these texts, and then a Close with the code; 0: no more comes.
func (m *groupMember) drain(texts []string, code int) {
	m.p.ReadFrame("the large one")
	for _, s := range texts {
		m.p.WantText("what waited", s)
	}
	if code == 0 {
		m.p.WantIdle("and no more", time.Second)
	} else {
		m.p.WantClose("then the Close", code)
	}
}

// TestGroupStalledMember: a member that does not read delays nobody, and costs no more than its queue.
func TestGroupStalledMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{Policy: DropNewest} // 1,000 members
		var all []*groupMember
		members := 1000
		if raceEnabled {
			members = 100
		}
		for range members {
			all = append(all, joinedMember(t, &g, config{settings: newSettings(64<<10, 0, 0)}, 8<<10))
		}
		slow := all[members/2]
		slow.stall(t, 64<<10)
		for i := range 20 {
			s := fmt.Sprint(i, strings.Repeat("x", 6<<10))
			begun := time.Now()
			broadcast(t, &g, s)
			for _, m := range all {
				if m != slow {
					m.p.WantText("it waits for nobody", s)
				}
			}
			if took := time.Since(begun); took > 0 {
				t.Fatalf("message %d took %v", i, took)
			}
		}
		synctest.Wait()
		s, _ := g.Member(slow.c)
		if s.Bytes > 64<<10 || s.Queued < 8 || s.Dropped == 0 || s.Full != 1 {
			t.Errorf("the slow member: %+v", s)
		}
		balanced(t, &g, members)
	})
}

// TestGroupPolicies: what happens to a member that does not read.
func TestGroupPolicies(t *testing.T) {
	for _, client := range []bool{false, true} {
		for name, policy := range map[string]SlowPolicy{"CloseAfterGrace": CloseAfterGrace, "CloseSlow": CloseSlow, "DropNewest": DropNewest, "DropOldest": DropOldest} {
			t.Run(fmt.Sprint(name, "/client ", client), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					told := map[*Conn]int{}
					g := Group{Policy: policy, MaxQueued: 8}
					g.OnSlow = func(c *Conn, s MemberStats) {
						mu.Lock()
						defer mu.Unlock()
						told[c]++
						if s.Dropped == 0 || s.Full <= 0 {
							t.Errorf("OnSlow: %+v", s)
						}
					}
					quick := joinedMember(t, &g, config{client: client}, 0)
					slow := joinedMember(t, &g, config{client: client}, 1<<10)
					slow.stall(t, 8<<10)
					if err := slow.c.TryWrite(MessageText, []byte("promised")); err != nil {
						t.Fatal(err)
					}
					var want []string
					for i := range 20 {
						broadcast(t, &g, fmt.Sprint(i))
						quick.p.WantText("it is quick", fmt.Sprint(i))
						synctest.Wait()
					}
					s, member := g.Member(slow.c)
					code := 0
					switch policy {
					case DropOldest:
						want = strings.Fields("12 13 14 15 16 17 18 19")
					case CloseSlow:
						code = 1013
					default:
						want = strings.Fields("0 1 2 3 4 5 6 7")
					}
					if member != (policy != CloseSlow) || policy != CloseSlow && (s.Dropped != 12 || s.Queued != 8 || s.Bytes > 100) {
						t.Errorf("the slow member: %+v, %v", s, member)
					}
					if told[slow.c] != 1 || len(told) != 1 {
						t.Errorf("OnSlow was called %v times", told)
					}
					if policy != CloseSlow { // which has ended the membership
						balanced(t, &g, 2)
					}
					if policy == CloseAfterGrace {
						time.Sleep(defaultGrace)
						synctest.Wait()
						code, want = 1013, nil
					}
					if closed := g.Stats().Closed; closed != map[bool]uint64{true: 1}[code != 0] {
						t.Errorf("%d were closed", closed)
					}
					slow.drain(append([]string{"promised"}, want...), code)
				})
			})
		}
	}
}

// TestGroupGrace: a member that catches up within its grace stays, and has a whole grace the next time.
func TestGroupGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{MaxQueued: 4}
		m := joinedMember(t, &g, config{}, 1<<10)
		for range 3 {
			m.stall(t, 8<<10)
			for i := range 6 {
				broadcast(t, &g, fmt.Sprint(i))
			}
			time.Sleep(defaultGrace - time.Second)
			m.p.ReadFrame("the large one")
			for i := range 4 {
				m.p.WantText("what waited", fmt.Sprint(i))
			}
			synctest.Wait()
			broadcast(t, &g, "again")
			m.p.WantText("it has caught up", "again")
			if s, _ := g.Member(m.c); s.Full != 0 {
				t.Fatalf("it is full: %+v", s)
			}
			time.Sleep(time.Second / 2)
		}
		if s := g.Stats(); s.Closed != 0 || s.Dropped != 6 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * defaultGrace)
		// Nothing more is broadcast, and the grace ends all the same.
		m.stall(t, 8<<10)
		for range 5 {
			broadcast(t, &g, "x")
		}
		time.Sleep(defaultGrace + time.Millisecond)
		if s := g.Stats(); s.Closed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestGroupGraceOfAnother: a member that was full leaves, and joins again. Its former grace is over then, and it is a member
// like any other.
func TestGroupGraceOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{MaxQueued: 2, Grace: time.Second}
		m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
		m.stall(t, 8<<10)
		for range 3 {
			broadcast(t, &g, "one too many")
		}
		synctest.Wait()
		if s, _ := g.Member(m.c); s.Full == 0 {
			t.Fatalf("it is not full: %+v", s)
		}
		was := g.members[0]
		g.Remove(m.c)
		if err := g.Add(m.c); err != nil {
			t.Fatal(err)
		}
		was.close() // the timer had begun to
		time.Sleep(2 * time.Second)
		if _, member := g.Member(m.c); !member || g.Stats().Closed != 0 {
			t.Errorf("it was closed: %+v", g.Stats())
		}
		m.c.CloseNow()
		if n := g.Len(); n != 0 {
			t.Errorf("%d members are left", n)
		}
	})
}

// TestGroupGraceNever: a grace without end does not overflow, and none at all is CloseSlow.
func TestGroupGraceNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for grace, closed := range map[time.Duration]uint64{math.MaxInt64: 0, -1: 1} {
			g := Group{MaxQueued: 1, Grace: grace}
			m := joinedMember(t, &g, config{}, 1<<10)
			m.stall(t, 8<<10)
			for range 3 {
				broadcast(t, &g, "x")
			}
			synctest.Wait()
			time.Sleep(time.Minute)
			if s := g.Stats(); s.Closed != closed {
				t.Errorf("grace %v: %+v", grace, s)
			}
			m.c.CloseNow()
		}
	})
}

// TestGroupNothingQueues: a connection whose queue takes nothing is sent broadcasts all the same, one at a time.
func TestGroupNothingQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{settings: newSettings(-1, 0, 0)}, 0)
		for range 5 {
			broadcast(t, &g, "x")
			m.p.WantText("it fits if nothing waits", "x")
			synctest.Wait()
		}
	})
}

// TestGroupBacklogIsBounded: broadcasts that come faster than they can be delivered are delivered by their callers.
func TestGroupBacklogIsBounded(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the group's goroutine has no turn
	synctest.Test(t, func(t *testing.T) {
		g := Group{Policy: DropNewest}
		var all []*groupMember
		for range 20 {
			m := joinedMember(t, &g, config{}, 1<<10)
			m.stall(t, 8<<10)
			all = append(all, m)
		}
		for i := range 5000 {
			broadcast(t, &g, fmt.Sprint(i))
			g.mu.Lock()
			behind := g.posted.messages - g.all.messages
			g.mu.Unlock()
			if behind > maxWorkMessages {
				t.Fatalf("%d messages wait for a round", behind)
			}
		}
		large := strings.Repeat("x", 300<<10)
		for range 100 {
			broadcast(t, &g, large)
			g.mu.Lock()
			behind := g.posted.bytes - g.all.bytes
			g.mu.Unlock()
			if behind > maxWorkBytes {
				t.Fatalf("%d bytes wait for a round", behind)
			}
		}
		synctest.Wait()
		balanced(t, &g, len(all))
	})
}

// TestOnSlow: it may call what does not wait; if it panics or ends its goroutine, the member is closed and the group lives.
func TestOnSlow(t *testing.T) {
	for name, call := range map[string]func(g *Group, c *Conn){
		"Broadcast": func(g *Group, c *Conn) { g.Broadcast(MessageText, []byte("somebody is slow")) },
		"Remove":    func(g *Group, c *Conn) { g.Remove(c) },
		"CloseNow":  func(g *Group, c *Conn) { c.CloseNow() },
		"Stats":     func(g *Group, c *Conn) { g.Stats(); g.Member(c); g.Len() },
		"panic":     func(g *Group, c *Conn) { panic("broken") },
		"Goexit":    func(g *Group, c *Conn) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				called := 0
				g := Group{Policy: DropOldest, MaxQueued: 2}
				g.OnSlow = func(c *Conn, _ MemberStats) { called++; call(&g, c) }
				quick := joinedMember(t, &g, config{}, 0)
				slow := joinedMember(t, &g, config{}, 1<<10)
				slow.stall(t, 8<<10)
				for i := range 5 {
					broadcast(t, &g, fmt.Sprint(i))
					synctest.Wait()
				}
				if called != 1 {
					t.Errorf("OnSlow was called %d times", called)
				}
				var got []string
				for range 5 {
					f := quick.p.ReadFrame("the group goes on")
					if string(f.Payload) == "somebody is slow" {
						f = quick.p.ReadFrame("the group goes on")
					}
					got = append(got, string(f.Payload))
				}
				if fmt.Sprint(got) != "[0 1 2 3 4]" {
					t.Errorf("the other got %v", got)
				}
				if err := slow.c.err(); (name == "panic" || name == "Goexit") && (err == nil || !strings.Contains(err.Error(), "OnSlow")) {
					t.Errorf("the member's end is %v", err)
				}
				synctest.Wait()
				g.mu.Lock()
				defer g.mu.Unlock()
				if g.delivering || len(g.slow) > 0 {
					t.Error("the goroutine has left something")
				}
			})
		})
	}
}

// TestBroadcastFromCallback: a broadcast from within a callback, in whichever goroutine that runs.
func TestBroadcastFromCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		s := newSettings(0, 0, 0)
		s.onPing = func(context.Context, []byte) bool {
			broadcast(t, &g, "pinged")
			return true
		}
		a := joinedMember(t, &g, config{settings: s}, 0)
		b := joinedMember(t, &g, config{settings: s, client: true}, 0)
		go a.c.Read(bg)
		a.p.SendPing("1")
		b.p.SendPing("2")
		for _, m := range []*groupMember{a, b} {
			seen := 0
			for seen < 2 {
				if f := m.p.ReadFrame("broadcasts, and a Pong"); f.Opcode == wiretest.OpText {
					seen++
				}
			}
		}
	})
}

// TestBroadcastFromTrace: the same from within each function of a Trace, and from OnPongReceived and OnSlow.
func TestBroadcastFromTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		told := map[string]int{}
		var g, slow Group
		slow.MaxQueued, slow.Policy = 1, DropNewest
		tell := func(what string) {
			mu.Lock()
			told[what]++
			first := told[what] == 1 // what is broadcast is told of, too
			mu.Unlock()
			if first {
				broadcast(t, &g, what)
			}
		}
		slow.OnSlow = func(*Conn, MemberStats) { tell("OnSlow") }
		s := newSettings(0, 0, 10*time.Second)
		s.onPong = func(context.Context, []byte) { tell("OnPongReceived") }
		s.trace = &Trace{
			HandshakeDone:  func(*Conn, HandshakeInfo) { tell("HandshakeDone") },
			FrameRead:      func(*Conn, FrameInfo) { tell("FrameRead") },
			FrameWritten:   func(*Conn, FrameInfo) { tell("FrameWritten") },
			MessageRead:    func(*Conn, MessageInfo) { tell("MessageRead") },
			MessageWritten: func(*Conn, MessageInfo) { tell("MessageWritten") },
			StateChanged:   func(*Conn, CloseState, CloseState) { tell("StateChanged") },
			PingAnswered:   func(*Conn, time.Duration) { tell("PingAnswered") },
			Slow:           func(*Conn, int) { tell("Slow") },
			Closed:         func(*Conn, error, Stats) { tell("Closed") },
		}
		witness := joinedMember(t, &g, config{}, 0)
		m := joinedMember(t, &g, config{settings: s}, 1<<10)
		slow.Add(m.c)
		m.p.SendText("a message")
		if _, _, err := m.c.Read(bg); err != nil {
			t.Fatal(err)
		}
		for ping := start(func() error { return m.c.Ping(bg) }); ; {
			if f := m.p.ReadFrame("the Ping, among broadcasts"); f.Opcode == wiretest.OpPing {
				m.p.SendPong(string(f.Payload))
				if err := <-ping; err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		synctest.Wait()
		m.stall(t, 8<<10)
		for range 3 {
			broadcast(t, &slow, "too much")
		}
		synctest.Wait()
		m.c.CloseNow()
		got := map[string]bool{}
		for len(got) < 11 {
			got[string(witness.p.ReadFrame("what was broadcast").Payload)] = true
		}
		synctest.Wait()
	})
}

// TestGroupStorm: members come, go, are lost, and write, while several broadcast; all is accounted for.
func TestGroupStorm(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	groups := []*Group{{Policy: DropOldest, MaxQueued: 4}, {Policy: CloseSlow}, {OnSlow: func(c *Conn, _ MemberStats) { c.CloseNow() }}, {Policy: DropNewest, MaxQueued: 2}}
	ctx, stop := context.WithCancel(bg)
	var talkers, members sync.WaitGroup
	for i := range 4 {
		talkers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				groups[(i+n)%4].Broadcast(MessageText, []byte(strings.Repeat("x", (n%3000)*(n%3000)%3000)))
				if n%16 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	for i := range 8 {
		members.Go(func() {
			for n := range rounds / 8 {
				ours, theirs := memconn.Pipe(4 << 10)
				c := newConn(ours, config{client: n%2 == 0, parent: bg, readLimit: defaultReadLimit, settings: newSettings(8<<10, 50*time.Millisecond, 0)})
				for _, g := range groups {
					g.Add(c)
				}
				buf := make([]byte, 1+n*1000%5000)
				for range 1 + n%5 {
					theirs.Read(buf)
					c.TryWrite(MessageText, buf[:0])
				}
				groups[i%4].Remove(c)
				groups[i%4].Add(c)
				switch (i + n) % 4 {
				case 0:
					c.CloseNow()
				case 1:
					theirs.Reset()
				case 2:
					theirs.Close()
				default:
					c.Close(1000, "")
				}
				c.CloseNow()
				theirs.Close()
				<-c.Context().Done()
			}
		})
	}
	members.Wait()
	stop()
	talkers.Wait()
	for i, g := range groups {
		deadline := time.Now().Add(10 * time.Second)
		for g.Len() > 0 || busy(g) {
			if time.Now().After(deadline) {
				t.Fatalf("group %d has %d members", i, g.Len())
			}
			runtime.Gosched()
		}
	}
}

func busy(g *Group) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.delivering
}

// TestGroupAllocs: a delivery allocates nothing.
func TestGroupAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget on purpose under the race detector")
	}
	var g Group
	const members = 100
	for range members {
		a, b := tcpPair(t)
		c := newConn(a, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
		defer c.CloseNow()
		go func() {
			for buf := make([]byte, 4<<10); ; {
				if _, err := b.Read(buf); err != nil {
					return
				}
			}
		}()
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	p := []byte(text(256))
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a write that would wait can't be tried, so a goroutine writes, which is an allocation")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	allocs := testing.AllocsPerRun(50, func() {
		if err := g.Broadcast(MessageText, p); err != nil {
			t.Fatal(err)
		}
		for busy(&g) {
			runtime.Gosched()
		}
	})
	if allocs > members/10 {
		t.Errorf("a broadcast to %d members allocates %v times", members, allocs)
	}
}

// TestGroupBurstBeyondLimit: who reads is not slow because a burst has more messages than may wait.
func TestGroupBurstBeyondLimit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a goroutine writes, so a burst may find no room: documented at CloseSlow")
	}
	for _, policy := range []SlowPolicy{CloseSlow, DropNewest, DropOldest} {
		g := Group{Policy: policy, MaxQueued: 1}
		a, b := tcpPair(t)
		c := newConn(a, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
		p := wiretest.NewPeer(t, b, wiretest.Client)
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			broadcast(t, &g, fmt.Sprint(i))
		}
		for i := range 20 {
			p.WantText("each of them", fmt.Sprint(i))
		}
		c.CloseNow()
	}
}

// TestGroupUnsent: what waits for a member that ends is counted.
func TestGroupUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 1<<10)
		m.stall(t, 8<<10)
		for range 7 {
			broadcast(t, &g, "x")
		}
		synctest.Wait()
		m.under.Reset()
		<-m.c.Context().Done()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if s := g.Stats(); s.Unsent != 7 || s.Members != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestGroupLastWords: what was broadcast before CloseNow has its attempt to leave, all of it.
func TestGroupLastWords(t *testing.T) {
	for _, n := range []int{1, 100} {
		a, b := tcpPair(t)
		p := wiretest.NewPeer(t, b, wiretest.Client)
		c := newConn(a, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(1<<20, 0, 0)})
		var g Group
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		c.writeTurn.Try() // somebody else writes
		for i := range n {
			broadcast(t, &g, fmt.Sprint(i, strings.Repeat("x", 1000)))
		}
		c.pull()
		c.CloseNow()
		c.leaveWrite()
		for i := range n {
			if f := p.ReadFrame("what was broadcast"); !strings.HasPrefix(string(f.Payload), fmt.Sprint(i, "x")) {
				t.Fatalf("message %d is %.10q", i, f.Payload)
			}
		}
		p.WantGone("and then the end")
	}
}

// TestGroupAfterWriterAbandoned: a message in fragments of which nothing has left holds broadcasts back no longer than it lasts.
func TestGroupAfterWriterAbandoned(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var g Group
		if err := g.Add(t.c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the compressor keeps the first
			if _, err := w.Write([]byte(text(20 << 10))); err != nil {
				t.Fatal(err)
			}
		}
		said := "said meanwhile " + text(1000)
		broadcast(t, &g, said)
		cancel()
		if err := w.Close(); err != context.Canceled {
			t.Fatalf("Close gave %v", err)
		}
		for {
			f := t.p.ReadFrame("the broadcast, or what has left")
			for all := f; ; all.Payload = append(all.Payload, f.Payload...) {
				if f.FIN {
					f = all
					break
				}
				f = t.p.ReadFrame("the rest of it")
			}
			if d.unpack("a message", f) == said {
				return
			}
		}
	})
}

// TestGiveUpPrepared: a prepared message that has moved the window leaves, though the call gives up; another does not.
func TestGiveUpPrepared(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		noise := strings.Repeat("\x00", t.blockedSize())
		c := t.c
		s := text(1000)
		m := prepare(t.T, MessageText, s)
		big := start(func() error {
			if err := c.awaitWrite(bg); err != nil {
				return err
			}
			_, err := c.writeFrame(bg, finBit|firstByte(opBinary), []byte(noise), len(noise), false)
			return err
		})
		t.blocked("nobody reads", big)
		c.mu.Lock()
		c.sender.limit = 1 // so that the queue does not take it
		c.mu.Unlock()
		broadcastless := start(func() error { return c.TryWritePrepared(prepare(t.T, MessageText, "fits if nothing waits")) })
		if err := t.want("TryWritePrepared", broadcastless); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		write := start(func() error { return c.WritePrepared(ctx, m) })
		t.blocked("it waits in line", write)
		cancel()
		if err := t.want("WritePrepared", write); err != context.Canceled {
			t.Fatal(err)
		}
		t.p.ReadFrame("what was begun")
		if got := d.unpack("", t.p.ReadFrame("what waited")); got != "fits if nothing waits" {
			t.Fatalf("it is %.20q", got)
		}
		if err := t.want("the large one", big); err != nil {
			t.Fatal(err)
		}
		sent := start(func() error { return c.WritePrepared(bg, m) })
		if got := d.unpack("", t.p.ReadFrame("the next")); got != s {
			t.Fatalf("it is %.20q", got)
		}
		if err := t.want("WritePrepared", sent); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSlowOutsideARound: OnSlow is called though it is a Write that finds the member slow.
func TestSlowOutsideARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan *Conn, 1)
		g := Group{Policy: DropNewest, MaxQueued: 1, OnSlow: func(c *Conn, _ MemberStats) { told <- c }}
		m := joinedMember(t, &g, config{}, 1<<10)
		m.stall(t, 8<<10)
		broadcast(t, &g, "waits")
		synctest.Wait()
		g.mu.Lock()
		g.delivering = true // a round that has passed by
		g.mu.Unlock()
		broadcast(t, &g, "does not fit")
		g.mu.Lock()
		g.delivering = false
		g.mu.Unlock()
		m.c.TryWrite(MessageText, nil)
		synctest.Wait()
		select {
		case c := <-told:
			if c != m.c {
				t.Error("it is another")
			}
		default:
			t.Error("nobody was told")
		}
	})
}

// TestGroupGraces: each of several slow members has its own grace.
func TestGroupGraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{MaxQueued: 1}
		for range 3 {
			m := joinedMember(t, &g, config{settings: newSettings(0, 0, -1)}, 1<<10)
			m.stall(t, 8<<10)
			broadcast(t, &g, "x")
			synctest.Wait()
			broadcast(t, &g, "y")
			time.Sleep(2 * time.Second)
		}
		for want := range uint64(3) { // now at 6, 4 and 2 s: one was closed at 5
			if s := g.Stats(); s.Closed != want+1 {
				t.Errorf("%+v, want %d closed", s, want+1)
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// TestGroupCloseBehindBacklog: our Close leaves behind what was broadcast before, however long that waits.
func TestGroupCloseBehindBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 1<<10)
		m.stall(t, 8<<10)
		var want []string
		for i := range 8 {
			want = append(want, fmt.Sprint(i, strings.Repeat("x", 8000)))
			broadcast(t, &g, want[i])
		}
		closing := start(func() error { return m.c.Close(1000, "") })
		synctest.Wait()
		m.drain(want, 1000)
		m.p.SendClose(1000, "")
		m.p.Close()
		if err := <-closing; err != nil {
			t.Error(err)
		}
	})
}

// TestGroupCloseBehindHeldBacklog: what waits for a Writer's message that is in the compressor leaves before our Close, if
// nothing has left of the message.
func TestGroupCloseBehindHeldBacklog(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var g Group
		if err := g.Add(t.c); err != nil {
			t.Fatal(err)
		}
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the compressor keeps the first
			if _, err := w.Write(bytes.Repeat([]byte("x"), 20<<10)); err != nil {
				t.Fatal(err)
			}
		}
		said := []string{text(1000), text(999), "and this"}
		m := prepare(t, MessageText, said[0])
		if err := t.c.TryWritePrepared(m); err != nil {
			t.Fatal(err)
		}
		broadcast(t, &g, said[1])
		if err := t.c.TryWrite(MessageText, []byte(said[2])); err != nil {
			t.Fatal(err)
		}
		t.settle()
		t.c.mu.Lock()
		waits := t.c.sender.messages
		t.c.unlock()
		if waits != 3 {
			t.Fatalf("%d messages wait for the Writer's", waits)
		}
		closing := start(func() error { return t.c.Close(1000, "") })
		for _, want := range said {
			if got := d.unpack("a message", t.p.ReadFrame("a message")); got != want {
				t.Fatalf("%.20q came, not %.20q", got, want)
			}
		}
		t.p.WantClose("then our Close", 1000)
		if err := w.Close(); err == nil {
			t.Fatal("the Writer's Close succeeded")
		}
		t.p.SendClose(1000, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGroupUntaken: what a member has not taken when it ends is counted.
func TestGroupUntaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 0)
		g.mu.Lock()
		g.delivering = true // as if a round had passed by
		g.mu.Unlock()
		broadcast(t, &g, "one")
		broadcast(t, &g, "two")
		m.c.CloseNow()
		if s := g.Stats(); s.Unsent != 2 || s.Members != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSlowAtHalfTheLimit: less than half the limit waits, and larger messages have no room. OnSlow is called for the first of them only,
// and if nothing leaves, the grace ends. What leaves counts from there on: half of it is enough.
func TestSlowAtHalfTheLimit(t *testing.T) {
	for _, drains := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			called := 0
			g := Group{OnSlow: func(*Conn, MemberStats) { called++ }}
			m := joinedMember(t, &g, config{settings: newSettings(100<<10, 0, -1)}, 1<<10)
			broadcast(t, &g, "first")
			m.p.WantText("something has left", "first")
			m.stall(t, 8<<10)
			var small []string
			for range 40 {
				small = append(small, strings.Repeat("x", 1000))
				broadcast(t, &g, small[0])
			}
			large := strings.Repeat("y", 70<<10)
			for range 10 {
				broadcast(t, &g, large)
				time.Sleep(100 * time.Millisecond)
			}
			if s, _ := g.Member(m.c); called != 1 || s.Full == 0 || s.Dropped != 10 {
				t.Errorf("OnSlow was called %d times; %+v", called, s)
			}
			if drains {
				m.p.ReadFrame("the large one")
				for range 35 {
					m.p.WantText("what waited", small[0])
				}
				synctest.Wait()
				broadcast(t, &g, large)
				synctest.Wait()
				if s, _ := g.Member(m.c); called != 1 || s.Full != 0 || s.Dropped != 10 {
					t.Errorf("half has left: OnSlow was called %d times; %+v", called, s)
				}
			}
			time.Sleep(2 * defaultGrace)
			if s := g.Stats(); (s.Closed == 0) != drains {
				t.Errorf("%+v", s)
			}
			m.c.CloseNow()
		})
	}
}

// TestGraceOfFew: what waits for a member when a message has no room may be very little. If it leaves, the member is slow no more, however
// much comes after it, of other groups too. What comes and leaves all the time is progress.
func TestGraceOfFew(t *testing.T) {
	for name, tt := range map[string]struct {
		most   int
		second string
	}{"messages": {1, "two"}, "bytes": {0, strings.Repeat("y", 110<<10)}} {
		for _, other := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/other %v", name, other), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g, b := Group{MaxQueued: tt.most}, Group{Policy: DropNewest}
					m := joinedMember(t, &g, config{settings: newSettings(100<<10, 0, -1)}, 64)
					b.Add(m.c)
					m.stall(t, 100)
					broadcast(t, &g, "one")
					synctest.Wait()
					broadcast(t, &g, tt.second)
					synctest.Wait()
					if s, _ := g.Member(m.c); s.Full == 0 || s.Dropped != 1 {
						t.Errorf("%+v", s)
					}
					from, text := &b, strings.Repeat("x", 1000)
					if !other {
						from = &g
					}
					broadcast(t, &b, text)
					broadcast(t, &b, text)
					synctest.Wait()
					m.p.ReadFrame("the large one")
					m.p.WantText("what waited", "one")
					for range 100 { // two wait at any time
						broadcast(t, from, text)
						m.p.WantText("what comes", text)
						time.Sleep(100 * time.Millisecond)
					}
					if s := g.Stats(); s.Closed != 0 {
						t.Errorf("%+v", s)
					}
					m.c.CloseNow()
				})
			})
		}
	}
}

// TestFullOfWhatIsDropped: what waited when a message had no room need not be written: another group's policy drops it, or it was room that
// a TryWrite had reserved for more than it needed. The member has recovered all the same when little is left.
func TestFullOfWhatIsDropped(t *testing.T) {
	for name, less := range map[string]func(t *testing.T, m *groupMember, b *Group){
		"dropped": func(t *testing.T, m *groupMember, b *Group) {
			broadcast(t, b, "new")
			synctest.Wait()
			m.p.ReadFrame("the large one")
			m.p.WantText("of another group", "new")
		},
		"reserved": func(t *testing.T, m *groupMember, _ *Group) {
			if err := m.c.enqueue(finBit|firstByte(opBinary), make([]byte, 50), 90<<10, 90<<10); err != nil {
				t.Error(err)
			}
			m.c.flushNow()
			m.p.ReadFrame("the large one")
			m.p.ReadFrame("the compressed one")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, b := Group{}, Group{Policy: DropOldest, MaxQueued: 1}
				m := joinedMember(t, &g, config{settings: newSettings(100<<10, 0, -1)}, 64)
				b.Add(m.c)
				m.stall(t, 100)
				if name == "dropped" {
					broadcast(t, &b, strings.Repeat("s", 90<<10))
				} else {
					m.c.mu.Lock()
					m.c.sender.reserve(90 << 10)
					m.c.unlock()
				}
				synctest.Wait()
				broadcast(t, &g, strings.Repeat("y", 20<<10))
				synctest.Wait()
				if s, _ := g.Member(m.c); s.Full == 0 {
					t.Fatalf("there was room: %+v", s)
				}
				less(t, m, &b)
				synctest.Wait()
				if s, _ := g.Member(m.c); s.Full != 0 {
					t.Errorf("nothing waits: %+v", s)
				}
				time.Sleep(2 * defaultGrace)
				if s := g.Stats(); s.Closed != 0 {
					t.Errorf("it was closed: %+v", s)
				}
				m.c.CloseNow()
			})
		})
	}
}
