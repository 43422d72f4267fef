package suite

import (
	"fmt"
	"strings"
)

func reserved(b *builder) {
	b.in("5.2", "RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated that defines meanings for non-zero values. If a nonzero value is received …, the receiving endpoint MUST _Fail the WebSocket Connection_.")
	of := []frame{
		text("Hello"), binaryFrame([]byte("Hello")), ping("Hello"), pong("Hello"), closing(1000, ""),
	}
	for rsv := byte(1); rsv <= 7; rsv++ {
		bits := rsv << 4
		for _, f := range of {
			b.fails(f.withRSV(bits).String(), 1002, frames(f.withRSV(bits)))
		}
		b.fails("in a message begun without: "+continuation("lo").withRSV(bits).String(), 1002,
			frames(text("Hel").notFinal(), continuation("lo").withRSV(bits)))
	}
	for i, bit := range []byte{rsv1, rsv2, rsv3} {
		hello := textMessage("Hello")
		b.fails(fmt.Sprintf("a message, and after its echo one with RSV%d", i+1), 1002,
			frames(text("Hello")), await{1, 0}, frames(text("Hello").withRSV(bit))).after(hello)
		b.fails(fmt.Sprintf("an empty text frame with RSV%d", i+1), 1002, frames(text("").withRSV(bit)))
		b.fails(fmt.Sprintf("a text frame with RSV%d in pieces of one byte", i+1), 1002, frames(text("Hello").withRSV(bit)).pieces(1))
	}

	opcodes := []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF}
	b.in("5.2", "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.")
	for _, op := range opcodes {
		b.fails(fmt.Sprintf("an empty frame with opcode 0x%X", op), 1002, frames(frame{fin: true, opcode: op}))
	}
	for _, op := range opcodes {
		b.fails(fmt.Sprintf("a frame with opcode 0x%X and a payload", op), 1002, frames(frame{fin: true, opcode: op, payload: []byte("Hello")}))
	}
	for _, op := range opcodes {
		b.fails(fmt.Sprintf("a message, and after its echo opcode 0x%X", op), 1002,
			frames(text("Hello")), await{1, 0}, frames(frame{fin: true, opcode: op}, ping("late"))).after(textMessage("Hello"))
	}
	for _, op := range opcodes {
		b.fails(fmt.Sprintf("opcode 0x%X inside a fragmented message", op), 1002,
			frames(text("Hel").notFinal(), frame{fin: true, opcode: op, payload: []byte("x")}, continuation("lo")))
	}
	for _, op := range opcodes {
		b.fails(fmt.Sprintf("opcode 0x%X without FIN, in pieces of one byte", op), 1002,
			frames(frame{opcode: op, payload: []byte("Hello")}).pieces(1))
	}
	b.fails("a long frame with opcode 0x3", 1002, frames(frame{fin: true, opcode: 3, payload: []byte(strings.Repeat("x", 70000))}))
}
