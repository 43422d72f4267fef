package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestReadCancelled: nothing is lost, wherever a Read gives up.
func TestReadCancelled(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		frames := t.p.Encode(
			wiretest.Text("first, ").More(),
			wiretest.Ping("between"),
			wiretest.Continuation("second, ").More(),
			wiretest.Continuation(strings.Repeat("x", 200)),
		)
		for cut := range frames {
			t.p.SendRaw(frames[cut : cut+1])
			if cut == len(frames)-1 {
				break
			}
			if t.real && cut%16 != 0 {
				continue
			}
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			if _, _, err := t.c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a cancelled Read after %d bytes gave %v", cut+1, err)
			}
			cancel()
		}
		t.wantRead("the next Read goes on exactly there", MessageText, "first, second, "+strings.Repeat("x", 200))
		t.p.WantFrame("the connection lives", wiretest.Pong("between"))
	})
}

// TestReadCancelledBefore: a context that has ended reads nothing.
func TestReadCancelledBefore(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendText("hello")
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if _, _, err := t.c.Read(ctx); err != context.Canceled {
			t.Fatalf("Read gave %v", err)
		}
		if _, _, err := t.c.Reader(ctx); err != context.Canceled {
			t.Fatalf("Reader gave %v", err)
		}
		t.wantRead("it is still there", MessageText, "hello")
	})
}

func TestReaderStreams(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Binary("ab").More())
		typ, r, err := t.c.Reader(bg)
		if err != nil || typ != MessageBinary {
			t.Fatal(typ, err)
		}
		b := make([]byte, 10)
		if n, err := r.Read(b); err != nil || string(b[:n]) != "ab" {
			t.Fatalf("%q, %v", b[:n], err)
		}
		read := start(func() error {
			n, err := r.Read(b)
			if err == nil && string(b[:n]) != "cd" {
				t.Errorf("got %q", b[:n])
			}
			return err
		})
		t.blocked("the message goes on", read)
		t.p.SendPing("x")
		t.p.WantPong("a Ping between fragments is answered", "x")
		t.p.Send(wiretest.Continuation("").More())
		t.blocked("an empty fragment is no end", read)
		t.p.Send(wiretest.Continuation("cd"))
		if err := t.want("the last fragment", read); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if n, err := r.Read(b); n != 0 || err != io.EOF {
				t.Fatalf("after the end: %d, %v", n, err)
			}
		}
	})
}

// TestReaderAbandoned: a message left in the middle is skipped by the next
// Read, and its reader knows.
func TestReaderAbandoned(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		sent := start(func() error {
			t.p.Send(wiretest.Text(strings.Repeat("a", 500)).More())
			t.p.SendPing("1")
			t.p.Send(wiretest.Continuation(strings.Repeat("b", 5000)))
			t.p.SendText("next")
			return nil
		})
		_, r, err := t.c.Reader(bg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		t.wantRead("the rest is skipped", MessageText, "next")
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errDiscarded) {
			t.Fatalf("the old reader gave %v", err)
		}
		t.want("sending", sent)
		t.p.WantPong("and the Ping in it is answered", "1")
	})
}

// TestReadConcurrently: each of several readers gets whole messages.
func TestReadConcurrently(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		const readers, messages = 4, 200
		got := make(chan string, messages)
		ctx, cancel := context.WithCancel(bg)
		var ended []<-chan error
		for range readers {
			ended = append(ended, start(func() error {
				for {
					_, p, err := t.c.Read(ctx)
					if err != nil {
						return err
					}
					got <- string(p)
				}
			}))
		}
		want := map[string]bool{}
		for i := range messages {
			s := strings.Repeat(string(rune('a'+i%26)), 1+i)
			want[s] = true
			if i%2 == 0 {
				t.p.SendText(s)
			} else {
				t.p.Send(wiretest.Text(s[:1]).More())
				t.p.Send(wiretest.Continuation(s[1:]))
			}
		}
		for range messages {
			s := <-got
			if !want[s] {
				t.Fatalf("%d bytes that nobody sent", len(s))
			}
			delete(want, s)
		}
		cancel()
		for _, e := range ended {
			if err := t.want("a cancelled reader", e); err != context.Canceled {
				t.Fatal(err)
			}
		}
	})
}

