package suite

import (
	"bytes"
	"fmt"
	"strings"
)

// parameterSets are the offers (sent to a server) and the answers (given to a
// client) that the echo cases run under.
var parameterSets = []struct{ offer, answer string }{
	{"permessage-deflate", "permessage-deflate"},
	{"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"},
	{"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
	{"permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
	{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
	{"permessage-deflate; server_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"},
	{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"},
	{"permessage-deflate; server_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"},
	{"permessage-deflate; server_max_window_bits=11", "permessage-deflate; client_max_window_bits=11"},
	{"permessage-deflate; server_max_window_bits=12", "permessage-deflate; client_max_window_bits=12"},
	{"permessage-deflate; server_max_window_bits=13", "permessage-deflate; client_max_window_bits=13"},
	{"permessage-deflate; server_max_window_bits=14", "permessage-deflate; client_max_window_bits=14"},
	{"permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"},
	{"permessage-deflate; client_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"},
	{"permessage-deflate; client_max_window_bits=9; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"},
	{"permessage-deflate; client_max_window_bits=12; server_max_window_bits=10; server_no_context_takeover; client_no_context_takeover",
		"permessage-deflate; server_max_window_bits=12; client_max_window_bits=10; server_no_context_takeover; client_no_context_takeover"},
}

const plainOffer = "permessage-deflate; client_max_window_bits"

// repetitive is content whose repetitions lie at every distance up to 40000:
// an encoder with too large a window gives itself away.
func repetitive(n int) []byte {
	var out []byte
	seed := binaryContent()
	words := make([][]byte, 64)
	for i := range words {
		words[i] = fmt.Appendf(nil, "%x-", seed[i*16:i*16+12])
	}
	for i := 0; len(out) < n; i++ {
		// A word comes back after 5 to 1600 others, each of 25 bytes.
		out = append(out, words[(i*i/7+int(seed[4096+i%8192]))%len(words)]...)
		if i%13 == 0 {
			out = append(out, seed[i%100000:i%100000+9]...)
		}
		if back := []int{300, 700, 1500, 3000, 6000, 12000, 20000, 31000}[i%8]; len(out) > back+40 {
			out = append(out, out[len(out)-back:len(out)-back+40]...)
		}
	}
	return out[:n:n]
}

func letters(p []byte) []byte {
	out := make([]byte, len(p))
	for i, b := range p {
		out[i] = ' ' + b%95
	}
	return out
}

// squeezed sends a message compressed as was negotiated, in frames of a size.
type squeezed struct {
	message
	size int
}

func (q squeezed) frames(d *Deflater) []frame {
	p := d.Message(q.data)
	var at []int
	for i := q.size; q.size > 0 && i < len(p); i += q.size {
		at = append(at, i)
	}
	f := fragments(message{q.opcode, p}, at...)
	f[0].rsv = rsv1
	return f
}

func (q squeezed) play(s *session) error {
	return s.writePieces(send{frames: q.frames(s.deflate.out)}.bytes(s.masks(), s.at), nil, 0)
}

func (q squeezed) show(masks bool, at int) string {
	start := q
	start.data = q.data[:min(len(q.data), 2048)]
	f := start.frames(NewDeflater(15, false))
	size := "one frame"
	if q.size > 0 {
		size = fmt.Sprintf("frames of %d bytes", q.size)
	}
	return fmt.Sprintf("%d bytes compressed within the window negotiated, in %s; with 15 bits the first %d of them: %s",
		len(q.data), size, len(start.data), send{frames: f}.show(masks, at))
}

// compressedEcho adds a case under an offer and an answer.
func (b *builder) compressedEcho(name, offer, answer string, messages []message, steps ...step) *Case {
	c := b.echo(name, messages, steps...)
	c.open.deflate = &deflateOpening{offer: offer, answer: answer}
	c.Offer = plainOffer
	return c
}

func deflateCases(b *builder) {
	type shape struct {
		size, of int
		opcode   byte
	}
	shapes := []shape{
		{0, 0, opText}, {16, 0, opText}, {64, 1, opText}, {256, 0, opText}, {256, 16, opBinary}, {1024, 0, opText}, {4096, 0, opBinary}, {4096, 128, opText},
		{32768, 0, opText}, {32768, 256, opBinary}, {131072, 0, opText}, {131072, 4096, opBinary}, {1 << 20, 0, opBinary}, {1 << 20, 16384, opText},
	}
	contents := map[shape]message{}
	for _, s := range shapes {
		m := message{s.opcode, repetitive(s.size)}
		if s.opcode == opText {
			m.data = letters(m.data)
		}
		contents[s] = m
	}
	for _, set := range parameterSets {
		b.inDeflate("7.2", "an endpoint compresses and decompresses messages within the LZ77 window that was agreed: "+set.offer)
		for _, s := range shapes {
			m := contents[s]
			name := fmt.Sprintf("%d bytes of %s, four times", s.size, opcodeNames[s.opcode])
			if s.of > 0 {
				name += fmt.Sprintf(", in frames of %d bytes", s.of)
			}
			times := 4
			if s.size >= 1<<20 {
				times, name = 1, strings.Replace(name, ", four times", "", 1)
			}
			var steps []step
			var want []message
			for i := range times {
				steps = append(steps, squeezed{m, s.of}, await{i + 1, 0})
				want = append(want, m)
			}
			b.compressedEcho(name, set.offer, set.answer, want, steps...).heavy = s.size >= 1<<20
		}
	}
	windows(b)
	blocks(b)
	compressedFrames(b)
	deflateNegotiation(b)
}

// windows sends what shows an encoder with too large a window, or a decoder
// with too small a one.
func windows(b *builder) {
	b.inDeflate("7.1.2", "the LZ77 sliding window of this size is not exceeded: measured by decoding with exactly this window")
	for bits := 8; bits <= 15; bits++ {
		w := 1 << bits
		for _, distance := range []int{w - 1, w, w + 1, 2 * w} {
			// Random bytes, and the first of them again at the distance.
			n := min(200, distance)
			m := binaryMessage(append(someBinary(distance), someBinary(n)...))
			offer := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d", bits, bits)
			answer := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d", bits, bits)
			b.compressedEcho(fmt.Sprintf("a repetition at distance %d in a window of %d", distance, w), offer, answer,
				[]message{m}, squeezed{m, 0})
		}
	}
	b.inDeflate("7.2.3.2", "the window is shared by messages: a message may refer back to earlier ones")
	for _, size := range []int{100, 1000, 10000, 32000} {
		m := binaryMessage(someBinary(size))
		b.compressedEcho(fmt.Sprintf("the same %d random bytes five times", size), plainOffer, "permessage-deflate",
			[]message{m, m, m, m, m}, squeezed{m, 0}, squeezed{m, 0}, squeezed{m, 0}, squeezed{m, 0}, squeezed{m, 0})
	}
	b.inDeflate("7.1.1", "no context takeover: each message starts with an empty window, measured by decoding it so")
	const none = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, size := range []int{100, 1000, 10000, 32000} {
		m := message{opText, letters(someBinary(size))}
		b.compressedEcho(fmt.Sprintf("the same %d characters five times", size), none, none,
			[]message{m, m, m, m, m}, squeezed{m, 0}, await{1, 0}, squeezed{m, 0}, await{2, 0}, squeezed{m, 0}, await{3, 0}, squeezed{m, 0}, await{4, 0}, squeezed{m, 0})
	}
}

// Deflate data of "Hello", as RFC 7692, section 7.2.3 gives it.
var (
	helloFixed   = []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}
	helloShared  = []byte{0xf2, 0x00, 0x11, 0x00, 0x00}
	helloStored  = []byte{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}
	helloFinal   = []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}
	helloBlocks  = []byte{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}
	helloDynamic = dynamicBlock()
)

// dynamicBlock is one block with codes of its own: 'a' has one bit, 'b' and the
// block's end two; the text is "abababab".
func dynamicBlock() []byte {
	d := &Deflater{}
	d.put(0b100, 3) // not final, dynamic codes
	d.put(0, 5)     // 257 literal and length codes
	d.put(0, 5)     // 1 distance code
	d.put(14, 4)    // 18 code length codes
	// Lengths of the code length codes for 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1.
	for _, n := range []uint64{0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3} {
		d.put(n, 3)
	}
	// The canonical codes: 18 is 0, 2 is 10, 0 is 110, 1 is 111.
	zeros := func(n uint64) { d.code(0b0, 1); d.put(n-11, 7) }
	zeros(97)
	d.code(0b111, 3) // 'a': one bit
	d.code(0b10, 2)  // 'b': two bits
	zeros(138)
	zeros(19)
	d.code(0b10, 2)  // 256: two bits
	d.code(0b110, 3) // no distances
	for range 4 {
		d.code(0b0, 1)
		d.code(0b10, 2)
	}
	d.code(0b11, 2)
	d.flush()
	return d.out
}

func compressed(opcode byte, p []byte) frame {
	return frame{fin: true, rsv: rsv1, opcode: opcode, payload: p}
}

// blocks sends every kind of DEFLATE block and what is none.
func blocks(b *builder) {
	hello := textMessage("Hello")
	add := func(name string, m []message, steps ...step) *Case {
		return b.compressedEcho(name, plainOffer, "permessage-deflate", m, steps...)
	}
	b.inDeflate("7.2.3", "the examples of RFC 7692, and each kind of DEFLATE block")
	add("7.2.3.1: one block of fixed codes", []message{hello}, frames(compressed(opText, helloFixed)))
	add("7.2.3.1: the same in two frames", []message{hello},
		frames(compressed(opText, helloFixed[:3]).notFinal(), continuation(string(helloFixed[3:]))))
	add("7.2.3.2: the second message refers to the first", []message{hello, hello},
		frames(compressed(opText, helloFixed), compressed(opText, helloShared))).open.deflate.shares = true
	add("7.2.3.3: a stored block", []message{hello}, frames(compressed(opText, helloStored)))
	add("7.2.3.4: a block with BFINAL set", []message{hello}, frames(compressed(opText, helloFinal)))
	add("7.2.3.5: two blocks", []message{hello}, frames(compressed(opText, helloBlocks)))
	add("a block with codes of its own", one(text("abababab")), frames(compressed(opText, helloDynamic)))
	add("an empty message: one byte, 00", one(text("")), frames(compressed(opText, []byte{0})))
	add("an empty message: 02 00", one(text("")), frames(compressed(opText, []byte{0x02, 0x00})))
	add("7.2.3.4, then another message", []message{hello, hello},
		frames(compressed(opText, helloFinal), compressed(opText, helloFixed)))
	add("all kinds of blocks, message by message", []message{hello, hello, textMessage("abababab"), hello},
		frames(compressed(opText, helloFixed), compressed(opText, helloStored), compressed(opText, helloDynamic), compressed(opText, helloBlocks)))
	add("a hundred empty blocks before the data", []message{hello},
		frames(compressed(opText, append(bytes.Repeat([]byte{0, 0, 0, 0xFF, 0xFF}, 100), helloFixed...))))
	add("a stored block of 65535 bytes", []message{binaryMessage(someBinary(65535))},
		frames(compressed(opBinary, append(append([]byte{0, 0xFF, 0xFF, 0, 0}, someBinary(65535)...), 0))))

	b.inDeflate("7.2.2", "a compressed message that is no DEFLATE data cannot be decompressed: the connection fails")
	for _, bad := range []struct {
		what string
		p    []byte
	}{
		{"a block of the undefined kind 3", []byte{0x06, 0x00}},
		{"a stored block whose complement is wrong", []byte{0x00, 0x05, 0x00, 0x00, 0x00, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}},
		{"a distance before the first byte", beforeFirst()},
		{"a stored block cut short", []byte{0x00, 0x64, 0x00, 0x9b, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f}},
		{"codes that are oversubscribed", append([]byte{0x04, 0x00}, bytes.Repeat([]byte{0x49, 0x92, 0x24}, 20)...)},
		{"FF throughout", bytes.Repeat([]byte{0xFF}, 20)},
	} {
		c := b.fails(bad.what, 1007, frames(compressed(opBinary, bad.p)))
		c.want.strict = []int{1002, 1007}
		c.open.deflate = &deflateOpening{offer: plainOffer, answer: "permessage-deflate"}
		c.Offer = plainOffer
	}
}

func compressedFrames(b *builder) {
	with := func(c *Case) *Case {
		c.open.deflate = &deflateOpening{offer: plainOffer, answer: "permessage-deflate"}
		c.Offer = plainOffer
		return c
	}
	hello := textMessage("Hello")
	a, z := helloFixed[:3], string(helloFixed[3:])
	first := compressed(opText, a).notFinal()

	b.inDeflate("6", "the \"Per-Message Compressed\" bit, RSV1, is set in a message's first frame only")
	with(b.fails("RSV1 in a continuation frame", 1002, frames(first, continuation(z).withRSV(rsv1))))
	with(b.fails("RSV1 in a continuation frame of an uncompressed message", 1002, frames(text("Hel").notFinal(), continuation("lo").withRSV(rsv1))))
	for _, f := range []frame{ping("Hello"), pong("Hello"), closing(1000, "")} {
		with(b.fails(f.withRSV(rsv1).String(), 1002, frames(f.withRSV(rsv1))))
		with(b.fails("inside a compressed message: "+f.withRSV(rsv1).String(), 1002, frames(first, f.withRSV(rsv1))))
	}
	for _, bits := range []byte{rsv2, rsv3, rsv2 | rsv3} {
		with(b.fails(compressed(opText, helloFixed).withRSV(bits).String(), 1002, frames(compressed(opText, helloFixed).withRSV(bits))))
		with(b.fails(text("Hello").withRSV(bits).String(), 1002, frames(text("Hello").withRSV(bits))))
	}

	b.inDeflate("6.1", "An endpoint may send a message uncompressed: RSV1 clear")
	with(b.echo("an uncompressed message", []message{hello}, frames(text("Hello"))))
	with(b.echo("compressed and uncompressed in turn", []message{hello, hello, hello, hello},
		frames(compressed(opText, helloFixed), text("Hello"), compressed(opText, helloFixed), text("Hello"))))
	with(b.echo("an uncompressed message leaves the window alone", []message{hello, textMessage("other"), hello},
		frames(compressed(opText, helloFixed), text("other"), compressed(opText, helloShared)))).open.deflate.shares = true
	with(b.echo("an empty uncompressed message", one(text("")), frames(text(""))))

	b.inDeflate("6.1", "the payload is cut into frames after compression: control frames may come between")
	c := with(b.pinged("a Ping between two compressed fragments", []string{"between"}, frames(first, ping("between"), continuation(z))))
	c.want.messages = []message{hello}
	with(b.echo("empty fragments before, between and after", []message{hello}, frames(compressed(opText, nil).notFinal(),
		continuation(string(a)).notFinal(), continuation("").notFinal(), continuation(z).notFinal(), continuation(""))))
	with(b.echo("a frame for each byte", []message{hello}, frames(oneByteFrames(helloFixed)...)))
	with(b.echo("a frame for each byte, in pieces of one byte", []message{hello}, frames(oneByteFrames(helloFixed)...).pieces(1)))
	with(b.closes("a Close between two compressed fragments", []int{1000}, frames(first, closing(1000, ""), continuation(z))))

	b.inDeflate("6.2", "what has been decompressed obeys RFC 6455, 5.6 and 8.1: text is UTF-8")
	for _, bad := range illFormed[:16] {
		p := NewDeflater(15, false).Message([]byte("ab" + bad.bytes + "yz"))
		with(b.fails("compressed text: "+bad.what, 1007, frames(compressed(opText, p))))
	}
	p := NewDeflater(15, false).Message([]byte("ab\xE6\xBC"))
	with(b.fails("compressed text that ends with E6 BC", 1007, frames(compressed(opText, p))))
	with(b.echo("ill-formed text in a compressed binary message", []message{binaryMessage([]byte("ab\xE6\xBC"))}, frames(compressed(opBinary, p))))

	b.inDeflate("8", "a message that inflates past the limit is refused, however few its bytes on the wire")
	for _, of := range []int{0, 1024} {
		c := with(b.tooBig(fmt.Sprintf("64 MiB of zeros, compressed, in frames of %d bytes (0: one)", of), bomb{of}))
		c.heavy = true
	}
}

// bomb sends 64 MiB of zeros in 413 KiB.
type bomb struct{ size int }

// bombMatches is how many matches of 258 zeros each follow the first.
const bombMatches = 64<<20/258 + 1

func (q bomb) frames(matches int) []frame {
	d := &Deflater{}
	d.put(0b010, 3)
	d.literal(0)
	for range matches {
		d.match(258, 1)
	}
	d.end()
	var at []int
	for i := q.size; q.size > 0 && i < len(d.out); i += q.size {
		at = append(at, i)
	}
	f := fragments(message{opBinary, d.out}, at...)
	f[0].rsv = rsv1
	return f
}

func (q bomb) play(s *session) error {
	return s.writePieces(send{frames: q.frames(bombMatches)}.bytes(s.masks(), s.at), nil, 0)
}

func (q bomb) show(masks bool, at int) string {
	return "64 MiB of zeros, 258 a match; with 100 matches: " + send{frames: q.frames(100)}.show(masks, at)
}

// beforeFirst is a match at distance 100 where nothing has been sent yet.
func beforeFirst() []byte {
	d := &Deflater{}
	d.put(0b010, 3)
	d.literal('a')
	d.match(3, 100)
	d.end()
	return d.out
}

func oneByteFrames(p []byte) []frame {
	at := make([]int, len(p)-1)
	for i := range at {
		at[i] = i + 1
	}
	f := fragments(message{opText, p}, at...)
	f[0].rsv = rsv1
	return f
}
