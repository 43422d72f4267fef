package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Things that must not be forgotten, and that only show when one looks closely. The mutants of internal/proof/mutants forget
// them.

// runInMemory runs a test as client and as server, over a wire in memory.
func runInMemory(t *testing.T, cfg config, f func(t *connTest)) {
	for _, client := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(1 << 10)
			runOne(t, client, cfg, ours, theirs, false, f)
		})
	}
}

// wantAtOnce asserts that no more than d has passed.
func (t *connTest) wantAtOnce(why string, begun time.Time, d time.Duration) {
	t.Helper()
	if took := time.Since(begun); took > d {
		t.Errorf("%s after %v, want at most %v", why, took, d)
	}
}

// TestReadAgainAndAgain: a Read that can't get a message does not ask for the read turn, which somebody needs to see the
// end through.
func TestReadAgainAndAgain(t *testing.T) {
	for _, ours := range []bool{true, false} {
		runInMemory(t, config{}, func(t *connTest) {
			if ours {
				start(func() error { return t.c.Close(4000, "") })
				t.p.WantClose("ours", 4000)
			} else {
				lingering(t)
			}
			t.settle()
			s := &t.c.supervisor
			if !ours && t.p.Role == wiretest.Client {
				return // the server has closed TCP
			}
			s.Wanting.Add(1)
			t.c.transport.InterruptRead()
			s.Turn.Await(nil, nil)
			s.Wanting.Add(-1)
			for range 3 {
				read := start(func() error { _, _, err := t.c.Read(bg); return err })
				if err := t.want("Read", read); err == nil {
					t.Fatal("Read gave a message")
				}
			}
			t.c.releaseRead()
		})
	}
}

// TestUnreadBeforeClose: a message that came before the peer's Close is read after it, under the connection's context too.
func TestUnreadBeforeClose(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		time.Sleep(time.Second) // the connection reads by itself
		t.p.SendText("before")
		lingering(t)
		<-t.c.Context().Done()
		typ, p, err := t.c.Read(t.c.Context())
		if err != nil || typ != MessageText || string(p) != "before" {
			t.Fatalf("Read gave %v %q, %v", typ, p, err)
		}
		_, _, err = t.c.Read(t.c.Context())
		t.wantMoved("the next Read", err)
	})
}

// TestPingAtOnce: a Ping that waits is a reason to read at once.
func TestPingAtOnce(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		for range 3 {
			begun := time.Now()
			ping := start(func() error { return t.c.Ping(bg) })
			f := t.p.ReadFrame("a Ping")
			t.p.SendPong(string(f.Payload))
			if err := t.want("Ping", ping); err != nil {
				t.Fatal(err)
			}
			t.wantAtOnce("Ping returned", begun, 0)
		}
		start(func() error { _, _, err := t.c.Read(bg); return err })
		t.settle()
		begun := time.Now()
		start(func() error { return t.c.Ping(bg) })
		t.p.ReadFrame("a Ping beside a Read")
		t.wantAtOnce("it left", begun, 0)
	})
}

// TestReasonIsBounded: while our Close can't leave, a Read waits a second for it and no longer.
func TestReasonIsBounded(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		stuck := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", stuck)
		start(func() error { return t.c.Close(4000, "") })
		t.settle()
		begun := time.Now()
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		if err := t.want("Read", read); err == nil {
			t.Fatal("Read gave a message")
		}
		t.wantAtOnce("Read returned", begun, lingerTime)
	})
}

// TestWaitUncorks: who waits for bytes first sends what waits for company.
func TestWaitUncorks(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two")))
		t.wantRead("one of two", MessageText, "one")
		begun := time.Now()
		if err := t.c.Write(bg, MessageText, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		t.wantRead("two of two", MessageText, "two")
		start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.WantText("the Read that waits sends it", "answer")
		t.p.SendPing("alone")
		t.p.WantPong("and a Pong", "alone")
		t.wantAtOnce("both came", begun, 0)
	})
}

// TestCorkIsShort: an answer that waits for company leaves soon, though the application is slow with the rest.
func TestCorkIsShort(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two"), wiretest.Text("three")))
		t.wantRead("one of three", MessageText, "one")
		begun := time.Now()
		if err := t.c.Write(bg, MessageText, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("it is alone", "answer")
		t.wantAtOnce("the answer came", begun, corkDelay)
	})
}

// TestPongBesideMessages: a Pong that waits for company leaves soon, though the application comes back to nothing.
func TestPongBesideMessages(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Ping("between"), wiretest.Text("two"), wiretest.Text("three")))
		t.wantRead("one of three", MessageText, "one")
		begun := time.Now()
		t.wantRead("two of three", MessageText, "two")
		t.p.WantPong("it is answered", "between")
		t.wantAtOnce("the Pong came", begun, corkDelay)
	})
}

