package suite

import (
	"fmt"
	"strings"
)

// wellFormed is Unicode's table 3-7: each row's first and last sequence, and
// one from its middle where the row has one.
var wellFormed = []struct {
	row       string
	sequences []string
}{
	{"U+0000..U+007F", []string{"\x00", "\x41", "\x7F"}},
	{"U+0080..U+07FF", []string{"\xC2\x80", "\xC3\xA9", "\xDF\xBF"}},
	{"U+0800..U+0FFF", []string{"\xE0\xA0\x80", "\xE0\xA9\xA0", "\xE0\xBF\xBF"}},
	{"U+1000..U+CFFF", []string{"\xE1\x80\x80", "\xE6\xBC\xA2", "\xEC\xBF\xBF"}},
	{"U+D000..U+D7FF", []string{"\xED\x80\x80", "\xED\x95\x9C", "\xED\x9F\xBF"}},
	{"U+E000..U+FFFF", []string{"\xEE\x80\x80", "\xEF\xBB\xBF", "\xEF\xBF\xBF"}},
	{"U+10000..U+3FFFF", []string{"\xF0\x90\x80\x80", "\xF0\x9F\x98\x80", "\xF0\xBF\xBF\xBF"}},
	{"U+40000..U+FFFFF", []string{"\xF1\x80\x80\x80", "\xF2\xA0\xB0\x90", "\xF3\xBF\xBF\xBF"}},
	{"U+100000..U+10FFFF", []string{"\xF4\x80\x80\x80", "\xF4\x87\xBF\x80", "\xF4\x8F\xBF\xBF"}},
}

// illFormed sequences end with the first byte that cannot be.
var illFormed = []struct{ what, bytes string }{
	// No first byte.
	{"a continuation byte alone", "\x80"},
	{"the last continuation byte alone", "\xBF"},
	{"a continuation byte after a whole character", "\xC3\xA9\xA9"},
	{"first byte C0", "\xC0"},
	{"first byte C1", "\xC1"},
	{"first byte F5", "\xF5"},
	{"first byte F7", "\xF7"},
	{"first byte F8, of five", "\xF8"},
	{"first byte FB", "\xFB"},
	{"first byte FC, of six", "\xFC"},
	{"first byte FD", "\xFD"},
	{"first byte FE", "\xFE"},
	{"first byte FF", "\xFF"},
	// A second byte out of its row's range.
	{"C2 and a byte below the range", "\xC2\x7F"},
	{"C2 and a byte above the range", "\xC2\xC0"},
	{"DF and a byte below the range", "\xDF\x7F"},
	{"DF and a byte above the range", "\xDF\xC0"},
	{"E0 and a byte below the range: overlong, the largest", "\xE0\x9F"},
	{"E0 80: overlong, the smallest", "\xE0\x80"},
	{"E0 and a byte above the range", "\xE0\xC0"},
	{"E1 and a byte below the range", "\xE1\x7F"},
	{"E1 and a byte above the range", "\xE1\xC0"},
	{"EC and a byte below the range", "\xEC\x7F"},
	{"EC and a byte above the range", "\xEC\xC0"},
	{"ED A0: the surrogate U+D800", "\xED\xA0"},
	{"ED AD: the surrogate U+DB40", "\xED\xAD"},
	{"ED AF: the surrogate U+DBFF", "\xED\xAF"},
	{"ED B0: the surrogate U+DC00", "\xED\xB0"},
	{"ED BE: the surrogate U+DF80", "\xED\xBE"},
	{"ED BF: the surrogate U+DFFF", "\xED\xBF"},
	{"ED and a byte below the range", "\xED\x7F"},
	{"ED and a byte above the range", "\xED\xC0"},
	{"EE and a byte below the range", "\xEE\x7F"},
	{"EE and a byte above the range", "\xEE\xC0"},
	{"EF and a byte below the range", "\xEF\x7F"},
	{"EF and a byte above the range", "\xEF\xC0"},
	{"F0 80: overlong, the smallest", "\xF0\x80"},
	{"F0 8F: overlong, the largest", "\xF0\x8F"},
	{"F0 and a byte above the range", "\xF0\xC0"},
	{"F1 and a byte below the range", "\xF1\x7F"},
	{"F3 and a byte above the range", "\xF3\xC0"},
	{"F4 90: beyond U+10FFFF", "\xF4\x90"},
	{"F4 BF: beyond U+10FFFF", "\xF4\xBF"},
	{"F4 and a byte below the range", "\xF4\x7F"},
	// A later byte out of its range, the character cut off by another.
	{"E0 A0 and a byte below the range", "\xE0\xA0\x7F"},
	{"E1 80 and a byte above the range", "\xE1\x80\xC0"},
	{"ED 9F and a byte below the range", "\xED\x9F\x7F"},
	{"EF BF and a byte above the range", "\xEF\xBF\xC0"},
	{"F0 90 and a byte below the range", "\xF0\x90\x7F"},
	{"F0 90 80 and a byte below the range", "\xF0\x90\x80\x7F"},
	{"F1 80 and a byte above the range", "\xF1\x80\xC0"},
	{"F4 8F BF and a byte above the range", "\xF4\x8F\xBF\xC0"},
	{"a character of two cut off by ASCII", "\xC3A"},
	{"a character of three cut off by ASCII", "\xE6\xBCA"},
	{"a character of four cut off by ASCII", "\xF0\x9F\x98A"},
	{"a character cut off by another", "\xE6\xBC\xE6"},
	{"a pair of surrogates", "\xED\xA0\xBD\xED\xB8\x80"},
}

