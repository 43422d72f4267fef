package deflate

import (
	"bytes"
	"math"
	"testing"
)

// What more effort promises: messages that get shorter from each effort to the
// next, and from 1 KiB on with any positive one are at most 3 % longer than those
// of zlib's default level, which compress/flate's level 6 follows.
func TestEffortPays(t *testing.T) {
	text := sampleMessages()["json"]
	for _, n := range []int{200, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
		var sizes [MostEffort - LeastEffort + 1]int
		std := 0
		for at := 0; at+n <= len(text); at += max(n, 4<<10) {
			msg := text[at : at+n]
			std += len(stdCompress(t, 6, msg))
			for i := range sizes {
				wire, ok := NewCompressor(15, false, LeastEffort+Effort(i)).AppendMessage(nil, msg)
				if !ok {
					t.Fatalf("%d bytes of json don't get shorter", n)
				}
				sizes[i] += len(wire)
			}
		}
		for i, size := range sizes {
			effort := LeastEffort + Effort(i)
			if i > 0 && size > sizes[i-1] {
				t.Errorf("messages of %d bytes: %d with effort %d, %d with less", n, size, effort, sizes[i-1])
			}
			if n >= 1<<10 && effort > 0 && size*100 > std*103 {
				t.Errorf("messages of %d bytes: %d with effort %d, %d by compress/flate", n, size, effort, std)
			}
		}
	}
}

// With takeover, too, effort finds more in the same window.
func TestEffortPaysWithTakeover(t *testing.T) {
	text := sampleMessages()["json"]
	var sizes [MostEffort + 1]int
	for i := range sizes {
		c := NewCompressor(12, true, Effort(i))
		for at := 0; at+300 <= len(text); at += 300 {
			wire, ok := c.AppendMessage(nil, text[at:at+300])
			if !ok {
				wire = text[at : at+300]
			}
			sizes[i] += len(wire)
		}
		if i > 0 && sizes[i] > sizes[i-1] {
			t.Errorf("%d bytes with effort %d, %d with less", sizes[i], i, sizes[i-1])
		}
	}
}

func TestEffortOutOfRange(t *testing.T) {
	for _, effort := range []Effort{LeastEffort - 1, MostEffort + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("effort %d accepted", effort)
				}
			}()
			NewCompressor(15, true, effort)
		}()
	}
}

// The positions in chains wrap in the middle of a message; what they say of
// older messages is not believed.
func TestChainsWrap(t *testing.T) {
	text := sampleMessages()["mixed"][:30000]
	e := &encoder{effort: 2, chains: &chains{next: math.MaxUint32 - 15000}}
	sizes := make([]int, 3)
	for i := range sizes {
		e.chains.begin()
		var w bitWriter
		e.writeAll(&w, text, 0, nil, 0, 1<<15)
		writeEnd(&w)
		sizes[i] = len(w.out)
		got, err := NewDecompressor(15, false).AppendMessage(nil, w.out, len(text))
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
	}
	if sizes[0] != sizes[1] || sizes[1] != sizes[2] {
		t.Errorf("the same message became %v bytes", sizes)
	}
}