// TestReaderBehindRead: a Read gives up in the middle of a message, and a Reader behind it too if that is compressed.
// Nothing is lost.
func TestReaderBehindRead(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Text("the start ").More())
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, _, err := t.c.Read(ctx); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		_, r, err := t.c.Reader(bg)
		if err != nil {
			t.Fatal(err)
		}
		t.p.Send(wiretest.Continuation("and the end"))
		if p, err := io.ReadAll(r); err != nil || string(p) != "the start and the end" {
			t.Fatalf("the Reader gave %q, %v", p, err)
		}
	})
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		if t.real {
			return
		}
		said := text(5000)
		packed := d.pack(said)
		f := wiretest.Text(packed[:len(packed)/2]).More()
		t.p.Send(f.Compressed())
		for _, call := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, _, err := t.c.Read(ctx); return err },
			func(ctx context.Context) error { _, _, err := t.c.Reader(ctx); return err },
		} {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			if err := call(ctx); err != context.DeadlineExceeded {
				t.Fatal(err)
			}
			cancel()
		}
		sent := start(func() error { t.p.Send(wiretest.Continuation(packed[len(packed)/2:])); return nil })
		t.wantRead("all of the message", MessageText, said)
		t.want("sending", sent)
	})
}

// A slowContext is done, but says so only when it is asked again, and takes its time for that.
type slowContext struct {
	context.Context
	looks int
}

func (c *slowContext) Done() <-chan struct{} { return passed }

func (c *slowContext) Err() error {
	if c.looks++; c.looks == 1 {
		return nil
	}
	time.Sleep(time.Millisecond)
	return context.Canceled
}

// TestGiveUpBehindReader: the reader goroutine steps aside for a Read that is just giving up. Somebody reads after that.
func TestGiveUpBehindReader(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		for range 20 {
			time.Sleep(time.Second) // the connection reads by itself
			if _, _, err := t.c.Read(&slowContext{Context: bg}); err != context.Canceled {
				t.Fatal(err)
			}
			t.p.SendPing("still there")
			t.p.WantPong("it reads by itself again", "still there")
		}
	})
}

// TestQueueHasRoomAgain: what has left takes no room in the queue any more, however it left.
func TestQueueHasRoomAgain(t *testing.T) {
	for _, client := range []bool{true, false} {
		ours, theirs := tcpPair(t)
		runOne(t, client, config{settings: newSettings(64<<10, 0, -1)}, ours, theirs, true, func(t *connTest) {
			for range 2 {
				accepted := 0
				for ; accepted < 10000; accepted++ { // the last of them leave in pieces
					message := fmt.Sprintf("%04000d", accepted)
					if err := t.c.TryWrite(MessageBinary, []byte(message)); errors.Is(err, ErrQueueFull) {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
				for i := range accepted {
					t.p.WantBinary("what was accepted leaves", fmt.Sprintf("%04000d", i))
				}
				t.wantRoom()
			}
		})
	}
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		if t.real {
			return
		}
		for range 3 {
			said := text(1000)
			if err := t.c.TryWrite(MessageText, []byte(said)); err != nil {
				t.Fatal(err)
			}
			if got := d.unpack("the message", t.p.ReadFrame("the message")); got != said {
				t.Fatalf("got %q", got)
			}
			t.wantRoom()
		}
	})
}

// wantRoom asserts that the queue is soon empty.
func (t *connTest) wantRoom() {
	t.Helper()
	size := -1
	for range 1000 {
		t.c.mu.Lock()
		size = t.c.sender.size
		t.c.mu.Unlock()
		if size == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("of the queue, %d bytes are taken by nothing", size)
}

// A countedContext counts who waits for its end.
type countedContext struct {
	context.Context
	done  chan struct{}
	count *atomic.Int32
}

func (c countedContext) Done() <-chan struct{} { return c.done }

func (c countedContext) AfterFunc(func()) (stop func() bool) {
	c.count.Add(1)
	var stopped atomic.Bool
	return func() bool {
		if !stopped.CompareAndSwap(false, true) {
			return false
		}
		c.count.Add(-1)
		return true
	}
}

// TestContextsAreLetGo: a connection keeps the context of the last call at most, and none when it has ended.
func TestContextsAreLetGo(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		var count atomic.Int32
		for range 3 {
			ctx := countedContext{bg, make(chan struct{}), &count}
			read := start(func() error { _, _, err := t.c.Read(ctx); return err })
			t.settle()
			t.p.SendText("on")
			if err := t.want("Read", read); err != nil {
				t.Fatal(err)
			}
			if n := count.Load(); n != 1 {
				t.Fatalf("it keeps %d contexts", n)
			}
		}
		t.c.CloseNow()
		t.settle()
		if n := count.Load(); n != 0 {
			t.Fatalf("it keeps %d contexts after the end", n)
		}
	})
}
