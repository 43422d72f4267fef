package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestWriteSizes: every length class, small and large, in one frame each.
func TestWriteSizes(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for _, n := range []int{0, 1, 125, 126, 1000, copyLimit, copyLimit + 1, bufferSize, bufferSize + 1, 65535, 65536, 300000} {
			p := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
			saved := bytes.Clone(p)
			written := start(func() error { return t.c.Write(bg, MessageBinary, p) })
			f := t.p.ReadFrame("a message")
			if !f.FIN || f.Opcode != wiretest.OpBinary || !bytes.Equal(f.Payload, saved) {
				t.Fatalf("%d bytes: FIN %v, opcode %d, %d bytes", n, f.FIN, f.Opcode, len(f.Payload))
			}
			if err := t.want("Write", written); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(p, saved) {
				t.Fatal("the caller's memory was changed")
			}
		}
	})
}

func TestWriteMisuse(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for _, typ := range []MessageType{0, 3, 8, -1} {
			if err := t.c.Write(bg, typ, nil); err == nil {
				t.Errorf("Write of type %d succeeded", typ)
			}
			if err := t.c.TryWrite(typ, nil); err == nil {
				t.Errorf("TryWrite of type %d succeeded", typ)
			}
			if _, err := t.c.Writer(bg, typ); err == nil {
				t.Errorf("Writer of type %d succeeded", typ)
			}
		}
		bad := []byte("\xff")
		if err := t.c.Write(bg, MessageText, bad); err != errNotText {
			t.Errorf("Write gave %v", err)
		}
		if err := t.c.TryWrite(MessageText, bad); err != errNotText {
			t.Errorf("TryWrite gave %v", err)
		}
		cancelled, cancel := context.WithCancel(bg)
		cancel()
		if err := t.c.Write(cancelled, MessageText, nil); err != context.Canceled {
			t.Errorf("Write gave %v", err)
		}
		if _, err := t.c.Writer(cancelled, MessageText); err != context.Canceled {
			t.Errorf("Writer gave %v", err)
		}
		if err := t.c.Ping(cancelled); err != context.Canceled {
			t.Errorf("Ping gave %v", err)
		}
		t.p.WantIdle("nothing of it leaves", 30*time.Millisecond)
		if err := t.c.Write(bg, MessageBinary, bad); err != nil {
			t.Fatal(err)
		}
		t.p.WantBinary("and the connection lives", "\xff")
	})
}

// blockedSize is more than a wire takes while nobody reads.
func (t *connTest) blockedSize() int {
	if t.real {
		return 4 << 20
	}
	return 100 << 10
}

// TestWriteCancelled: the first byte has left, so all of it will; the caller
// is free, and may use his memory again.
func TestWriteCancelled(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		p := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
		want := string(p)
		t.p.Timeout = time.Minute
		ctx, cancel := context.WithCancel(bg)
		written := start(func() error { return t.c.Write(ctx, MessageBinary, p) })
		t.blocked("nobody reads", written)
		cancel()
		if err := t.want("Write", written); err != context.Canceled {
			t.Fatal(err)
		}
		clear(p)
		second := start(func() error { return t.c.Write(bg, MessageText, []byte("next")) })
		f := t.p.ReadFrame("the message leaves whole")
		if string(f.Payload) != want {
			t.Fatalf("%d bytes came, %d were written", len(f.Payload), len(want))
		}
		t.p.WantText("and the next one behind it", "next")
		if err := t.want("the next Write", second); err != nil {
			t.Fatal(err)
		}
	})
}

