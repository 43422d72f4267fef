package sim

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A raw peer keeps no rules: it writes what its script says.
type raw struct {
	world  *world
	conn   net.Conn
	end    *end
	draw   random
	masks  bool // it is the client
	script []segment

	reads    string        // always, never, first, late: what it reads of what it is sent
	lateness chan struct{} // closed when a peer that reads late begins
	answers  bool          // it answers our Close, and our Pings
	finally  string        // silence, EOF, half, reset
	inDebt   bool          // it has begun a message and not ended it
	controls bool          // the script has nothing but control frames
	flooded  bool          // the script has more data than the read-ahead holds
}

// A segment is a part of a script.
type segment struct {
	what  string
	after time.Duration
	bytes []byte
}

// frameOf encodes a frame as the raw peer's role must.
func (r *raw) frameOf(first byte, p []byte) []byte {
	return r.encode(first, p, r.masks, 0)
}

// encode encodes a frame. form is how the length is written: 0 for the shortest, or
// 16 or 64 bits.
func (r *raw) encode(first byte, p []byte, masked bool, form int) []byte {
	h := wiretest.First(first)
	h.Masked, h.Length, h.LengthForm = masked, uint64(len(p)), form
	if masked {
		h.Key = [4]byte{byte(r.draw.Uint32()), byte(r.draw.Uint32()), byte(r.draw.Uint32()), byte(r.draw.Uint32())}
	}
	b := h.Append(nil)
	n := len(b)
	b = append(b, p...)
	h.Mask(b[n:])
	return b
}

func (r *raw) random(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.draw.Uint32())
	}
	return p
}

var texts = []string{"", "a", "κόσμε", "日本語", "😀 and more", "the same again and again and again", "\x00\x7f", "\uFFFF"}

func (r *raw) text() []byte {
	s := ""
	for range r.draw.between(0, 8) {
		s += one(r.draw, texts...)
	}
	return []byte(s)
}

// legal returns some legal frames.
func (r *raw) legal() segment {
	switch r.draw.IntN(7) {
	case 0, 1:
		return segment{what: "text", bytes: r.frameOf(0x81, r.text())}
	case 2:
		n := one(r.draw, 0, 1, 125, 126, 127, 1000, 5000, 65535, 65536)
		return segment{what: fmt.Sprintf("binary of %d", n), bytes: r.frameOf(0x82, r.random(n))}
	case 3:
		return segment{what: "Ping", bytes: r.frameOf(0x89, r.random(one(r.draw, 0, 4, 8, 125)))}
	case 4:
		return segment{what: "Pong", bytes: r.frameOf(0x8A, r.random(one(r.draw, 0, 8)))}
	default:
		text := []byte(strings.Repeat("añ€😀", r.draw.between(1, 6)))
		first := byte(0x01)
		var b []byte
		parts := r.draw.between(2, 6)
		for i := range parts {
			n := len(text) / (parts - i)
			b = append(b, r.frameOf(first, text[:n])...)
			text, first = text[n:], 0x00
			if i == parts-2 {
				first = 0x80
			}
			if r.draw.chance(30) {
				b = append(b, r.frameOf(0x89, r.random(3))...)
			}
		}
		return segment{what: "a fragmented text with pings between", bytes: b}
	}
}

