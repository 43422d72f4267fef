package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestStats: a message in two fragments, a Ping, and an answer.
func TestStats(t *testing.T) {
	before := time.Now()
	runConnTest(t, config{}, func(t *connTest) {
		s := t.c.Stats()
		if d := time.Since(s.Opened); d < 0 || d > 20*time.Second && t.real || t.real && s.Opened.Before(before.Add(-time.Second)) {
			t.Errorf("opened at %v", s.Opened)
		}
		s.Opened = time.Time{}
		if s != (Stats{}) {
			t.Errorf("at the start: %+v", s)
		}
		t.p.Send(wiretest.Text("hel").More())
		t.p.SendPing("four")
		t.p.Send(wiretest.Continuation("lo"))
		t.wantRead("the message", MessageText, "hello")
		t.p.WantPong("at once", "four")
		if err := t.c.Write(bg, MessageBinary, make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
		t.p.WantBinary("the answer", string(make([]byte, 300)))
		masked := int64(4)
		in, out := masked, int64(0)
		if t.c.receiver.client {
			in, out = 0, masked
		}
		for s.Written.WireBytes < 300 && time.Since(before) < 20*time.Second { // the peer may have them before they are counted
			runtime.Gosched()
			s = t.c.Stats()
		}
		if want := (Traffic{Messages: 1, Frames: 3, WireBytes: 3 + 2 + 4 + 3*(2+in), Bytes: 5}); s.Read != want {
			t.Errorf("read %+v, want %+v", s.Read, want)
		}
		if want := (Traffic{Messages: 1, Frames: 2, WireBytes: 4 + 300 + (2 + out) + (4 + out), Bytes: 300}); s.Written != want {
			t.Errorf("written %+v, want %+v", s.Written, want)
		}
	})
}

// TestStatsWhileReading: a Read that waits has published what was read before it. One that reads ahead, too.
func TestStatsWhileReading(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error {
			for {
				if _, _, err := t.c.Read(ctx); err != nil {
					return err
				}
			}
		})
		t.p.SendText("one")
		t.p.SendText("two")
		t.blocked("nothing more comes", read)
		if s := t.c.Stats(); s.Read.Messages != 2 || s.Read.Frames != 2 || s.Read.Bytes != 6 {
			t.Errorf("while a Read waits: %+v", s.Read)
		}
		cancel()
		t.want("Read", read)
		t.p.SendText("three")
		time.Sleep(time.Second)
		t.settle()
		if s := t.c.Stats(); s.Read.Messages != 2 || s.Read.Frames != 3 {
			t.Errorf("read ahead: %+v", s.Read)
		}
		t.p.SendClose(1000, "")
		t.p.WantClose("the answer", 1000)
		t.p.Close()
		t.settle()
		t.wantRead("what was read ahead", MessageText, "three")
		if s := t.c.Stats(); s.Read.Messages != 3 || s.Read.Frames != 4 {
			t.Errorf("after the end: %+v", s.Read)
		}
	})
}