// TestWriteCancelledWaiting: before its first byte, nothing is sent.
func TestWriteCancelledWaiting(t *testing.T) {
	t.Parallel()
	s := newSettings(-1, 0, 0)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		if t.c.sender.limit != 0 {
			t.Fatal("there is a queue")
		}
		p := bytes.Repeat([]byte("x"), t.blockedSize())
		t.p.Timeout = time.Minute
		first := start(func() error { return t.c.Write(bg, MessageBinary, p) })
		t.blocked("nobody reads", first)
		ctx, cancel := context.WithCancel(bg)
		second := start(func() error { return t.c.Write(ctx, MessageText, []byte("second")) })
		t.blocked("the first is on its way", second)
		cancel()
		if err := t.want("the second Write", second); err != context.Canceled {
			t.Fatal(err)
		}
		third := start(func() error { return t.c.Write(bg, MessageText, []byte("third")) })
		if f := t.p.ReadFrame("the first"); len(f.Payload) != len(p) {
			t.Fatalf("%d bytes", len(f.Payload))
		}
		t.p.WantText("nothing of the second", "third")
		t.want("the first Write", first)
		t.want("the third Write", third)
	})
}

// TestWriteCancelledAnywhere cancels a Write after each number of bytes that the
// wire can have taken.
func TestWriteCancelledAnywhere(t *testing.T) {
	for _, client := range []bool{false, true} {
		for size := 1; size < 40; size++ {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := memconn.Pipe(size)
				runOne(t, client, config{}, ours, theirs, false, func(t *connTest) {
					ctx, cancel := context.WithCancel(bg)
					written := start(func() error { return t.c.Write(ctx, MessageText, []byte("twenty bytes of text")) })
					synctest.Wait()
					cancel()
					err := t.want("Write", written)
					go t.c.Write(bg, MessageText, []byte("next"))
					f := t.p.ReadFrame("the first frame")
					if string(f.Payload) != "twenty bytes of text" {
						t.Fatalf("after %d bytes, with %v: %v", size, err, f)
					}
					t.p.WantText("the stream is whole", "next")
				})
			})
		}
	}
}

// TestPeerNeverReads: slots and queues are bounded.
func TestPeerNeverReads(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Timeout = time.Minute
		big := bytes.Repeat([]byte("x"), t.blockedSize())
		first := start(func() error { return t.c.Write(bg, MessageBinary, big) })
		t.blocked("nobody reads", first)
		var last string
		for i := range 1000 {
			last = strings.Repeat("p", i%126)
			t.p.SendPing(last)
		}
		queued := 0
		for {
			err := t.c.TryWrite(MessageText, bytes.Repeat([]byte("q"), 1000))
			if err == ErrQueueFull {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if queued++; queued > 1000 {
				t.Fatal("the queue has no bound")
			}
		}
		if queued < 200 {
			t.Fatalf("only %d messages fit", queued)
		}
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		if err := t.c.Write(ctx, MessageText, bytes.Repeat([]byte("w"), 1000)); err != context.DeadlineExceeded {
			t.Fatalf("Write gave %v", err)
		}
		t.p.SendText("end of pings")
		t.wantRead("the pings are all read", MessageText, "end of pings")
		if f := t.p.ReadFrame("the big one"); len(f.Payload) != len(big) {
			t.Fatalf("%d bytes", len(f.Payload))
		}
		for i := range maxPongs - 1 {
			t.p.WantPong("the first Pings are answered, before what is queued", strings.Repeat("p", i))
		}
		t.p.WantPong("and the newest", last)
		for range queued {
			if f := t.p.ReadFrame("what was queued"); f.Opcode != wiretest.OpText {
				t.Fatalf("%v", f)
			}
		}
		if err := t.want("the first Write", first); err != nil {
			t.Fatal(err)
		}
		if err := t.c.TryWrite(MessageText, nil); err != nil {
			t.Fatalf("there is room again: %v", err)
		}
	})
}

func TestTryWrite(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for _, s := range []string{"a", "", strings.Repeat("b", 600)} {
			if err := t.c.TryWrite(MessageText, []byte(s)); err != nil {
				t.Fatal(err)
			}
			t.p.WantText("it leaves at once", s)
		}
		if err := t.c.TryWrite(MessageText, make([]byte, defaultQueueLimit)); err != ErrQueueFull {
			t.Fatalf("more than the queue ever holds: %v", err)
		}
		t.c.CloseNow()
		if err := t.c.TryWrite(MessageText, nil); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
}

