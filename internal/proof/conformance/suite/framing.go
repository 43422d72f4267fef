package suite

import "fmt"

// lengthClasses has every form of the length field with its neighbours, and
// the sizes around which buffers are cut.
var lengthClasses = []int{
	0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 63, 64, 65, 124, 125, 126, 127, 128, 129, 254, 255, 256, 257,
	1023, 1024, 4095, 4096, 4097, 32767, 32768, 65534, 65535, 65536, 65537, 131072,
	8191, 8192, 8193, 16383, 16384, 16385,
}

func framing(b *builder) {
	for _, opcode := range []byte{opText, opBinary} {
		b.in("5.2", "The length of the \"Payload data\", in bytes: if 0-125, that is the payload length. If 126, the following 2 bytes … If 127, the following 8 bytes …")
		for _, n := range lengthClasses {
			m := someMessage(opcode, n)
			b.echo(fmt.Sprintf("a %s message of %d bytes", opcodeNames[opcode], n), []message{m}, frames(whole(m)))
		}
	}
	chops(b)

	b.in("5.4", "the fragments of one message MUST NOT be interleaved between the fragments of another message")
	for _, n := range []int{2, 10, 100, 1000} {
		var all []message
		var out []frame
		for i := range n {
			m := textMessage(fmt.Sprintf("message %d", i))
			if i%2 == 1 {
				m = binaryMessage(someBinary(i % 40))
			}
			all, out = append(all, m), append(out, whole(m))
		}
		b.echo(fmt.Sprintf("%d messages in one write, answered in order", n), all, frames(out...))
		if n <= 100 {
			b.echo(fmt.Sprintf("%d messages in pieces of one byte", n), all, frames(out...).pieces(1))
			b.echo(fmt.Sprintf("%d messages in pieces of 7 bytes, which cut headers", n), all, frames(out...).pieces(7))
		}
	}

	two := []message{textMessage("one"), textMessage("two")}
	b.echo("a message and an unsolicited Pong in one write", two[:1], frames(whole(two[0]), pong("unasked")))
	third := binaryMessage(someBinary(300))
	for _, missing := range []int{303, 300, 299} {
		part := frames(whole(two[0]), whole(two[1]), whole(third)).only(-missing)
		b.echo(fmt.Sprintf("two messages and a third without its last %d bytes: their echoes do not wait for those", missing),
			append(two[:2:2], third), part, await{2, 0}, rest{part, 0})
	}
	b.echo("two messages and a third's first fragment: their echoes do not wait for the second", append(two[:2:2], textMessage("three")),
		frames(whole(two[0]), whole(two[1]), text("th").notFinal()), await{2, 0}, frames(continuation("ree")))

	b.in("4.1", "If the server's response is validated … the WebSocket connection is in the OPEN state")
	b.roles = Client
	hello := one(text("Hello"))
	for _, n := range []int{0, 1, 7, 100} {
		c := b.echo(fmt.Sprintf("the first frame follows the response at once, both in pieces of %d (0: one write)", n), hello)
		c.open = opening{with: []frame{text("Hello")}, pieces: n}
	}
	big := someMessage(opBinary, 65536)
	c := b.echo("a frame of 64 KiB follows the response at once", []message{big})
	c.open = opening{with: []frame{whole(big)}}
	c = b.echo("two frames follow the response at once", two)
	c.open = opening{with: []frame{text("one"), text("two")}}
}

// chops cuts frames at each place of their headers, and in pieces.
func chops(b *builder) {
	const rule = "the frame is read from a stream: TCP may cut it anywhere"
	for _, opcode := range []byte{opText, opBinary} {
		b.in("5.2", rule)
		for _, n := range []int{8, 300, 70000} {
			m := someMessage(opcode, n)
			header := 6 // with a masking key
			switch {
			case n > 65535:
				header = 14
			case n > 125:
				header = 8
			}
			last := header + 1
			if n == 8 {
				last = header + n - 1 // every chop there is
			}
			for at := 1; at <= last; at++ {
				c := b.echo(fmt.Sprintf("a %s frame of %d bytes cut after byte %d", opcodeNames[opcode], n, at),
					[]message{m}, frames(whole(m)).cut(at))
				if at >= header-4+n {
					c.only(Server) // an unmasked frame is over by then
				}
			}
		}
	}
	b.in("5.2", rule)
	for _, n := range []int{125, 300} {
		for _, opcode := range []byte{opText, opBinary} {
			m := someMessage(opcode, n)
			for _, size := range []int{1, 2, 3, 5} {
				b.echo(fmt.Sprintf("a %s frame of %d bytes in pieces of %d", opcodeNames[opcode], n, size),
					[]message{m}, frames(whole(m)).pieces(size))
			}
		}
	}
	for _, size := range []int{997, 1024, 4096, 4099, 16384} {
		m := someMessage(opBinary, 70000)
		b.echo(fmt.Sprintf("a binary frame of 70000 bytes in pieces of %d", size), []message{m}, frames(whole(m)).pieces(size))
	}
}