// TestStatsFromEverywhere: Stats may be called while all else is under way, and disturbs nobody.
func TestStatsFromEverywhere(t *testing.T) {
	a, b := statsPair(t, nil, nil, nil)
	over := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					a.Stats()
					b.Stats()
				}
			}
		})
	}
	const n = 2000
	all.Go(func() {
		for range n {
			if err := a.Write(bg, MessageText, []byte("hello")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range n {
		if _, _, err := b.Read(bg); err != nil {
			t.Fatal(err)
		}
	}
	close(over)
	all.Wait()
	if s := b.Stats(); s.Read.Messages != n {
		t.Errorf("%+v", s.Read)
	}
}

// statsPair returns the two ends of a connection, of which the first is the client's.
func statsPair(t testing.TB, agreed *handshake.Params, client, server *Trace) (a, b *Conn) {
	near, far := memconn.Pipe(64 << 10)
	conf := func(isClient bool, trace *Trace) config {
		s := newSettings(0, 0, -1)
		s.trace = trace
		cfg := config{client: isClient, parent: bg, readLimit: -1, settings: s}
		if agreed != nil {
			cfg.deflate = newCompression(*agreed, isClient, 0)
		}
		return cfg
	}
	a, b = newConn(near, conf(true, client)), newConn(far, conf(false, server))
	t.Cleanup(func() { a.CloseNow(); b.CloseNow() })
	return a, b
}

// agreements are what two ends may have agreed on.
var agreements = map[string]*handshake.Params{
	"plain":       nil,
	"takeover":    {ServerBits: 15, ClientBits: 15},
	"no takeover": {ServerBits: 15, ClientBits: 15, ServerNoTakeover: true, ClientNoTakeover: true},
}

// writeAnyhow writes messages of all kinds by all methods, and returns how many there were and their size.
func writeAnyhow(t testing.TB, c *Conn, r *rand.Rand) (messages, size int64) {
	for range 120 {
		p := make([]byte, 1<<r.IntN(18)+r.IntN(64)-1)
		switch r.IntN(3) {
		case 0:
			p = bytes.Repeat([]byte("compressible "), len(p)/13+1)[:len(p)]
		case 1:
			for i := range p {
				p[i] = byte('a' + r.IntN(26))
			}
		}
		var err error
		switch r.IntN(4) {
		case 0:
			for err = ErrQueueFull; err == ErrQueueFull; {
				if err = c.TryWrite(MessageText, p); err == ErrQueueFull {
					err = c.Write(bg, MessageText, p)
				}
			}
		case 1:
			var w io.WriteCloser
			if w, err = c.Writer(bg, MessageBinary); err == nil {
				for rest := p; len(rest) > 0 && err == nil; {
					n := min(len(rest), 1+r.IntN(60<<10))
					_, err = w.Write(rest[:n])
					rest = rest[n:]
				}
				if err == nil {
					err = w.Close()
				}
			}
		default:
			err = c.Write(bg, MessageBinary, p)
		}
		if err != nil {
			t.Error(err)
			return messages, size
		}
		messages++
		size += int64(len(p))
	}
	return messages, size
}

// readAnyhow reads n messages by all methods.
func readAnyhow(t testing.TB, c *Conn, n int64, r *rand.Rand) {
	for range n {
		var err error
		switch r.IntN(4) {
		case 0:
			var reader io.Reader
			if _, reader, err = c.Reader(bg); err == nil {
				_, err = io.Copy(io.Discard, reader)
			}
		case 1:
			_, _, err = c.AppendRead(bg, make([]byte, 0, 1<<10))
		case 2:
			for _, err = range c.Messages(bg) {
				break
			}
		default:
			_, _, err = c.Read(bg)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// TestStatsOfBothEnds: what one end has written, the other has read, whatever it is and by whichever methods.
func TestStatsOfBothEnds(t *testing.T) {
	for name, agreed := range agreements {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				a, b := statsPair(t, agreed, nil, nil)
				for _, pair := range [][2]*Conn{{a, b}, {b, a}} {
					r := rand.New(rand.NewPCG(seed, 1))
					from, to := pair[0], pair[1]
					read := start(func() error { readAnyhow(t, to, 120, rand.New(rand.NewPCG(seed, 2))); return nil })
					messages, size := writeAnyhow(t, from, r)
					<-read
					w, got := from.Stats(), to.Stats()
					// The peer may have read a batch before the writer goroutine has noted that it was written.
					for begun := time.Now(); w.QueuedBytes != 0 && time.Since(begun) < 5*time.Second; w = from.Stats() {
						runtime.Gosched()
					}
					if w.Written != got.Read || w.Written.Messages != messages || w.Written.Bytes != size {
						t.Errorf("seed %d: %d messages, %d bytes: written %+v, read %+v", seed, messages, size, w.Written, got.Read)
					}
					if w.QueuedMessages != 0 || w.QueuedBytes != 0 || w.Dropped != 0 || w.ClosedBy != ClosedByNobody {
						t.Errorf("seed %d: %+v", seed, w)
					}
					if agreed == nil && w.Written.WireBytes <= w.Written.Bytes || agreed != nil && w.Written.WireBytes >= w.Written.Bytes {
						t.Errorf("%d bytes on the wire, %d not compressed", w.Written.WireBytes, w.Written.Bytes)
					}
				}
			}
		})
	}
}

// TestStatsResumed: a compressed message that a Read gave up in the middle, and a Reader goes on with, counts once.
func TestStatsResumed(t *testing.T) {
	agreed := handshake.Params{ServerBits: 15, ClientBits: 15}
	runConnTestFor(t, func(client bool) config {
		return config{settings: newSettings(0, 0, -1), deflate: newCompression(agreed, client, 0)}
	}, func(t *connTest) {
		frame := t.p.Encode(wiretest.Frame{FIN: true, RSV1: true, Opcode: wiretest.OpText, Payload: []byte("\xf2\x48\xcd\xc9\xc9\x07\x00")})
		t.p.SendRaw(frame[:len(frame)-3])
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error { _, _, err := t.c.Read(ctx); return err })
		t.blocked("half of it has come", read)
		cancel()
		if err := t.want("Read", read); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		t.p.SendRaw(frame[len(frame)-3:])
		_, r, err := t.c.Reader(bg)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := io.ReadAll(r); string(p) != "Hello" || err != nil {
			t.Errorf("%q, %v", p, err)
		}
		if s := t.c.Stats(); s.Read != (Traffic{Messages: 1, Frames: 1, WireBytes: int64(len(frame)), Bytes: 5}) {
			t.Errorf("%+v", s.Read)
		}
	})
}

// TestStatsRTT: by a Ping of the application's, and by keepalive's.
func TestStatsRTT(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, 5*time.Second)}, func(t *connTest) {
		pinged := start(func() error { return t.c.Ping(bg) })
		ping := t.p.ReadFrame("Ping")
		time.Sleep(20 * time.Millisecond)
		answer := wiretest.Frame{FIN: true, Opcode: wiretest.OpPong, Payload: ping.Payload}
		t.p.Send(answer)
		if err := t.want("Ping", pinged); err != nil {
			t.Fatal(err)
		}
		if rtt := t.c.Stats().RTT; rtt != 20*time.Millisecond {
			t.Errorf("Ping: %v", rtt)
		}
		time.Sleep(time.Second)
		t.p.Send(answer)
		t.p.SendPong("something else")
		ping = t.p.ReadFrame("keepalive's Ping")
		if rtt := t.c.Stats().RTT; rtt != 20*time.Millisecond {
			t.Errorf("a Pong that answers nothing: %v", rtt)
		}
		time.Sleep(30 * time.Millisecond)
		answer.Payload = ping.Payload
		t.p.Send(answer)
		t.settle()
		if rtt := t.c.Stats().RTT; rtt != 30*time.Millisecond {
			t.Errorf("keepalive: %v", rtt)
		}
	})
}

