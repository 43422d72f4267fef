package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// What CloseWrite and the option Passive mean for the rest of a connection: its keepalive, its groups, its Trace, and the
// moments in which something fails.

// TestPassiveAtOnce: calls of a passive connection hear of the peer's Close at once, and of nothing in between.
func TestPassiveAtOnce(t *testing.T) {
	runInMemory(t, passively(), func(t *connTest) {
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		ping := start(func() error { return t.c.Ping(bg) })
		t.settle()
		t.p.ReadFrame("the Ping")
		begun := time.Now()
		t.p.SendClose(1001, "")
		t.settle()
		for name, call := range map[string]<-chan error{
			"a blocked Read": read, "a blocked Ping": ping,
			"Read":     start(func() error { _, _, err := t.c.Read(bg); return err }),
			"Write":    start(func() error { return t.c.Write(bg, MessageText, nil) }),
			"Writer":   start(func() error { _, err := t.c.Writer(bg, MessageText); return err }),
			"Ping":     start(func() error { return t.c.Ping(bg) }),
			"SendPing": start(func() error { return t.c.SendPing(nil) }),
			"TryWrite": start(func() error { return t.c.TryWrite(MessageText, nil) }),
		} {
			if err := t.want(name, call); CloseStatus(err) != StatusGoingAway {
				t.Errorf("%s: %v, want the peer's CloseError", name, err)
			}
		}
		t.wantAtOnce("they returned", begun, 0)
		if t.c.Context().Err() != nil {
			t.Error("the connection has ended, and the peer's Close is not answered")
		}
		closed := start(func() error { return t.c.Close(3000, "so be it") })
		t.p.WantClose("Close answers", 3000)
		t.p.Close()
		if err := t.want("Close", closed); err != nil {
			t.Error(err)
		}
	})
}

// TestPassivePing: a passive connection reads while a Ping waits, and no longer.
func TestPassivePing(t *testing.T) {
	runInMemory(t, passively(), func(t *connTest) {
		ping := start(func() error { return t.c.Ping(bg) })
		sent := t.p.ReadFrame("the Ping leaves")
		t.p.SendPing("during")
		t.p.WantPong("while it waits, the connection reads", "during")
		t.p.SendPong(string(sent.Payload))
		if err := t.want("Ping", ping); err != nil {
			t.Fatal(err)
		}
		t.settle()
		t.p.SendPing("after")
		t.p.WantIdle("nobody reads any more", time.Minute)
		if t.c.supervisor.Turn.Held() {
			t.Error("the reader goroutine stays")
		}
		t.p.SendText("read")
		t.wantRead("and nothing is lost", MessageText, "read")
		t.p.WantPong("Read answers", "after")
	})
}

// TestPassiveCloseRead: after CloseRead the application does not hear of the peer's Close; so the connection answers it.
func TestPassiveCloseRead(t *testing.T) {
	for _, before := range []bool{true, false} {
		runInMemory(t, passively(), func(t *connTest) {
			begun := time.Now()
			var ctx context.Context
			if before {
				ctx = t.c.CloseRead(bg)
				t.p.SendPing("heard")
				t.p.WantPong("it reads by itself", "heard")
				t.p.SendClose(1001, "bye")
			} else {
				t.p.SendClose(1001, "bye")
				t.c.Read(bg)
				t.settle()
				ctx = t.c.CloseRead(bg)
			}
			t.p.WantClose("the echo", 1001)
			t.p.Close()
			<-ctx.Done()
			t.wantAtOnce("the end", begun, 100*time.Millisecond)
			if err := t.c.Close(StatusNormalClosure, ""); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// TestCloseWriteKeepAlive: after CloseWrite no Ping can be sent, and so a silent peer is not taken for a dead one.
func TestCloseWriteKeepAlive(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, 10*time.Second)}, func(t *connTest) {
		t.c.CloseWrite(StatusNormalClosure, "")
		t.p.WantClose("it leaves", 1000)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.WantIdle("nothing follows", time.Hour)
		t.blocked("Read waits", read)
		t.p.SendText("the answer took an hour")
		if err := t.want("Read", read); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, _, err := t.c.Read(ctx); err != context.DeadlineExceeded {
			t.Errorf("Read under a context: %v", err)
		}
	})
}

// TestCloseWritePing: a Ping that has left before CloseWrite is answered.
func TestCloseWritePing(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ping := start(func() error { return t.c.Ping(bg) })
		sent := t.p.ReadFrame("the Ping leaves")
		t.c.CloseWrite(StatusNormalClosure, "")
		t.p.WantClose("Close behind it", 1000)
		if err := t.c.Ping(bg); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a later Ping: %v", err)
		}
		t.p.SendPong(string(sent.Payload))
		if err := t.want("Ping", ping); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseWriteBehind: what was accepted leaves before the Close frame of CloseWrite, and a message that is being read goes on.
func TestCloseWriteBehind(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Text("one ").More())
		_, r, err := t.c.Reader(bg)
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Repeat("x", 4<<10) // more than the wire holds
		write := start(func() error { return t.c.Write(bg, MessageText, []byte(large)) })
		t.settle()
		if err := t.c.TryWrite(MessageText, []byte("accepted")); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		t.c.CloseWrite(StatusNormalClosure, "")
		t.wantAtOnce("it returned", begun, 0)
		t.p.Send(wiretest.Continuation("message"))
		if p, err := io.ReadAll(r); string(p) != "one message" || err != nil {
			t.Errorf("the message that was being read: %q, %v", p, err)
		}
		if err := t.want("the Write whose frame has begun to leave", write); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
		t.p.WantText("what had begun to leave", large)
		t.p.WantText("what was accepted", "accepted")
		t.p.WantClose("and then Close", 1000)
	})
}

