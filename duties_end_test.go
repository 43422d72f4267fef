package websocket

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestCloseAtOnce: while Close waits, the peer's answer is read at once, though nobody has read before.
func TestCloseAtOnce(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		begun := time.Now()
		closing := start(func() error { return t.c.Close(4000, "") })
		t.p.WantClose("ours", 4000)
		t.p.SendClose(4000, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
		t.wantAtOnce("Close returned", begun, 0)
	})
}

// TestCloseNowAtOnce: with nothing to write, the end takes no time. Whoever asks for the context then has one that is done.
func TestCloseNowAtOnce(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		begun := time.Now()
		t.c.CloseNow()
		t.p.WantGone("it has ended")
		<-t.c.Context().Done()
		t.wantAtOnce("it ended", begun, 0)
	})
}

// TestCloseBesideCallback: a callback does not return. A Close frame leaves all the same.
func TestCloseBesideCallback(t *testing.T) {
	settings := newSettings(0, 0, -1)
	settings.onPing = func(context.Context, []byte) bool { time.Sleep(time.Second); return false }
	runInMemory(t, config{settings: settings}, func(t *connTest) {
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.SendPing("")
		t.blocked("nothing comes", read)
		begun := time.Now()
		start(func() error { return t.c.Close(4000, "") })
		t.p.WantClose("ours", 4000)
		t.wantAtOnce("it left", begun, 0)
		t.want("Read", read)
	})
}

// TestCloseBesideWriter: a Write waits for a Writer that stays open. It hears of a Close.
func TestCloseBesideWriter(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		if _, err := t.c.Writer(bg, MessageText); err != nil {
			t.Fatal(err)
		}
		write := start(func() error { return t.c.Write(bg, MessageText, []byte("x")) })
		t.blocked("a Writer is open", write)
		begun := time.Now()
		start(func() error { return t.c.Close(4000, "") })
		if err := t.want("Write", write); err == nil {
			t.Error("Write succeeded")
		}
		t.wantAtOnce("Write returned", begun, 0)
	})
}

// TestLastTryIsBounded: a last attempt that has to wait is made in the background, for a second. Close does not wait for
// it.
func TestLastTryIsBounded(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, time.Minute, 0)}, func(t *connTest) {
		stuck := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", stuck)
		closing := start(func() error { return t.c.Close(4000, "") })
		t.blocked("nobody reads", closing)
		begun := time.Now()
		t.c.CloseNow()
		t.want("Close", closing)
		t.want("Write", stuck)
		t.wantAtOnce("they returned", begun, 0)
		time.Sleep(2 * lingerTime)
		t.wantEnded("the attempt has had its time")
	})
}

// wantEnded asserts that the net.Conn is closed.
func (t *connTest) wantEnded(why string) {
	t.Helper()
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.c.closing.ended {
		t.Errorf("%s, and the net.Conn is not closed", why)
	}
}

// TestLingerIsBounded: behind our Close at a violation, TCP stays half open for a second and no longer.
func TestLingerIsBounded(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 3})
		t.p.WantClosed("it is a violation", 1002)
		time.Sleep(lingerTime / 2)
		if _, err := t.p.Conn.Write([]byte("x")); err != nil {
			t.Errorf("TCP is closed already: %v", err)
		}
		time.Sleep(lingerTime)
		if _, err := t.p.Conn.Write([]byte("x")); err == nil {
			t.Error("TCP is still half open")
		}
	})
}

// TestReadWhileLingering: the last words are on their way, and a Read returns at once.
func TestReadWhileLingering(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two")))
		t.wantRead("one of two", MessageText, "one")
		if err := t.c.Write(bg, MessageText, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		t.c.CloseNow()
		t.p.WantText("what was accepted", "answer")
		t.settle()
		begun := time.Now()
		if err := t.want("Close", start(func() error { return t.c.Close(1000, "") })); err == nil {
			t.Error("Close succeeded")
		}
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		if err := t.want("Read", read); err == nil {
			t.Error("Read gave a message")
		}
		t.wantAtOnce("Close and Read returned", begun, 0)
		if _, err := t.p.Conn.Write([]byte("x")); err != nil {
			t.Errorf("TCP is closed already: %v", err)
		}
	})
}

// TestWriteLostWhileStalled: a write fails while nobody reads, because the application leaves so much unread. There is no
// reason to wait for what the peer may have said.
func TestWriteLostWhileStalled(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		go t.p.Conn.Write(t.p.Encode(wiretest.Binary(string(make([]byte, 2*readAheadLimit)))))
		time.Sleep(time.Second)
		if !t.c.supervisor.Stalled.Load() {
			t.Fatal("the read-ahead is not full")
		}
		t.p.Close()
		begun := time.Now()
		for t.c.Write(bg, MessageText, []byte("x")) == nil {
		}
		<-t.c.Context().Done()
		t.wantAtOnce("it ended", begun, 0)
	})
}

