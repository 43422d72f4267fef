package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A traced notes what a Trace is told, in two lists: each has an order of its own.
type traced struct {
	mu     sync.Mutex
	in     []string // what comes
	out    []string // what leaves
	end    []string // how it ends
	taken  []string // the application's calls
	stats  Stats
	reason error
	closed chan struct{}
}

func (r *traced) note(list *[]string, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, fmt.Sprintf(format, args...))
}

// want asserts what one of the lists has.
func (r *traced) want(t testing.TB, why string, list *[]string, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(*list, want) {
		t.Errorf("%s: %q, want %q", why, *list, want)
	}
}

func describe(f FrameInfo) string {
	s := fmt.Sprint(f.Opcode, " ", f.Length)
	if !f.Fin {
		s += " more"
	}
	if f.Compressed {
		s += " compressed"
	}
	return s
}

func newTraced() (*traced, *Trace) {
	r := &traced{closed: make(chan struct{})}
	return r, &Trace{
		HandshakeDone:  func(c *Conn, h HandshakeInfo) { r.note(&r.in, "handshake %+v", h) },
		FrameRead:      func(c *Conn, f FrameInfo) { r.note(&r.in, "%s", describe(f)) },
		FrameWritten:   func(c *Conn, f FrameInfo) { r.note(&r.out, "%s", describe(f)) },
		MessageRead:    func(c *Conn, m MessageInfo) { r.note(&r.in, "%v of %d", m.Type, m.Size) },
		MessageWritten: func(c *Conn, m MessageInfo) { r.note(&r.taken, "%v of %d", m.Type, m.Size) },
		StateChanged:   func(c *Conn, from, to CloseState) { r.note(&r.end, "%v to %v", from, to) },
		PingAnswered:   func(c *Conn, rtt time.Duration) { r.note(&r.in, "answered after %v", rtt) },
		Slow:           func(c *Conn, queued int) { r.note(&r.taken, "slow at %d", queued) },
		Closed: func(c *Conn, reason error, s Stats) {
			r.note(&r.end, "closed by %v with %d", s.ClosedBy, s.CloseCode)
			r.mu.Lock()
			r.stats, r.reason = s, reason
			r.mu.Unlock()
			close(r.closed) // twice panics, and closes
		},
	}
}

// runTraced is runConnTest with a Trace.
func runTraced(t *testing.T, s settings, f func(t *connTest, r *traced)) {
	var r *traced
	runConnTestFor(t, func(bool) config {
		r, s.trace = newTraced()
		return config{settings: s}
	}, func(t *connTest) { f(t, r) })
}

