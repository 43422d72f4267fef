package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"
)

// stdInflate decodes wire with compress/flate. That stops at a block with BFINAL
// set; RFC 7692, section 7.2.3.4, lets a message go on behind it.
func stdInflate(wire []byte) (out []byte, err error) {
	src := bytes.NewReader(wire)
	for err == nil && src.Len() > 0 {
		var part []byte
		part, err = io.ReadAll(flate.NewReaderDict(src, out[max(0, len(out)-1<<15):]))
		out = append(out, part...)
	}
	return out, err
}

// ending is what completes a message: the tail, and a block with BFINAL set.
var ending = append(tail[:], 0x01, 0x00, 0x00, 0xff, 0xff)

// seedStreams are streams that between them have every kind of block.
func seedStreams(f *testing.F) [][]byte {
	var seeds [][]byte
	for name, msg := range sampleMessages() {
		msg = msg[:min(len(msg), 2000)]
		for _, level := range []int{-2, 0, 1, 9} {
			seeds = append(seeds, stdCompress(f, level, msg))
		}
		if wire, ok := NewCompressor(15, false, 0).AppendMessage(nil, msg); ok {
			seeds = append(seeds, wire)
		} else if name == "json" {
			f.Fatal("json does not compress")
		}
	}
	for _, tt := range illFormed {
		seeds = append(seeds, tt.s.b)
	}
	return seeds
}

// What we accept compress/flate accepts, with the same result, and the other way
// round.
func FuzzInflateAgainstStd(f *testing.F) {
	for _, s := range seedStreams(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		const limit = 1 << 22
		got, err := NewDecompressor(15, false).AppendMessage(nil, wire, limit)
		if err == ErrTooLong {
			return
		}
		want, stdErr := stdInflate(wire)
		switch {
		case err == nil:
			if stdErr != nil && stdErr != io.ErrUnexpectedEOF {
				t.Fatalf("accepted, compress/flate says %v", stdErr)
			}
			if full, stdErr := stdInflate(append(bytes.Clone(wire), ending...)); stdErr == nil {
				want = full
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, compress/flate gives %d, or they differ", len(got), len(want))
			}
			return
		case err == ErrUnexpectedEnd:
			if stdErr != io.ErrUnexpectedEOF {
				t.Fatalf("%v, compress/flate says %v", err, stdErr)
			}
		case stdErr == nil:
			t.Fatalf("%v, compress/flate says nothing", err)
		}
		if !bytes.HasPrefix(want, got) && !bytes.HasPrefix(got, want) {
			t.Fatalf("%v after %d bytes that differ from compress/flate's %d", err, len(got), len(want))
		}
	})
}

// However a message comes in pieces and goes out in pieces, it is the same,
// right or wrong. The window is any.
func FuzzInflateSplit(f *testing.F) {
	for i, s := range seedStreams(f) {
		f.Add(s, []byte{byte(i), 1, 200, 3}, byte(i))
	}
	f.Fuzz(func(t *testing.T, wire, pieces []byte, bits byte) {
		if len(wire) > 1<<14 || len(pieces) > 1<<10 {
			return
		}
		if out, err := NewDecompressor(15, false).AppendMessage(nil, wire, 1<<18); err == ErrTooLong {
			if len(out) > 1<<18 {
				t.Fatalf("%d bytes despite the limit", len(out))
			}
			return
		}
		i := 0
		inflateAll(t, wire, minWindowBits+int(bits%8), func() int {
			if len(pieces) == 0 {
				return 1
			}
			i++
			return 1 + int(pieces[i%len(pieces)])
		})
	})
}

// A correct stream with bytes changed is either refused with an Error or gives
// something, within the limit; the next message of a new connection is not
// affected by what was left in the pools.
func FuzzInflateIllFormed(f *testing.F) {
	seeds := seedStreams(f)
	for i, s := range seeds {
		f.Add(s, uint16(i), byte(1<<(i%8)), uint16(100*i))
	}
	hello := []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}
	f.Fuzz(func(t *testing.T, wire []byte, at uint16, flip byte, limit uint16) {
		wire = bytes.Clone(wire)
		if len(wire) > 0 {
			wire[int(at)%len(wire)] ^= flip
		}
		d := NewDecompressor(8+int(flip)%8, true)
		for range 2 {
			out, err := d.AppendMessage(make([]byte, 0, 64), wire, int(limit))
			if len(out) > int(limit) {
				t.Fatalf("%d bytes despite a limit of %d", len(out), limit)
			}
			if cap(out) > 2*int(limit)+1024 {
				t.Fatalf("room for %d bytes at a limit of %d", cap(out), limit)
			}
			var e Error
			if err != nil && (!errors.As(err, &e) || e == 0 || e > ErrTooLong) {
				t.Fatalf("unknown error %v", err)
			}
		}
		out, err := NewDecompressor(15, true).AppendMessage(nil, hello, NoLimit)
		if err != nil || string(out) != "Hello" {
			t.Fatalf("after it: %q, %v", out, err)
		}
	})
}

// Messages sent in any way, with any window and effort, come back, by the reference and by
// compress/flate.
func FuzzDeflateRoundTrip(f *testing.F) {
	for i, msg := range sampleMessages() {
		f.Add(msg[:min(len(msg), 3000)], uint16(77*len(i)), byte(len(i)), true)
		f.Add(msg[:min(len(msg), 3000)], uint16(500*len(i)), byte(len(i)), false)
		for effort := range 5 {
			f.Add(msg[:min(len(msg), 3000)], uint16(300*effort), byte(40*effort+len(i)), effort%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint16, how byte, takeover bool) {
		if len(text) > 1<<13 {
			return
		}
		v := newConversation(t, minWindowBits+int(how%8), takeover, LeastEffort+Effort(how/40%5))
		n := 1 + int(cut)%(len(text)+1)
		for k := 0; k < len(text); k += n {
			part := text[k:min(k+n, len(text))]
			switch (int(how)/8 + k) % 5 {
			case 0:
				v.chunks(part, 1+int(cut)%300)
			case 1:
				v.record(part)
			case 2:
				v.c.AppendChunk(nil, part)
				v.c.Abandon()
			default:
				v.whole(part)
			}
			if k/n > 40 {
				break
			}
		}
		v.whole(text)
		v.whole(bytes.Repeat(text, 3))
		wire, ok := NewCompressor(v.bits, false, v.effort).AppendMessage(nil, text)
		if !ok {
			return
		}
		if got, err := stdInflate(append(wire, ending...)); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("compress/flate: %v", err)
		}
	})
}
