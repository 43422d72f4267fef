package suite

import "fmt"

// overTLS is a selection of the other groups: what TLS's records, its buffers
// and its own closing could change.
func overTLS(b *builder) {
	start := len(b.cases)
	b.in("10.6", "Connection confidentiality and integrity is provided by running the WebSocket Protocol over TLS (wss URIs).")
	for _, n := range []int{0, 1, 125, 126, 16384, 16385, 65535, 65536} {
		m := someMessage(opBinary, n)
		b.echo(fmt.Sprintf("a binary message of %d bytes", n), []message{m}, frames(whole(m)))
	}
	b.echo("text in TLS records of one byte", one(text("Hello")), frames(text("Hello")).pieces(1))
	m := someMessage(opText, 1000)
	b.echo("text of 1000 bytes in records of 7", []message{m}, frames(whole(m)).pieces(7))
	b.echo("a fragmented message in one record", []message{textMessage("Hello")}, frames(fragments(textMessage("Hello"), 1, 3)...))
	for _, of := range []int{1 << 10, 64 << 10} {
		m := contentOf(opBinary, 4<<20)
		b.echo(fmt.Sprintf("4 MiB in frames of %d bytes", of), nil, stream{m, of}).large(m)
	}
	m = contentOf(opBinary, largest)
	b.echo("16 MiB in one frame", nil, stream{m, largest}).large(m)
	b.pinged("a Ping", []string{"p"}, frames(ping("p")))
	b.pinged("a Ping in records of one byte", []string{"Hello"}, frames(ping("Hello")).pieces(1))
	c := b.echo("the first frame in the response's record", one(text("Hello")))
	c.open, c.Roles = opening{with: []frame{text("Hello")}}, Client

	b.in("7.1.1", "an endpoint SHOULD use a method that cleanly closes the TCP connection, as well as the TLS session, if applicable")
	b.echo("the closing handshake, ended by close_notify", nil)
	b.echo("a message and the closing handshake, ended by close_notify", one(text("Hello")), frames(text("Hello")))
	b.closes("Close 1001", []int{1001}, frames(closing(1001, "")))
	b.closes("Close without a code", []int{0, 1000}, frames(emptyClose()))
	b.closes("two Closes in a record", []int{3000}, frames(closing(3000, ""), closing(1000, "")))
	b.closes("Close, then close_notify at once", []int{1000}, frames(closing(1000, "")), finish{})
	b.add(Case{Name: "close_notify without a Close", steps: []step{finish{}}, want: want{ending: vanishes}})
	b.add(Case{Name: "close_notify within a frame", steps: []step{frames(text("Hello")).only(-1), finish{}}, want: want{ending: vanishes}})

	b.in("7.1.7", "_Fail the WebSocket Connection_, over TLS as well")
	b.fails("RSV1", 1002, frames(text("Hello").withRSV(rsv1)))
	b.fails("masking against the role", 1002, frames(text("Hello").maskedWrongly()))
	b.fails("ill-formed UTF-8", 1007, frames(text("\xFF")))
	begun := frames(text("\xFFyyyyyyyy")).only(-8)
	b.fails("ill-formed UTF-8, at the byte", 1007, begun, awaitFailure{}, rest{begun, 0})
	b.fails("Close with a payload of one byte", 1002, frames(frame{fin: true, opcode: opClose, payload: []byte{3}}))
	b.tooBig("a frame that declares 2^40 bytes", frames(binaryFrame([]byte("a few")).declaring(1<<40)))

	b.inDeflate("7", "permessage-deflate over TLS")
	d := message{opText, letters(repetitive(100000))}
	b.compressedEcho("100000 characters, compressed, twice", plainOffer, "permessage-deflate", []message{d, d},
		squeezed{d, 0}, await{1, 0}, squeezed{d, 1000})
	for _, c := range b.cases[start:] {
		c.TLS = true
	}
}
