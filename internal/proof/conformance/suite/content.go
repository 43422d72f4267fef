package suite

import "sync"

// largest is the size of the largest message a case sends.
const largest = 16 << 20

// Contents are fixed and never repeat at the distance of a buffer's size, so
// that pieces swapped, lost or doubled show.
var (
	binaryContent = sync.OnceValue(func() []byte {
		p := make([]byte, largest)
		x := uint64(0x2545F4914F6CDD1D)
		for i := range p {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			p[i] = byte(x >> 32)
		}
		return p
	})
	textContent = sync.OnceValue(func() []byte {
		letters := []string{"a", "b", "c", "d", "e", "f", "0", "1", "2", " ", "é", "ß", "Ω", "漢", "字", "😀"}
		p := make([]byte, 0, largest+8)
		for _, b := range binaryContent() {
			if p = append(p, letters[b&15]...); len(p) >= largest {
				break
			}
		}
		return p
	})
)

func someBinary(n int) []byte { return binaryContent()[:n:n] }

// someText is well-formed text of exactly n bytes.
func someText(n int) []byte {
	p := textContent()
	for end := n; ; end-- {
		// Cut before a character that would not fit, and fill with ASCII.
		if end == 0 || end < len(p) && p[end]&0xC0 != 0x80 {
			out := append([]byte(nil), p[:end]...)
			for len(out) < n {
				out = append(out, '.')
			}
			return out
		}
	}
}

func someMessage(opcode byte, n int) message {
	if opcode == opText {
		return message{opcode, someText(n)}
	}
	return message{opcode, someBinary(n)}
}

func whole(m message) frame { return frame{fin: true, opcode: m.opcode, payload: m.data} }

// fragments cuts m into frames that end at the offsets.
func fragments(m message, at ...int) []frame {
	var out []frame
	from := 0
	for i, end := range append(at, len(m.data)) {
		f := frame{opcode: opContinuation, payload: m.data[from:end], fin: i == len(at)}
		if i == 0 {
			f.opcode = m.opcode
		}
		out = append(out, f)
		from = end
	}
	return out
}

var sharedTexts = map[int]message{}

// sharedText is someText, made once per size; only the building of the cases
// calls it.
func sharedText(n int) message {
	m, ok := sharedTexts[n]
	if !ok {
		m = message{opText, someText(n)}
		sharedTexts[n] = m
	}
	return m
}