// TestWriteConcurrently: messages of several goroutines do not mix.
func TestWriteConcurrently(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		const writers, each = 8, 50
		var wg sync.WaitGroup
		for w := range writers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range each {
					p := bytes.Repeat([]byte{byte('a' + w)}, 2+i*i%3000)
					p[0] = byte(i)
					var err error
					if i%5 == 4 {
						var m io.WriteCloser
						if m, err = t.c.Writer(bg, MessageBinary); err == nil {
							m.Write(p[:1])
							m.Write(p[1:])
							err = m.Close()
						}
					} else {
						err = t.c.Write(bg, MessageBinary, p)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}()
		}
		next := map[byte]byte{}
		for range writers * each {
			f := t.p.ReadFrame("a message")
			if !f.FIN || f.Opcode != wiretest.OpBinary {
				t.Fatalf("%v", f)
			}
			who := f.Payload[1]
			if f.Payload[0] != next[who] {
				t.Fatalf("writer %c: message %d, want %d", who, f.Payload[0], next[who])
			}
			next[who]++
			if strings.Trim(string(f.Payload[1:]), string(rune(who))) != "" {
				t.Fatal("messages are mixed")
			}
		}
		wg.Wait()
	})
}

// TestWriter: fragments, with control frames between them, and others' messages
// behind them.
func TestWriter(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		head := strings.Repeat("h", bufferSize-1)
		if n, err := w.Write([]byte(head)); n != len(head) || err != nil {
			t.Fatal(n, err)
		}
		other := start(func() error { return t.c.Write(bg, MessageText, []byte("other")) })
		ctx, cancel := context.WithTimeout(bg, 30*time.Millisecond)
		defer cancel()
		if err := t.c.Write(ctx, MessageText, []byte("given up")); err != context.DeadlineExceeded {
			t.Fatalf("Write gave %v", err)
		}
		if _, err := t.c.Writer(ctx, MessageText); err != context.DeadlineExceeded {
			t.Fatalf("Writer gave %v", err)
		}
		if err := t.c.TryWrite(MessageText, []byte("tried")); err != nil {
			t.Fatal(err)
		}
		t.blocked("others wait for the Writer", other)
		// "tried" was accepted before the message's first frame, and goes before.
		t.p.WantText("TryWrite does not wait", "tried")

		fragment := start(func() error { _, err := w.Write([]byte("é and more")); return err })
		f := t.p.ReadFrame("the first fragment")
		if f.FIN || f.Opcode != wiretest.OpText || string(f.Payload) != head {
			t.Fatalf("%v", f)
		}
		if err := t.want("the fragment", fragment); err != nil {
			t.Fatal(err)
		}
		t.p.SendPing("between")
		t.p.WantPong("control frames pass", "between")
		if err := t.c.TryWrite(MessageText, []byte("tried again")); err != nil {
			t.Fatal(err)
		}
		t.p.WantIdle("data frames do not", 10*time.Millisecond)
		closed := start(w.Close)
		t.p.WantFrame("Close ends the message", wiretest.Continuation("é and more"))
		if err := t.want("Close", closed); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for range 2 {
			got[string(t.p.ReadFrame("what waited").Payload)] = true
		}
		if !got["other"] || !got["tried again"] {
			t.Fatalf("got %v", got)
		}
		if err := t.want("the other Write", other); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(nil); err != errWriterClosed {
			t.Fatalf("Write after Close gave %v", err)
		}
		if err := w.Close(); err != errWriterClosed {
			t.Fatalf("a second Close gave %v", err)
		}
	})
}

// TestWriterSmall: a small message is one frame; an empty one too.
func TestWriterSmall(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for _, s := range []string{"", "in one frame"} {
			w, err := t.c.Writer(bg, MessageText)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, s)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			t.p.WantText("one frame", s)
		}
		w, _ := t.c.Writer(bg, MessageText)
		if _, err := w.Write([]byte("\xe4")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != errNotText {
			t.Fatalf("text that is cut off: %v", err)
		}
		w, _ = t.c.Writer(bg, MessageText)
		if _, err := w.Write([]byte("\xff")); err != errNotText {
			t.Fatalf("no text: %v", err)
		}
		w.Close()
		if err := t.c.Write(bg, MessageText, []byte("x")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("nothing of those left", "x")
	})
}