// TestNobodyReads: the application does not read, and the connection is well.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendText("unread")
		t.p.SendPing("1")
		t.p.WantPong("a Ping is answered", "1")

		ping := start(func() error { return t.c.Ping(bg) })
		f := t.p.ReadFrame("a Ping of ours")
		if f.Opcode != wiretest.OpPing {
			t.Fatalf("got %v", f)
		}
		t.blocked("Ping waits for its Pong", ping)
		t.p.SendPong(string(f.Payload))
		if err := t.want("Ping", ping); err != nil {
			t.Fatal(err)
		}

		t.p.SendClose(4000, "enough")
		if reason := t.p.WantClose("the peer's Close is answered", 4000); reason != "enough" {
			t.Errorf("the echo has the reason %q", reason)
		}
		t.p.Close()
		<-t.c.Context().Done()
		t.wantRead("what came before the Close is not lost", MessageText, "unread")
		_, _, err := t.c.Read(bg)
		if CloseStatus(err) != 4000 {
			t.Fatalf("Read gave %v", err)
		}
		if cause := context.Cause(t.c.Context()); cause != err {
			t.Fatalf("the context's cause is %v, Read gave %v", cause, err)
		}
		if err := t.c.Write(bg, MessageText, nil); CloseStatus(err) != 4000 {
			t.Fatalf("Write gave %v", err)
		}
		if err := t.c.Ping(bg); CloseStatus(err) != 4000 {
			t.Fatalf("Ping gave %v", err)
		}
		if err := t.c.Close(StatusNormalClosure, ""); err != nil {
			t.Fatalf("Close after a complete handshake gave %v", err)
		}
	})
}

// TestReadAheadBounded: a peer that sends and sends is made to wait.
func TestReadAheadBounded(t *testing.T) {
	for name, size := range map[string]int{"bytes": 512, "frames": 1} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				if t.real {
					return // the kernel's buffers hide when the peer waits
				}
				sent := 0
				const total = 5000
				sending := start(func() error {
					for range total {
						t.p.SendText(strings.Repeat("x", size))
						sent++
					}
					return nil
				})
				t.blocked("the peer is made to wait", sending)
				time.Sleep(2 * supervisor.ReaderDelay)
				t.blocked("the peer is made to wait", sending)
				if bytes := sent * size; bytes < 500 || bytes > readAheadLimit+4*bufferSize {
					t.Fatalf("%d bytes were taken, the read-ahead has %d", bytes, readAheadLimit)
				}
				a := t.c.receiver.ahead
				if held := cap(a.bytes) + cap(a.frames)*recordSize; held > readAheadLimit-bufferSize+8<<10 {
					t.Fatalf("%d frames were taken, in %d bytes", len(a.frames), held)
				}
				for range total {
					t.wantRead("all of it comes", MessageText, strings.Repeat("x", size))
				}
				t.want("sending", sending)
				t.p.SendPing("end")
				t.p.WantPong("the reader is back", "end")
			})
		})
	}
}

func TestReadLimit(t *testing.T) {
	runConnTest(t, config{readLimit: 100}, func(t *connTest) {
		t.p.SendBinary(strings.Repeat("x", 100))
		t.wantRead("the limit itself", MessageBinary, strings.Repeat("x", 100))
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.Send(wiretest.Binary(strings.Repeat("x", 60)).More())
		t.p.Send(wiretest.Continuation(strings.Repeat("x", 41)))
		t.p.WantClosed("one byte over it", 1009)
		t.p.Close()
		err := t.want("Read", read)
		if !errors.Is(err, ErrMessageTooBig) {
			t.Fatalf("Read gave %v", err)
		}
		if _, _, again := t.c.Read(bg); again != err {
			t.Fatalf("Read gave %v, then %v", err, again)
		}
	})
}

func TestReadLimitOff(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.c.SetReadLimit(-1)
		big := strings.Repeat("0123456789abcdef", 1<<17)
		sent := start(func() error { t.p.SendText(big); return nil })
		t.wantRead("2 MiB", MessageText, big)
		t.want("sending", sent)
	})
}

