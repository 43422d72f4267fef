package websocket

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// runDeflateTest is runConnTest with permessage-deflate, with and without
// context takeover.
func runDeflateTest(t *testing.T, f func(t *connTest, peer *deflatePeer)) {
	for name, mode := range map[string]CompressionMode{"takeover": CompressionContextTakeover, "no takeover": CompressionNoContextTakeover} {
		t.Run(name, func(t *testing.T) {
			wish, err := CompressionTuning{}.wish(mode)
			if err != nil {
				t.Fatal(err)
			}
			agreed := func(client bool) config { return config{deflate: newCompression(wish, client, 0)} }
			runConnTestFor(t, agreed, func(t *connTest) {
				f(t, &deflatePeer{connTest: t, takeover: mode == CompressionContextTakeover})
			})
		})
	}
}

// A deflatePeer compresses and inflates with the standard library.
type deflatePeer struct {
	*connTest
	takeover bool
	z        *flate.Writer
	out      bytes.Buffer
	history  []byte // of what came
}

func (d *deflatePeer) pack(s string) string {
	if d.z == nil || !d.takeover {
		d.out.Reset()
		d.z, _ = flate.NewWriter(&d.out, 6)
	}
	d.out.Reset()
	io.WriteString(d.z, s)
	d.z.Flush()
	return strings.TrimSuffix(d.out.String(), "\x00\x00\xff\xff")
}

func (d *deflatePeer) unpack(why string, f wiretest.Frame) string {
	d.Helper()
	if !f.RSV1 {
		return string(f.Payload)
	}
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(f.Payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), d.history)
	p, err := io.ReadAll(r)
	if err != nil {
		d.Fatalf("%s: %v", why, err)
	}
	if d.takeover {
		d.history = append(d.history, p...)
		d.history = d.history[max(0, len(d.history)-1<<15):]
	}
	return string(p)
}

// text returns n bytes that compress well, but not to nothing.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString([]string{"the quick ", "brown fox ", "jumps over ", "the lazy dog, "}[i*i/3%4])
		b.WriteByte(byte('a' + i%26))
	}
	return b.String()[:n]
}

var deflateSizes = []int{0, 1, 10, 127, 128, 511, 512, 1000, 5000, 70000, 300000}

func TestDeflateRead(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		for _, n := range deflateSizes {
			for _, pieces := range []int{1, 3} {
				s := text(n)
				packed := d.pack(s)
				sent := start(func() error {
					for i := range pieces {
						op := wiretest.Continuation
						if i == 0 {
							op = wiretest.Text
						}
						f := op(packed[i*len(packed)/pieces : (i+1)*len(packed)/pieces])
						f.RSV1, f.FIN = i == 0, i == pieces-1
						t.p.Send(f)
						if i == 0 && pieces > 1 {
							t.p.SendPing("between")
						}
					}
					t.p.SendText("plain")
					return nil
				})
				t.wantRead("a compressed message", MessageText, s)
				t.wantRead("one that is not, behind it", MessageText, "plain")
				t.want("sending", sent)
				if pieces > 1 {
					t.p.WantPong("a Ping between compressed fragments", "between")
				}
			}
		}
	})
}

// TestDeflateReadAnyhow reads compressed messages in each way, cancelled and
// abandoned in the middle; the window stays right.
func TestDeflateReadAnyhow(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		if t.real {
			return
		}
		var b strings.Builder
		for seed := uint32(1); b.Len() < 3000; seed = seed*1664525 + 1013904223 {
			b.WriteByte("abcdefghijklmnop"[seed>>28])
		}
		s := b.String()
		cancelled := func() {
			ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
			defer cancel()
			if _, _, err := t.c.Read(ctx); err != context.DeadlineExceeded {
				t.Fatalf("Read gave %v", err)
			}
		}
		readAll := func() string {
			_, r, err := t.c.Reader(bg)
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(p)
		}
		abandon := func() {
			_, r, err := t.c.Reader(bg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 30 {
			packed := d.pack(s)
			half := len(packed) / 2
			first, second := wiretest.Text(packed[:half]).More().Compressed(), wiretest.Continuation(packed[half:])
			t.p.Send(first)
			switch i % 6 {
			case 0, 1:
				cancelled()
				cancelled()
			case 2, 3:
				abandon()
			}
			t.p.Send(second)
			switch i % 6 {
			case 0, 4:
				t.wantRead("whole", MessageText, s)
			case 1, 5:
				if got := readAll(); got != s {
					t.Fatalf("step %d: %d bytes, want %d", i, len(got), len(s))
				}
			case 2, 3: // the next one skips it
			}
		}
		t.p.SendText("end")
		t.wantRead("the end", MessageText, "end")
	})
}

