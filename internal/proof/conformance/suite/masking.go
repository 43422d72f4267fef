package suite

import "fmt"

func masking(b *builder) {
	kinds := []frame{
		text("Hello"), text(""), binaryFrame([]byte("Hello")), binaryFrame(nil), continuation("lo"),
		ping("Hello"), ping(""), pong("Hello"), pong(""), closing(1000, ""), closing(1000, "bye"), emptyClose(),
	}
	b.in("5.1", "The server MUST close the connection upon receiving a frame that is not masked.")
	b.roles = Server
	b.wrongMasks("an unmasked frame", kinds)
	b.in("5.1", "A client MUST close a connection if it detects a masked frame.")
	b.roles = Client
	b.wrongMasks("a masked frame", kinds)

	b.in("5.3", "The unmasked data is the transformed data XORed with octet i modulo 4 of the masking key")
	b.roles = Server
	m := someMessage(opBinary, 1000)
	for _, key := range []uint32{0, 1, 0xFF, 0xFF00, 0xFF0000, 0xFF000000, 0xFFFFFFFF, 0x12345678, 0x80808080, 0x37FA213D} {
		b.echo(fmt.Sprintf("a frame masked with %08x", key), []message{m}, frames(whole(m).maskedWith(key)))
	}
	for n := range 20 {
		m := someMessage(opBinary, n)
		b.echo(fmt.Sprintf("%d bytes masked with 01020304", n), []message{m}, frames(whole(m).maskedWith(0x01020304)))
	}
	var all []message
	var out []frame
	for i := range 16 {
		m := someMessage(opBinary, i)
		all = append(all, m)
		out = append(out, whole(m).maskedWith(0x11223344*uint32(i+1)))
	}
	b.echo("16 frames of all alignments, each with a key of its own", all, frames(out...))
	b.echo("16 frames of all alignments, in pieces of 3 bytes", all, frames(out...).pieces(3))
	m = someMessage(opBinary, 33)
	f := fragments(m, 5, 7, 18)
	for i := range f {
		f[i] = f[i].maskedWith(0xA1B2C3D4 + uint32(i)*0x01010101)
	}
	b.echo("a message of four fragments, each with a key of its own", []message{m}, frames(f...))
	for _, every := range []int{1, 2, 3, 5, 6, 7, 9} {
		m := someMessage(opBinary, 40)
		b.echo(fmt.Sprintf("a masked payload in pieces of %d bytes: the key goes on at the right octet", every), []message{m},
			frames(whole(m).maskedWith(0x01020408)).pieces(every))
	}
	p := ping("masked ping").maskedWith(0xDEADBEEF)
	b.pinged("a Ping masked with deadbeef", []string{"masked ping"}, frames(p))
	reason := "masked"
	b.closes("a Close masked with cafebabe", []int{1001}, frames(closing(1001, reason).maskedWith(0xCAFEBABE))).want.reason = &reason

	b.in("5.3", "The masking key needs to be unpredictable; thus, the masking key MUST be derived from a strong source of entropy")
	b.roles = Client
	var steps []step
	all = nil
	for i := range 8 {
		steps = append(steps, frames(text("same")), await{i + 1, 0})
		all = append(all, textMessage("same"))
	}
	b.echo("eight messages: the client's keys are not all the same", all, steps...)
	b.echo("a message of 1000 bytes comes back masked", []message{m}, frames(whole(m)))
	m = someMessage(opBinary, 70000)
	b.echo("a message of 70000 bytes comes back masked", []message{m}, frames(whole(m)))
	b.echo("an empty message comes back masked", one(text("")), frames(text("")))
	b.pinged("a Ping is answered by a masked Pong", []string{"p"}, frames(ping("p")))
	b.closes("a Close is answered by a masked Close", []int{1001}, frames(closing(1001, "")))
}

func (b *builder) wrongMasks(what string, kinds []frame) {
	hello := textMessage("Hello")
	for _, f := range kinds {
		bad := f.maskedWrongly()
		if f.opcode == opContinuation {
			b.fails(what+" inside a message: "+f.String(), 1002, frames(text("Hel").notFinal(), bad))
			continue
		}
		b.fails(what+": "+f.String(), 1002, frames(bad))
	}
	for _, f := range kinds[:3] {
		b.fails(what+" after a message's echo: "+f.String(), 1002, frames(text("Hello")), await{1, 0}, frames(f.maskedWrongly())).after(hello)
	}
	b.fails(what+" of 70000 bytes", 1002, frames(binaryFrame(someBinary(70000)).maskedWrongly()))
	b.fails(what+" in pieces of one byte", 1002, frames(text("Hello").maskedWrongly()).pieces(1))
}

func lengths(b *builder) {
	b.in("5.2", "Note that in all cases, the minimal number of bytes MUST be used to encode the length")
	kinds := []byte{opText, opBinary}
	for _, opcode := range kinds {
		for _, n := range []int{0, 1, 5, 124, 125} {
			f := whole(someMessage(opcode, n))
			b.fails(fmt.Sprintf("%s of %d bytes, length in 16 bits", opcodeNames[opcode], n), 1002, frames(f.lengthIn(16)))
		}
		for _, n := range []int{0, 1, 125, 126, 1000, 65535} {
			f := whole(someMessage(opcode, n))
			b.fails(fmt.Sprintf("%s of %d bytes, length in 64 bits", opcodeNames[opcode], n), 1002, frames(f.lengthIn(64)))
		}
	}
	for _, bits := range []int{16, 64} {
		for _, f := range []frame{ping("Hello"), pong("Hello"), ping(""), closing(1000, ""), emptyClose()} {
			b.fails(f.lengthIn(bits).String(), 1002, frames(f.lengthIn(bits)))
		}
		b.fails("inside a message: "+continuation("lo").lengthIn(bits).String(), 1002, frames(text("Hel").notFinal(), continuation("lo").lengthIn(bits)))
		b.fails(fmt.Sprintf("text in pieces of one byte, length in %d bits", bits), 1002, frames(text("Hello").lengthIn(bits)).pieces(1))
		b.fails(fmt.Sprintf("after a message's echo, length in %d bits", bits), 1002,
			frames(text("Hello")), await{1, 0}, frames(text("Hello").lengthIn(bits))).after(textMessage("Hello"))
	}

	b.in("5.2", "the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0)")
	for _, n := range []uint64{1 << 63, 1<<63 + 5, 1<<63 + 65536, 1<<64 - 1, 1<<64 - 14, 1<<63 | 1<<62} {
		for _, f := range []frame{text("Hello"), binaryFrame([]byte("Hello"))} {
			b.fails(fmt.Sprintf("%s that declares 0x%X bytes", opcodeNames[f.opcode], n), 1002, frames(f.declaring(n)))
		}
	}
	for _, f := range []frame{ping("Hello"), pong("Hello"), closing(1000, "")} {
		b.fails(fmt.Sprintf("%s that declares 2^63 bytes", opcodeNames[f.opcode]), 1002, frames(f.declaring(1<<63)))
	}
	b.fails("a continuation that declares 2^63 bytes", 1002, frames(text("Hel").notFinal(), continuation("lo").declaring(1<<63)))
	b.fails("a text frame that declares 2^64-1 bytes, in pieces of one byte", 1002, frames(text("Hello").declaring(1<<64-1)).pieces(1))
}
