// Package utf8 validates text that arrives in pieces, as the fragments of a WebSocket message do, and
// fails at the first byte that cannot be part of it.
package utf8

import "encoding/binary"

// A Validator checks that a stream of bytes is well-formed UTF-8 (Unicode Standard, table 3-7, which is
// RFC 3629, section 4). The zero value is ready to use. It is a plain value of one byte: a copy goes
// on from the same place in the stream.
type Validator struct {
	state uint8
}

// Write takes the next bytes of the stream. If they may all be part of well-formed UTF-8, it returns
// len(p) and true; p may end in the middle of a character. Otherwise it returns false and the index in p
// of the first byte that no well-formed text could have in its place, and every later Write returns
// 0 and false until [Validator.Reset].
func (v *Validator) Write(p []byte) (n int, ok bool) {
	state := uint64(v.state)
	if state == failed {
		return 0, false
	}
	for len(p)-n >= blockSize {
		block := (*[blockSize]byte)(p[n:])
		if state != complete || !isASCII(block) {
			next := run(state, block)
			if next == failed {
				break // the bad byte is in this block: it is found below
			}
			state = next
		}
		n += blockSize
	}
	for n < len(p) && state != failed {
		state = transitions[p[n]] >> (state & stateMask) & stateMask
		n++
	}
	v.state = uint8(state)
	if state == failed {
		return n - 1, false
	}
	return n, true
}

// Done reports whether the stream may end here: nothing failed and the last character is complete.
func (v *Validator) Done() bool { return v.state == complete }

// Reset makes v ready for a new stream.
func (v *Validator) Reset() { v.state = complete }

func isASCII(b *[blockSize]byte) bool {
	return (binary.LittleEndian.Uint64(b[:8])|binary.LittleEndian.Uint64(b[8:]))&0x8080808080808080 == 0
}
