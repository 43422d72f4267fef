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