func TestDeflateWrite(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		for _, n := range deflateSizes {
			s := text(n)
			for _, how := range []string{"Write", "TryWrite", "Writer", "Writer in pieces"} {
				if how == "TryWrite" && n > defaultQueueLimit-100 {
					continue
				}
				written := start(func() error {
					switch how {
					case "Write":
						return t.c.Write(bg, MessageText, []byte(s))
					case "TryWrite":
						return t.c.TryWrite(MessageText, []byte(s))
					}
					w, err := t.c.Writer(bg, MessageText)
					if err != nil {
						return err
					}
					step := max(n, 1)
					if how == "Writer in pieces" {
						step = 777
					}
					for i := 0; i < len(s); i += step {
						if _, err := io.WriteString(w, s[i:min(i+step, n)]); err != nil {
							return err
						}
					}
					return w.Close()
				})
				whole := t.p.ReadFrame(how)
				for f := whole; !f.FIN; {
					f = t.p.ReadFrame(how + " goes on")
					if f.Opcode != wiretest.OpContinuation || f.RSV1 {
						t.Fatalf("%v", f)
					}
					whole.Payload = append(whole.Payload, f.Payload...)
				}
				if got := d.unpack(how, whole); got != s {
					t.Fatalf("%s of %d bytes: %d came", how, n, len(got))
				}
				if compressed := t.c.deflate.compresses(n); compressed != whole.RSV1 {
					t.Fatalf("%s of %d bytes: compressed %v", how, n, whole.RSV1)
				}
				if n > 1000 && len(whole.Payload) > n/2 {
					t.Fatalf("%s of %d bytes: %d on the wire", how, n, len(whole.Payload))
				}
				if err := t.want(how, written); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestDeflateWriterBehindQueue: what is queued when a Writer's message begins leaves before it, though the compressor
// keeps the beginning of the message and nothing of it leaves.
func TestDeflateWriterBehindQueue(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		c := t.c
		said := text(3000)
		packed, smaller := c.deflate.out.AppendMessage(nil, []byte(said))
		if !smaller {
			t.Fatal("it was not compressed")
		}
		if err := c.enqueue(finBit|rsv1Bit|firstByte(opText), packed, len(said), 0); err != nil {
			t.Fatal(err)
		}
		long := text(200 << 10)
		w, err := c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		written := start(func() error {
			for i := 0; i < len(long); i += 10 << 10 {
				if _, err := io.WriteString(w, long[i:min(i+10<<10, len(long))]); err != nil {
					return err
				}
			}
			return w.Close()
		})
		if got := d.unpack("what was queued", t.p.ReadFrame("what was queued")); got != said {
			t.Fatalf("%d bytes came before what was queued", len(got))
		}
		f := t.p.ReadFrame("the Writer's message")
		for all := f; ; all.Payload = append(all.Payload, f.Payload...) {
			if f.FIN {
				f = all
				break
			}
			f = t.p.ReadFrame("the rest of it")
		}
		if got := d.unpack("the Writer's message", f); got != long {
			t.Fatalf("%d bytes came of the Writer's message", len(got))
		}
		if err := t.want("the Writer", written); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDeflateWriteCancelled: what was compressed leaves, or the peer's window
// would differ from ours.
func TestDeflateWriteCancelled(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		if t.real {
			return
		}
		noise := make([]byte, 1000)
		for i := range noise {
			noise[i] = byte(i * i * i >> 5)
		}
		for i := range 20 {
			s := text(20000 + i)
			// The wire holds 1 KiB: after this, only a few bytes of the next fit.
			if err := t.c.Write(bg, MessageBinary, noise[:100*(i%10)]); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			err := t.c.Write(ctx, MessageText, []byte(s))
			cancel()
			if err != nil && err != context.DeadlineExceeded {
				t.Fatal(err)
			}
			d.unpack("the noise", t.p.ReadFrame("the noise"))
			if got := d.unpack("the message", t.p.ReadFrame("the message")); got != s {
				t.Fatalf("step %d, after %v: %d bytes", i, err, len(got))
			}
		}
	})
}

// bomb is 64 MiB in 64 KiB.
var bomb = sync.OnceValue(func() string {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, 6)
	zeros := make([]byte, 1<<20)
	z.Write(zeros)
	z.Flush()
	first := b.Len()
	z.Write(zeros)
	z.Flush() // a MiB that refers only to zeros before it: so it may follow itself
	return b.String() + strings.Repeat(b.String()[first:], 62)
})

func TestDeflateBomb(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		bomb := bomb()
		t.c.SetReadLimit(1 << 16)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		sent := start(func() error {
			t.p.Conn.Write(t.p.Encode(wiretest.Binary(bomb).Compressed()))
			return nil
		})
		t.p.WantClose("it is refused at the limit", 1009)
		t.p.Close()
		if err := t.want("Read", read); !errors.Is(err, ErrMessageTooBig) {
			t.Fatalf("Read gave %v", err)
		}
		<-sent
	})
}

