package deflate

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

// conversation sends messages through a Compressor and asserts that the
// reference and a Decompressor of exactly the same window get them back, that
// no distance exceeds the window, and that no message costs more than stored.
type conversation struct {
	t        testing.TB
	bits     int
	takeover bool
	effort   Effort
	c        *Compressor
	d        *Decompressor
	ref      reference
}

func newConversation(t testing.TB, bits int, takeover bool, effort Effort) *conversation {
	return &conversation{
		t: t, bits: bits, takeover: takeover, effort: effort,
		c: NewCompressor(bits, takeover, effort),
		d: NewDecompressor(bits, takeover),
	}
}

func (v *conversation) receive(wire, msg []byte) {
	v.t.Helper()
	if !v.takeover {
		v.ref.out = v.ref.out[:0]
	}
	got, err := v.ref.message(wire)
	if err != nil {
		v.t.Fatal(err)
	}
	if !bytes.Equal(got, msg) {
		v.t.Fatalf("reference: %d bytes, sent %d, or they differ", len(got), len(msg))
	}
	if v.ref.maxDistance > 1<<v.bits {
		v.t.Fatalf("distance %d in a window of %d bytes", v.ref.maxDistance, 1<<v.bits)
	}
	got, err = v.d.AppendMessage(nil, wire, len(msg))
	if err != nil {
		v.t.Fatal(err)
	}
	if !bytes.Equal(got, msg) {
		v.t.Fatalf("Decompressor: %d bytes, sent %d, or they differ", len(got), len(msg))
	}
	if stored := len(msg) + 5*((len(msg)+maxStored-1)/maxStored) + 1; len(wire) > stored {
		v.t.Fatalf("%d bytes became %d, stored they are %d", len(msg), len(wire), stored)
	}
}

// whole sends msg as one, and reports whether it was compressed.
func (v *conversation) whole(msg []byte) bool {
	v.t.Helper()
	dst := []byte("before")
	allowed := v.c.allowed(len(msg))
	wire, ok := v.c.AppendMessage(dst, msg)
	if !bytes.HasPrefix(wire, dst) {
		v.t.Fatal("what was in dst before changed")
	}
	wire = wire[len(dst):]
	if !ok {
		if len(wire) != 0 {
			v.t.Fatalf("not compressed, but %d bytes appended", len(wire))
		}
		return false
	}
	if len(wire) > allowed {
		v.t.Fatalf("compressed %d bytes to %d, more than %d", len(msg), len(wire), allowed)
	}
	v.receive(wire, msg)
	return true
}

// chunks sends msg in chunks of n bytes.
func (v *conversation) chunks(msg []byte, n int) {
	v.t.Helper()
	var wire []byte
	for p := msg; len(p) > 0; p = p[min(n, len(p)):] {
		wire = v.c.AppendChunk(wire, p[:min(n, len(p))])
	}
	wire = v.c.AppendFinish(wire)
	v.receive(wire, msg)
}

// record sends msg compressed by another Compressor without context.
func (v *conversation) record(msg []byte) {
	v.t.Helper()
	wire, ok := NewCompressor(v.bits, false, v.effort).AppendMessage(nil, msg)
	if ok {
		v.c.Record(msg)
		v.receive(wire, msg)
	}
}

var every = flag.Bool("every", false, "long messages in small windows, too, every effort in every window, and every decoder")

func TestCompressRoundTrip(t *testing.T) {
	for name, msg := range sampleMessages() {
		for bits := minWindowBits; bits <= maxWindowBits; bits++ {
			most := 80000
			switch {
			case raceEnabled:
				most = 15000
			case !*every:
				most = min(most, max(10000, 3<<bits)) // all of them together move through the window many times
			}
			for _, takeover := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%t", name, bits, takeover), func(t *testing.T) {
					t.Parallel()
					for effort := LeastEffort; effort <= MostEffort; effort++ {
						if raceEnabled && int(effort+1) != (bits+len(name))%5 {
							continue // it takes long
						}
						if !raceEnabled && !*every && (int(effort)+bits+len(name))%3 != 0 {
							continue // a window next to it has this effort
						}
						v := newConversation(t, bits, takeover, effort)
						msg := msg[:min(len(msg), most)]
						v.whole(msg)
						v.whole(msg)
						v.chunks(msg[:len(msg)/2], 1000)
						v.whole(msg[len(msg)/3:])
						v.record(msg[len(msg)/5:])
						v.whole(msg[len(msg)/4 : len(msg)/2])
						v.chunks(msg, 1<<20)
					}
				})
			}
		}
	}
}

