package deflate

import "encoding/binary"

// step is where an inflater stands between two calls.
type step uint8

const (
	stepHeader    step = iota // before the three bits that start a block
	stepStoredLen             // before LEN and NLEN, at a byte boundary
	stepStored                // inside a stored block, rest bytes to come
	stepCounts                // before HLIT, HDIST and HCLEN
	stepCodeLens              // inside the code lengths of the code length alphabet
	stepLengths               // inside the code lengths of the other two
	stepSymbols               // inside a block of symbols
	stepMatch                 // inside a match, rest bytes to come
)

// outcome is why inflate returned.
type outcome uint8

const (
	needInput  outcome = iota // all of src is used up
	needOutput                // dst is full and there is more to write
)

// inflater is the state of one message in progress. It lives in a pool.
type inflater struct {
	acc  uint64 // bits taken from the input and not yet used, first bit lowest
	bits uint   // how many

	step  step
	final bool // the current block has BFINAL set
	rest  int  // bytes left of a stored block or a match
	dist  int  // distance of the match

	// The header of a dynamic block.
	numLit, numDist, numCodeLens, have int
	lengths                            [numLitLen + numDistance]uint8
	codeLens                           codeLenTable
	codeLenRoot                        uint

	// The tables of the current block, own ones or those of fixed blocks.
	lit               *litTable
	distances         *distTable
	litRoot, distRoot uint
	ownLit            litTable
	ownDist           distTable

	// lent is the history of a message inflated in pieces without takeover.
	lent window
	ring [1 << maxWindowBits]byte

	// in and at are the input of the current call and how much of it was taken.
	in []byte
	at int
}

// reset makes z ready for the first byte of a message.
func (z *inflater) reset() {
	z.acc, z.bits = 0, 0
	z.step, z.final = stepHeader, false
	z.lent = window{}
}

// borrowWindow returns the window that lasts as long as the message.
func (z *inflater) borrowWindow(size int) *window {
	if z.lent.ring == nil {
		z.lent.ring = z.ring[:size]
	}
	return &z.lent
}

// need takes bytes from the input until there are at least n bits. It reports
// false when the input ends before.
func (z *inflater) need(n uint) bool {
	for z.bits < n {
		if z.at == len(z.in) {
			return false
		}
		z.acc |= uint64(z.in[z.at]) << z.bits
		z.at++
		z.bits += 8
	}
	return true
}

// fill takes bytes from the input until there are at least 56 bits or it ends.
func (z *inflater) fill() {
	left := uint(len(z.in) - z.at)
	n := min((63-z.bits)>>3, left)
	var v uint64
	switch {
	case left >= 8:
		v = binary.LittleEndian.Uint64(z.in[z.at:])
	case len(z.in) >= 8:
		v = binary.LittleEndian.Uint64(z.in[len(z.in)-8:]) >> (64 - 8*left)
	default:
		for i, b := range z.in[z.at:] {
			v |= uint64(b) << (8 * i & 63)
		}
	}
	z.acc |= v & (1<<(8*n) - 1) << z.bits
	z.at += int(n)
	z.bits += 8 * n
}

func (z *inflater) drop(n uint) {
	z.acc >>= n
	z.bits -= n
}

// inflate decodes src into dst[o:]. The message's bytes that dst holds start at
// base; what came before them is in w, and no distance may exceed size. It
// returns the new end of the output and how much of src was taken.
func (z *inflater) inflate(dst []byte, base, o int, src []byte, w *window, size int) (end, used int, why outcome, err error) {
	z.in, z.at = src, 0
	end, why, err = z.run(dst, base, o, w, size)
	z.in = nil
	return end, z.at, why, err
}

func (z *inflater) run(dst []byte, base, o int, w *window, size int) (int, outcome, error) {
	for {
		switch z.step {
		case stepHeader:
			if !z.need(3) {
				return o, needInput, nil
			}
			z.final = z.acc&1 != 0
			blockType := z.acc >> 1 & 3
			z.drop(3)
			switch blockType {
			case typeStored:
				z.drop(z.bits & 7)
				z.step = stepStoredLen
			case typeFixed:
				z.lit, z.litRoot = &fixedLit, fixedLitRoot
				z.distances, z.distRoot = &fixedDist, fixedDistRoot
				z.step = stepSymbols
			case typeDynamic:
				z.step = stepCounts
			default:
				return o, 0, ErrBlockType
			}

		case stepStoredLen:
			if !z.need(32) {
				return o, needInput, nil
			}
			length, check := uint16(z.acc), uint16(z.acc>>16)
			if length != ^check {
				return o, 0, ErrStoredLength
			}
			z.drop(32)
			z.rest = int(length)
			z.step = stepStored

		case stepStored:
			var why outcome
			if o, why = z.stored(dst, o); z.rest > 0 {
				return o, why, nil
			}
			z.endBlock()

		case stepCounts, stepCodeLens, stepLengths:
			ok, err := z.header()
			if !ok || err != nil {
				return o, needInput, err
			}
			z.step = stepSymbols

		case stepSymbols:
			var why outcome
			var err error
			o, why, err = z.symbols(dst, base, o, w, size)
			if err != nil || z.step == stepSymbols {
				return o, why, err
			}

		case stepMatch:
			o = z.match(dst, base, o, w)
			if z.rest > 0 {
				return o, needOutput, nil
			}
			z.step = stepSymbols
		}
	}
}

