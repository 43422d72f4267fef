package deflate

import (
	"bytes"
	"runtime"
	"testing"
	"unsafe"
)

// A message is refused as soon as it exceeds the limit, and until then takes no
// more memory than that. Exactly the limit is allowed.
func TestLimit(t *testing.T) {
	// A zero, then matches of 258 bytes at a distance of one, in two bits each.
	bomb := stream().dynamic(lens(286, map[int]int{0: 2, 256: 2, 285: 1}), []int{1}).code(2, 2).b
	bomb = append(bomb, make([]byte, 16<<10)...)
	if out, err := NewDecompressor(15, false).Append(nil, bomb, 0, 20<<20); err != nil || len(out) < 16<<20 {
		t.Fatalf("%d bytes, %v, want 16 MiB", len(out), err)
	}
	const limit = 100_000
	for name, decode := range map[string]func() ([]byte, error){
		"whole": func() ([]byte, error) { return NewDecompressor(15, true).AppendMessage(nil, bomb, limit) },
		"pieces": func() ([]byte, error) {
			d := NewDecompressor(15, true)
			var out []byte
			var err error
			for i := 0; i < len(bomb) && err == nil; i += 7 {
				out, err = d.Append(out, bomb[i:min(i+7, len(bomb))], 0, limit)
			}
			return out, err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := decode()
		runtime.ReadMemStats(&after)
		if err != ErrTooLong {
			t.Errorf("%s: %v, want %v", name, err, ErrTooLong)
		}
		if len(out) > limit || cap(out) > limit+limit/8 {
			t.Errorf("%s: %d bytes, room for %d, at a limit of %d", name, len(out), cap(out), limit)
		}
		// All that was ever allocated: a doubling buffer and the tables.
		if n := after.TotalAlloc - before.TotalAlloc; n > 4*limit+1<<20 {
			t.Errorf("%s: %d bytes allocated at a limit of %d", name, n, limit)
		}
	}

	for n, msg := range map[int][]byte{0: {}, 1: {'x'}, 700: make([]byte, 700), 5000: sampleMessages()["json"][:5000]} {
		for _, level := range []int{0, 1} {
			wire := stdCompress(t, level, msg)
			got, err := NewDecompressor(15, false).AppendMessage([]byte("before"), wire, n)
			if err != nil || string(got) != "before"+string(msg) {
				t.Errorf("%d bytes at a limit of %d: %v", n, n, err)
			}
			if n > 0 {
				if _, err := NewDecompressor(15, false).AppendMessage(nil, wire, n-1); err != ErrTooLong {
					t.Errorf("%d bytes at a limit of %d: %v, want %v", n, n-1, err, ErrTooLong)
				}
			}
		}
	}
}

// Room for the result grows with the result, not with what a header may claim.
func TestRoomGrowsWithOutput(t *testing.T) {
	d := NewDecompressor(15, false)
	// A stored block that claims 65535 bytes, of which one comes.
	out, err := d.Append(nil, []byte{0, 0xff, 0xff, 0, 0, 'x'}, 0, NoLimit)
	if err != nil || cap(out) > 1024 {
		t.Errorf("%v, room for %d bytes after one", err, cap(out))
	}
	d.Reset()
	if err := d.Finish(nil, 0); err != nil {
		t.Errorf("after Reset an empty message: %v", err)
	}
}

// With takeover both directions together own at most both windows and 2 KiB,
// without it nothing, between messages.
func TestIdleMemory(t *testing.T) {
	text := sampleMessages()["json"]
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		for _, takeover := range []bool{false, true} {
			for effort := LeastEffort; effort <= MostEffort; effort++ {
				testIdleMemory(t, text, bits, takeover, effort)
			}
		}
	}
}

func testIdleMemory(t *testing.T, text []byte, bits int, takeover bool, effort Effort) {
	c, d := NewCompressor(bits, takeover, effort), NewDecompressor(bits, takeover)
	owned := func() int {
		if c.e != nil || d.z != nil {
			t.Fatalf("%d bits: still holds what belongs to the pool", bits)
		}
		return cap(c.history) + 2*cap(c.table) + cap(d.w.ring) +
			int(unsafe.Sizeof(*c)) + int(unsafe.Sizeof(*d))
	}
	send := func(msg []byte) {
		out, ok := c.AppendMessage(nil, msg)
		if !ok {
			return
		}
		if _, err := d.AppendMessage(nil, out, NoLimit); err != nil {
			t.Fatal(err)
		}
	}
	send(text[:300])
	if n := owned(); n > 8*300 {
		t.Errorf("%d bits, takeover %t: %d bytes after a message of 300", bits, takeover, n)
	}
	for i := range 200 {
		send(text[i*50:][:400])
	}
	send(text)
	most := 300
	if takeover {
		most = 2<<bits + 2<<10
	}
	if n := owned(); n > most {
		t.Errorf("%d bits, takeover %t, effort %d: %d bytes, want at most %d", bits, takeover, effort, n, most)
	}
}

// Once pools and windows are warm no message costs an allocation.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties the pools")
	}
	text := sampleMessages()["json"]
	for _, takeover := range []bool{false, true} {
		for _, n := range []int{64, 1000, 10000} {
			for effort := LeastEffort; effort <= MostEffort; effort++ {
				testNoAllocation(t, text, n, takeover, effort)
			}
		}
	}
}

func testNoAllocation(t *testing.T, text []byte, n int, takeover bool, effort Effort) {
	c, d := NewCompressor(13, takeover, effort), NewDecompressor(13, takeover)
	wire, msg := make([]byte, 0, 20000), make([]byte, 0, 20000)
	i := 0
	whole := func() {
		i = (i + 17) % 10000
		out, ok := c.AppendMessage(wire, text[i:i+n])
		if !ok {
			return
		}
		got, err := d.AppendMessage(msg, out, n)
		if err != nil || !bytes.Equal(got, text[i:i+n]) {
			t.Fatal(err)
		}
	}
	streaming := func() {
		out := c.AppendFinish(c.AppendChunk(wire, text[i:i+n]))
		for at := 0; ; {
			_, used, err := d.Inflate(msg[:1000], out[at:], true)
			if at += used; err != nil {
				break
			}
		}
	}
	for range 50 {
		whole()
		streaming()
	}
	if got := testing.AllocsPerRun(25, whole); got != 0 {
		t.Errorf("whole, takeover %t, effort %d, %d bytes: %v allocations", takeover, effort, n, got)
	}
	if got := testing.AllocsPerRun(25, streaming); got != 0 {
		t.Errorf("streaming, takeover %t, effort %d, %d bytes: %v allocations", takeover, effort, n, got)
	}
}