// TestWriterEnded: the connection ends in the middle of a message.
func TestWriterEnded(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("in the middle of a \xe2\x82")); err != nil {
			t.Fatal(err)
		}
		t.c.CloseNow()
		if _, err := w.Write(make([]byte, bufferSize)); !errors.Is(err, net.ErrClosed) && err != errNotText {
			t.Fatalf("Write gave %v", err)
		}
		if err := w.Close(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Close gave %v", err)
		}
	})
}

// TestWriterEndedHalfway: after a message that ends halfway, because the connection does, no other message leaves.
func TestWriterEndedHalfway(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		c := t.c
		w, err := c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		written := start(func() error {
			p := bytes.Repeat([]byte("x"), bufferSize-1)
			_, err := w.Write(p)
			if err == nil {
				_, err = w.Write(p)
			}
			return err
		})
		if f := t.p.ReadFrame("the first half"); f.FIN {
			t.Fatalf("%v", f)
		}
		if err := t.want("Write", written); err != nil {
			t.Fatal(err)
		}
		if err := c.TryWrite(MessageText, []byte("waits for the message to end")); err != nil {
			t.Fatal(err)
		}
		finished := make(chan struct{})
		c.mu.Lock()
		c.momentsLocked().writerClosed = finished
		c.unlock()
		if err := c.awaitWrite(bg); err != nil { // so that our Close does not leave before the Writer is closed
			t.Fatal(err)
		}
		closing := start(func() error { return c.Close(1000, "") })
		<-c.awaitable().stopped
		if err := w.Close(); err == nil {
			t.Fatal("the Writer's Close succeeded")
		}
		t.want("the Writer is closed", start(func() error { <-finished; return nil }))
		c.leaveWrite()
		t.p.WantClose("nothing else leaves", 1000)
		t.p.SendClose(1000, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
	})
}

// TestWriterCancelled: the context ends in the middle of the message; Close
// still ends it, and others may pass.
func TestWriterCancelled(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		p := bytes.Repeat([]byte("x"), bufferSize)
		written := start(func() error { _, err := w.Write(p); return err })
		t.want("it is kept", written)
		written = start(func() error { _, err := w.Write(p); return err })
		f := t.p.ReadFrame("a fragment")
		if f.FIN || len(f.Payload) != len(p) {
			t.Fatalf("%v", f)
		}
		cancel()
		t.want("Write", written)
		if _, err := w.Write(p); err != context.Canceled {
			t.Fatalf("Write gave %v", err)
		}
		if err := w.Close(); err != context.Canceled {
			t.Fatalf("Close gave %v", err)
		}
		next := start(func() error { return t.c.Write(bg, MessageText, []byte("next")) })
		for !f.FIN {
			f = t.p.ReadFrame("the message ends")
			if f.Opcode != wiretest.OpContinuation {
				t.Fatalf("%v", f)
			}
		}
		t.p.WantText("others pass", "next")
		if err := t.want("the next Write", next); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCompany: the answers to messages that came together leave together; and
// if the application is slow with the rest, after a millisecond.
func TestCompany(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		var burst []wiretest.Frame
		for range 3 {
			burst = append(burst, wiretest.Text("question"))
		}
		t.p.SendRaw(t.p.Encode(burst...))
		t.wantRead("one of three", MessageText, "question")
		if err := t.c.Write(bg, MessageText, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		if !t.real {
			synctest.Wait()
			t.p.WantIdle("the answer waits for company", corkDelay-1)
		}
		t.p.WantText("but not for long", "answer")
		t.wantRead("two of three", MessageText, "question")
		if err := t.c.Write(bg, MessageText, []byte("second")); err != nil {
			t.Fatal(err)
		}
		t.wantRead("three of three", MessageText, "question")
		if err := t.c.Write(bg, MessageText, []byte("third")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("the last takes the others along", "second")
		t.p.WantText("in order", "third")
		// A Read that finds nothing sends what waits before it waits itself.
		t.p.SendRaw(t.p.Encode(burst[:2]...))
		t.wantRead("one of two", MessageText, "question")
		t.c.Write(bg, MessageText, []byte("only one"))
		t.wantRead("two of two", MessageText, "question")
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.WantText("the Read that waits sends it", "only one")
		t.p.SendText("end")
		t.want("Read", read)
	})
}

// TestCompanyBehindAnother: an answer may wait for company while another's message is
// on its way; it leaves behind that.
func TestCompanyBehindAnother(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two"), wiretest.Text("three")))
		t.wantRead("one of three", MessageText, "one")
		big := bytes.Repeat([]byte("x"), t.blockedSize())
		other := start(func() error { return t.c.Write(bg, MessageBinary, big) })
		t.blocked("nobody reads", other)
		answered := start(func() error { return t.c.Write(bg, MessageText, []byte("answer")) })
		if err := t.want("Write", answered); err != nil {
			t.Fatal(err)
		}
		t.blocked("nobody reads", other)
		if f := t.p.ReadFrame("the big one"); len(f.Payload) != len(big) {
			t.Fatalf("%d bytes", len(f.Payload))
		}
		t.p.WantText("the answer behind it", "answer")
		if err := t.want("the other's Write", other); err != nil {
			t.Fatal(err)
		}
	})
}

