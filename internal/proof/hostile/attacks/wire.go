package attacks

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// The first bytes of frames (RFC 6455, section 5.2).
const (
	fin        = 0x80
	compressed = 0x40

	continuation = wiretest.OpContinuation
	text         = wiretest.OpText
	binaryFrame  = wiretest.OpBinary
	closeFrame   = wiretest.OpClose
	ping         = wiretest.OpPing
	pong         = wiretest.OpPong
)

// key is the masking key of all attackers.
var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// header appends a frame's header, with the length in its shortest form.
func header(b []byte, first byte, length uint64, masked bool) []byte {
	h := wiretest.First(first)
	h.Length, h.Masked, h.Key = length, masked, key
	return h.Append(b)
}

// frame appends a whole frame.
func frame(b []byte, first byte, payload []byte, masked bool) []byte {
	b = header(b, first, uint64(len(payload)), masked)
	start := len(b)
	b = append(b, payload...)
	wiretest.Header{Masked: masked, Key: key}.Mask(b[start:])
	return b
}

// A peer is an attacker.
type peer struct {
	net.Conn
	r      *bufio.Reader
	at     int // how much of a flood's piece was written
	field  *field
	leaves bool // it hangs up when it is told Close
}

// dial connects to the server under attack.
func (f *field) dial() (*peer, error) {
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		return nil, err
	}
	return f.peer(nc), nil
}

// peer makes an attacker of a connection.
func (f *field) peer(nc net.Conn) *peer {
	f.keep(nc)
	nc.SetReadDeadline(time.Now().Add(patience))
	return &peer{Conn: nc, r: bufio.NewReaderSize(nc, 512), field: f}
}

func (p *peer) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	p.field.sent.Add(int64(n))
	return n, err
}

// nonce is the key of all handshakes.
const nonce = wiretest.SampleKey

// handshake is a proper request, but for the fields in extra.
func handshake(extra string) string {
	return "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + nonce + "\r\n" + extra + "\r\n"
}

// openOne opens a WebSocket.
func (f *field) openOne(path, extensions string) (*peer, error) {
	if f.road != nil {
		nc, err := f.streams.Open(path, extensions)
		if err != nil {
			return nil, err
		}
		return f.peer(nc), nil
	}
	p, err := f.dial()
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(p, strings.Replace(handshake(extensionField(extensions)), "/ws", path, 1)); err != nil {
		return nil, err
	}
	if status := p.status(); status != "101" {
		return nil, fmt.Errorf("a proper handshake was answered with %q", status)
	}
	return p, nil
}

// status reads the head of an HTTP response, and returns its status code.
func (p *peer) status() string {
	status, _ := p.response()
	return status
}

// response reads the head of an HTTP response.
func (p *peer) response() (status, head string) {
	for {
		line, err := p.line()
		if err != nil {
			return gone(err), head
		}
		head += line
		if line == "\r\n" {
			break
		}
	}
	_, rest, _ := strings.Cut(head, " ")
	return rest[:min(3, len(rest))], head
}

// line reads a line of any length.
func (p *peer) line() (string, error) {
	return p.r.ReadString('\n')
}

// gone is how a connection ended.
func gone(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "end"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	}
	return "reset"
}

// next reads a frame.
func (p *peer) next() (opcode byte, payload []byte, err error) {
	h, err := wiretest.ReadHeader(p.r)
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, h.Length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return 0, nil, err
	}
	h.Mask(payload)
	return h.Opcode, payload, nil
}

// verdict reads on until the connection ends, and returns how: with the code of
// the Close frame, of which there must be one at most.
func (p *peer) verdict() string {
	said := ""
	for {
		opcode, payload, err := p.next()
		switch {
		case err != nil && said != "" && gone(err) != "silence":
			return said
		case err != nil:
			return gone(err)
		case opcode == closeFrame && said != "":
			return "a second Close"
		case opcode == closeFrame && len(payload) < 2:
			said = "Close"
		case opcode == closeFrame:
			said = fmt.Sprintf("Close %d", binary.BigEndian.Uint16(payload))
			if p.leaves {
				return said
			}
		case said != "":
			return "a frame after Close"
		}
	}
}

// awaitPong sends a Ping and waits for its Pong: everything before has been read then.
func (p *peer) awaitPong() error {
	if _, err := p.Write(frame(nil, fin|ping, []byte("there?"), true)); err != nil {
		return err
	}
	for {
		switch opcode, payload, err := p.next(); {
		case err != nil:
			return err
		case opcode == pong && string(payload) == "there?":
			return nil
		}
	}
}

// narrow makes the attacker's own kernel buffer little: what is sent has arrived.
// A stream has a window instead.
func (p *peer) narrow() {
	if tcp, ok := p.Conn.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(smallSocket)
	}
}

// flood writes b again and again, until size bytes are written, or the endpoint
// takes no more. It reports whether it took all. It can be called again, with the
// same b, and goes on where it stopped.
func (p *peer) flood(b []byte, size int) bool {
	wait := max(p.field.unit/2, 50*time.Millisecond)
	if p.field.road != nil { // no kernel takes it, but a process that has to come to it
		wait = time.Second / 2
	}
	return p.floodFor(b, size, wait)
}

// floodFor is flood with the time that the endpoint may take for a piece: patience, if
// it is to end the connection.
func (p *peer) floodFor(b []byte, size int, wait time.Duration) bool {
	for size > 0 {
		p.SetWriteDeadline(time.Now().Add(wait))
		n, err := p.Write(b[p.at:])
		if p.at = (p.at + n) % len(b); err != nil {
			return false
		}
		size -= n
	}
	return true
}

// extensionField is the header field that offers extensions, or agrees on them.
func extensionField(extensions string) string {
	if extensions == "" {
		return ""
	}
	return "Sec-WebSocket-Extensions: " + extensions + "\r\n"
}

// acceptance is a server's proper answer to a client's handshake.
func acceptance(head, extra string) string {
	_, rest, _ := strings.Cut(head, "Sec-WebSocket-Key: ")
	nonce, _, _ := strings.Cut(rest, "\r\n")
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + wiretest.AcceptKey(nonce) + "\r\n" + extra + "\r\n"
}