// TestStatsRTTBehindOthers: the time that a Ping waits behind what is being written is not the peer's.
func TestStatsRTTBehindOthers(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		wrote := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 100<<10)) })
		t.blocked("the peer does not read", wrote)
		pinged := start(func() error { return t.c.Ping(bg) })
		t.blocked("nor the Ping", pinged)
		time.Sleep(10 * time.Second)
		t.p.WantBinary("the message", string(make([]byte, 100<<10)))
		ping := t.p.ReadFrame("the Ping")
		time.Sleep(time.Second)
		t.p.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpPong, Payload: ping.Payload})
		if err := t.want("Ping", pinged); err != nil {
			t.Fatal(err)
		}
		if rtt := t.c.Stats().RTT; rtt != time.Second {
			t.Errorf("%v", rtt)
		}
	})
}

// TestStatsClosed: who closed, and with which code.
func TestStatsClosed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(t *connTest)
		by   ClosedBy
		code StatusCode
	}{
		"Close": {func(t *connTest) {
			closed := start(func() error { return t.c.Close(4000, "") })
			t.p.WantClose("ours", 4000)
			t.p.SendClose(4001, "")
			t.p.Close()
			t.want("Close", closed)
		}, ClosedByLocal, 4000},
		"the peer": {func(t *connTest) {
			t.p.SendClose(1001, "bye")
			t.p.WantClose("the answer", 1001)
			t.p.Close()
		}, ClosedByPeer, 1001},
		"the peer, without a code": {func(t *connTest) {
			t.p.Send(wiretest.EmptyClose())
			t.p.ReadFrame("the answer")
			t.p.Close()
		}, ClosedByPeer, StatusNoStatusRcvd},
		"a violation": {func(t *connTest) {
			t.p.Send(wiretest.Continuation("of nothing"))
			t.p.WantClose("ours", 1002)
			t.p.Close()
		}, ClosedByViolation, 1002},
		"a large message": {func(t *connTest) {
			t.c.SetReadLimit(10)
			t.p.SendText(strings.Repeat("x", 20))
			if _, _, err := t.c.Read(bg); !errors.Is(err, ErrMessageTooBig) {
				t.Error(err)
			}
			t.p.WantClose("ours", 1009)
			t.p.Close()
		}, ClosedByViolation, 1009},
		"the end of the stream": {func(t *connTest) { t.p.Close() }, ClosedByLoss, StatusAbnormalClosure},
		"CloseNow":              {func(t *connTest) { t.c.CloseNow() }, ClosedByLocal, StatusAbnormalClosure},
		"CloseNow behind Close": {func(t *connTest) {
			closed := start(func() error { return t.c.Close(4000, "") })
			t.p.WantClose("ours", 4000)
			t.c.CloseNow()
			t.want("Close", closed)
		}, ClosedByLocal, 4000},
		"a violation behind our Close": {func(t *connTest) {
			closed := start(func() error { return t.c.Close(4000, "") })
			t.p.WantClose("ours", 4000)
			t.p.Send(wiretest.Continuation("of nothing"))
			t.want("Close", closed)
		}, ClosedByLocal, 4000},
		"a violation behind CloseWrite": {func(t *connTest) {
			t.c.CloseWrite(4000, "")
			t.p.WantClose("ours", 4000)
			t.p.Send(wiretest.Continuation("of nothing"))
			t.c.Read(bg)
		}, ClosedByLocal, 4000},
		"a message after CloseRead": {func(t *connTest) {
			t.c.CloseRead(bg)
			t.p.SendText("x")
			t.p.WantClose("ours", 1008)
			t.p.Close()
		}, ClosedByLocal, 1008},
		"a context with CloseOnCancel": {func(t *connTest) {
			t.c.closeOnCancel = true
			ctx, cancel := context.WithCancel(bg)
			cancel()
			t.c.Read(ctx)
		}, ClosedByLocal, StatusAbnormalClosure},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
				tt.do(t)
				if name != "a large message" {
					<-t.c.Context().Done()
				}
				if s := t.c.Stats(); s.ClosedBy != tt.by || s.CloseCode != tt.code {
					t.Errorf("closed by %v with %v, want %v with %v", s.ClosedBy, s.CloseCode, tt.by, tt.code)
				}
			})
		})
	}
	t.Run("no Pong", func(t *testing.T) {
		runInMemory(t, config{settings: newSettings(0, 0, time.Second)}, func(t *connTest) {
			<-t.c.Context().Done()
			if s := t.c.Stats(); s.ClosedBy != ClosedByLoss || s.CloseCode != StatusAbnormalClosure {
				t.Errorf("closed by %v with %v", s.ClosedBy, s.CloseCode)
			}
		})
	})
}

