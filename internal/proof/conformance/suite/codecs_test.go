package suite

import (
	"bytes"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestTwoCodecs holds the suite's codec and wiretest's against each other: they
// share no code, and what the one writes the other reads, and would write.
func TestTwoCodecs(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for first := range 256 {
		sizes := []int{0, 5, 125, 126}
		if first == 0x82 {
			sizes = append(sizes, 0xFFFF, 0x10000)
		}
		for _, size := range sizes {
			for _, form := range []int{0, 16, 64} {
				if form == 16 && size > 0xFFFF {
					continue
				}
				for _, masks := range []bool{false, true} {
					suites := frame{fin: first&0x80 != 0, rsv: byte(first) & 0x70, opcode: byte(first) & 0x0F, payload: someBinary(size), form: form}
					b := appendFrame(nil, suites, masks, key)
					f, n, err := wiretest.ParseFrame(b)
					if err != nil || n != len(b) || f.Header().First() != byte(first) || f.Masked != masks || !bytes.Equal(f.Payload, suites.payload) {
						t.Fatalf("%v, masked %t: wiretest reads %v, %d of %d bytes, %v", suites, masks, f, n, len(b), err)
					}
					got, err := readFrame(bytes.NewReader(f.Append(nil)))
					if err != nil || got.fin != suites.fin || got.rsv != suites.rsv || got.opcode != suites.opcode || got.masked != masks ||
						masks && got.key != key || got.minimal != (f.LengthForm == 0) || !bytes.Equal(got.payload, suites.payload) {
						t.Fatalf("%v, masked %t: read back as %v, %v", suites, masks, got.frame, err)
					}
					if again := f.Append(nil); !bytes.Equal(again, b) {
						t.Fatalf("%v, masked %t: wiretest writes %.14x, the suite %.14x", suites, masks, again, b)
					}
				}
			}
		}
	}
}