// TestReadMemory: memory grows with bytes received, not with a length that a
// header announces.
func TestReadMemory(t *testing.T) {
	runConnTest(t, config{readLimit: -1}, func(t *connTest) {
		lie := wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Length: 1 << 62, Payload: []byte("ten bytes!")}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.Send(lie)
		t.blocked("the message goes on", read)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Fatalf("%d bytes were allocated for ten", grown)
		}
		t.p.Close()
		if err := t.want("Read", read); !errors.Is(err, io.ErrUnexpectedEOF) && !t.real {
			t.Fatalf("Read gave %v", err)
		}
	})
}

func TestEmptyFragments(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		sent := start(func() error {
			t.p.Send(wiretest.Text("").More())
			for range maxEmptyFrames {
				t.p.Send(wiretest.Continuation("").More())
			}
			return nil
		})
		t.p.WantClosed("endless empty fragments", 1008)
		t.want("sending", sent)
		t.p.Close()
		var e ProtocolError
		if err := t.want("Read", read); !errors.As(err, &e) || e.Code != StatusPolicyViolation {
			t.Fatalf("Read gave %v", err)
		}
	})
}

// TestInvalidText fails at the first bad byte, across fragments, without
// waiting for the rest; whether the application reads or not.
func TestInvalidText(t *testing.T) {
	for name, reading := range map[string]bool{"reading": true, "not reading": false} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				var read <-chan error
				if reading {
					read = start(func() error { _, _, err := t.c.Read(bg); return err })
				}
				t.p.Send(wiretest.Text("\xce\xba\xe1\xbd").More()) // cut inside a character
				t.p.SendPing("so far so good")
				t.p.WantPong("a character may be cut by a fragment", "so far so good")
				bad := t.p.Encode(wiretest.Continuation("\xb9\xed\xa0 and more").More())
				t.p.SendRaw(bad[:len(bad)-8]) // the surrogate's second byte is the last of it
				t.p.WantClosed("the first bad byte", 1007)
				t.p.Close()
				if !reading {
					<-t.c.Context().Done()
					read = start(func() error { _, _, err := t.c.Read(bg); return err })
				}
				var e ProtocolError
				if err := t.want("Read", read); !errors.As(err, &e) || e.Code != StatusInvalidFramePayloadData {
					t.Fatalf("Read gave %v", err)
				}
			})
		})
	}
}

// TestTextCutOff: a text message that ends inside a character.
func TestTextCutOff(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Text("\xce\xba\xe1").More())
		t.p.Send(wiretest.Continuation(""))
		t.p.WantClosed("the message ends inside a character", 1007)
	})
}

// TestIllegalFrames: each is answered with a Close frame, and then TCP ends.
func TestIllegalFrames(t *testing.T) {
	t.Parallel()
	text := func(change func(*wiretest.Frame)) []wiretest.Frame {
		f := wiretest.Text("x")
		change(&f)
		return []wiretest.Frame{f}
	}
	for name, frames := range map[string][]wiretest.Frame{
		"RSV1":              text(func(f *wiretest.Frame) { f.RSV1 = true }),
		"RSV2":              text(func(f *wiretest.Frame) { f.RSV2 = true }),
		"RSV3":              text(func(f *wiretest.Frame) { f.RSV3 = true }),
		"opcode 3":          text(func(f *wiretest.Frame) { f.Opcode = 3 }),
		"opcode 15":         text(func(f *wiretest.Frame) { f.Opcode = 15 }),
		"length not short":  text(func(f *wiretest.Frame) { f.LengthForm = 16 }),
		"length of 2^64-1":  text(func(f *wiretest.Frame) { f.LengthForm, f.Length = 64, 1<<64-1 }),
		"long ping":         {{FIN: true, Opcode: wiretest.OpPing, Payload: bytes.Repeat([]byte("x"), 126)}},
		"fragmented ping":   {wiretest.Ping("x").More()},
		"continuation":      {wiretest.Continuation("x")},
		"text in a message": {wiretest.Text("x").More(), wiretest.Text("y")},
		"1-byte close":      {{FIN: true, Opcode: wiretest.OpClose, Payload: []byte{3}}},
		"close 1005":        {wiretest.Close(1005, "")},
		"close 999":         {wiretest.Close(999, "")},
		"close 2999":        {wiretest.Close(2999, "")},
	} {
		for mode, reading := range map[string]bool{"reading": true, "not reading": false} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				runConnTest(t, config{}, func(t *connTest) {
					var read <-chan error
					readAll := func() error {
						for {
							if _, _, err := t.c.Read(bg); err != nil {
								return err
							}
						}
					}
					if reading {
						read = start(readAll)
					}
					for _, f := range frames {
						t.p.Send(f)
					}
					t.p.WantClosed(name, 1002)
					t.p.Close()
					<-t.c.Context().Done()
					if !reading {
						read = start(readAll)
					}
					err := t.want("Read", read)
					var e ProtocolError
					if !errors.As(err, &e) || e.Code != 1002 {
						t.Fatalf("Read gave %v", err)
					}
					if cause := context.Cause(t.c.Context()); cause != err {
						t.Fatalf("the cause is %v, Read gave %v", cause, err)
					}
				})
			})
		}
	}
}

