package websocket

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// What is called again and again costs no more each time.

// heldMemory returns the heap in use after what is garbage has gone, and the number of goroutines.
func heldMemory() (heap int64, goroutines int) {
	for range 3 { // a goroutine's end, a cleanup
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}

// TestCloseReadRepeated: CloseRead again and again leaves nothing behind, with a context that can't be cancelled, and
// with ones that end.
func TestCloseReadRepeated(t *testing.T) {
	for name, once := range map[string]func(c *Conn){
		"background": func(c *Conn) { c.CloseRead(bg) },
		"a context that ends": func(c *Conn) {
			ctx, cancel := context.WithCancel(bg)
			c.CloseRead(ctx)
			cancel()
		},
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				if !t.real {
					return
				}
				once(t.c)
				t.p.SendPing("up")
				t.p.WantPong("the reader goroutine runs", "up")
				const calls = 20000
				heap, goroutines := heldMemory()
				for range calls {
					once(t.c)
					// What the end of a context starts has its time: a goroutine's descriptor is kept for the next one, so many
					// at once would count as memory held.
					for begun := time.Now(); runtime.NumGoroutine() > goroutines+100 && time.Since(begun) < 5*time.Second; {
						runtime.Gosched()
					}
				}
				heapAfter, after := heldMemory()
				for begun := time.Now(); heapAfter-heap > 50*calls && time.Since(begun) < 5*time.Second; {
					heapAfter, after = heldMemory()
				}
				if grown := heapAfter - heap; grown > 50*calls {
					t.Errorf("%d calls hold %d bytes", calls, grown)
				}
				if after > goroutines+10 {
					t.Errorf("%d calls hold %d goroutines", calls, after-goroutines)
				}
			})
		})
	}
	runConnTest(t, config{}, func(t *connTest) {
		if t.real && !raceEnabled {
			t.c.CloseRead(bg)
			if n := testing.AllocsPerRun(100, func() { t.c.CloseRead(bg) }); n > 1 {
				t.Errorf("CloseRead allocates %v objects", n)
			}
		}
	})
}

// TestCloseReadStalled: the read-ahead is full when CloseRead is called. What was not read is dropped, and the peer is
// told; its Close is seen.
func TestCloseReadStalled(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		frames := bytes.Repeat(t.p.Encode(wiretest.Binary(string(make([]byte, 1000)))), 2000)
		sent := start(func() error { t.p.SendRaw(frames); return nil })
		t.blocked("the read-ahead is full", sent)
		ctx := t.c.CloseRead(bg)
		t.p.WantClose("a message was not expected", 1008)
		t.want("sending", sent)
		t.p.SendClose(1008, "")
		t.p.Close()
		ended := start(func() error { <-ctx.Done(); return nil })
		t.want("the end of CloseRead's context", ended)
	})
}

// TestReadPolled: a large message comes slowly, and Read is called again and again with a context that soon ends. What
// has come is not copied each time.
func TestReadPolled(t *testing.T) {
	notOverStreams(t)
	const size = 1 << 20
	for name, read := range map[string]func(c *Conn, ctx context.Context) (MessageType, []byte, error){
		"Read": (*Conn).Read,
		"AppendRead": func(c *Conn, ctx context.Context) (MessageType, []byte, error) {
			return c.AppendRead(ctx, make([]byte, 0, 100))
		},
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
				message := bytes.Repeat([]byte("0123456789abcdef"), size/16)
				frame := t.p.Encode(wiretest.Binary(string(message)))
				piece := 800 // fits into the wire
				if t.real {
					piece = 16 << 10
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				polls := 0
				for len(frame) > 0 {
					n := min(piece, len(frame))
					t.p.SendRaw(frame[:n])
					frame = frame[n:]
					ctx, cancel := context.WithTimeout(bg, time.Millisecond)
					_, p, err := read(t.c, ctx)
					cancel()
					if polls++; err == nil {
						if len(frame) > 0 || !bytes.Equal(p, message) {
							t.Fatalf("%d bytes came while %d were missing", len(p), len(frame))
						}
						message = nil
					} else if err != context.DeadlineExceeded {
						t.Fatal(err)
					}
				}
				if message != nil {
					t.wantRead("the message", MessageBinary, string(message))
				}
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > 10*size && !raceEnabled { // with the detector, pools lose what they hold
					t.Errorf("%d calls allocated %d bytes, %d times the message", polls, n, n/size)
				}
			})
		})
	}
}