// TestTraceMessages: a fragmented message with a Ping in it, answers, and a Close of the peer's.
func TestTraceMessages(t *testing.T) {
	t.Parallel()
	runTraced(t, newSettings(0, 0, -1), func(t *connTest, r *traced) {
		t.p.Send(wiretest.Text("hel").More())
		t.p.SendPing("four")
		t.p.WantPong("at once", "four")
		t.p.Send(wiretest.Continuation("lo"))
		t.wantRead("the message", MessageText, "hello")
		if err := t.c.Write(bg, MessageBinary, make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
		t.p.WantBinary("an answer", string(make([]byte, 300)))
		if err := t.c.TryWrite(MessageText, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("another", "hi")
		t.p.SendClose(1001, "")
		t.p.WantClose("the answer", 1001)
		t.p.Close()
		<-r.closed
		r.want(t, "in", &r.in, fmt.Sprintf("handshake {Client:%v Compressed:false}", t.c.receiver.client),
			"text 3 more", "ping 4", "continuation 2", "MessageText of 5", "close 2")
		r.want(t, "out", &r.out, "pong 4", "binary 300", "text 2", "close 2")
		r.want(t, "taken", &r.taken, "MessageBinary of 300", "MessageText of 2")
		r.want(t, "the end", &r.end, "open to close received", "close received to closed", "closed by peer with 1001")
		if CloseStatus(r.reason) != 1001 || r.stats != t.c.Stats() {
			t.Errorf("closed with %v, %+v", r.reason, r.stats)
		}
		s := r.stats
		if s.Read.Frames != 4 || s.Written.Frames != 4 || s.Read.Messages != 1 || s.Written.Messages != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTraceClose: each way to end is told once, as the last.
func TestTraceClose(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *connTest)
		want []string
		out  []string
	}{
		"Close": {func(t *connTest) {
			closed := start(func() error { return t.c.Close(4000, "") })
			t.p.WantClose("ours", 4000)
			t.p.SendClose(4000, "")
			t.p.Close()
			t.want("Close", closed)
		}, []string{"open to close sent", "close sent to closed", "closed by local with 4000"}, []string{"close 2"}},
		"a violation": {func(t *connTest) {
			t.p.Send(wiretest.Continuation("of nothing"))
			t.p.WantClose("ours", 1002)
			t.p.Close()
		}, []string{"open to close sent", "close sent to closed", "closed by violation with 1002"}, []string{"close 89"}},
		"the end of the stream": {func(t *connTest) { t.p.Close() },
			[]string{"open to closed", "closed by loss with 1006"}, nil},
		"CloseNow, twice": {func(t *connTest) { t.c.CloseNow(); t.c.CloseNow() },
			[]string{"open to closed", "closed by local with 1006"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			runTraced(t, newSettings(0, 0, -1), func(t *connTest, r *traced) {
				tt.do(t)
				<-r.closed
				t.c.CloseNow()
				t.settle()
				if len(tt.out) > 0 {
					if r.mu.Lock(); len(r.out) == 1 && strings.HasPrefix(r.out[0], "close ") && name == "a violation" {
						tt.out = slices.Clone(r.out) // the reason's length is not the point
					}
					r.mu.Unlock()
				}
				r.want(t, "the end", &r.end, tt.want...)
				r.want(t, "out", &r.out, tt.out...)
			})
		})
	}
}

// TestTracePing: the answers to Ping, and to keepalive.
func TestTracePing(t *testing.T) {
	s := newSettings(0, 0, 5*time.Second)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.in = nil
		for range 2 {
			ping := t.p.ReadFrame("keepalive's Ping")
			time.Sleep(30 * time.Millisecond)
			t.p.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpPong, Payload: ping.Payload})
		}
		t.p.SendPong("no answer")
		t.settle()
		r.want(t, "in", &r.in, "pong 8", "answered after 30ms", "pong 8", "answered after 30ms", "pong 9")
		r.closed = make(chan struct{})
	})
}

// TestTraceSlow: TryWrite is refused, and a Write waits.
func TestTraceSlow(t *testing.T) {
	s := newSettings(1000, 0, -1)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.taken, r.closed = nil, make(chan struct{})
		wrote := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 4<<10)) })
		t.blocked("the peer does not read", wrote)
		if err := t.c.TryWrite(MessageText, make([]byte, 900)); err != nil {
			t.Fatal(err)
		}
		queued := t.c.Stats().QueuedBytes
		if err := t.c.TryWrite(MessageText, make([]byte, 900)); err != ErrQueueFull {
			t.Fatal(err)
		}
		waits := start(func() error { return t.c.Write(bg, MessageText, make([]byte, 901)) })
		t.blocked("the queue is full", waits)
		slow := fmt.Sprint("slow at ", queued)
		r.want(t, "taken", &r.taken, "MessageText of 900", slow, slow)
	})
}

// TestTraceAndStats: each frame and message is told of once, in the order of the wire, whatever is written and by which
// methods: what one end tells, the other does too, and the sums are those of Stats.
func TestTraceAndStats(t *testing.T) {
	for name, agreed := range agreements {
		t.Run(name, func(t *testing.T) {
			client, forClient := newTraced()
			server, forServer := newTraced()
			a, b := statsPair(t, agreed, forClient, forServer)
			client.in, server.in = nil, nil
			for _, pair := range [][2]*Conn{{a, b}, {b, a}} {
				from, to := pair[0], pair[1]
				read := start(func() error { readAnyhow(t, to, 120, rand.New(rand.NewPCG(3, 4))); return nil })
				writeAnyhow(t, from, rand.New(rand.NewPCG(3, 5)))
				<-read
			}
			a.Close(1000, "")
			<-client.closed
			<-server.closed
			for _, way := range [][2]*traced{{client, server}, {server, client}} {
				var came, read []string
				for _, s := range way[1].in {
					if strings.HasPrefix(s, "Message") {
						read = append(read, s)
					} else {
						came = append(came, s)
					}
				}
				if !slices.Equal(way[0].out, came) {
					t.Errorf("%d frames left, %d came, or others", len(way[0].out), len(came))
				}
				taken := slices.DeleteFunc(way[0].taken, func(s string) bool { return strings.HasPrefix(s, "slow") })
				if !slices.Equal(taken, read) {
					t.Errorf("%d messages left, %d came, or others", len(taken), len(read))
				}
				if w, r := way[0].stats.Written, way[1].stats.Read; w != r || int(w.Frames) != len(came) || int(w.Messages) != len(read) {
					t.Errorf("written %+v, read %+v", w, r)
				}
			}
		})
	}
}