// illegal returns frames that break the protocol.
func (r *raw) illegal() segment {
	p := r.random(r.draw.between(0, 100))
	seg := func(what string, parts ...[]byte) segment {
		var b []byte
		for _, part := range parts {
			b = append(b, part...)
		}
		return segment{what: what, bytes: b}
	}
	closing := func(code int, reason string) []byte {
		return r.frameOf(0x88, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
	}
	all := []func() segment{
		func() segment { return seg("RSV1", r.frameOf(0xC2, p)) },
		func() segment { return seg("RSV2", r.frameOf(0xA1, nil)) },
		func() segment { return seg("RSV3", r.frameOf(0x92, p)) },
		func() segment { return seg("RSV1 on a Ping", r.frameOf(0xC9, p)) },
		func() segment { return seg("reserved data opcode", r.frameOf(0x80|byte(r.draw.between(3, 7)), p)) },
		func() segment { return seg("reserved control opcode", r.frameOf(0x80|byte(r.draw.between(11, 15)), p)) },
		func() segment { return seg("wrong mask", r.encode(0x82, p, !r.masks, 0)) },
		func() segment { return seg("wrong mask on a Ping", r.encode(0x89, p, !r.masks, 0)) },
		func() segment {
			return seg("long control", r.frameOf(one[byte](r.draw, 0x88, 0x89, 0x8A), r.random(126)))
		},
		func() segment { return seg("fragmented control", r.frameOf(one[byte](r.draw, 0x08, 0x09, 0x0A), nil)) },
		func() segment { return seg("length in 16 bits", r.encode(0x82, p, r.masks, 16)) },
		func() segment { return seg("length in 64 bits", r.encode(0x82, p, r.masks, 64)) },
		func() segment { return seg("a Ping's length in 16 bits", r.encode(0x89, p, r.masks, 16)) },
		func() segment { return r.lie("top bit of the length", 1<<63+5) },
		func() segment { return r.lie("a length of all ones", 1<<64-1) },
		func() segment { return seg("continuation of nothing", r.frameOf(one[byte](r.draw, 0x80, 0x00), p)) },
		func() segment {
			return seg("message inside a message", r.frameOf(0x02, p), r.frameOf(one[byte](r.draw, 0x81, 0x01, 0x82), nil))
		},
		func() segment {
			return seg("not UTF-8", r.frameOf(0x81, []byte(one(r.draw, "a\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "ok \x80"))))
		},
		func() segment {
			return seg("not UTF-8, over two frames", r.frameOf(0x01, []byte("a\xe2\x82")), r.frameOf(0x80, []byte(one(r.draw, "", "a", "\x7f"))))
		},
		func() segment {
			return seg("not UTF-8, followed by a Ping", r.frameOf(0x01, []byte("\xf0\x9f\x98")), r.frameOf(0x89, nil), r.frameOf(0x00, []byte("\x41")), r.frameOf(0x80, nil))
		},
		func() segment { return seg("Close of one byte", r.frameOf(0x88, []byte{3})) },
		func() segment {
			code := one(r.draw, 0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
			return seg(fmt.Sprintf("Close with %d", code), closing(code, ""))
		},
		func() segment { return seg("Close whose reason is not UTF-8", closing(1000, "\xc3\x28")) },
	}
	return all[r.draw.IntN(len(all))]()
}

// lie returns the header of a frame that claims a length, and a few bytes.
func (r *raw) lie(what string, length uint64) segment {
	h := wiretest.First(0x82)
	h.Length, h.LengthForm, h.Masked = length, 64, r.masks
	b := h.Append(nil)[:h.LengthEnd()] // the random bytes are its masking key, too
	return segment{what: what, bytes: append(b, r.random(40)...)}
}

// write draws the script.
func (r *raw) write(limit int64) {
	add := func(s segment) {
		s.after = r.draw.upTo(one(r.draw, time.Microsecond, time.Millisecond, 100*time.Millisecond, 3*time.Second))
		r.script = append(r.script, s)
	}
	for range r.draw.between(0, 4) {
		add(r.legal())
	}
	switch n := r.draw.IntN(100); {
	case n < 40:
		add(r.illegal())
	case n < 55:
		code := one(r.draw, 1000, 1001, 1011, 3000, 4999)
		payload := append(binary.BigEndian.AppendUint16(nil, uint16(code)), one(r.draw, "", "bye", "日本")...)
		if r.draw.chance(20) {
			payload = nil
		}
		add(segment{what: "Close", bytes: r.frameOf(0x88, payload)})
		switch r.draw.IntN(5) {
		case 0:
			add(segment{what: "second Close", bytes: r.frameOf(0x88, []byte{0x0F, 0xA0})})
		case 1:
			add(r.legal())
		case 2:
			add(r.illegal())
		}
		return
	case n < 60:
		b := r.frameOf(0x01, []byte("x"))
		for range r.draw.between(100, 6000) {
			b = append(b, r.frameOf(0x00, nil)...)
		}
		add(segment{what: "empty fragments", bytes: b})
		r.inDebt = true
		return
	case n < 68:
		r.script, r.controls = nil, true
		var b []byte
		for i := range r.draw.between(100, 3000) {
			b = append(b, r.frameOf(0x89, append([]byte(fmt.Sprint(i, " ")), make([]byte, 100)...))...)
		}
		add(segment{what: "a flood of Pings", bytes: b})
		return
	case n < 76:
		var b []byte
		size := one(r.draw, 0, 1, 100, 5000, 65536)
		for len(b) < 300_000 {
			b = append(b, r.frameOf(0x82, r.random(size))...)
		}
		r.flooded = true
		add(segment{what: fmt.Sprintf("a flood of messages of %d", size), bytes: b})
	case n < 82:
		whole := r.frameOf(one[byte](r.draw, 0x82, 0x01, 0x89, 0x88), []byte("\x03\xe8 half"))
		add(segment{what: "half a frame", bytes: whole[:r.draw.between(1, len(whole)-1)]})
		r.inDebt = true
		return
	case n < 88:
		claim := one(r.draw, limit, limit+1, 1<<40, 1<<62)
		s := r.lie(fmt.Sprintf("a length of %d", claim), uint64(claim))
		add(s)
		r.inDebt = true
		return
	case n < 91:
		// Each fragment is within the limit, the message is not.
		first := byte(0x02)
		var b []byte
		for total := int64(0); total <= limit; total += limit / 4 {
			b = append(b, r.frameOf(first, make([]byte, limit/4+1))...)
			first = 0x00
		}
		r.flooded, r.inDebt = true, true
		add(segment{what: "fragments over the limit", bytes: b})
		return
	case n < 95:
		add(segment{what: "garbage", bytes: r.random(r.draw.between(1, 300))})
		r.inDebt = true
		return
	}
	for range r.draw.between(0, 3) {
		add(r.legal())
	}
}
