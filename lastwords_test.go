package websocket

import (
	"bytes"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// What is due, or was accepted, leaves before the end.

// TestLastWordsOfClose: a handler leaves its Write loop because another goroutine closes with 1013, and its deferred
// CloseNow comes right behind. The peer sees the code.
func TestLastWordsOfClose(t *testing.T) {
	runRounds(t, config{}, 200, func(t *connTest) {
		handler := start(func() error {
			defer t.c.CloseNow()
			for {
				if err := t.c.Write(bg, MessageText, []byte("tick")); err != nil {
					return err
				}
			}
		})
		t.p.WantText("the handler is at work", "tick")
		closing := start(func() error { return t.c.Close(StatusTryAgainLater, "") })
		f := t.p.ReadFrame("the Close")
		for f.Opcode == wiretest.OpText {
			f = t.p.ReadFrame("the Close")
		}
		if f.String() != wiretest.Close(1013, "").String() {
			t.Fatalf("the last frame is %v", f)
		}
		t.p.Close()
		t.want("the handler", handler)
		t.want("Close", closing)
	})
}

// TestLastWordsOfWrite: CloseNow comes right behind a Write that returned nil, while the message waits for others. It
// arrives.
func TestLastWordsOfWrite(t *testing.T) {
	for name, write := range map[string]func(c *Conn) error{
		"Write":    func(c *Conn) error { return c.Write(bg, MessageText, []byte("answer")) },
		"TryWrite": func(c *Conn) error { return c.TryWrite(MessageText, []byte("answer")) },
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two"), wiretest.Text("three")))
				t.wantRead("the first of several", MessageText, "one")
				if err := write(t.c); err != nil {
					t.Fatal(err)
				}
				t.c.CloseNow()
				t.p.WantText("what was accepted", "answer")
				t.p.WantGone("and nothing more")
			})
		})
	}
}

// TestLastWordsBeforeEcho: a message that Write accepted before the peer's Close was looked at leaves before the answer
// to the Close, whoever looks at it.
func TestLastWordsBeforeEcho(t *testing.T) {
	for _, unread := range []bool{false, true} {
		runConnTest(t, config{}, func(t *connTest) {
			frames := []wiretest.Frame{wiretest.Text("one")}
			if unread {
				frames = append(frames, wiretest.Text("two"))
			}
			t.p.SendRaw(t.p.Encode(append(frames, wiretest.Close(4000, "bye"))...))
			t.wantRead("the first message", MessageText, "one")
			if err := t.c.Write(bg, MessageText, []byte("answer")); err != nil {
				if t.real && CloseStatus(err) == 4000 {
					return // this goroutine had to wait so long for a processor that the reader goroutine has met the Close
				}
				t.Fatal(err)
			}
			if unread {
				t.wantRead("the second message", MessageText, "two")
			}
			if _, _, err := t.c.Read(bg); CloseStatus(err) != 4000 {
				t.Fatalf("Read gave %v", err)
			}
			t.p.WantText("what was accepted", "answer")
			t.p.WantClose("then the answer to the Close", 4000)
		})
	}
}

// TestLastWordsAtAViolation: the peer breaks the protocol while our Close is due and can't leave. It leaves.
func TestLastWordsAtAViolation(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		big := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
		write := start(func() error { return t.c.Write(bg, MessageBinary, big) })
		t.blocked("nobody reads", write)
		closing := start(func() error { return t.c.Close(4000, "") })
		t.blocked("nobody reads", closing)
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 3})
		t.settle()
		t.p.Timeout = time.Minute
		t.p.WantBinary("the message has begun", string(big))
		t.p.WantClosed("our Close leaves all the same", 4000)
		t.p.Close()
		if err := t.want("Close", closing); err == nil {
			t.Fatal("Close succeeded without the peer's Close")
		}
		t.want("Write", write)
	})
}

// TestLastWordsAtTheSameTime: the peer breaks the protocol at the moment in which the application closes. One of the two
// has its Close frame sent.
func TestLastWordsAtTheSameTime(t *testing.T) {
	round := 0
	runRounds(t, config{}, 150, func(t *connTest) {
		round++
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		wrong := t.p.Encode(wiretest.Frame{FIN: true, Opcode: 3})
		go t.p.Conn.Write(wrong)
		for range round * 101 % 30000 {
		}
		closing := start(func() error { return t.c.Close(4000, "") })
		f := t.p.ReadFrame("a Close")
		if s := f.String(); s != wiretest.Close(4000, "").String() && (f.Opcode != wiretest.OpClose || !bytes.HasPrefix(f.Payload, []byte{1002 >> 8, 1002 & 255})) {
			t.Fatalf("round %d: the last frame is %v", round, f)
		}
		t.p.WantGone("then TCP is closed")
		t.p.Close()
		t.want("Close", closing)
		t.want("Read", read)
	})
}

// TestLastWordsOfBoth: the application comes to a message that is too large when the peer's Close is read already, and the
// answer to it can't leave yet. It leaves, both Close frames are through, and Close returns nil.
func TestLastWordsOfBoth(t *testing.T) {
	runConnTest(t, config{readLimit: 100}, func(t *connTest) {
		big := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
		write := start(func() error { return t.c.Write(bg, MessageBinary, big) })
		t.blocked("nobody reads", write)
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Binary(string(make([]byte, 101))), wiretest.Close(4000, "bye")))
		t.wantRead("a message that is not too large", MessageText, "one")
		<-t.c.awaitable().stopped // by the peer's Close, which was read ahead
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.blocked("the answer has not left", read)
		t.p.Timeout = time.Minute
		t.p.WantBinary("the message has begun", string(big))
		t.p.WantClose("the answer", 4000)
		t.p.Close()
		if err := t.want("Read", read); CloseStatus(err) != 4000 {
			t.Errorf("Read gave %v", err)
		}
		if err := t.want("Close", start(func() error { return t.c.Close(StatusNormalClosure, "") })); err != nil {
			t.Errorf("Close gave %v", err)
		}
		t.want("Write", write)
	})
}
