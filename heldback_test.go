package websocket

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Faults that the simulation found, each with the shortest way to it.

// TestCompressedBehindRestOfCancelled: a write gives up in the middle of its
// frame, and the next, which finds the rest of it to send, gives up too. What that
// one had to say has not moved the compressor's window: its frame never leaves,
// and the peer could not inflate the messages behind it.
func TestCompressedBehindRestOfCancelled(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		if !d.takeover {
			return // there is no window, and the second need not wait for the first
		}
		t.p.Timeout = time.Minute
		noise := make([]byte, t.blockedSize())
		x := uint32(1)
		for i := range noise {
			x = x*1664525 + 1013904223
			noise[i] = byte(x >> 24)
		}
		said := []byte(text(300))
		first, cancelFirst := context.WithCancel(bg)
		second, cancelSecond := context.WithCancel(bg)
		one := start(func() error { return t.c.Write(first, MessageBinary, noise) })
		t.blocked("nobody reads", one)
		two := start(func() error { return t.c.Write(second, MessageText, said) })
		t.blocked("the first has the turn", two)
		cancelFirst()
		if err := t.want("the first Write", one); err != context.Canceled {
			t.Fatal(err)
		}
		t.blocked("the first one's rest is in its way", two)
		cancelSecond()
		if err := t.want("the second Write", two); err != context.Canceled {
			t.Fatal(err)
		}
		three := start(func() error { return t.c.Write(bg, MessageText, said) })
		if got := d.unpack("the noise", t.p.ReadFrame("the noise")); got != string(noise) {
			t.Fatalf("%d bytes came, %d were written", len(got), len(noise))
		}
		if got := d.unpack("the third message", t.p.ReadFrame("the third message")); got != string(said) {
			t.Fatalf("the third message is %q", got)
		}
		if err := t.want("the third Write", three); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBytesBehindInvalidText: a text fails its check while our Close can't leave,
// and the Read that met it gives up. The bytes behind it, which were read with it,
// are nobody's: each later Read fails, and the Close says why. Where the text ends
// inside a character, a client that took the next frame's first byte for the rest
// of it had a whole message.
func TestBytesBehindInvalidText(t *testing.T) {
	for _, bad := range []string{"\xe6\xbc", "\xff", "good\xff"} {
		runConnTest(t, config{}, func(t *connTest) {
			if t.real && bad != "good\xff" {
				return // once is enough: it takes a while
			}
			t.p.Timeout = time.Minute
			big := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
			stuck := start(func() error { return t.c.Write(bg, MessageBinary, big) })
			t.blocked("nobody reads", stuck)
			t.p.SendRaw(t.p.Encode(wiretest.Text(bad), wiretest.Text("behind"), wiretest.Binary("it")))
			for range 3 {
				ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
				typ, p, err := t.c.Read(ctx)
				cancel()
				var e ProtocolError
				if err != context.DeadlineExceeded && !errors.As(err, &e) {
					t.Fatalf("Read gave %v %q, %v", typ, p, err)
				}
			}
			t.p.ReadFrame("the message that was stuck")
			t.p.WantClosed("the text", 1007)
		})
	}
}

// TestSkippedText: of a text message the start was read, up to the middle of a character, and the rest is for nobody,
// because of a later Read, of CloseRead or of Close. It is not checked, so that its last fragment, which is empty, does not
// seem to end the text inside the character: that would be a violation.
func TestSkippedText(t *testing.T) {
	ways := map[string]func(t *connTest){
		"Read": func(t *connTest) {
			t.p.Send(wiretest.Continuation(""))
			t.p.SendText("next")
			if _, next, err := t.c.Read(bg); err != nil || string(next) != "next" {
				t.Fatalf("the message behind it: %q, %v", next, err)
			}
		},
		"CloseRead": func(t *connTest) {
			t.c.CloseRead(bg)
			t.p.Send(wiretest.Continuation(""))
			t.p.SendPing("behind it")
			t.p.WantPong("behind it", "behind it")
		},
		"Close": func(t *connTest) {
			closed := start(func() error { return t.c.Close(StatusNormalClosure, "") })
			t.p.WantClose("in the middle of a message", 1000)
			t.p.Send(wiretest.Continuation(""))
			t.p.SendClose(1000, "")
			t.p.Close()
			if err := t.want("Close", closed); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, way := range ways {
		runConnTest(t, config{}, func(t *connTest) {
			t.p.Send(wiretest.Text("é or e").More())
			_, r, err := t.c.Reader(bg)
			if err != nil {
				t.Fatal(name, err)
			}
			if _, err := r.Read(make([]byte, 1)); err != nil {
				t.Fatal(name, err)
			}
			way(t)
		})
	}
}