// TestCloseWriteUnwritten: the Close frame of CloseWrite can't be written, because the peer has closed. What it had sent is read.
func TestCloseWriteUnwritten(t *testing.T) {
	runInMemory(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		t.p.SendText("the last")
		t.p.SendClose(3001, "bye")
		t.p.Close()
		begun := time.Now()
		if err := t.c.CloseWrite(StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		t.settle()
		if !t.c.closing.noWrites {
			t.Fatal("the write has not failed")
		}
		t.wantRead("what came before", MessageText, "the last")
		if _, _, err := t.c.Read(bg); CloseStatus(err) != 3001 {
			t.Errorf("Read: %v, want the peer's CloseError", err)
		}
		if err := t.c.Write(bg, MessageText, nil); CloseStatus(err) != 3001 {
			t.Errorf("Write: %v, want the peer's CloseError", err)
		}
		t.wantAtOnce("all of it", begun, 0)
	})
}

// A mute net.Conn can't be written to.
type mute struct{ net.Conn }

func (mute) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestCloseWriteMute: the Close frame of CloseWrite can't be written, and the peer's Close is still on its way. It is worth more
// to a Write than the broken pipe.
func TestCloseWriteMute(t *testing.T) {
	for _, client := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(1 << 10)
			runOne(t, client, config{settings: newSettings(0, 0, -1)}, mute{ours}, theirs, false, func(t *connTest) {
				t.c.CloseWrite(StatusNormalClosure, "")
				t.settle()
				written := start(func() error { return t.c.Write(bg, MessageText, nil) })
				t.settle()
				t.p.SendClose(3001, "bye")
				if err := t.want("Write", written); CloseStatus(err) != 3001 {
					t.Errorf("Write: %v, want the peer's CloseError", err)
				}
			})
		})
	}
}

// TestCloseWriteThenViolation: after CloseWrite a peer that breaks the protocol ends the connection; no second Close leaves.
func TestCloseWriteThenViolation(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.c.CloseWrite(StatusNormalClosure, "")
		t.p.WantClose("CloseWrite sends it", 1000)
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 3})
		var broken ProtocolError
		if _, _, err := t.c.Read(bg); !errors.As(err, &broken) {
			t.Errorf("Read: %v, want a ProtocolError", err)
		}
		t.p.WantGone("TCP is closed without another frame")
	})
}