// TestWriteLost: the peer is gone without a word.
func TestWriteLost(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.p.Close()
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			if err := t.c.Write(bg, MessageText, []byte("x")); err != nil {
				if errors.Is(err, net.ErrClosed) {
					t.Fatalf("it was not closed here: %v", err)
				}
				<-t.c.Context().Done()
				return
			}
		}
		t.Fatal("Write goes on and on")
	})
}

// TestWriteLostButToldWhy: the peer said Close before its end broke; that is
// worth more than the broken pipe.
func TestWriteLostButToldWhy(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		if t.real {
			return // the kernel may answer with a reset, which loses the Close
		}
		t.p.SendClose(4002, "told")
		t.p.Close()
		err := t.c.Write(bg, MessageText, []byte("x"))
		if CloseStatus(err) != 4002 {
			<-t.c.Context().Done()
			err = t.c.Write(bg, MessageText, []byte("x"))
		}
		if CloseStatus(err) != 4002 {
			t.Fatalf("Write gave %v", err)
		}
	})
}

// TestWriterCutsBetweenCharacters: the fragments of a text message end between
// characters, so that it is UTF-8 even if it has to end early.
func TestWriterCutsBetweenCharacters(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("€", bufferSize) // three bytes each
		written := start(func() error {
			left := text[:len(text)-1]
			for size := 1; left != ""; size *= 7 {
				n := min(size, len(left))
				if _, err := io.WriteString(w, left[:n]); err != nil {
					return err
				}
				left = left[n:]
			}
			cancel()
			w.Close()
			return nil
		})
		got := ""
		for {
			f := t.p.ReadFrame("a fragment")
			if !utf8.Valid(f.Payload) {
				t.Fatalf("%d bytes that are no UTF-8", len(f.Payload))
			}
			got += string(f.Payload)
			if f.FIN {
				break
			}
		}
		if err := t.want("Write", written); err != nil {
			t.Fatal(err)
		}
		if got != text[:len(got)] || len(got) < len(text)-4*bufferSize {
			t.Fatalf("%d of %d bytes came", len(got), len(text))
		}
	})
}

// TestWriterNotTwice: a fragment that was cancelled on its way leaves once.
func TestWriterNotTwice(t *testing.T) {
	for _, client := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(100)
			runOne(t, client, config{}, ours, theirs, false, func(t *connTest) {
				ctx, cancel := context.WithCancel(bg)
				w, _ := t.c.Writer(ctx, MessageBinary)
				w.Write(bytes.Repeat([]byte("a"), bufferSize))
				written := start(func() error { _, err := w.Write([]byte("b")); return err })
				t.blocked("nobody reads", written)
				cancel()
				t.want("Write", written)
				w.Close()
				n := t.p.WantMessage("each byte once", wiretest.OpBinary, strings.Repeat("a", bufferSize))
				if n != 2 {
					t.Fatalf("%d fragments", n)
				}
			})
		})
	}
}