// TestPongOfCancelledRead: a Read has met a Ping, and its context ends before it waits. The Pong leaves all the same.
func TestPongOfCancelledRead(t *testing.T) {
	var met func()
	settings := newSettings(0, 0, -1)
	settings.onPing = func(context.Context, []byte) bool { met(); return true }
	runInMemory(t, config{settings: settings}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		met = cancel
		read := start(func() error { _, _, err := t.c.Read(ctx); return err })
		t.settle()
		begun := time.Now()
		t.p.SendPing("met")
		if err := t.want("Read", read); err != context.Canceled {
			t.Fatal(err)
		}
		t.p.WantPong("it is answered", "met")
		t.wantAtOnce("the Pong came", begun, 0)

		// The same for the reader goroutine, when a call wants to read.
		time.Sleep(time.Second)
		met = func() { t.c.supervisor.Wanting.Add(1) }
		begun = time.Now()
		t.p.SendPing("again")
		t.p.WantPong("it is answered", "again")
		t.wantAtOnce("the Pong came", begun, 0)
		t.c.supervisor.Wanting.Add(-1)
	})
}

// TestReaderGivesBack: the reader goroutine finds that a call is about to read, and leaves the turn to it.
func TestReaderGivesBack(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.c.supervisor.Wanting.Add(1)
		t.c.startReader()
		if t.c.supervisor.Turn.Held() {
			t.Error("nobody reads, and the turn is held")
		}
		t.c.supervisor.Wanting.Add(-1)
	})
}

// TestReaderStaysAway: an application that always comes back does not meet the reader goroutine.
func TestReaderStaysAway(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		for range 20 {
			t.p.SendText("on")
			t.wantRead("a message", MessageText, "on")
			time.Sleep(supervisor.ReaderDelay * 3 / 4)
			if t.c.supervisor.Running.Load() {
				t.Fatal("the reader goroutine has started")
			}
		}
		time.Sleep(time.Second)
		t.settle()
		if !t.c.supervisor.Running.Load() {
			t.Error("nobody reads")
		}
	})
}

// TestReadBehindReader: the reader goroutine steps aside for a Read that comes while nothing has come.
func TestReadBehindReader(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		for range 3 {
			time.Sleep(time.Second)
			read := start(func() error { _, _, err := t.c.Read(bg); return err })
			t.blocked("nothing comes", read)
			if t.c.supervisor.Running.Load() {
				t.Error("the reader goroutine still reads")
			}
			t.p.SendText("here")
			if err := t.want("Read", read); err != nil {
				t.Fatal(err)
			}
			t.p.SendPing("still there")
			t.p.WantPong("it reads by itself again", "still there")
		}
	})
}

// TestCompressedWithoutLimit: the largest read limit is none, for compressed messages too.
func TestCompressedWithoutLimit(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		for _, limit := range []int64{-1, math.MaxInt64, math.MaxInt64 / 8} {
			t.c.SetReadLimit(limit)
			said := text(3000)
			t.p.Send(wiretest.Text(d.pack(said)).Compressed())
			t.wantRead("it is read", MessageText, said)
		}
	})
}

// TestCloseAmidViolation: the peer breaks the protocol after our Close. Close says so; the reason for the end is still the first.
func TestCloseAmidViolation(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		closing := start(func() error { return t.c.Close(4000, "") })
		t.p.WantClose("ours", 4000)
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 3})
		var violated ProtocolError
		if err := t.want("Close", closing); !errors.As(err, &violated) {
			t.Errorf("Close gave %v", err)
		}
		if err := t.c.cause(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the reason is %v", err)
		}
		t.p.Close()
	})
}

// TestMomentPassed: what has come before anybody asked for it is not waited for.
func TestMomentPassed(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.c.CloseNow()
		t.settle()
		moments := t.c.awaitable()
		for name, moment := range map[string]chan struct{}{"stopped": moments.stopped, "told": moments.told, "hungUp": moments.hungUp} {
			select {
			case <-moment:
			default:
				t.Errorf("after CloseNow %s has not come", name)
			}
		}
	})
}

// stuckCalls begins a Write that the peer does not read, and behind it a Ping and a Flush.
func (t *connTest) stuckCalls() map[string]<-chan error {
	t.Helper()
	calls := map[string]<-chan error{"Write": start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 100<<10)) })}
	t.settle()
	calls["Ping"] = start(func() error { return t.c.Ping(bg) })
	calls["Flush"] = start(func() error { return t.c.Flush(bg) })
	t.settle()
	for name, call := range calls {
		t.blocked(name, call)
	}
	return calls
}