// TestStatsQueued: what waits in the queue is counted there, and as dropped when the connection ends.
func TestStatsQueued(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		wrote := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 4<<10)) })
		t.blocked("the peer does not read", wrote)
		before := t.c.Stats()
		if before.Written.Messages != 1 || before.Written.WireBytes > 1<<10 {
			t.Errorf("a message of which a quarter has left: %+v", before.Written)
		}
		for range 3 {
			if err := t.c.TryWrite(MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		s := t.c.Stats()
		if s.QueuedMessages != 3 || s.QueuedBytes < 3*7 || s.QueuedBytes > 3*11 || s.Dropped != 0 || s.Written != before.Written {
			t.Errorf("%+v", s)
		}
		t.c.CloseNow()
		t.want("Write", wrote)
		time.Sleep(2 * lingerTime)
		s = t.c.Stats()
		s.Written.WireBytes = before.Written.WireBytes
		if s.QueuedMessages != 0 || s.QueuedBytes != 0 || s.Dropped != 3 || s.Written != before.Written {
			t.Errorf("after the end: %+v", s)
		}
	})
}

// TestStatsDroppedAtClose: what waits for the end of a Writer's message does not leave behind our Close.
func TestStatsDroppedAtClose(t *testing.T) {
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		wrote := start(func() error { _, err := w.Write(make([]byte, 64<<10)); return err })
		if f := t.p.ReadFrame("a fragment"); f.FIN || len(f.Payload) != 64<<10 {
			t.Fatal(f)
		}
		if err := t.want("the Writer", wrote); err != nil {
			t.Fatal(err)
		}
		if err := t.c.TryWrite(MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		closed := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("ours", 1000)
		t.p.SendClose(1000, "")
		t.p.Close()
		if err := t.want("Close", closed); err != nil {
			t.Fatal(err)
		}
		if s := t.c.Stats(); s.Dropped != 1 || s.QueuedMessages != 0 || s.Written.Messages != 0 || s.Written.Frames != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestStatsTakenBack: a Write that gives up before its first byte has left counts for nothing; one that gives up later counts,
// with the bytes that have left.
func TestStatsTakenBack(t *testing.T) {
	runInMemory(t, config{settings: newSettings(-1, 0, -1)}, func(t *connTest) {
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
		if s := t.c.Stats().Written; s.Messages != 1 || s.Frames != 1 || s.Bytes != 4<<10 || s.WireBytes != 1<<10 {
			t.Errorf("%+v", s)
		}
		t.p.WantBinary("the first", string(make([]byte, 4<<10)))
		t.settle()
		header := int64(4)
		if t.c.receiver.client {
			header = 8
		}
		if s := t.c.Stats().Written; s != (Traffic{1, 1, 4<<10 + header, 4 << 10}) {
			t.Errorf("%+v", s)
		}
	})
}

// TestStatsTakenBackWhole is the same for one that was put together already, when the net.Conn took nothing of it.
func TestStatsTakenBackWhole(t *testing.T) {
	s := newSettings(-1, 0, -1)
	var r *traced
	r, s.trace = newTraced()
	runInMemory(t, config{settings: s}, func(t *connTest) {
		r.out, r.closed = nil, make(chan struct{})
		header := 4
		if t.c.receiver.client {
			header = 8
		}
		if err := t.c.Write(bg, MessageBinary, make([]byte, 1<<10-header)); err != nil { // it fills the pipe
			t.Fatal(err)
		}
		before := t.c.Stats().Written
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if err := t.c.Write(ctx, MessageBinary, make([]byte, 100)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if s := t.c.Stats().Written; s != before || s.Messages != 1 {
			t.Errorf("%+v, want %+v", s, before)
		}
		t.p.WantBinary("the first", string(make([]byte, 1<<10-header)))
		if err := t.c.Write(bg, MessageText, []byte("next")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("the next", "next")
		r.want(t, "out", &r.out, fmt.Sprint("binary ", 1<<10-header), "text 4")
	})
}

// TestCounters: counts outgrow 32 bits, and are taken back.
func TestCounters(t *testing.T) {
	var c counters
	sums := [numCounts]int64{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		i, n := count(r.IntN(int(numCounts))), r.Int64N(1<<uint(1+r.IntN(40)))
		if r.IntN(4) == 0 {
			n = -min(n, sums[i])
		}
		c.add(i, n)
		sums[i] += n
		if got := c.get(i); got != sums[i] {
			t.Fatalf("%d, want %d", got, sums[i])
		}
	}
	c = counters{}
	c.add(bytesRead, math.MaxUint32)
	if c.carried != nil {
		t.Error("32 bits are enough")
	}
	c.add(bytesRead, 1)
	if got := c.get(bytesRead); got != 1<<32 {
		t.Error(got)
	}
}

// TestLargeMessageCounts: a message of more than 32 bits.
func TestLargeMessageCounts(t *testing.T) {
	a, _ := statsPair(t, nil, nil, nil)
	a.supervisor.Turn.Await(nil, nil)
	for _, size := range []int64{3 << 30, 3 << 30, 7} {
		a.receiver.message.size = size
		a.endMessage()
	}
	a.releaseRead()
	if s := a.Stats().Read; s.Messages != 3 || s.Bytes != 6<<30+7 {
		t.Errorf("%+v", s)
	}
}

// TestNames: of what Stats and Trace say.
func TestNames(t *testing.T) {
	got := fmt.Sprint(ClosedByNobody, ClosedByLocal, ClosedByPeer, ClosedByViolation, ClosedByLoss, ClosedBy(9),
		StateOpen, StateCloseSent, StateCloseReceived, StateClosed, CloseState(9),
		OpContinuation, OpText, OpBinary, OpClose, OpPing, OpPong, Opcode(9-6))
	want := "nobody local peer violation loss ClosedBy(?) open close sent close received closed CloseState(?) continuation text binary close ping pong reserved"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestStatsOfPanic: a violation behind our Close for a callback's panic does not change who has closed.
func TestStatsOfPanic(t *testing.T) {
	set := newSettings(0, 0, 0)
	set.onPing = func(context.Context, []byte) bool { panic("a bug") }
	runInMemory(t, config{settings: set}, func(t *connTest) {
		start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.SendPing("")
		t.p.WantClose("ours", 1011)
		t.p.Send(wiretest.Continuation("of nothing"))
		<-t.c.Context().Done()
		if s := t.c.Stats(); s.ClosedBy != ClosedByLocal || s.CloseCode != 1011 {
			t.Errorf("closed by %v with %v", s.ClosedBy, s.CloseCode)
		}
	})
}