// Many small messages wrap the history and the clock of positions many times.
func TestCompressManyMessages(t *testing.T) {
	text := sampleMessages()["mixed"]
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		for effort := LeastEffort; effort <= MostEffort; effort++ {
			t.Run(fmt.Sprint(bits, "/", effort), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(uint64(bits), 7))
				v := newConversation(t, bits, true, effort)
				for range 200 {
					n := r.IntN(1 << (1 + r.IntN(11)))
					at := r.IntN(len(text) - n)
					msg := text[at : at+n]
					switch r.IntN(8) {
					case 0:
						v.chunks(msg, 1+r.IntN(300))
					case 1:
						v.record(msg)
					default:
						v.whole(msg)
					}
				}
			})
		}
	}
}

// TestRecord: a message is found in what was recorded before, which has no table until then.
func TestRecord(t *testing.T) {
	text := sampleMessages()["mixed"]
	for _, n := range []int{1, 3, 40} {
		v := newConversation(t, 15, true, 0)
		for i := range n {
			v.record(text[300*i : 300*(i+1)])
		}
		if v.c.table != nil {
			t.Errorf("%d messages recorded, none compressed: a table of %d", n, len(v.c.table))
		}
		for i := range n {
			out, ok := NewCompressor(15, true, 0).AppendMessage(nil, text[300*i:300*(i+1)])
			again, _ := v.c.AppendMessage(nil, text[300*i:300*(i+1)])
			if v.receive(again, text[300*i:300*(i+1)]); ok && len(again) > len(out)/3 {
				t.Errorf("message %d of %d: %d bytes, by itself %d", i, n, len(again), len(out))
			}
		}
	}
}

func TestCompressEmpty(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		c := NewCompressor(15, takeover, 0)
		if out, ok := c.AppendMessage(nil, nil); ok || len(out) != 0 {
			t.Errorf("an empty message cannot get shorter: % x, %t", out, ok)
		}
		// RFC 7692, section 7.2.3.6.
		if out := c.AppendFinish(nil); !bytes.Equal(out, []byte{0}) {
			t.Errorf("empty message: % x, want 00", out)
		}
	}
}

// A message that does not get shorter leaves no trace: the next one refers to
// what the peer has.
func TestCompressNotShorter(t *testing.T) {
	samples := sampleMessages()
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		v := newConversation(t, bits, true, LeastEffort+Effort(bits%5))
		v.whole(samples["json"][:150])
		v.whole(samples["json"][150:400])
		for _, n := range []int{5, 100, 1000, 20000, 70000} {
			if v.whole(samples["noise"][:n]) {
				t.Fatalf("%d bytes of noise were compressed", n)
			}
			if !v.whole(samples["json"][:150]) {
				t.Fatalf("not compressed after %d bytes of noise", n)
			}
		}
	}
}

func TestCompressAbandon(t *testing.T) {
	for effort := LeastEffort; effort <= MostEffort; effort++ {
		testAbandon(t, effort)
	}
}

func testAbandon(t *testing.T, effort Effort) {
	samples := sampleMessages()
	v := newConversation(t, 12, true, effort)
	v.whole(samples["json"][:1000])
	v.c.AppendChunk(nil, samples["json"][2000:3000])
	v.c.Abandon()
	v.whole(samples["json"][:1000])
	v.c.Abandon()
	v.whole(samples["json"][:1000])

	// Once some of it was put out, nothing before may be referred to.
	if out := v.c.AppendChunk(nil, samples["noise"]); len(out) == 0 {
		t.Fatal("nothing put out of 70000 bytes")
	}
	v.c.Abandon()
	v.ref.out = nil
	v.d = NewDecompressor(12, true)
	v.whole(samples["json"][:1000])
	v.c.Reset()
	v.ref.out = nil
	v.d = NewDecompressor(12, true)
	v.whole(samples["json"][:1000])
}

func TestWindowBitsOutOfRange(t *testing.T) {
	for _, bits := range []int{-1, 0, 7, 16} {
		for _, f := range []func(){
			func() { NewCompressor(bits, true, 0) },
			func() { NewDecompressor(bits, true) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d window bits accepted", bits)
					}
				}()
				f()
			}()
		}
	}
}
