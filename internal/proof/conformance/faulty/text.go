package faulty

// utf8State decodes code points and judges them: another way than a table of
// byte ranges.
type utf8State struct {
	fault Fault
	need  int
	point rune
	least rune // below it the form is overlong
}

// add takes bytes and says whether the text may still become well-formed.
func (u *utf8State) add(p []byte) bool {
	for _, b := range p {
		if u.need == 0 {
			switch {
			case b < 0x80:
			case b >= 0xc0 && b < 0xe0:
				u.need, u.point, u.least = 1, rune(b&0x1f), 0x80
			case b >= 0xe0 && b < 0xf0:
				u.need, u.point, u.least = 2, rune(b&0x0f), 0x800
			case b >= 0xf0 && b < 0xf8:
				u.need, u.point, u.least = 3, rune(b&0x07), 0x10000
			default:
				return false
			}
		} else {
			if b&0xc0 != 0x80 {
				return false
			}
			u.need--
			u.point = u.point<<6 | rune(b&0x3f)
		}
		if b >= 0x80 && !u.possible() {
			return false
		}
	}
	return true
}

// possible says whether some code point that begins as this one is allowed:
// the smallest and the largest that can still come decide.
func (u *utf8State) possible() bool {
	shift := 6 * u.need
	low := u.point << shift
	high := low | (1<<shift - 1)
	switch {
	case high < u.least && u.fault != "accepts overlong forms":
		return false
	case low >= 0xd800 && high <= 0xdfff && u.fault != "accepts surrogates":
		return false
	case low > 0x10ffff && u.fault != "accepts code points beyond U+10FFFF":
		return false
	}
	return true
}

// whole says whether the text may end here.
func (u *utf8State) whole() bool {
	return u.need == 0 || u.fault == "accepts a character cut off at the end"
}

func wellFormed(p []byte) bool {
	var u utf8State
	return u.add(p) && u.whole()
}