func utf8Cases(b *builder) {
	b.in("5.6", "The \"Payload data\" is text data encoded as UTF-8.")
	for _, row := range wellFormed {
		for _, seq := range row.sequences {
			m := textMessage("ab" + seq + "yz")
			b.echo(fmt.Sprintf("% X of row %s", seq, row.row), []message{m}, frames(whole(m)))
		}
	}
	m := textMessage("Hello-µ@ßöäüàá-UTF-8!! 漢字 😀")
	b.echo("text of all lengths of characters", []message{m}, frames(whole(m)))
	m = textMessage("\uFEFFHello")
	b.echo("text that begins with U+FEFF", []message{m}, frames(whole(m)))
	m = textMessage("\uFDD0\uFDEF\uFFFE\uFFFF\U0001FFFE\U0001FFFF\U0010FFFE\U0010FFFF")
	b.echo("noncharacters, which are well-formed", []message{m}, frames(whole(m)))
	var all strings.Builder
	for r := rune(0); r <= 0x10FFFF; r += 61 {
		if r < 0xD800 || r > 0xDFFF {
			all.WriteRune(r)
		}
	}
	m = textMessage(all.String())
	b.echo("every 61st character of Unicode", []message{m}, frames(whole(m)))
	b.echo("every 61st character of Unicode in frames of 7 bytes", []message{m}, stream{m, 7})

	b.in("5.6", "Note that a particular text frame might include a partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8.")
	for _, row := range wellFormed {
		for _, seq := range []string{row.sequences[0], row.sequences[len(row.sequences)-1]} {
			m := textMessage("a" + seq + "z")
			for at := 2; at <= len(seq); at++ {
				b.echo(fmt.Sprintf("% X cut into frames after its byte %d", seq, at-1), []message{m}, frames(fragments(m, at)...))
				b.echo(fmt.Sprintf("% X cut into frames after its byte %d, a Pong between", seq, at-1), []message{m},
					frames(fragments(m, at)[0], pong("between"), fragments(m, at)[1]))
			}
			if len(seq) > 1 {
				b.echo(fmt.Sprintf("% X in pieces of one byte", seq), []message{m}, frames(whole(m)).pieces(1))
				b.echo(fmt.Sprintf("% X in frames of one byte", seq), []message{m}, stream{m, 1})
			}
		}
	}

	const rule = "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
	b.in("8.1", rule)
	for _, bad := range illFormed {
		b.fails("in one frame: "+bad.what, 1007, frames(text("ab"+bad.bytes+"yz")))
	}
	truncated(b, rule)

	b.in("8.1", "fail-fast at the frame: the message is not over, but nothing that follows can mend it")
	for _, bad := range illFormed {
		first := frames(text("ab" + bad.bytes).notFinal())
		b.fails("in a first fragment: "+bad.what, 1007, first, awaitFailure{}, frames(continuation("yz")))
	}
	b.in("8.1", "fail-fast at the byte: the frame is not over, but nothing that follows can mend it")
	for _, bad := range illFormed {
		all := frames(text("ab" + bad.bytes + "yyyyyyyyzzzzzzzz"))
		begun := all.only(-16)
		b.fails("in a frame begun: "+bad.what, 1007, begun, awaitFailure{}, rest{begun, 0})
	}
	for _, bad := range illFormed[:8] {
		all := frames(text(strings.Repeat("x", 70000) + bad.bytes + "yyyyyyyyzzzzzzzz"))
		begun := all.only(-16)
		b.fails("after 70000 bytes: "+bad.what, 1007, begun, awaitFailure{}, rest{begun, 0})
	}

	b.in("8.1", "fail-fast where a character is cut by fragments")
	for _, bad := range illFormed {
		n := len(bad.bytes)
		if n < 2 {
			continue
		}
		f := fragments(textMessage("ab"+bad.bytes), 2+n-1)
		f[1].fin = false
		b.fails("its last byte in the next frame: "+bad.what, 1007, frames(f...), awaitFailure{}, frames(continuation("yz")))
	}

	b.in("5.6", "The \"Payload data\" is arbitrary binary data whose interpretation is solely up to the application layer.")
	for _, bad := range illFormed[:12] {
		m := binaryMessage([]byte("ab" + bad.bytes + "yz"))
		b.echo("ill-formed text in a binary message: "+bad.what, []message{m}, frames(whole(m)))
	}
	m = binaryMessage([]byte("ab\xE6\xBC"))
	b.echo("a binary message in two frames, then a text message: no state is kept",
		[]message{m, textMessage("漢")}, frames(append(fragments(m, 3), text("漢"))...))
}

// truncated messages end within a character.
func truncated(b *builder, rule string) {
	b.in("8.1", rule)
	for _, row := range wellFormed[1:] {
		seq := row.sequences[1]
		for n := 1; n < len(seq); n++ {
			part := seq[:n]
			b.fails(fmt.Sprintf("a message that ends with % X", part), 1007, frames(text("ab"+part)))
			b.fails(fmt.Sprintf("a message that ends with % X, its last frame empty", part), 1007,
				frames(text("ab"+part).notFinal(), continuation("")))
		}
		b.fails(fmt.Sprintf("% X begun in one message and ended in the next", seq), 1007,
			frames(text(seq[:1]), text(seq[1:])))
	}
}
