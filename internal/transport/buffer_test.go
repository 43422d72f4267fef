package transport

import "testing"

// TestPool: what is borrowed holds what it should, whatever was given back.
func TestPool(t *testing.T) {
	for range 100 {
		Put(&Buffer{B: make([]byte, 0, 10)})
		Put(&Buffer{B: make([]byte, 0, 2*maxPooled)})
		b := Get()
		if n := cap(b.B); n < BufferSize || n > maxPooled || len(b.B) != 0 || b.Last {
			t.Fatalf("a buffer of %d bytes, %d of them in use, last: %v", n, len(b.B), b.Last)
		}
		b.B, b.Last = append(b.B, "used"...), true
		Put(b)
	}
}
