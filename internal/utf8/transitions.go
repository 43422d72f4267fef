package utf8

// The states between two bytes: what the bytes so far allow to come next. A state's number is where it
// stands, in bits, in each word of transitions.
//
//	complete ── 00..7F ─────────▶ complete
//	complete ── C2..DF ─────────────────────────────────────────────────────────▶ oneMore
//	complete ── E0 ─▶ afterE0 ── A0..BF ────────────────────────────────────────▶ oneMore
//	complete ── ED ─▶ afterED ── 80..9F ────────────────────────────────────────▶ oneMore
//	complete ── E1..EC, EE, EF ───────────────────────▶ twoMore ──── 80..BF ────▶ oneMore
//	complete ── F0 ─▶ afterF0 ── 90..BF ──────────────▶ twoMore
//	complete ── F4 ─▶ afterF4 ── 80..8F ──────────────▶ twoMore
//	complete ── F1..F3 ─────────▶ threeMore ─ 80..BF ─▶ twoMore
//	oneMore ─── 80..BF ─────────▶ complete
//
//	any other byte: failed, which nothing leads out of
const (
	complete  = iota * stateBits
	failed    // a byte came that cannot be there
	oneMore   // 80..BF completes the character
	twoMore   // 80..BF, then oneMore
	threeMore // 80..BF, then twoMore
	afterE0   // not 80..9F: the character would have had a shorter form
	afterED   // not A0..BF: the character would be a surrogate
	afterF0   // not 80..8F: the character would have had a shorter form
	afterF4   // not 90..BF: the character would lie beyond U+10FFFF

	stateBits = 6
	stateMask = 1<<stateBits - 1
)

// transitions holds for each byte a word with the next state for each state, in stateBits bits at
// the place that the state's number says. A step is then one load, which does not depend on
// the bytes before, and one shift: text of any script is checked at the same speed, without a branch.
var transitions = buildTransitions()

func buildTransitions() (words [256]uint64) {
	for b := range words {
		for state := complete; state <= afterF4; state += stateBits {
			words[b] |= uint64(failed) << state
		}
	}
	allow := func(state int, first, last byte, next uint64) {
		for b := int(first); b <= int(last); b++ {
			words[b] ^= (failed ^ next) << state
		}
	}
	// Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences", by its rows.
	allow(complete, 0x00, 0x7F, complete)
	allow(complete, 0xC2, 0xDF, oneMore)
	allow(complete, 0xE0, 0xE0, afterE0)
	allow(complete, 0xE1, 0xEC, twoMore)
	allow(complete, 0xED, 0xED, afterED)
	allow(complete, 0xEE, 0xEF, twoMore)
	allow(complete, 0xF0, 0xF0, afterF0)
	allow(complete, 0xF1, 0xF3, threeMore)
	allow(complete, 0xF4, 0xF4, afterF4)

	allow(afterE0, 0xA0, 0xBF, oneMore)
	allow(afterED, 0x80, 0x9F, oneMore)
	allow(afterF0, 0x90, 0xBF, twoMore)
	allow(afterF4, 0x80, 0x8F, twoMore)

	allow(threeMore, 0x80, 0xBF, twoMore)
	allow(twoMore, 0x80, 0xBF, oneMore)
	allow(oneMore, 0x80, 0xBF, complete)
	return words
}

// blockSize is the number of bytes between two decisions.
const blockSize = 16

// run takes the bytes of b one after the other and returns the state after the last. It is written out
// because the shifts, which wait for each other, leave no time for the bookkeeping of a loop.
func run(state uint64, b *[blockSize]byte) uint64 {
	state = transitions[b[0]] >> (state & stateMask)
	state = transitions[b[1]] >> (state & stateMask)
	state = transitions[b[2]] >> (state & stateMask)
	state = transitions[b[3]] >> (state & stateMask)
	state = transitions[b[4]] >> (state & stateMask)
	state = transitions[b[5]] >> (state & stateMask)
	state = transitions[b[6]] >> (state & stateMask)
	state = transitions[b[7]] >> (state & stateMask)
	state = transitions[b[8]] >> (state & stateMask)
	state = transitions[b[9]] >> (state & stateMask)
	state = transitions[b[10]] >> (state & stateMask)
	state = transitions[b[11]] >> (state & stateMask)
	state = transitions[b[12]] >> (state & stateMask)
	state = transitions[b[13]] >> (state & stateMask)
	state = transitions[b[14]] >> (state & stateMask)
	state = transitions[b[15]] >> (state & stateMask)
	return state & stateMask
}