// endBlock goes on to the next block.
func (z *inflater) endBlock() {
	z.step = stepHeader
	if z.final {
		// RFC 7692, section 7.2.3.4: a block with BFINAL set is padded to a byte
		// boundary, and further blocks may follow it in the same message.
		z.drop(z.bits & 7)
	}
}

// stored copies what it can of a stored block.
func (z *inflater) stored(dst []byte, o int) (int, outcome) {
	for z.rest > 0 && z.bits > 0 && o < len(dst) {
		dst[o] = byte(z.acc)
		z.drop(8)
		o++
		z.rest--
	}
	if z.rest > 0 && z.bits == 0 {
		src := z.in[z.at:]
		n := copy(dst[o:], src[:min(z.rest, len(src))])
		z.at += n
		o += n
		z.rest -= n
	}
	if o == len(dst) {
		return o, needOutput
	}
	return o, needInput
}

// header reads what follows the type of a dynamic block and builds its tables
// (RFC 1951, section 3.2.7). It reports false when the input ends before.
func (z *inflater) header() (bool, error) {
	if z.step == stepCounts {
		if !z.need(14) {
			return false, nil
		}
		z.numLit = int(z.acc&31) + 257
		z.numDist = int(z.acc>>5&31) + 1
		z.numCodeLens = int(z.acc>>10&15) + 4
		z.drop(14)
		if z.numLit > numLitLen || z.numDist > numDistance {
			return false, ErrCodeCount
		}
		clear(z.lengths[:numCodeLen])
		z.have = 0
		z.step = stepCodeLens
	}
	if z.step == stepCodeLens {
		for ; z.have < z.numCodeLens; z.have++ {
			if !z.need(3) {
				return false, nil
			}
			z.lengths[codeLenOrder[z.have]] = uint8(z.acc & 7)
			z.drop(3)
		}
		var err error
		z.codeLenRoot, err = buildTable(z.codeLens[:], z.lengths[:numCodeLen], codeLenEntries[:], codeLenRootBits)
		if err != nil {
			return false, err
		}
		if z.codeLens[1]&flagSpecial != 0 {
			return false, ErrIncomplete // what is allowed of distances is not allowed here
		}
		z.have = 0
		z.step = stepLengths
	}
	if ok, err := z.readLengths(); !ok || err != nil {
		return ok, err
	}
	lit, dist := z.lengths[:z.numLit], z.lengths[z.numLit:z.numLit+z.numDist]
	if lit[endOfBlock] == 0 {
		return false, ErrNoEndOfBlock
	}
	var err error
	if z.litRoot, err = buildTable(z.ownLit[:], lit, litEntries[:], litRootBits); err != nil {
		return false, err
	}
	if z.distRoot, err = buildTable(z.ownDist[:], dist, distEntries[:], distRootBits); err != nil {
		return false, err
	}
	z.lit, z.distances = &z.ownLit, &z.ownDist
	return true, nil
}

// readLengths reads the run-length coded code lengths of both alphabets.
func (z *inflater) readLengths() (bool, error) {
	total := z.numLit + z.numDist
	mask := uint64(1)<<z.codeLenRoot - 1
	for z.have < total {
		// The longest symbol is a code of 7 bits with 7 extra bits. Near the end
		// of the input there may be fewer bits, and still enough.
		if z.bits < maxCodeLenBits+7 && z.at < len(z.in) {
			z.fill()
		}
		e := z.codeLens[z.acc&mask&(1<<codeLenRootBits-1)]
		n := uint(e & entryBits)
		sym := e >> valueShift
		if n > z.bits {
			return false, nil
		}
		if sym < 16 {
			z.drop(n)
			z.lengths[z.have] = uint8(sym)
			z.have++
			continue
		}
		if sym == 16 && z.have == 0 {
			return false, ErrRepeat
		}
		extra := repeatExtra[sym-16]
		if n+extra > z.bits {
			return false, nil
		}
		repeat := 3 + int(z.acc>>n&(1<<extra-1))
		var length uint8
		switch sym {
		case 16:
			length = z.lengths[z.have-1]
		case 18:
			repeat += 8
		}
		if repeat > total-z.have {
			return false, ErrRepeat
		}
		z.drop(n + extra)
		run := z.lengths[z.have : z.have+repeat]
		for i := range run {
			run[i] = length
		}
		z.have += repeat
	}
	return true, nil
}

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
