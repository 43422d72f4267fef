package suite

import (
	"fmt"
	"strings"
	"time"
)

// closes adds a case whose steps hold the suite's Close.
func (b *builder) closes(name string, codes []int, steps ...step) *Case {
	return b.add(Case{Name: name, steps: steps, want: want{ending: closed, strict: codes}})
}

func closingCases(b *builder) {
	closeCodes(b)
	closePayloads(b)
	closeOrder(b)

	b.in("7.1.7", "An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the remote endpoint after being instructed to _Fail the WebSocket Connection_.")
	bad := text("Hello").withRSV(rsv2)
	b.fails("an illegal frame, then a message", 1002, frames(bad, text("after")))
	b.fails("an illegal frame, then a Ping", 1002, frames(bad, ping("after")))
	b.fails("an illegal frame, then a Close: Closes cross, none is answered", 1002, frames(bad, closing(1000, "")))
	b.fails("an illegal frame, then another", 1002, frames(bad, bad))
	b.fails("an illegal frame, then after the endpoint's Close a message", 1002, frames(bad), awaitClose{}, frames(text("after")))
	b.fails("an illegal frame, then after the endpoint's Close a Ping", 1002, frames(bad), awaitClose{}, frames(ping("after")))
	b.fails("an illegal frame, then after the endpoint's Close a Close", 1002, frames(bad), awaitClose{}, frames(closing(1002, "")))
	b.fails("an illegal frame, then after the endpoint's Close another", 1002, frames(bad), awaitClose{}, frames(bad))
	b.fails("an illegal frame, then 64 KiB of messages", 1002, frames(bad, binaryFrame(someBinary(65536))))
	b.fails("ill-formed text, then an illegal frame: the first cause counts", 1007, frames(text("\xFF"), bad))

	b.in("7.1.1", "The underlying TCP connection, in most normal cases, SHOULD be closed first by the server")
	b.echo("a message, then the closing handshake", one(text("Hello")), frames(text("Hello")))
	b.echo("the closing handshake at once", nil)
	b.echo("the closing handshake by a server that takes a moment to end TCP", nil).only(Client).want.waits = true
	b.echo("a message and the closing handshake by a server that takes a moment to end TCP", one(text("Hello")), frames(text("Hello"))).
		only(Client).want.waits = true

	b.in("7.1.1", "silence: an endpoint that was sent nothing sends nothing")
	b.echo("nothing for 100 ms", nil, quiet{100 * time.Millisecond})
	b.echo("half a header, and nothing for 100 ms, then the rest", one(text("Hello")),
		frames(text("Hello")).only(1), quiet{100 * time.Millisecond}, rest{frames(text("Hello")).only(1), 0})
	b.echo("half a message, and nothing for 100 ms, then the rest", one(text("Hello")),
		frames(text("Hel").notFinal()), quiet{100 * time.Millisecond}, frames(continuation("lo")))
	b.echo("an unsolicited Pong, and nothing for 100 ms", nil, frames(pong("")), quiet{100 * time.Millisecond})

	b.in("7.1.5", "TCP ends without a Close: the connection is over, nothing half is delivered")
	gone := func(name string, steps ...step) *Case {
		return b.add(Case{Name: name, steps: append(steps, finish{}), want: want{ending: vanishes}})
	}
	gone("FIN at once")
	gone("FIN after half a header", frames(text("Hello")).only(1))
	gone("FIN after a header", frames(text("Hello")).only(6)).only(Server)
	gone("FIN after a header", frames(text("Hello")).only(2)).only(Client)
	gone("FIN within a payload", frames(text("Hello")).only(-2))
	gone("FIN within a payload of 64 KiB", frames(binaryFrame(someBinary(65536))).only(-1))
	gone("FIN after a first fragment", frames(text("Hel").notFinal()))
	gone("FIN within a Ping", frames(ping("Hello")).only(-1))
	gone("FIN within a Close", frames(closing(1000, "bye")).only(-1))
	gone("FIN after a message's echo", frames(text("Hello")), await{1, 0}).want.messages = one(text("Hello"))
	gone("FIN after a Pong", frames(ping("p")), await{0, 1}).want.pongs = []string{"p"}
}

func closeCodes(b *builder) {
	b.in("5.5.1", "When sending a Close frame in response, the endpoint typically echos the status code it received.")
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3333, 3999, 4000, 4001, 4444, 4999} {
		b.closes(fmt.Sprintf("Close %d", code), []int{code}, frames(closing(code, "")))
	}
	for _, code := range []int{1000, 1001, 1011, 3000, 4999} {
		reason := "because"
		b.closes(fmt.Sprintf("Close %d with a reason", code), []int{code}, frames(closing(code, reason))).want.reason = &reason
	}
	b.in("7.4", "Status codes in the range 0-999 are not used. … [1005, 1006, 1015] is a reserved value and MUST NOT be set as a status code in a Close control frame by an endpoint. … 1000-2999 are reserved")
	for _, code := range []int{0, 1, 10, 100, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2500, 2999, 5000, 10000, 32768, 65535} {
		b.fails(fmt.Sprintf("Close %d", code), 1002, frames(closing(code, "")))
	}
	for _, code := range []int{0, 999, 1005, 1006, 1015, 2999, 5000} {
		b.fails(fmt.Sprintf("Close %d with a reason", code), 1002, frames(closing(code, "because")))
	}
}

