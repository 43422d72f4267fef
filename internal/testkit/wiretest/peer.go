// Package wiretest is a raw WebSocket peer with a voice: it sends whatever a test wants, legal or not, and
// says in a sentence what did not come back. It shares no code with the library that it tests.
//
// TestPeer teaches how to use it.
package wiretest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A Role is one of the two endpoints of RFC 6455.
type Role string

const (
	Client Role = "client" // masks what it sends, and gets unmasked frames
	Server Role = "server" // the reverse
)

// DefaultTimeout is how long a peer waits. It is longer than the time in which the library gives up
// a close handshake by itself, so that a test sees the library do so.
const DefaultTimeout = 10 * time.Second

// A Peer speaks to the library over a net.Conn. It does nothing by itself: it answers no ping and no Close.
//
// Methods whose name begins with Want take first the sentence that the test asserts. When
// it does not hold, they end the test with that sentence, what was wanted and what came instead. All methods must
// be called from the goroutine of the test, except for the Sends, which may come from one other.
type Peer struct {
	Conn    net.Conn
	Role    Role
	Timeout time.Duration // of each call; DefaultTimeout at first

	t        testing.TB
	received []byte // came, but not yet asked for
	closed   bool   // a Close frame has been received: nothing may follow
	sent     byte   // counts frames, for their masking keys
}

// NewPeer returns a peer that plays role on conn, which is closed when the test ends. The library at the other
// end of conn plays the other role.
func NewPeer(t testing.TB, conn net.Conn, role Role) *Peer {
	t.Cleanup(func() { conn.Close() })
	return &Peer{Conn: conn, Role: role, Timeout: DefaultTimeout, t: t}
}

// Send sends a frame, masked as the role demands. A client takes f.Key, or a key of its own if
// that is zero.
func (p *Peer) Send(f Frame) {
	p.t.Helper()
	p.SendRaw(p.Encode(f))
}

// SendExactly sends a frame masked or not as f.Masked says, against the role if need be.
func (p *Peer) SendExactly(f Frame) {
	p.t.Helper()
	p.SendRaw(f.Append(nil))
}

// Encode returns the bytes that Send sends.
func (p *Peer) Encode(frames ...Frame) (b []byte) {
	for _, f := range frames {
		f.Masked = p.Role == Client
		if f.Key == [4]byte{} {
			p.sent++
			f.Key = [4]byte{0x37, 0xfa, 0x21, p.sent}
		}
		b = f.Append(b)
	}
	return b
}

// SendText sends a whole text message in one frame.
func (p *Peer) SendText(s string) {
	p.t.Helper()
	p.Send(Text(s))
}

// SendBinary sends a whole binary message in one frame.
func (p *Peer) SendBinary(s string) {
	p.t.Helper()
	p.Send(Binary(s))
}

// SendPing sends a ping.
func (p *Peer) SendPing(s string) {
	p.t.Helper()
	p.Send(Ping(s))
}

// SendPong sends a pong.
func (p *Peer) SendPong(s string) {
	p.t.Helper()
	p.Send(Pong(s))
}

// SendClose sends a Close frame with a status code.
func (p *Peer) SendClose(code int, reason string) {
	p.t.Helper()
	p.Send(Close(code, reason))
}

// SendRaw sends bytes as they are.
func (p *Peer) SendRaw(b []byte) {
	p.t.Helper()
	p.Conn.SetWriteDeadline(time.Now().Add(p.Timeout))
	defer p.Conn.SetWriteDeadline(time.Time{})
	if n, err := p.Conn.Write(b); err != nil {
		p.t.Fatalf("the %s peer could send only %d of %d bytes: %v", p.Role, n, len(b), err)
	}
}

// SendPieces sends bytes in pieces of n, and calls between, if not nil, after each but the last. In a bubble of
// testing/synctest that is to be synctest.Wait: then the library has taken in each piece before the next comes.
func (p *Peer) SendPieces(b []byte, n int, between func()) {
	p.t.Helper()
	for len(b) > n {
		p.SendRaw(b[:n])
		b = b[n:]
		if between != nil {
			between()
		}
	}
	p.SendRaw(b)
}

// Close closes the connection below, without a Close frame.
func (p *Peer) Close() {
	p.Conn.Close()
}

// fill waits until the deadline for bytes and adds them to received.
func (p *Peer) fill(deadline time.Time) error {
	p.Conn.SetReadDeadline(deadline)
	defer p.Conn.SetReadDeadline(time.Time{})
	b := make([]byte, 4<<10)
	n, err := p.Conn.Read(b)
	p.received = append(p.received, b[:n]...)
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// fail ends the test.
func (p *Peer) fail(why, want, got string) {
	p.t.Helper()
	p.t.Fatalf("%s\n\twant %s\n\tgot  %s", why, want, got)
}

// came describes what was received and what ended it.
func (p *Peer) came(err error) string {
	var parts []string
	rest := p.received
	for {
		f, n, bad := ParseFrame(rest)
		if n == 0 || bad != nil {
			break
		}
		parts = append(parts, f.String())
		rest = rest[n:]
	}
	if len(rest) > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes that are no whole frame: %s", len(rest), quote(rest)))
	}
	switch {
	case err == io.EOF:
		parts = append(parts, "the end of the stream")
	case errors.Is(err, os.ErrDeadlineExceeded):
		parts = append(parts, "nothing more in time")
	case err != nil:
		parts = append(parts, err.Error())
	}
	return strings.Join(parts, ", then ")
}
