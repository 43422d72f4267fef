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
