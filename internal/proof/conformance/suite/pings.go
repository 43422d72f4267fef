package suite

import (
	"fmt"
	"strings"
)

func pings(b *builder) {
	b.in("5.5.3", "A Pong frame sent in response to a Ping frame must have identical \"Application data\" as found in the message body of the Ping frame being replied to.")
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 16, 31, 64, 100, 124, 125} {
		p := string(someBinary(n))
		b.pinged(fmt.Sprintf("a Ping with a payload of %d bytes", n), []string{p}, frames(ping(p)))
	}
	b.pinged("a Ping whose payload is text", []string{"Hello"}, frames(ping("Hello")))
	b.pinged("a Ping whose payload is zeros", []string{"\x00\x00\x00\x00"}, frames(ping("\x00\x00\x00\x00")))

	b.in("5.5.2", "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response")
	for at := 1; at <= 10; at++ {
		c := b.pinged(fmt.Sprintf("a Ping cut after byte %d", at), []string{"Hello"}, frames(ping("Hello")).cut(at))
		if at >= 7 {
			c.only(Server)
		}
	}
	b.pinged("a Ping in pieces of one byte", []string{strings.Repeat("p", 125)}, frames(ping(strings.Repeat("p", 125))).pieces(1))
	var steps []step
	var want []string
	for i := range 10 {
		p := fmt.Sprintf("ping %d", i)
		want = append(want, p)
		steps = append(steps, frames(ping(p)), await{0, i + 1})
	}
	b.pinged("ten Pings, each after the last one's Pong", want, steps...)
	b.pinged("the same Ping twice, one after the other's Pong", []string{"same", "same"},
		frames(ping("same")), await{0, 1}, frames(ping("same")))

	b.in("5.5.3", "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame.")
	for _, n := range []int{2, 10, 100, 1000} {
		var burst []frame
		var want []string
		for i := range n {
			p := fmt.Sprintf("burst %d", i)
			burst, want = append(burst, ping(p)), append(want, p)
		}
		b.pinged(fmt.Sprintf("%d Pings in one write", n), want, frames(burst...)).want.newest = true
		if n <= 10 {
			b.pinged(fmt.Sprintf("%d Pings in pieces of one byte", n), want, frames(burst...).pieces(1)).want.newest = true
		}
	}

	b.in("5.5.3", "A Pong frame MAY be sent unsolicited. … A response to an unsolicited Pong frame is not expected.")
	for _, n := range []int{0, 1, 5, 125} {
		b.pinged(fmt.Sprintf("an unsolicited Pong of %d bytes, then a Ping", n), []string{"alive"},
			frames(pong(string(someBinary(n))), ping("alive")))
	}
	var ten []frame
	for i := range 10 {
		ten = append(ten, pong(fmt.Sprint(i)))
	}
	b.pinged("ten unsolicited Pongs, then a Ping", []string{"alive"}, frames(append(ten, ping("alive"))...))
	b.echo("an unsolicited Pong, then a message", one(text("Hello")), frames(pong("unasked"), text("Hello")))

	b.in("5.4", "Control frames (see Section 5.5) MAY be injected in the middle of a fragmented message.")
	hello := textMessage("Hello")
	c := b.pinged("a Ping after a message, in one write", []string{"p"}, frames(text("Hello"), ping("p")))
	c.want.messages = []message{hello}
	c = b.pinged("a Ping before a message, in one write", []string{"p"}, frames(ping("p"), text("Hello")))
	c.want.messages = []message{hello}
	c = b.pinged("Ping, message, Ping, message, each awaited", []string{"a", "b"},
		frames(ping("a")), await{0, 1}, frames(text("Hello")), await{1, 1}, frames(ping("b")), await{1, 2}, frames(text("Hello")))
	c.want.messages = []message{hello, hello}
	big := someMessage(opBinary, 70000)
	c = b.pinged("a Ping after a message of 70000 bytes, in one write", []string{"p"}, frames(whole(big), ping("p")))
	c.want.messages = []message{big}

	b.in("5.5", "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.")
	for _, n := range []int{126, 127, 1000, 65536} {
		for _, opcode := range []byte{opPing, opPong} {
			f := frame{fin: true, opcode: opcode, payload: someBinary(n)}
			b.fails(fmt.Sprintf("a %s of %d bytes", opcodeNames[opcode], n), 1002, frames(f))
		}
	}
	for _, opcode := range []byte{opPing, opPong} {
		f := frame{opcode: opcode, payload: []byte("Hel")}
		b.fails(fmt.Sprintf("a %s without FIN", opcodeNames[opcode]), 1002, frames(f))
		b.fails(fmt.Sprintf("a %s in two fragments", opcodeNames[opcode]), 1002, frames(f, continuation("lo")))
		f.payload = nil
		b.fails(fmt.Sprintf("an empty %s without FIN", opcodeNames[opcode]), 1002, frames(f))
	}
}

// pinged adds a case in which pings are answered.
func (b *builder) pinged(name string, pongs []string, steps ...step) *Case {
	return b.add(Case{Name: name, steps: steps, want: want{pongs: pongs}})
}