// TestCloseWriteMisuse: a code that can't be sent is replaced, and returned as an error, as Close does it; after the end
// CloseWrite does nothing.
func TestCloseWriteMisuse(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		if err := t.c.CloseWrite(StatusAbnormalClosure, strings.Repeat("x", 200)); err == nil {
			t.Error("1006 can be sent")
		}
		t.p.ReadFrame("a Close frame leaves all the same")
		t.c.CloseNow()
		if err := t.c.CloseWrite(StatusNormalClosure, ""); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestCloseWriteTrace: Stats and a Trace know who began.
func TestCloseWriteTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := make(chan CloseState, 10)
		s := newSettings(0, 0, 0)
		s.trace = &Trace{StateChanged: func(_ *Conn, _, to CloseState) { states <- to }}
		m := newMember(t, config{settings: s}, 1<<10)
		m.c.CloseWrite(4000, "")
		m.p.WantClose("it leaves", 4000)
		if s := m.c.Stats(); s.CloseCode != 4000 || s.ClosedBy != ClosedByLocal {
			t.Errorf("%+v", s)
		}
		m.p.SendClose(1000, "")
		if _, _, err := m.c.Read(bg); CloseStatus(err) != StatusNormalClosure {
			t.Error(err)
		}
		if s := m.c.Stats(); s.CloseCode != 4000 || s.ClosedBy != ClosedByLocal {
			t.Errorf("after the answer: %+v", s)
		}
		if a, b := <-states, <-states; a != StateCloseSent || b != StateClosed {
			t.Errorf("the states are %v and %v", a, b)
		}
	})
}

// TestCloseWriteMember: a member of a group that has called CloseWrite gets what was broadcast before, and nothing after. What
// is broadcast after does not wait for it, and the group closes it with the others.
func TestCloseWriteMember(t *testing.T) {
	for _, cfg := range []config{{}, passively(), {client: true}} {
		synctest.Test(t, func(t *testing.T) {
			var g Group
			m, other := joinedMember(t, &g, cfg, 1<<10), joinedMember(t, &g, cfg, 1<<10)
			broadcast(t, &g, "before")
			m.c.CloseWrite(StatusNormalClosure, "")
			m.p.WantText("what was broadcast before", "before")
			m.p.WantClose("then Close", 1000)
			other.p.WantText("the other gets it", "before")
			for range 1000 {
				broadcast(t, &g, "after")
				other.p.WantText("the other gets it", "after")
			}
			synctest.Wait()
			if s := g.Stats(); s.Unsent != 1000 || s.Dropped != 0 || m.c.Stats().QueuedBytes != 0 || busy(&g) {
				t.Errorf("%+v, %+v", s, m.c.Stats())
			}
			balanced(t, &g, 2)
			m.p.SendText("heard")
			if _, p, err := m.c.Read(bg); string(p) != "heard" || err != nil {
				t.Errorf("%q, %v", p, err)
			}
			closed := start(func() error { _, err := g.Shutdown(bg); return err })
			other.p.WantClose("the other is closed", 1001)
			other.p.SendClose(1001, "")
			other.p.Close()
			m.p.SendClose(1000, "")
			m.p.Close()
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if s := g.Stats(); s.Members != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestCloseWriteGroupTimeout: a group does not wait for a peer that never answers CloseWrite.
func TestCloseWriteGroupTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 1<<10)
		m.c.CloseWrite(StatusNormalClosure, "")
		time.Sleep(time.Hour)
		begun := time.Now()
		if closed, err := g.Shutdown(bg); closed != 0 || err != nil {
			t.Errorf("Shutdown gave %d, %v", closed, err)
		}
		if took := time.Since(begun); took > defaultCloseTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

// closeBehindWrite begins a Close, or with half a CloseWrite, behind a message that the peer does not read.
func (t *connTest) closeBehindWrite(half bool) (closed <-chan error) {
	t.Helper()
	size := t.blockedSize()
	write := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, size)) })
	t.blocked("Write waits for the peer", write)
	closed = start(func() error {
		if half {
			return t.c.CloseWrite(4000, "enough")
		}
		return t.c.Close(4000, "enough")
	})
	t.want("Write hears of it", write)
	return closed
}

// peerHalfCloses has the peer close its half of TCP, and returns when the connection has seen it.
func (t *connTest) peerHalfCloses() {
	t.Helper()
	t.p.Conn.(interface{ CloseWrite() error }).CloseWrite()
	t.settle()
	t.await("the end of the stream", noReads)
}

// await waits for a flag on sockets, where settle does not.
func (t *connTest) await(what string, flag uint32) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); t.real && !t.c.has(flag); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not seen", what)
		}
	}
}