// TestCallsBesideClose: a Close can't leave, ours or the answer to the peer's. Calls that wait return after a second.
func TestCallsBesideClose(t *testing.T) {
	for _, ours := range []bool{true, false} {
		runInMemory(t, config{}, func(t *connTest) {
			calls := t.stuckCalls()
			begun := time.Now()
			if ours {
				start(func() error { return t.c.Close(4000, "") })
			} else {
				t.p.SendClose(4000, "moved")
			}
			for name, call := range calls {
				if err := t.want(name, call); ours && !errors.Is(err, net.ErrClosed) || !ours && CloseStatus(err) != 4000 {
					t.Errorf("%s gave %v", name, err)
				}
			}
			t.wantAtOnce("they returned", begun, lingerTime)
		})
	}
}

// TestFlushBesideClose: a Close that leaves while a Flush waits takes everything before it along, and a CloseWrite is waited for,
// however long it takes.
func TestFlushBesideClose(t *testing.T) {
	for _, half := range []bool{false, true} {
		runInMemory(t, config{}, func(t *connTest) {
			calls := t.stuckCalls()
			if half {
				t.c.CloseWrite(4000, "")
				time.Sleep(time.Minute)
				t.blocked("Flush", calls["Flush"])
				t.blocked("Ping", calls["Ping"])
			} else {
				start(func() error { return t.c.Close(4000, "") })
				t.settle()
			}
			for seen := false; !seen; {
				f := t.p.ReadFrame("the big one, the Ping, the Close")
				seen = f.Opcode == wiretest.OpClose
			}
			if err := t.want("Flush", calls["Flush"]); err != nil {
				t.Errorf("Flush gave %v", err)
			}
			t.p.SendClose(4000, "")
			t.want("Ping", calls["Ping"])
		})
	}
}

// TestCloseNowWhileLingering: a client waits for the server to close TCP. CloseNow closes its own half at once.
func TestCloseNowWhileLingering(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		if t.p.Role == wiretest.Client {
			return
		}
		lingering(t)
		t.settle()
		begun := time.Now()
		t.c.CloseNow()
		if _, err := t.p.Conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the server got %v", err)
		}
		t.wantAtOnce("the server sees the end", begun, 0)
	})
}

// TestPingBesideClose: a Pong that comes while our Close can't leave answers its Ping.
func TestPingBesideClose(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		ping := start(func() error { return t.c.Ping(bg) })
		sent := t.p.ReadFrame("the Ping")
		start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 100<<10)) })
		t.settle()
		start(func() error { return t.c.Close(4000, "") })
		time.Sleep(lingerTime / 2)
		t.blocked("the Close has not left", ping)
		begun := time.Now()
		t.p.SendPong(string(sent.Payload))
		if err := t.want("Ping", ping); err != nil {
			t.Errorf("Ping gave %v", err)
		}
		t.wantAtOnce("it returned", begun, 0)
	})
}

// TestFlushPassive: while it is the application that has to answer the peer's Close, a Flush waits for what is on its way, and then for
// the answer.
func TestFlushPassive(t *testing.T) {
	for _, answer := range []bool{false, true} {
		runInMemory(t, passively(), func(t *connTest) {
			start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 100<<10)) })
			t.settle()
			read := start(func() error { _, _, err := t.c.Read(bg); return err })
			t.p.SendClose(4000, "")
			t.want("Read", read)
			flush := start(func() error { return t.c.Flush(bg) })
			time.Sleep(time.Second)
			t.blocked("the message has not left", flush)
			if answer {
				start(func() error { return t.c.Close(4001, "") })
				time.Sleep(lingerTime / 2)
				t.blocked("nor has the answer", flush)
			}
			if f := t.p.ReadFrame("it leaves"); len(f.Payload) != 100<<10 {
				t.Fatalf("%d bytes", len(f.Payload))
			}
			if err := t.want("Flush", flush); err != nil {
				t.Errorf("Flush gave %v", err)
			}
		})
	}
}

// TestCallsBehindCloseWrite: the Close of CloseWrite can't leave. Ping and Flush wait on, until there is a Close, ours or the peer's, and
// then for a second.
func TestCallsBehindCloseWrite(t *testing.T) {
	for _, ours := range []bool{true, false} {
		runInMemory(t, config{settings: newSettings(0, time.Minute, -1)}, func(t *connTest) {
			calls := t.stuckCalls()
			delete(calls, "Write") // it hears of CloseWrite
			t.c.CloseWrite(4000, "")
			time.Sleep(time.Minute)
			for name, call := range calls {
				t.blocked(name, call)
			}
			begun := time.Now()
			if ours {
				start(func() error { return t.c.Close(4000, "") })
			} else {
				t.p.SendClose(4001, "")
			}
			for name, call := range calls {
				if err := t.want(name, call); err == nil {
					t.Errorf("%s succeeded", name)
				}
			}
			t.wantAtOnce("they returned", begun, lingerTime)
		})
	}
}
