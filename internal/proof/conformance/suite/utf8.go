package suite

// utf8Text checks text piecewise against Unicode's table 3-7, "Well-Formed
// UTF-8 Byte Sequences". The zero value is ready for a message's first byte.
type utf8Text struct {
	need   int  // continuation bytes still to come
	lo, hi byte // the next byte's range
}

// add takes the next bytes and returns the index of the first one that cannot
// belong to well-formed text, or -1.
func (u *utf8Text) add(p []byte) int {
	for i, b := range p {
		if u.need > 0 {
			if b < u.lo || b > u.hi {
				return i
			}
			u.need--
			u.lo, u.hi = 0x80, 0xBF
			continue
		}
		u.lo, u.hi = 0x80, 0xBF
		switch {
		case b <= 0x7F:
		case b >= 0xC2 && b <= 0xDF:
			u.need = 1
		case b == 0xE0:
			u.need, u.lo = 2, 0xA0
		case b == 0xED:
			u.need, u.hi = 2, 0x9F
		case b >= 0xE1 && b <= 0xEF:
			u.need = 2
		case b == 0xF0:
			u.need, u.lo = 3, 0x90
		case b >= 0xF1 && b <= 0xF3:
			u.need = 3
		case b == 0xF4:
			u.need, u.hi = 3, 0x8F
		default:
			return i
		}
	}
	return -1
}

// whole says whether the text may end here.
func (u *utf8Text) whole() bool { return u.need == 0 }