// TestPeerHalfCloses: the peer closes its half of TCP without a Close frame, while ours waits for it to read. It reads on, and
// gets ours. Then the connection has ended, since no answer can come.
func TestPeerHalfCloses(t *testing.T) {
	for _, half := range []bool{false, true} {
		runConnTest(t, config{}, func(t *connTest) {
			closed := t.closeBehindWrite(half)
			t.p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			t.settle()
			begun := time.Now()
			t.p.ReadFrame("the message leaves as a whole")
			t.p.WantClose("and our Close", 4000)
			<-t.c.Context().Done()
			if !t.real {
				t.wantAtOnce("the end", begun, 100*time.Millisecond)
			}
			if cause := context.Cause(t.c.Context()); errors.Is(cause, io.ErrUnexpectedEOF) != half {
				t.Errorf("half %v: the cause is %v", half, cause)
			}
			if err := t.want("Close", closed); half && err != nil || !half && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("half %v: it gave %v", half, err)
			}
		})
	}
}

// TestPeerHalfClosesOnCrowd: the same, with many callers in line. None stays, and our Close is the last frame.
func TestPeerHalfClosesOnCrowd(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		size := t.blockedSize()
		write := func() error { return t.c.Write(bg, MessageBinary, make([]byte, size)) }
		calls := []<-chan error{start(write)}
		t.blocked("the first waits for the peer", calls[0])
		for range 15 {
			calls = append(calls, start(write))
		}
		calls = append(calls, start(func() error { return t.c.Ping(bg) }), start(func() error { return t.c.Flush(bg) }),
			start(func() error { _, _, err := t.c.Read(bg); return err }))
		t.settle()
		calls = append(calls, start(func() error { return t.c.Close(4000, "enough") }))
		t.settle()
		t.await("Close", closedByUs)
		t.p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		t.settle()
		for seen := false; !seen; {
			f := t.p.ReadFrame("the messages that had begun to leave, and our Close")
			if seen = f.Opcode == wiretest.OpClose; seen && string(f.Payload) != "\x0f\xa0enough" {
				t.Errorf("the Close says %q", f.Payload)
			}
		}
		t.p.WantEOF("nothing follows")
		for _, call := range calls {
			t.want("a call", call)
		}
		<-t.c.Context().Done()
	})
}

// TestPeerHalfClosesAndIsSilent: the peer closes its half and never reads. The close timeout bounds it, after CloseWrite too.
func TestPeerHalfClosesAndIsSilent(t *testing.T) {
	for _, half := range []bool{false, true} {
		runInMemory(t, config{}, func(t *connTest) {
			closed := t.closeBehindWrite(half)
			read := start(func() error { _, _, err := t.c.Read(bg); return err })
			t.settle()
			begun := time.Now()
			t.peerHalfCloses()
			t.want("Read", read)
			t.wantAtOnce("Read returns", begun, lingerTime)
			<-t.c.Context().Done()
			t.wantAtOnce("the end", begun, defaultCloseTimeout)
			if err := t.want("Close", closed); !half && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Close gave %v", err)
			}
		})
	}
}

// TestPeerHalfClosesAndIsGone: then the rest of TCP breaks. The first that was seen of it is what is told.
func TestPeerHalfClosesAndIsGone(t *testing.T) {
	for _, half := range []bool{false, true} {
		runConnTest(t, config{}, func(t *connTest) {
			closed := t.closeBehindWrite(half)
			t.peerHalfCloses()
			begun := time.Now()
			t.p.Conn.Close()
			<-t.c.Context().Done()
			if !t.real {
				t.wantAtOnce("the end", begun, 0)
			}
			if err := t.want("Close", closed); !half && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Close gave %v", err)
			}
			if cause := context.Cause(t.c.Context()); half && !errors.Is(cause, io.ErrUnexpectedEOF) {
				t.Errorf("the cause is %v", cause)
			}
		})
	}
}

// TestHalfCloseCrosses: CloseWrite and the peer's Close cross, and then the stream ends. What Close returns is what became of the
// closing handshake, not what calls that send were told after CloseWrite.
func TestHalfCloseCrosses(t *testing.T) {
	for _, gone := range []bool{false, true} {
		runInMemory(t, config{}, func(t *connTest) {
			t.closeBehindWrite(true)
			t.p.SendClose(3001, "bye")
			t.settle()
			t.p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			t.settle()
			closed := start(func() error { return t.c.Close(4000, "") })
			t.settle()
			want := error(os.ErrDeadlineExceeded)
			if gone {
				t.p.Conn.Close()
				want = syscall.EPIPE
			}
			if err := t.want("Close", closed); !errors.Is(err, want) {
				t.Errorf("gone %v: Close gave %v, want %v", gone, err, want)
			}
		})
	}
}
