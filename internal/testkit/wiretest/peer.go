// Package wiretest provides a WebSocket peer for tests. The peer sends any frame that a test asks for, legal or not,
// and asserts what the other end sends back. The package shares no code with the library that it tests.
//
// Header and Frame are the codec below the peer. The programs in internal/proof that look at the wire use them too.
//
// TestPeer shows how to use a peer. TestConnTest, in the root package, is a short test of the library with one.
package wiretest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// A Role is one of the two endpoints of RFC 6455.
type Role string

const (
	Client Role = "client" // sends masked frames and receives unmasked ones
	Server Role = "server" // sends unmasked frames and receives masked ones
)

// DefaultTimeout is how long a peer waits for bytes. It is longer than the library's own time-out of the close
// handshake, so that a test can see that time-out.
const DefaultTimeout = 10 * time.Second

// A TB is the part of testing.TB that a Peer needs. It keeps package testing out of programs that only use the codec.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// A Peer is one end of a WebSocket connection; the other end is the library. A Peer sends and reads only when a test
// tells it to. In particular, it does not answer a Ping or a Close frame by itself.
//
// Methods whose names begin with Want assert something. Their first argument is a sentence that says what. If the
// assertion fails, the test ends, and the failure shows the sentence, what was wanted, and what was received.
//
// Call the methods from the test's goroutine. The Send methods may be called from one other goroutine instead.
type Peer struct {
	Conn    net.Conn
	Role    Role
	Timeout time.Duration // of each call; DefaultTimeout at first

	t        TB
	received []byte // bytes that no method has returned yet
	closed   bool   // a Close frame has been received: nothing may follow
	sent     byte   // counts frames, for their masking keys
}

// NewPeer returns a peer with this role on conn. The library has the other end of conn and the other role. conn is
// closed when the test ends.
func NewPeer(t TB, conn net.Conn, role Role) *Peer {
	t.Cleanup(func() { conn.Close() })
	return &Peer{Conn: conn, Role: role, Timeout: DefaultTimeout, t: t}
}

// Send sends a frame. It is masked if the peer is a client, with f.Key, or with another key if f.Key is zero.
func (p *Peer) Send(f Frame) {
	p.t.Helper()
	p.SendRaw(p.Encode(f))
}

// SendExactly sends a frame that is masked if f.Masked is set, whatever the peer's role.
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

// SendPieces sends bytes in pieces of n bytes. If between is not nil, it is called after each piece but the last. In a
// synctest bubble, pass synctest.Wait: the library then handles each piece before the next one is sent.
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
	had := len(p.received)
	p.received = slices.Grow(p.received, 4<<10)
	n, err := p.Conn.Read(p.received[had : had+4<<10])
	p.received = p.received[:had+n]
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
