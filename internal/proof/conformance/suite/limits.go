package suite

import "fmt"

func limits(b *builder) {
	b.in("5.4", "The primary purpose of fragmentation is to allow sending a message that is of unknown size when the message is started without having to buffer that message.")
	sizes := []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, largest}
	for _, opcode := range []byte{opBinary, opText} {
		for _, size := range sizes {
			for _, of := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
				if opcode == opText && size == largest && of != 64 && of != 64<<10 {
					continue // the same bytes 16 MiB at a time: the ends are enough
				}
				m := contentOf(opcode, size)
				b.echo(fmt.Sprintf("a %s message of %d KiB in frames of %d bytes", opcodeNames[opcode], size>>10, of),
					nil, stream{m, of}).large(m)
			}
		}
	}
	b.in("5.2", "the following 8 bytes interpreted as a 64-bit unsigned integer … are the payload length")
	for _, opcode := range []byte{opBinary, opText} {
		for _, size := range sizes {
			m := contentOf(opcode, size)
			b.echo(fmt.Sprintf("a %s message of %d KiB in one frame", opcodeNames[opcode], size>>10),
				nil, stream{m, size}).large(m)
		}
	}
	for _, size := range []int{64<<10 - 1, 64<<10 + 1, 1<<20 - 1, 1<<20 + 1, largest - 1} {
		m := contentOf(opBinary, size)
		b.echo(fmt.Sprintf("a binary message of %d bytes in one frame", size), nil, stream{m, size}).large(m)
	}

	b.in("5.4", "messages follow one another: none is held back by a limit meant for one")
	for _, size := range []int{64 << 10, 1 << 20} {
		m := contentOf(opBinary, size)
		c := b.echo(fmt.Sprintf("ten messages of %d KiB, each after the last one's echo", size>>10), nil)
		for i := range 10 {
			c.steps = append(c.steps, stream{m, size/2 + 1}, await{i + 1, 0})
			c.want.messages = append(c.want.messages, m)
		}
		c.heavy = size > 64<<10
	}
	m := contentOf(opBinary, 1<<20)
	c := b.pinged("a Ping after 1 MiB without FIN is answered before the message ends", []string{"between"},
		frames(whole(m).notFinal()), frames(ping("between")), await{0, 1}, frames(continuation("")))
	c.want.messages, c.heavy = []message{m}, true

	b.in("10.4", "Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size … MUST protect themselves against exceeding those limits.")
	for _, n := range []uint64{1 << 30, 1 << 32, 1 << 40, 1 << 62, 1<<63 - 1} {
		b.tooBig(fmt.Sprintf("a binary frame that declares %d bytes", n), frames(binaryFrame([]byte("a few")).declaring(n)))
		b.tooBig(fmt.Sprintf("a text frame that declares %d bytes", n), frames(text("a few").declaring(n)))
	}
	b.tooBig("a last fragment that declares 2^63-1 bytes, so that a sum would overflow",
		frames(binaryFrame([]byte("a few")).notFinal(), continuation("more").declaring(1<<63-1)))

	b.in("10.4", "… the total message size after reassembly from multiple frames: a limit on each frame is none")
	for _, of := range []int{64 << 10, 1 << 20} {
		times := 65 << 20 / of
		b.tooBig(fmt.Sprintf("a binary message of 65 MiB in frames of %d KiB", of>>10), repeated{someBinary(of), times}).heavy = true
	}
	b.in("10.4", "a message of fragments that carry nothing never ends and counts for no limit on sizes")
	c = b.tooBig("a binary message of 262144 empty fragments", repeated{nil, 1 << 18})
	c.want.strict = []int{1009, 1008}
	slowReader(b)
}

// slowReader has cases in which the suite does not read for a while, so that the
// endpoint's answers, and what it has to do besides, queue up.
func slowReader(b *builder) {
	b.in("5.4", "a peer that does not read for a while makes an endpoint wait: nothing is lost, doubled or exchanged")
	m := contentOf(opBinary, largest)
	held := func(what string, c *Case, messages ...message) {
		c.Name = "16 MiB that are not read for a moment, behind them " + what
		c.want.messages = append([]message{m}, messages...)
		c.heavy = true
	}
	behind := func(f ...frame) unread { return unread{[]step{stream{m, largest}, frames(f...)}} }
	var some []message
	var out []frame
	for i := range 300 {
		some = append(some, message{opText, fmt.Appendf(someText(i), "message %d", i)})
		out = append(out, whole(some[i]))
	}
	held("three messages", b.echo("", nil, behind(out[:3]...)), some[:3]...)
	held("300 messages", b.echo("", nil, behind(out...)), some...)
	held("a Ping", b.pinged("", []string{"p"}, behind(ping("p"))))
	held("Pings between messages", b.pinged("", []string{"a", "b"}, behind(ping("a"), out[0], ping("b"), out[1])), some[:2]...)
	b.cases[len(b.cases)-1].want.newest = true
	c := b.closes("", []int{1000}, behind(closing(1000, "")))
	held("a Close", c)
	c.want.anyPrefix = true
	c = b.fails("", 1002, behind(out[0], out[1], text("Hello").withRSV(rsv2)))
	held("two messages and an illegal frame", c, some[:2]...)
	c.want.anyPrefix = true
	c = b.closes("", []int{1000}, behind(out[0], ping("p"), closing(1000, "")))
	held("a message, a Ping and a Close", c, some[:1]...)
	c.want.pongs, c.want.anyPrefix = []string{"p"}, true

	b.in("10.4", "an endpoint that reads on though its answers are not read holds them all in memory")
	m = contentOf(opBinary, 1<<20)
	c = b.echo("64 messages of 1 MiB, whose echoes are not read until the endpoint reads no further", nil, flood{m, 64})
	for range 64 {
		c.want.messages = append(c.want.messages, m)
	}
	c.heavy = true
}

// tooBig adds a case beyond the limit that an endpoint should have.
func (b *builder) tooBig(name string, steps ...step) *Case {
	return b.add(Case{Name: name, steps: steps, want: want{ending: tooBig, strict: []int{1009}}})
}

// large sets the message a case echoes and how it is scheduled.
func (c *Case) large(m message) *Case {
	c.want.messages = []message{m}
	c.heavy = len(m.data) >= 1<<20
	return c
}

// contentOf shares the content of all large messages.
func contentOf(opcode byte, n int) message {
	if opcode == opBinary {
		return binaryMessage(someBinary(n))
	}
	return sharedText(n)
}
