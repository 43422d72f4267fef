package deflate

import "encoding/binary"

// bitWriter appends bits to a slice, first bit lowest. Whoever writes whole
// blocks makes room first; flush then stores words of eight bytes without
// looking.
type bitWriter struct {
	out []byte
	acc uint64 // bits not yet in out
	n   uint   // how many; less than 8 after flush
}

// reserve makes room for n more bytes and for what flush writes beyond.
func (w *bitWriter) reserve(n int) {
	n += 16
	if cap(w.out)-len(w.out) < n {
		grown := make([]byte, len(w.out), len(w.out)+max(n, len(w.out)/2))
		copy(grown, w.out)
		w.out = grown
	}
}

// add adds the lowest n bits of v, which has no others. At most 56 bits may
// be added between two calls of flush.
func (w *bitWriter) add(v uint64, n uint) {
	w.acc |= v << (w.n & 63)
	w.n += n
}

func (w *bitWriter) code(c code) { w.add(c.word(), c.length()) }

// flush moves whole bytes to out.
func (w *bitWriter) flush() {
	at := len(w.out)
	binary.LittleEndian.PutUint64(w.out[at:at+8], w.acc)
	w.out = w.out[:at+int(w.n>>3)]
	w.acc >>= w.n &^ 7 & 63
	w.n &= 7
}

// align fills up to a byte boundary with zeros.
func (w *bitWriter) align() {
	w.n = (w.n + 7) &^ 7
	w.flush()
}

// bitLength is how many bits have been written in all.
func (w *bitWriter) bitLength() int { return len(w.out)*8 + int(w.n) }