// TestWrongMasking: a client refuses masked frames, a server unmasked ones.
func TestWrongMasking(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		f := wiretest.Text("x")
		f.Masked = t.c.sender.client
		t.p.SendExactly(f)
		t.p.WantClosed("masking is a matter of role", 1002)
	})
}

// TestLost: the stream ends without a Close.
func TestLost(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendText("before")
		t.wantRead("a message", MessageText, "before")
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.blocked("nothing comes", read)
		t.p.Close()
		err := t.want("Read", read)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("Read gave %v", err)
		}
		for range 1100 { // the thousandth Read after an error is like the first
			if _, _, again := t.c.Read(bg); again != err {
				t.Fatalf("Read gave %v, then %v", err, again)
			}
		}
		if err := t.c.Write(bg, MessageText, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("Write gave %v", err)
		}
		if err := t.c.Close(1000, ""); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("Close gave %v", err)
		}
	})
}

func TestMessages(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		sent := start(func() error {
			for _, s := range []string{"a", "", strings.Repeat("c", 70000), "d"} {
				t.p.SendText(s)
			}
			t.p.SendClose(1001, "")
			return nil
		})
		var sizes []int
		for m, err := range t.c.Messages(bg) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Type != MessageText {
				t.Fatal(m.Type)
			}
			sizes = append(sizes, len(m.Data))
			if len(sizes) == 1 {
				break
			}
		}
		ended := start(func() error {
			for m, err := range t.c.Messages(bg) {
				if err != nil {
					return err
				}
				sizes = append(sizes, len(m.Data))
			}
			return nil
		})
		t.want("sending", sent)
		t.p.WantClose("the Close is answered", 1001)
		t.p.Close()
		if err := t.want("the loop ends with the peer's Close", ended); err != nil {
			t.Fatal(err)
		}
		if len(sizes) != 4 || sizes[2] != 70000 {
			t.Fatalf("sizes %v", sizes)
		}
	})
}

func TestMessagesError(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendClose(4001, "odd")
		n := 0
		done := start(func() error {
			for _, err := range t.c.Messages(bg) {
				n++
				if err == nil {
					t.Error("a message that nobody sent")
				}
				if CloseStatus(err) != 4001 {
					t.Errorf("the error is %v", err)
				}
			}
			return nil
		})
		t.p.WantClose("it is answered", 4001)
		t.p.Close()
		t.want("the loop", done)
		if n != 1 {
			t.Fatalf("%d steps", n)
		}
	})
}

// TestCloseMidMessage: their Close during our reading of a fragmented message.
func TestCloseMidMessage(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Text("never ").More())
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.blocked("the message goes on", read)
		t.p.SendClose(1001, "leaving")
		t.p.WantClose("it is answered", 1001)
		t.p.Close()
		if err := t.want("Read", read); CloseStatus(err) != 1001 {
			t.Fatalf("Read gave %v", err)
		}
	})
}

func TestPingCallbacks(t *testing.T) {
	var pings, pongs []string
	s := newSettings(0, 0, 0)
	s.onPing = func(ctx context.Context, p []byte) bool {
		pings = append(pings, string(p))
		return string(p) != "secret"
	}
	s.onPong = func(ctx context.Context, p []byte) { pongs = append(pongs, string(p)) }
	runConnTest(t, config{settings: s}, func(t *connTest) {
		pings, pongs = nil, nil
		t.p.SendPing("secret")
		t.p.SendPong("unasked")
		t.p.SendPing("open")
		t.p.WantPong("only the Ping that was allowed is answered", "open")
		t.p.SendText("x")
		t.wantRead("in order", MessageText, "x")
		if strings.Join(pings, " ") != "secret open" || strings.Join(pongs, " ") != "unasked" {
			t.Fatalf("pings %q, pongs %q", pings, pongs)
		}
	})
}