func closePayloads(b *builder) {
	b.in("5.5.1", "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order)")
	b.closes("Close without a payload", []int{0, 1000}, frames(emptyClose()))
	b.closes("Close without a payload, in pieces of one byte", []int{0, 1000}, frames(emptyClose()).pieces(1))
	one := emptyClose()
	for _, p := range []string{"\x00", "\x03", "\xFF"} {
		one.payload = []byte(p)
		b.fails(fmt.Sprintf("Close with a payload of one byte, %02X", p), 1002, frames(one))
	}
	for _, n := range []int{1, 2, 3, 50, 100, 121, 122, 123} {
		reason := strings.Repeat("r", n)
		b.closes(fmt.Sprintf("Close 1000 with a reason of %d bytes", n), []int{1000}, frames(closing(1000, reason))).want.reason = &reason
	}
	for _, reason := range []string{"é", "漢字", "😀", strings.Repeat("漢", 41), "\x00", "\uFEFF\uFFFF"} {
		b.closes(fmt.Sprintf("Close 1000 with the reason %+q", reason), []int{1000}, frames(closing(1000, reason))).want.reason = &reason
	}
	for at := 1; at <= 10; at++ {
		reason := "bye"
		c := b.closes(fmt.Sprintf("Close 1000 %q cut after byte %d", reason, at), []int{1000}, frames(closing(1000, reason)).cut(at))
		c.want.reason = &reason
		if at >= 7 {
			c.only(Server)
		}
	}

	b.in("5.5", "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.")
	for _, n := range []int{124, 125, 1000, 65535} {
		b.fails(fmt.Sprintf("Close with a payload of %d bytes", n+2), 1002, frames(closing(1000, strings.Repeat("r", n))))
	}
	b.fails("Close without FIN", 1002, frames(closing(1000, "").notFinal()))
	b.fails("Close in two fragments", 1002, frames(closing(1000, "by").notFinal(), continuation("e")))
	b.fails("Close without FIN and payload", 1002, frames(emptyClose().notFinal()))

	b.in("5.5.1", "Following the 2-byte integer, the body MAY contain UTF-8-encoded data with value /reason/")
	for _, bad := range illFormed {
		if strings.HasPrefix(bad.what, "first byte") && bad.bytes > "\xF5" {
			continue
		}
		b.fails("Close 1000 with a reason that is not UTF-8: "+bad.what, 1007, frames(closing(1000, "ab"+bad.bytes+"yz"))).want.strict = []int{1007, 1002}
	}
	for _, part := range []string{"\xC3", "\xE6\xBC", "\xF0\x9F\x98"} {
		b.fails(fmt.Sprintf("Close 1000 with a reason that ends with % X", part), 1007, frames(closing(1000, "ab"+part))).want.strict = []int{1007, 1002}
	}
}

func closeOrder(b *builder) {
	b.in("5.5.1", "After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and MUST close the underlying TCP connection.")
	bye := closing(1000, "")
	b.closes("a message, its echo, then Close", []int{1000}, frames(text("Hello")), await{1, 0}, frames(bye)).want.messages = one(text("Hello"))
	c := b.closes("a message and Close in one write: its echo may come before the Close", []int{1000}, frames(text("Hello"), bye))
	c.want.messages, c.want.anyPrefix = one(text("Hello")), true
	c = b.closes("a Ping and Close in one write: its Pong may come before the Close", []int{1000}, frames(ping("p"), bye))
	c.want.pongs, c.want.anyPrefix = []string{"p"}, true
	c = b.closes("ten messages and Close in one write", []int{1000}, frames(text("0"), text("1"), text("2"), text("3"), text("4"), text("5"), text("6"), text("7"), text("8"), text("9"), bye))
	for i := range 10 {
		c.want.messages = append(c.want.messages, textMessage(fmt.Sprint(i)))
	}
	c.want.anyPrefix = true
	b.closes("a Pong and Close in one write", []int{1000}, frames(pong("unasked"), bye))

	b.in("1.4", "After receiving a control frame indicating the connection should be closed, a peer discards any further data received")
	reserved := frame{fin: true, opcode: 3, payload: []byte("x")}
	unending := continuation("x")
	for _, after := range []frame{
		text("after"), binaryFrame([]byte("after")), text(""), text("af").notFinal(), unending,
		ping("after"), pong("after"), closing(1000, ""), closing(1001, "again"), emptyClose(), closing(1005, ""),
		text("after").withRSV(rsv1), reserved, text("\xFF"), ping(strings.Repeat("x", 126)), text("after").maskedWrongly(),
		text("after").declaring(1 << 63), text("after").declaring(1 << 40), binaryFrame(someBinary(70000)),
	} {
		b.closes("Close, then in the same write "+after.String(), []int{1000}, frames(bye, after))
	}
	for _, after := range []frame{text("after"), ping("after"), closing(1000, ""), closing(4000, "again")} {
		b.closes("Close, then in a second write "+after.String(), []int{1000}, frames(bye), frames(after))
		b.closes("Close, and after its answer "+after.String(), []int{1000}, frames(bye), awaitClose{}, frames(after))
		b.closes("empty Close, then in the same write "+after.String(), []int{0, 1000}, frames(emptyClose(), after))
	}
	b.closes("three Closes", []int{1000}, frames(bye, bye, bye))
	b.closes("a Close of each kind: the first counts", []int{3000}, frames(closing(3000, "first"), closing(1002, "second"), emptyClose()))
	b.closes("Close, then TCP is ended at once", []int{1000}, frames(bye), finish{})
	b.closes("Close 4000, then TCP is ended at once", []int{4000}, frames(closing(4000, "gone")), finish{})
}
