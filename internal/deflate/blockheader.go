package deflate

// blockHeader is the header of a dynamic block (RFC 1951, section 3.2.7): the
// code lengths of both alphabets as one run-length coded sequence, and the code
// that this sequence itself is written in.
type blockHeader struct {
	symbols    [numLitLen + numDistance]uint8 // 0 to 18
	extras     [numLitLen + numDistance]uint8 // how often to repeat, less the least
	numSymbols int

	numLit, numDist, numCodeLens int

	freq    [numCodeLen]uint16
	lengths [numCodeLen]uint8
	codes   [numCodeLen]code
}

var repeatExtra = [3]uint{2, 3, 7} // extra bits of symbols 16, 17, 18

// make sets up the header for these code lengths and returns its length in bits.
func (h *blockHeader) make(b *codeBuilder, lit, dist []uint8) int {
	h.numLit, h.numDist = len(lit), len(dist)
	for h.numLit > 257 && lit[h.numLit-1] == 0 {
		h.numLit--
	}
	for h.numDist > 1 && dist[h.numDist-1] == 0 {
		h.numDist--
	}
	h.numSymbols = 0
	clear(h.freq[:])
	// A run may go on from one alphabet to the other; we let it end there.
	h.runs(lit[:h.numLit])
	h.runs(dist[:h.numDist])

	b.lengths(h.lengths[:], h.freq[:], maxCodeLenBits)
	h.numCodeLens = numCodeLen
	for h.numCodeLens > 4 && h.lengths[codeLenOrder[h.numCodeLens-1]] == 0 {
		h.numCodeLens--
	}
	n := 5 + 5 + 4 + 3*h.numCodeLens
	for sym, f := range h.freq {
		n += int(f) * int(h.lengths[sym])
	}
	for i, x := range repeatExtra {
		n += int(h.freq[16+i]) * int(x)
	}
	return n
}

// runs adds the code lengths of one alphabet.
func (h *blockHeader) runs(lengths []uint8) {
	for i := 0; i < len(lengths); {
		l := lengths[i]
		run := 1
		for i+run < len(lengths) && lengths[i+run] == l {
			run++
		}
		i += run
		if l == 0 {
			for run >= 11 {
				n := min(run, 138)
				h.add(18, n-11)
				run -= n
			}
			if run >= 3 {
				h.add(17, run-3)
				run = 0
			}
		} else {
			h.add(l, 0)
			run--
			for run >= 3 {
				n := min(run, 6)
				h.add(16, n-3)
				run -= n
			}
		}
		for range run {
			h.add(l, 0)
		}
	}
}

func (h *blockHeader) add(symbol uint8, extra int) {
	h.symbols[h.numSymbols] = symbol
	h.extras[h.numSymbols] = uint8(extra)
	h.numSymbols++
	h.freq[symbol]++
}

func (h *blockHeader) write(w *bitWriter) {
	assignCodes(h.codes[:], h.lengths[:])
	w.add(uint64(h.numLit-257)|uint64(h.numDist-1)<<5|uint64(h.numCodeLens-4)<<10, 14)
	w.flush()
	for _, sym := range codeLenOrder[:h.numCodeLens] {
		w.add(uint64(h.lengths[sym]), 3)
		w.flush()
	}
	for i, sym := range h.symbols[:h.numSymbols] {
		w.code(h.codes[sym])
		if sym >= 16 {
			w.add(uint64(h.extras[i]), repeatExtra[sym-16])
		}
		w.flush()
	}
}