// TestTraceSuspended: a frame that is written in pieces, by others than who began it, is told of once, when it is through; one
// that is taken back never is.
func TestTraceSuspended(t *testing.T) {
	s := newSettings(-1, 0, -1)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.out, r.closed = nil, make(chan struct{})
		if err := t.c.SendPing([]byte("first")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		first := start(func() error { return t.c.Write(ctx, MessageBinary, make([]byte, 4<<10)) })
		t.blocked("the peer does not read", first)
		cancel()
		t.want("the first", first)
		ctx, cancel = context.WithTimeout(bg, time.Second)
		defer cancel()
		if err := t.c.Write(ctx, MessageBinary, make([]byte, 100)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		r.want(t, "half of it", &r.out, "ping 5")
		t.p.ReadFrame("the Ping")
		t.p.WantBinary("the first", string(make([]byte, 4<<10)))
		t.settle()
		r.want(t, "the rest of it", &r.out, "ping 5", "binary 4096")
		if err := t.c.Write(bg, MessageText, nil); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("the last", "")
		t.settle()
		r.want(t, "all", &r.out, "ping 5", "binary 4096", "text 0")
	})
}

// TestTraceLost: a frame that the net.Conn never took whole is not told of.
func TestTraceLost(t *testing.T) {
	s := newSettings(0, 0, -1)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.out, r.end, r.closed = nil, nil, make(chan struct{})
		if err := t.c.Write(bg, MessageText, []byte("first")); err != nil {
			t.Fatal(err)
		}
		wrote := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 4<<10)) })
		t.blocked("the peer does not read", wrote)
		t.c.CloseNow()
		<-r.closed
		t.want("Write", wrote)
		t.settle()
		r.want(t, "out", &r.out, "text 5")
		r.want(t, "the end", &r.end, "open to closed", "closed by local with 1006")
	})
}

// TestTraceLostBehind: of frames that leave together, those that the net.Conn has taken are told of, though it is lost in the
// middle of the last.
func TestTraceLostBehind(t *testing.T) {
	s := newSettings(0, 0, -1)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.out, r.closed = nil, make(chan struct{})
		t.c.writeTurn.Await(nil, nil)
		if err := t.c.SendPing([]byte("first")); err != nil {
			t.Fatal(err)
		}
		if err := t.c.TryWrite(MessageBinary, make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
		t.c.leaveWrite()
		t.settle()
		t.c.CloseNow()
		<-r.closed
		t.settle()
		r.want(t, "out", &r.out, "ping 5")
	})
}

// TestTracePanics: a function that panics, or ends its goroutine, closes the connection with 1011, as a callback does. No call
// waits for ever.
func TestTracePanics(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit} {
		for which := range 6 {
			s := newSettings(0, 0, -1)
			once := sync.Once{}
			failing := func() {
				first := false
				once.Do(func() { first = true })
				if first {
					fail()
				}
			}
			trace := [...]Trace{
				{FrameRead: func(*Conn, FrameInfo) { failing() }},
				{FrameWritten: func(*Conn, FrameInfo) { failing() }},
				{MessageRead: func(*Conn, MessageInfo) { failing() }},
				{MessageWritten: func(*Conn, MessageInfo) { failing() }},
				{PingAnswered: func(*Conn, time.Duration) { failing() }},
				{StateChanged: func(*Conn, CloseState, CloseState) { failing() }},
			}[which]
			closed := 0
			trace.Closed = func(*Conn, error, Stats) { closed++ }
			s.trace = &trace
			t.Run(fmt.Sprint(name, which), func(t *testing.T) {
				runInMemory(t, config{settings: s}, func(t *connTest) {
					once, closed = sync.Once{}, 0
					tracePanics(t, which, name, &closed)
				})
			})
		}
	}
}

