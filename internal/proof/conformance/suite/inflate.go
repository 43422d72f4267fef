package suite

import (
	"errors"
	"fmt"
)

// inflater decodes the messages of one direction of permessage-deflate
// (RFC 7692, section 7.2.2) and measures the window they use. compress/flate
// cannot: it always allows 32 KiB.
type inflater struct {
	window   int  // distances above it are an error
	takeover bool // the window is kept from message to message
	limit    int  // decoded bytes per message, 0: none

	history []byte // the last bytes decoded, at most window
	largest int    // the largest distance seen

	in  []byte
	pos int
	acc uint32
	n   uint // bits in acc

	empty bool // the last block was a stored one of no bytes
}

var (
	errDeflateEnd  = errors.New("deflate data ends early")
	errDeflateCode = errors.New("deflate data holds an undefined code")
	errTooLong     = errors.New("message inflates past the limit")
)

// message decodes one message's payload: the tail 00 00 FF FF is the one that
// the sender has left out.
func (f *inflater) message(payload []byte) ([]byte, error) {
	f.in = append(append(make([]byte, 0, len(payload)+4), payload...), 0x00, 0x00, 0xFF, 0xFF)
	f.pos, f.acc, f.n = 0, 0, 0
	if !f.takeover {
		f.history = nil
	}
	out := append([]byte(nil), f.history...)
	start := len(out)
	for {
		var err error
		if out, err = f.block(out, start); err != nil {
			return out[start:], err
		}
		if f.pos == len(f.in) {
			break
		}
	}
	if !f.empty {
		return out[start:], errDeflateEnd // a block has eaten the tail
	}
	f.history = append([]byte(nil), out[max(0, len(out)-f.window):]...)
	return out[start:], nil
}

// bits returns the next k bits.
func (f *inflater) bits(k uint) (int, error) {
	for f.n < k {
		if f.pos == len(f.in) {
			return 0, errDeflateEnd
		}
		f.acc |= uint32(f.in[f.pos]) << f.n
		f.pos++
		f.n += 8
	}
	v := f.acc & (1<<k - 1)
	f.acc >>= k
	f.n -= k
	return int(v), nil
}

// block decodes one block of RFC 1951, section 3.2.3.
func (f *inflater) block(out []byte, start int) ([]byte, error) {
	final, err := f.bits(1)
	if err != nil {
		return out, err
	}
	kind, err := f.bits(2)
	if err != nil {
		return out, err
	}
	f.empty = false
	switch kind {
	case 0:
		out, err = f.stored(out, start)
	case 1:
		out, err = f.compressed(out, start, fixedLiterals, fixedDistances)
	case 2:
		var lit, dist *huffman
		if lit, dist, err = f.codes(); err == nil {
			out, err = f.compressed(out, start, lit, dist)
		}
	default:
		err = errDeflateCode
	}
	if err == nil && final == 1 {
		// RFC 7692, section 7.2.3.4: a block with BFINAL ends at a byte boundary
		// and another may follow.
		f.acc, f.n = 0, 0
	}
	return out, err
}

func (f *inflater) stored(out []byte, start int) ([]byte, error) {
	f.pos -= int(f.n / 8)
	f.acc, f.n = 0, 0
	if f.pos+4 > len(f.in) {
		return out, errDeflateEnd
	}
	h := f.in[f.pos:]
	n := int(h[0]) | int(h[1])<<8
	if n^0xFFFF != int(h[2])|int(h[3])<<8 {
		return out, errors.New("stored block's length and its complement differ")
	}
	f.pos += 4
	f.empty = n == 0
	if f.pos+n > len(f.in) {
		return out, errDeflateEnd
	}
	out = append(out, f.in[f.pos:f.pos+n]...)
	f.pos += n
	return out, f.within(out, start)
}

func (f *inflater) within(out []byte, start int) error {
	if f.limit > 0 && len(out)-start > f.limit {
		return errTooLong
	}
	return nil
}

func (f *inflater) compressed(out []byte, start int, lit, dist *huffman) ([]byte, error) {
	for {
		sym, err := f.symbol(lit)
		if err != nil {
			return out, err
		}
		switch {
		case sym < 256:
			out = append(out, byte(sym))
		case sym == 256:
			return out, nil
		case sym > 285:
			return out, errDeflateCode
		default:
			extra, err := f.bits(uint(lengthExtra[sym-257]))
			if err != nil {
				return out, err
			}
			length := lengthBase[sym-257] + extra
			d, err := f.symbol(dist)
			if err != nil {
				return out, err
			}
			if d > 29 {
				return out, errDeflateCode
			}
			if extra, err = f.bits(uint(distanceExtra[d])); err != nil {
				return out, err
			}
			distance := distanceBase[d] + extra
			f.largest = max(f.largest, distance)
			if distance > f.window {
				return out, fmt.Errorf("distance %d in a window of %d", distance, f.window)
			}
			if distance > len(out) {
				return out, fmt.Errorf("distance %d after %d bytes", distance, len(out))
			}
			for range length {
				out = append(out, out[len(out)-distance])
			}
		}
		if err := f.within(out, start); err != nil {
			return out, err
		}
	}
}

// codes reads the two codes of a dynamic block, RFC 1951, section 3.2.7.
func (f *inflater) codes() (lit, dist *huffman, err error) {
	var counts [3]int
	for i, k := range []uint{5, 5, 4} {
		if counts[i], err = f.bits(k); err != nil {
			return nil, nil, err
		}
	}
	nlit, ndist, nlen := counts[0]+257, counts[1]+1, counts[2]+4
	if nlit > 286 || ndist > 30 { // section 3.2.5 has no more symbols
		return nil, nil, errDeflateCode
	}
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengths := make([]byte, 19)
	for i := range nlen {
		v, err := f.bits(3)
		if err != nil {
			return nil, nil, err
		}
		lengths[order[i]] = byte(v)
	}
	meta, err := newHuffman(lengths)
	if err != nil {
		return nil, nil, err
	}
	lengths = make([]byte, 0, nlit+ndist)
	for len(lengths) < nlit+ndist {
		sym, err := f.symbol(meta)
		if err != nil {
			return nil, nil, err
		}
		var repeat, base int
		var value byte
		var k uint
		switch {
		case sym < 16:
			lengths = append(lengths, byte(sym))
			continue
		case sym == 16:
			if len(lengths) == 0 {
				return nil, nil, errDeflateCode
			}
			value, base, k = lengths[len(lengths)-1], 3, 2
		case sym == 17:
			base, k = 3, 3
		default:
			base, k = 11, 7
		}
		if repeat, err = f.bits(k); err != nil {
			return nil, nil, err
		}
		for range base + repeat {
			lengths = append(lengths, value)
		}
	}
	if len(lengths) != nlit+ndist {
		return nil, nil, errDeflateCode
	}
	if lit, err = newHuffman(lengths[:nlit]); err == nil {
		dist, err = newHuffman(lengths[nlit:])
	}
	return lit, dist, err
}
