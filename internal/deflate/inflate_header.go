package deflate

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
