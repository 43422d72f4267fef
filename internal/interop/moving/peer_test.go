package moving

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A peer is the raw other end of a connection. It notes what comes, and sends what it is told to.
type peer struct {
	conn   *memconn.Conn
	client bool

	mu      sync.Mutex // guards what follows
	pending []byte     // what came and is no whole frame yet
	frames  []wiretest.Frame
	end     string // how the stream ended
	echoes  bool   // a Close frame is answered with the same
	pongs   bool   // a Ping is answered
	keys    byte   // counts frames, for their masking keys
}

func newPeer(conn *memconn.Conn, client bool, early []byte) *peer {
	p := &peer{conn: conn, client: client}
	p.take(early)
	go p.listen()
	return p
}

func (p *peer) listen() {
	b := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(b)
		p.take(b[:n])
		if err != nil {
			p.mu.Lock()
			switch {
			case err == io.EOF:
				p.end = "EOF"
			case errors.Is(err, syscall.ECONNRESET):
				p.end = "reset"
			}
			p.mu.Unlock()
			return
		}
	}
}

func (p *peer) take(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, b...)
	for {
		f, n, err := wiretest.ParseFrame(p.pending)
		if err != nil || n == 0 {
			return
		}
		p.pending = p.pending[n:]
		p.frames = append(p.frames, f)
		switch {
		case f.Opcode == wiretest.OpClose && p.echoes:
			p.echoes = false
			p.conn.Write(p.encode(wiretest.Frame{FIN: true, Opcode: wiretest.OpClose, Payload: f.Payload}))
			if !p.client { // the server closes TCP first
				p.conn.CloseWrite()
			}
		case f.Opcode == wiretest.OpPing && p.pongs:
			p.conn.Write(p.encode(wiretest.Pong(string(f.Payload))))
		}
	}
}

// encode returns the bytes of a frame, masked if it is a client's.
func (p *peer) encode(f wiretest.Frame) []byte {
	f.Masked = p.client
	p.keys++
	f.Key = [4]byte{0x37, 0xfa, 0x21, p.keys}
	return f.Append(nil)
}

// send sends frames, in one piece.
func (p *peer) send(frames ...wiretest.Frame) {
	p.mu.Lock()
	var b []byte
	for _, f := range frames {
		b = append(b, p.encode(f)...)
	}
	p.mu.Unlock()
	p.raw(b)
}

// raw sends bytes as they are.
func (p *peer) raw(b []byte) {
	p.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	p.conn.Write(b)
}

// echo makes the peer answer a Close.
func (p *peer) echo() *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.echoes = true
	return p
}

// pong makes the peer answer Pings.
func (p *peer) pong() *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pongs = true
	return p
}

// stall stops reading; resume goes on.
func (p *peer) stall()  { p.conn.SetReadDeadline(time.Unix(1, 0)) }
func (p *peer) resume() { p.conn.SetReadDeadline(time.Time{}); go p.listen() }

// come returns the frames that have come since it was asked last, when everybody waits, and nothing waits for company.
func (p *peer) come() []wiretest.Frame {
	time.Sleep(10 * time.Millisecond) // the bubble's
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames
	p.frames = nil
	return frames
}

// heard describes what has come since it was asked last, and how the stream has ended.
func (p *peer) heard() string {
	var parts []string
	for _, f := range p.come() {
		parts = append(parts, f.String())
	}
	return p.ended(parts)
}

// kinds is heard without payloads, but for the code of a Close.
func (p *peer) kinds() string {
	var parts []string
	for _, f := range p.come() {
		if f.Opcode == wiretest.OpClose {
			f.Payload = f.Payload[:min(2, len(f.Payload))]
		} else {
			f.Payload = nil
		}
		parts = append(parts, strings.Replace(f.String(), ` ""`, "", 1))
	}
	return p.ended(parts)
}

func (p *peer) ended(parts []string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != "" {
		parts = append(parts, p.end)
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// gone says how the stream has ended, if it has.
func (p *peer) gone() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end
}

// message joins the payloads of the data frames that have come.
func (p *peer) message() string {
	var b []byte
	for _, f := range p.come() {
		if f.Opcode <= wiretest.OpBinary {
			b = append(b, f.Payload...)
		}
	}
	return string(b)
}

// readHead reads up to the first empty line, and returns what came behind it, too.
func readHead(conn io.Reader) (head string, early []byte, err error) {
	var all []byte
	b := make([]byte, 4096)
	for {
		if i := bytes.Index(all, []byte("\r\n\r\n")); i >= 0 {
			return string(all[:i+4]), slices.Clone(all[i+4:]), nil
		}
		n, err := conn.Read(b)
		all = append(all, b[:n]...)
		if err != nil && n == 0 {
			return string(all), nil, err
		}
	}
}
