package deflate

import "encoding/binary"

// Room the fast loop of symbols wants: two literals and a match of the longest
// length copied in words of eight bytes, and one load of eight bytes.
const (
	fastOutput = 2 + maxMatch + 8
	fastInput  = 8
)

// symbols decodes the symbols of a block. On return z.step is stepSymbols if it
// stopped for want of input or output.
func (z *inflater) symbols(dst []byte, base, o int, w *window, size int) (int, outcome, error) {
	lit, distances := z.lit, z.distances
	litMask, distMask := uint64(1)<<z.litRoot-1, uint64(1)<<z.distRoot-1
	reach := w.length - base // plus o: how far back there is history
	for {
		if len(z.in)-z.at >= fastInput && len(dst)-o >= fastOutput {
			var done bool
			var err error
			if o, done, err = z.fast(dst, base, o, w, size); done || err != nil {
				return o, 0, err
			}
		}
		// Careful: one symbol at a time, taken only if it is there as a whole.
		// 48 bits are the longest length and distance with their extra bits.
		if z.bits < 48 && z.at < len(z.in) {
			z.fill()
		}
		acc, left := z.acc, z.bits
		e := lit[acc&litMask]
		for e&flagLiteral != 0 && uint(e&entryBits) <= left && o < len(dst) {
			dst[o] = byte(e >> valueShift)
			o++
			acc >>= e & 63
			left -= uint(e & 63)
			e = lit[acc&litMask]
		}
		if z.bits != left {
			z.acc, z.bits = acc, left
			if left < 48 && z.at < len(z.in) {
				continue
			}
		}
		if e&(flagSpecial|flagLink) == flagSpecial|flagLink {
			e = lit[uint(e>>valueShift)+uint(acc>>litRootBits)&(1<<codeBits(e)-1)]
		}
		n := uint(e & entryBits)
		if n > left {
			return o, needInput, nil
		}
		if e&flagLiteral != 0 {
			if o == len(dst) {
				return o, needOutput, nil
			}
			dst[o] = byte(e >> valueShift)
			o++
			z.drop(n)
			continue
		}
		if e&flagSpecial != 0 {
			if e&flagEnd == 0 {
				return o, 0, ErrSymbol
			}
			z.drop(n)
			z.endBlock()
			return o, 0, nil
		}
		length := int(e>>valueShift) + int(acc&(1<<n-1)>>codeBits(e))
		acc >>= n
		left -= n
		e = distances[acc&distMask]
		if e&(flagSpecial|flagLink) == flagSpecial|flagLink {
			e = distances[uint(e>>valueShift)+uint(acc>>distRootBits)&(1<<codeBits(e)-1)]
		}
		n = uint(e & entryBits)
		if n > left {
			return o, needInput, nil
		}
		if e&flagSpecial != 0 {
			return o, 0, ErrSymbol
		}
		dist := int(e>>valueShift) + int(acc&(1<<n-1)>>codeBits(e))
		if dist > size || dist > reach+o {
			return o, 0, ErrDistance
		}
		z.acc, z.bits = acc>>n, left-n
		z.rest, z.dist = length, dist
		o = z.match(dst, base, o, w)
		if z.rest > 0 {
			z.step = stepMatch
			return o, needOutput, nil
		}
	}
}

// match copies what it can of the match in progress.
func (z *inflater) match(dst []byte, base, o int, w *window) int {
	n := min(z.rest, len(dst)-o)
	z.rest -= n
	return copyMatch(dst, base, o, z.dist, n, w)
}

// copyMatch writes n bytes of a match at dst[o:], which has room for them.
func copyMatch(dst []byte, base, o, dist, n int, w *window) int {
	if back := dist - (o - base); back > 0 {
		k := w.copyTo(dst[o:o+n], back)
		o += k
		n -= k
	}
	// A match may overlap itself: then each copy doubles what repeats.
	from := o - dist
	for n > 0 {
		k := copy(dst[o:o+n], dst[from:o])
		o += k
		n -= k
	}
	return o
}

// fast decodes symbols as long as there is ample input and output. It reports
// true when the block ended.
func (z *inflater) fast(dst []byte, base, o int, w *window, size int) (int, bool, error) {
	lit, distances := z.lit, z.distances
	litMask, distMask := uint64(1)<<z.litRoot-1, uint64(1)<<z.distRoot-1
	in, at := z.in, z.at
	acc, n := z.acc, z.bits
	reach := w.length - base
	lastIn, lastOut := len(in)-fastInput, len(dst)-fastOutput
	for at <= lastIn && o <= lastOut {
		// Fill up to at least 56 bits. Bits above n may already hold what the
		// next load brings: the same bytes, so or-ing them again is harmless.
		acc |= binary.LittleEndian.Uint64(in[at:]) << (n & 63)
		at += int((63 - n) >> 3)
		n |= 56

		e := lit[acc&litMask]
		if e&flagLiteral != 0 {
			acc >>= e & 63
			n -= uint(e & 63)
			dst[o] = byte(e >> valueShift)
			o++
			e = lit[acc&litMask]
			if e&flagLiteral != 0 {
				acc >>= e & 63
				n -= uint(e & 63)
				dst[o] = byte(e >> valueShift)
				o++
				continue
			}
			// At most 10 bits are gone. A length may take 20 more, a distance 28.
			if n < 48 {
				if at > lastIn {
					break
				}
				acc |= binary.LittleEndian.Uint64(in[at:]) << (n & 63)
				at += int((63 - n) >> 3)
				n |= 56
			}
		}
		if e&flagSpecial != 0 {
			if e&flagLink != 0 {
				e = lit[uint(e>>valueShift)+uint(acc>>litRootBits)&(1<<codeBits(e)-1)]
			}
			if e&flagLiteral != 0 {
				acc >>= e & 63
				n -= uint(e & 63)
				dst[o] = byte(e >> valueShift)
				o++
				continue
			}
			if e&flagSpecial != 0 {
				if e&flagEnd == 0 {
					return o, false, ErrSymbol
				}
				acc >>= e & 63
				n -= uint(e & 63)
				z.acc, z.bits, z.at = acc&(1<<n-1), n, at
				z.endBlock()
				return o, true, nil
			}
		}
		length := int(e>>valueShift) + int(acc&(1<<(e&63)-1)>>codeBits(e))
		acc >>= e & 63
		n -= uint(e & 63)

		e = distances[acc&distMask]
		if e&flagSpecial != 0 {
			if e&flagLink != 0 {
				e = distances[uint(e>>valueShift)+uint(acc>>distRootBits)&(1<<codeBits(e)-1)]
			}
			if e&flagSpecial != 0 {
				return o, false, ErrSymbol
			}
		}
		dist := int(e>>valueShift) + int(acc&(1<<(e&63)-1)>>codeBits(e))
		acc >>= e & 63
		n -= uint(e & 63)
		if dist > size || dist > reach+o {
			return o, false, ErrDistance
		}

		from := o - dist
		if from < base || dist < 8 {
			o = copyMatch(dst, base, o, dist, length, w)
			continue
		}
		// Words of eight bytes; the last may write up to seven bytes too many.
		for end := o + length; ; {
			binary.LittleEndian.PutUint64(dst[o:], binary.LittleEndian.Uint64(dst[from:]))
			o += 8
			from += 8
			if o >= end {
				o = end
				break
			}
		}
	}
	z.acc, z.bits, z.at = acc&(1<<n-1), n, at
	return o, false, nil
}