func tracePanics(t *connTest, which int, name string, closed *int) {
	called := make(chan struct{})
	go func() { // Goexit leaves the calls too
		defer close(called)
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			return
		}
		io.WriteString(w, "hello")
		w.Close()
		t.c.Read(bg)
		t.c.Ping(bg)
	}()
	go io.Copy(io.Discard, t.p.Conn) // it may see a Close frame, or the end of the stream alone
	t.p.Conn.Write(t.p.Encode(wiretest.Text("hello"), wiretest.Frame{FIN: true, Opcode: wiretest.OpPong, Payload: []byte{0x80, 0, 0, 0, 0, 0, 0, 1}}))
	t.settle()
	time.Sleep(time.Second)
	closing := start(func() error { return t.c.Close(1000, "") })
	t.p.Conn.Write(t.p.Encode(wiretest.Close(1000, ""))) // which may be too late
	t.p.Close()
	t.want("Close", closing)
	<-t.c.Context().Done()
	<-called
	t.settle()
	if *closed != 1 {
		t.Errorf("closed %d times", *closed)
	}
	err := context.Cause(t.c.Context())
	if which < 4 && (err == nil || !strings.Contains(err.Error(), "Trace.")) {
		t.Errorf("%s: the cause is %v", name, err)
	}
	for call, err := range map[string]error{
		"Read":  t.want("Read", start(func() error { _, _, err := t.c.Read(bg); return err })),
		"Write": t.want("Write", start(func() error { return t.c.Write(bg, MessageText, nil) })),
	} {
		if err == nil {
			t.Errorf("%s succeeded", call)
		}
	}
}

// TestTraceCallsBack: Stats, TryWrite and CloseNow may be called from a Trace.
func TestTraceCallsBack(t *testing.T) {
	s := newSettings(0, 0, -1)
	closed := make(chan struct{})
	s.trace = &Trace{
		FrameRead:    func(c *Conn, f FrameInfo) { c.Stats(); c.TryWrite(MessageText, []byte("from FrameRead")) },
		MessageRead:  func(c *Conn, m MessageInfo) { c.Stats(); c.CloseNow() },
		FrameWritten: func(c *Conn, f FrameInfo) { c.Stats() },
		StateChanged: func(c *Conn, from, to CloseState) { c.Stats(); c.CloseNow() },
		Closed:       func(c *Conn, reason error, s Stats) { c.Stats(); c.Close(1000, ""); close(closed) },
	}
	runConnTest(t, config{settings: s}, func(t *connTest) {
		closed = make(chan struct{})
		t.p.SendText("hello")
		t.wantRead("the message", MessageText, "hello")
		t.p.WantText("the answer", "from FrameRead")
		<-closed
	})
}

// BenchmarkEcho is an echo without a Trace, with one that has no functions, and with those of each message.
func BenchmarkEcho(b *testing.B) {
	for name, trace := range map[string]*Trace{
		"unset": nil,
		"empty": {},
		"all": {
			FrameRead: func(*Conn, FrameInfo) {}, FrameWritten: func(*Conn, FrameInfo) {},
			MessageRead: func(*Conn, MessageInfo) {}, MessageWritten: func(*Conn, MessageInfo) {},
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			near, far := statsPair(b, nil, trace, trace)
			message := make([]byte, 64)
			go func() {
				var buf []byte
				for {
					typ, p, err := far.AppendRead(bg, buf[:0])
					if err != nil || far.Write(bg, typ, p) != nil {
						return
					}
					buf = p
				}
			}()
			var buf []byte
			for b.Loop() {
				if err := near.Write(bg, MessageBinary, message); err != nil {
					b.Fatal(err)
				}
				_, p, err := near.AppendRead(bg, buf[:0])
				if err != nil {
					b.Fatal(err)
				}
				buf = p
			}
		})
	}
}