// TestDeflateEndless: blocks that hold nothing, without end.
func TestDeflateEndless(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		t.c.SetReadLimit(1000)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		nothing := strings.Repeat("\x00\x00\x00\xff\xff", 1000)
		sent := start(func() error {
			t.p.Conn.Write(t.p.Encode(wiretest.Binary(nothing).More().Compressed()))
			for range 20 {
				t.p.Conn.Write(t.p.Encode(wiretest.Continuation(nothing).More()))
			}
			return nil
		})
		go io.Copy(io.Discard, t.p.Conn)
		if err := t.want("Read", read); !errors.Is(err, ErrMessageTooBig) {
			t.Fatalf("Read gave %v", err)
		}
		<-sent
		t.p.Close()
	})
}

func TestDeflateIllFormed(t *testing.T) {
	for name, payload := range map[string]string{
		"block type 3":     "\x06",
		"ends in a block":  "\xf2\x48",
		"distance too far": "\x02\x02\x00", // fixed codes: three bytes from one byte back, where there is none
		"stored length":    "\x00\x05\x00\x05\x00hello",
	} {
		t.Run(name, func(t *testing.T) {
			runDeflateTest(t, func(t *connTest, d *deflatePeer) {
				read := start(func() error { _, _, err := t.c.Read(bg); return err })
				t.p.Send(wiretest.Text(payload).Compressed())
				t.p.WantClosed("it can't be inflated", 1007)
				t.p.Close()
				var e ProtocolError
				if err := t.want("Read", read); !errors.As(err, &e) || e.Code != 1007 {
					t.Fatalf("Read gave %v", err)
				}
			})
		})
	}
}

func TestDeflateInvalidText(t *testing.T) {
	for name, s := range map[string]string{"bad": "good \xff", "cut off": strings.Repeat("long ", 100) + "\xe4"} {
		t.Run(name, func(t *testing.T) {
			runDeflateTest(t, func(t *connTest, d *deflatePeer) {
				read := start(func() error { _, _, err := t.c.Read(bg); return err })
				t.p.Send(wiretest.Text(d.pack(s)).Compressed())
				t.p.WantClosed(name, 1007)
				t.p.Close()
				if err := t.want("Read", read); err == nil {
					t.Fatal("Read succeeded")
				}
			})
		})
	}
}

// TestDeflateRSV1: on the first frame of a message only.
func TestDeflateRSV1(t *testing.T) {
	t.Parallel()
	for name, frames := range map[string][]wiretest.Frame{
		"continuation": {wiretest.Text("x").More(), wiretest.Continuation("y").Compressed()},
		"ping":         {wiretest.Ping("").Compressed()},
		"close":        {wiretest.Close(1000, "").Compressed()},
	} {
		t.Run(name, func(t *testing.T) {
			runDeflateTest(t, func(t *connTest, d *deflatePeer) {
				for _, f := range frames {
					t.p.Send(f)
				}
				t.p.WantClosed(name, 1002)
			})
		})
	}
}
