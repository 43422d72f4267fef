package storm

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A relay stands between the two ends of a connection.
type relay struct {
	up, down *pipe // what the client writes, what the server writes
	broken   atomic.Bool
}

// A pipe forwards what one end writes.
type pipe struct {
	src, dst net.Conn
	seen     *observer
	pings    pingBook // what was sent to the end behind dst

	mu      sync.Mutex
	gate    chan struct{} // closed while bytes may pass
	waiting [][]byte      // frames to inject at the next frame's end
	piece   int           // at most so many bytes at once, 0: as they come
	delay   time.Duration // before each piece
	slow    bool          // it was stalled or slowed down at some time

	writing sync.Mutex // held while bytes are written to dst
	ended   chan struct{}
	dead    chan struct{} // closed by cut
	once    sync.Once
}

func newPipe(src, dst net.Conn, seen *observer) *pipe {
	open := make(chan struct{})
	close(open)
	return &pipe{src: src, dst: dst, seen: seen, gate: open, ended: make(chan struct{}), dead: make(chan struct{})}
}

// run forwards until src ends.
func (p *pipe) run() {
	defer close(p.ended)
	buf := make([]byte, 32<<10)
	for {
		b := p.pass(buf)
		n, err := p.src.Read(b)
		if n > 0 && !p.forward(b[:n]) {
			p.drain(buf)
			return
		}
		if err != nil {
			p.end()
			return
		}
	}
}

// pass waits for the gate and returns the memory for the next piece.
func (p *pipe) pass(buf []byte) []byte {
	p.mu.Lock()
	gate, piece, delay := p.gate, p.piece, p.delay
	p.mu.Unlock()
	select {
	case <-gate:
	case <-p.dead:
	}
	if delay > 0 {
		pause(delay, p.dead)
	}
	if piece > 0 {
		return buf[:piece]
	}
	return buf
}

// forward shows b to the observer and writes it, with what is to be injected
// behind the last frame that ends in it.
func (p *pipe) forward(b []byte) bool {
	p.writing.Lock()
	defer p.writing.Unlock()
	boundary := p.seen.see(b)
	var inject [][]byte
	if boundary >= 0 {
		p.mu.Lock()
		inject, p.waiting = p.waiting, nil
		p.mu.Unlock()
	}
	if inject == nil {
		_, err := p.dst.Write(b)
		return err == nil
	}
	_, err := p.dst.Write(b[:boundary])
	for _, f := range inject {
		if err == nil {
			_, err = p.dst.Write(f)
		}
	}
	if err == nil {
		_, err = p.dst.Write(b[boundary:])
	}
	return err == nil
}

// drain reads what is still written, for the observer, when nobody takes it any more. Its end is src's.
func (p *pipe) drain(buf []byte) {
	for {
		n, err := p.src.Read(buf)
		p.seen.see(buf[:n])
		if err != nil {
			return
		}
	}
}

// end passes the end of src on. What dst's end writes is still read.
func (p *pipe) end() {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.dst.(interface{ CloseWrite() error }).CloseWrite()
}

// inject sends a frame of the relay's own to the end behind dst, between two frames of src's.
// It may come late when bytes are on their way. The client's frames are masked, with a key of zeros.
func (p *pipe) inject(f wiretest.Frame) {
	f.Masked = p.seen.fromClient
	frame := f.Append(nil)
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.seen.aligned() {
		p.dst.Write(frame)
		return
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, frame)
	p.mu.Unlock()
}

// stall stops the pipe, and flow lets it go on.
func (p *pipe) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = true
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default:
	}
}

func (p *pipe) flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// trickle slows the pipe down: at most so many bytes at once, each time after a delay.
func (p *pipe) trickle(piece int, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.piece, p.delay = piece, delay
	p.slow = p.slow || delay > 0
}

// cut breaks the connection off at both ends, with a reset if it can.
func (r *relay) cut(reset bool) {
	r.broken.Store(true)
	for _, p := range []*pipe{r.up, r.down} {
		if tcp, ok := p.src.(*net.TCPConn); ok && reset {
			tcp.SetLinger(0)
		}
		p.once.Do(func() { close(p.dead) })
		p.src.Close()
	}
}

// wait waits until both ends have closed, or for too long.
func (r *relay) wait(limit time.Duration) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for _, p := range []*pipe{r.up, r.down} {
		p.flow()
		select {
		case <-p.ended:
		case <-timeout.C:
			return false
		}
	}
	return true
}

// A pingBook knows which Pings an end was sent, and up to which it has answered: "an
// endpoint MAY elect to send a Pong frame for only the most recently processed Ping".
type pingBook struct {
	mu       sync.Mutex
	sent     map[string]int
	count    int
	answered int
	changed  chan struct{}
}

// add notes a Ping and returns its number.
func (b *pingBook) add(payload string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent == nil {
		b.sent = map[string]int{}
	}
	b.count++
	b.sent[payload] = b.count
	return b.count
}

// answer notes a Pong.
func (b *pingBook) answer(payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.sent[payload]; n > 0 {
		delete(b.sent, payload)
		b.answered = max(b.answered, n)
		if b.changed != nil {
			close(b.changed)
			b.changed = nil
		}
	}
}

// wait waits for the answer to a Ping.
func (b *pingBook) wait(ctx context.Context, n int) bool {
	for {
		b.mu.Lock()
		if b.answered >= n {
			b.mu.Unlock()
			return true
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
