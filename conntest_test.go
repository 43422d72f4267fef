package websocket

import (
	"errors"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestConnTest shows how to test a connection. It runs six times: as client and as server, each in memory, over TLS
// and over TCP. TestPeer in internal/testkit/wiretest shows the rest of what a peer can do.
func TestConnTest(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		// t.c is the connection under test. t.p is the peer at the other end of the wire, which sends only what the
		// test tells it to send. Each assertion begins with a sentence that says what must hold.
		t.p.SendText("hello")
		t.wantRead("a text message arrives", MessageText, "hello")

		if err := t.c.Write(bg, MessageBinary, []byte("\x00\xff")); err != nil {
			t.Fatal(err)
		}
		t.p.WantBinary("a binary message leaves in one frame", "\x00\xff")

		// start runs a call that waits. blocked asserts that the call has not returned; want returns its result.
		read := start(func() error {
			_, _, err := t.c.Read(bg)
			return err
		})
		t.blocked("Read waits for a message", read)

		// The peer can break the protocol.
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 3})
		var broken ProtocolError
		if err := t.want("Read ends with the connection", read); !errors.As(err, &broken) {
			t.Errorf("Read: %v, want a ProtocolError", err)
		}
		t.p.WantClosed("a reserved opcode is answered with Close 1002, and then TCP is closed", 1002)
	})
}