func TestPingCancelled(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		ping := start(func() error { return t.c.Ping(ctx) })
		first := t.p.ReadFrame("a Ping")
		cancel()
		if err := t.want("Ping", ping); err != context.Canceled {
			t.Fatal(err)
		}
		// Later Pongs answer earlier Pings, whoever waits.
		a := start(func() error { return t.c.Ping(bg) })
		t.p.ReadFrame("a second Ping")
		b := start(func() error { return t.c.Ping(bg) })
		last := t.p.ReadFrame("a third Ping")
		t.p.SendPong(string(first.Payload))
		t.p.SendPong("garbage")
		t.blocked("an old Pong answers nothing newer", a)
		t.p.SendPong(string(last.Payload))
		if err := t.want("the second", a); err != nil {
			t.Fatal(err)
		}
		if err := t.want("the third", b); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseRead(t *testing.T) {
	for name, before := range map[string]bool{"data after": false, "data before": true} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				if before {
					t.p.SendText("ping")
					t.settle()
				}
				ctx := t.c.CloseRead(bg)
				again := t.c.CloseRead(bg)
				if !before {
					t.p.SendPing("x")
					t.p.WantPong("control frames are answered", "x")
					if err := t.c.Write(bg, MessageText, []byte("news")); err != nil {
						t.Fatal(err)
					}
					t.p.WantText("the application writes", "news")
					t.p.SendText("ping")
				}
				t.p.WantClose("a message is against the policy", 1008)
				t.p.SendClose(1008, "")
				t.p.Close()
				<-ctx.Done()
				<-again.Done()
				if !errors.Is(context.Cause(ctx), context.Cause(t.c.Context())) {
					t.Fatalf("causes %v and %v", context.Cause(ctx), context.Cause(t.c.Context()))
				}
				if err := t.c.Close(1000, ""); err != nil {
					t.Fatalf("it is a clean close: %v", err)
				}
			})
		})
	}
}

// TestLateReader: an application that takes its time between Reads.
func TestLateReader(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		if t.real {
			return
		}
		for i := range 50 {
			s := strings.Repeat("m", i*97)
			sent := start(func() error { t.p.SendText(s); t.p.SendPing(s[:min(i, 125)]); return nil })
			time.Sleep(time.Duration(i%5) * 15 * time.Millisecond)
			t.wantRead("it comes", MessageText, s)
			t.p.WantPong("and the Ping is answered", s[:min(i, 125)])
			t.want("sending", sent)
		}
	})
}

// TestLimitOverflow: fragments whose announced lengths add up past an int64.
func TestLimitOverflow(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Binary("five!").More())
		t.p.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpContinuation, LengthForm: 64, Length: 1<<63 - 1, Payload: []byte("x")})
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.WantClosed("the sum is over the limit", 1009)
		t.p.Close()
		if err := t.want("Read", read); !errors.Is(err, ErrMessageTooBig) {
			t.Fatalf("Read gave %v", err)
		}
	})
}

// TestAfterTheirClose: what follows the peer's Close is not looked at, whoever
// reads it.
func TestAfterTheirClose(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		if !t.c.sender.client {
			return // a server closes TCP at once
		}
		closing := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("our Close", 1000)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.SendClose(1000, "")
		t.p.SendClose(1001, "again")
		t.p.Send(wiretest.Frame{FIN: true, RSV3: true, Opcode: 7})
		t.p.WantIdle("the client waits for the server to close TCP", 100*time.Millisecond)
		t.blocked("and Close waits with it", closing)
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
		t.want("Read", read)
	})
}

// TestCloseAndHalfClose: a Close followed at once by the end of the peer's half
// of TCP is answered on the other half.
func TestCloseAndHalfClose(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendClose(1000, "done")
		t.p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		t.p.WantClosed("it is answered", 1000)
		<-t.c.Context().Done()
		if err := t.c.Close(1000, ""); err != nil {
			t.Fatalf("the handshake is complete: %v", err)
		}
	})
}
