package suite

import "fmt"

func fragmentation(b *builder) {
	for _, opcode := range []byte{opText, opBinary} {
		b.in("5.4", "A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set and an opcode of 0.")
		m := message{opcode, []byte("Hello, fragments!")}
		name := opcodeNames[opcode]
		cuts := []struct {
			what string
			at   []int
		}{
			{"in two fragments", []int{5}}, {"in three fragments", []int{3, 9}},
			{"in a fragment per byte", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
			{"with an empty first fragment", []int{0}}, {"with an empty last fragment", []int{17}},
			{"with an empty fragment in the middle", []int{5, 5}},
			{"with only its middle fragment not empty", []int{0, 17}},
			{"with 100 empty fragments in the middle", repeat(5, 101)},
		}
		for _, c := range cuts {
			b.echo(fmt.Sprintf("a %s message %s", name, c.what), []message{m}, frames(fragments(m, c.at...)...))
		}
		for _, c := range cuts[:6] {
			b.echo(fmt.Sprintf("a %s message %s, in pieces of one byte", name, c.what), []message{m}, frames(fragments(m, c.at...)...).pieces(1))
		}
		empty := message{opcode, nil}
		b.echo(fmt.Sprintf("an empty %s message in two fragments", name), []message{empty}, frames(fragments(empty, 0)...))
		b.echo(fmt.Sprintf("an empty %s message in ten fragments", name), []message{empty}, frames(fragments(empty, repeat(0, 9)...)...))
		for _, n := range []int{125, 126, 65535, 65536} {
			m := someMessage(opcode, 2*n+1)
			b.echo(fmt.Sprintf("a %s message in fragments of %d, %d and 1 bytes", name, n, n), []message{m}, frames(fragments(m, n, 2*n)...))
		}
	}
	betweenFragments(b)
	wrongFragments(b)

	b.in("5.4", "a sender MAY create fragments of any size")
	var all []message
	var out []frame
	for i := range 50 {
		m := someMessage([]byte{opText, opBinary}[i%2], i)
		all, out = append(all, m), append(out, fragments(m, i/3, i/2)...)
	}
	b.echo("50 messages of three fragments each, in one write", all, frames(out...))
	b.echo("50 messages of three fragments each, in pieces of 11 bytes", all, frames(out...).pieces(11))
	a, c := textMessage("Hello"), binaryMessage(someBinary(5))
	b.echo("fragmented, whole, fragmented", []message{a, c, a},
		frames(append(append(fragments(a, 2), whole(c)), fragments(a, 4)...)...))
	for _, n := range []int{2, 10, 1000} {
		m := someMessage(opBinary, n)
		at := make([]int, n-1)
		for i := range at {
			at[i] = i + 1
		}
		b.echo(fmt.Sprintf("a binary message in %d fragments of one byte", n), []message{m}, frames(fragments(m, at...)...))
	}
}

func repeat(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// betweenFragments injects control frames into messages.
func betweenFragments(b *builder) {
	b.in("5.4", "Control frames MAY be injected in the middle of a fragmented message.")
	for _, opcode := range []byte{opText, opBinary} {
		m := message{opcode, []byte("Hello")}
		f := fragments(m, 2, 4)
		name := opcodeNames[opcode]
		add := func(what string, pongs []string, s send) *Case {
			c := b.pinged(fmt.Sprintf("a %s message with %s", name, what), pongs, s)
			c.want.messages = []message{m}
			return c
		}
		p, q := ping("between"), ping("again")
		add("a Ping after its first fragment", []string{"between"}, frames(f[0], p, f[1], f[2]))
		add("a Ping after its second fragment", []string{"between"}, frames(f[0], f[1], p, f[2]))
		add("a Ping after its first fragment, in pieces of one byte", []string{"between"}, frames(f[0], p, f[1], f[2]).pieces(1))
		add("a Ping after each fragment", []string{"between", "again"}, frames(f[0], p, f[1], q, f[2])).want.newest = true
		add("two Pings after its first fragment", []string{"between", "again"}, frames(f[0], p, q, f[1], f[2])).want.newest = true
		add("an empty Ping after its first fragment", []string{""}, frames(f[0], ping(""), f[1], f[2]))
		add("a Ping of 125 bytes after its first fragment", []string{string(someBinary(125))}, frames(f[0], ping(string(someBinary(125))), f[1], f[2]))
		add("a Pong after its first fragment", nil, frames(f[0], pong("unasked"), f[1], f[2]))
		add("an empty Pong after its second fragment", nil, frames(f[0], f[1], pong(""), f[2]))

		c := b.pinged(fmt.Sprintf("a Ping inside a %s message is answered before the message ends", name), []string{"between"},
			frames(f[0], p), await{0, 1}, frames(f[1], f[2]))
		c.want.messages = []message{m}
	}

	b.in("5.5.1", "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame in response.")
	for _, code := range []int{1000, 1001, 3000} {
		b.closes(fmt.Sprintf("a Close %d after a first fragment", code), []int{code},
			frames(text("Hel").notFinal(), closing(code, "")))
	}
	b.closes("a Close between fragments, the rest of the message behind it", []int{1000},
		frames(text("Hel").notFinal(), closing(1000, ""), continuation("lo")))
	b.closes("a Close inside a message, in pieces of one byte", []int{1000},
		frames(text("Hel").notFinal(), closing(1000, "")).pieces(1))
	b.closes("a Close after an empty first fragment", []int{1000}, frames(text("").notFinal(), closing(1000, "")))
}

// wrongFragments sends fragments out of order.
func wrongFragments(b *builder) {
	hello := textMessage("Hello")
	b.in("5.4", "continuation frames carry on a message that has begun: without one, a continuation frame has no meaning")
	b.fails("a final continuation frame first", 1002, frames(continuation("lo")))
	b.fails("a continuation frame without FIN first", 1002, frames(continuation("lo").notFinal()))
	b.fails("an empty continuation frame first", 1002, frames(continuation("")))
	b.fails("a continuation frame first, a message behind it", 1002, frames(continuation("lo"), text("Hello")))
	b.fails("a continuation frame after a whole message", 1002, frames(text("Hello")), await{1, 0}, frames(continuation("lo"))).after(hello)
	b.fails("a continuation frame after a fragmented message", 1002,
		frames(fragments(hello, 2)...), await{1, 0}, frames(continuation("lo"))).after(hello)
	b.fails("a continuation frame after a Ping", 1002, frames(ping("p")), await{0, 1}, frames(continuation("lo"))).want.pongs = []string{"p"}
	b.fails("a continuation frame first, in pieces of one byte", 1002, frames(continuation("lo")).pieces(1))

	b.in("5.4", "the fragments of one message MUST NOT be interleaved between the fragments of another message")
	for _, first := range []frame{text("Hel"), binaryFrame([]byte("Hel"))} {
		for _, second := range []frame{text("Hello"), binaryFrame([]byte("Hello"))} {
			between := fmt.Sprintf("a whole %s frame inside a %s message", opcodeNames[second.opcode], opcodeNames[first.opcode])
			b.fails(between, 1002, frames(first.notFinal(), second))
			b.fails(between+", its end behind", 1002, frames(first.notFinal(), second, continuation("lo")))
			b.fails(fmt.Sprintf("a %s frame without FIN inside a %s message", opcodeNames[second.opcode], opcodeNames[first.opcode]), 1002,
				frames(first.notFinal(), second.notFinal()))
		}
	}
	b.fails("an empty text frame inside a text message", 1002, frames(text("Hel").notFinal(), text("")))
	b.fails("a text frame after the second fragment", 1002, frames(text("He").notFinal(), continuation("l").notFinal(), text("lo")))
	b.fails("a text frame after a Ping inside a message", 1002,
		frames(text("He").notFinal(), ping("p")), await{0, 1}, frames(text("lo"))).want.pongs = []string{"p"}
	b.fails("a text frame inside a message, in pieces of one byte", 1002, frames(text("Hel").notFinal(), text("lo")).pieces(1))
}
