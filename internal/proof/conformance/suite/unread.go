package suite

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// gate is a reader that can be shut: what comes then waits on the connection,
// except for what one read brings.
type gate struct {
	r    io.Reader
	mu   sync.Mutex
	open chan struct{} // nil: it is open
}

func (g *gate) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open != nil {
		<-open
	}
	return n, err
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
}

func (g *gate) unshut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

func (g *gate) shutNow() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open != nil
}

// unreadFor is how long the suite does not read at least and, if its own writing
// waits for that, at most.
const (
	unreadFor    = 150 * time.Millisecond
	unreadAtMost = 500 * time.Millisecond
)

// stopReading shuts the gate, and keeps the kernel from reading in its stead.
func (s *session) stopReading() {
	s.gate.shut()
	if c, ok := s.conn.(interface{ SetReadBuffer(int) error }); ok {
		c.SetReadBuffer(64 << 10)
	}
}

// unread plays steps without reading what comes back.
type unread struct{ steps []step }

func (u unread) play(p *session) error {
	p.stopReading()
	late := time.AfterFunc(unreadAtMost, p.gate.unshut)
	defer late.Stop()
	defer p.gate.unshut()
	for _, st := range u.steps {
		if err := st.play(p); err != nil {
			return err
		}
	}
	p.pause(unreadFor)
	return nil
}

func (u unread) show(masks bool, at int) string {
	lines := []string{"without reading:"}
	for _, st := range u.steps {
		lines = append(lines, st.show(masks, at))
	}
	return strings.Join(lines, " ")
}

// flood sends a message many times, and reads nothing until its own writing has
// come to a stop. If it never does, the endpoint is one without a limit.
type flood struct {
	message
	times int
}

func (f flood) play(p *session) error {
	p.stopReading()
	defer p.gate.unshut()
	one := whole(f.message)
	var sent atomic.Int64
	over := make(chan error, 1)
	go func() {
		b := appendFrame(nil, one, p.masks(), keyOf(p.at, 0))
		for range f.times {
			for rest := b; len(rest) > 0; {
				n := min(len(rest), 64<<10)
				if err := p.write(rest[:n]); err != nil {
					over <- err
					return
				}
				rest = rest[n:]
				sent.Add(1)
			}
		}
		over <- nil
	}()
	still := max(unreadAtMost, p.opts.Timeout/20) // on a starved machine an endpoint may pause, too
	for before := int64(-1); ; {
		timer := time.NewTimer(still)
		select {
		case err := <-over:
			timer.Stop()
			p.unbounded = err == nil && p.gate.shutNow()
			return err
		case <-timer.C:
		}
		if now := sent.Load(); now == before {
			p.gate.unshut()
		} else {
			before = now
		}
	}
}

func (f flood) show(masks bool, at int) string {
	return "many times, without reading until no more can be written: " + frames(whole(f.message)).show(masks, at)
}

// repeated sends one message in frames that are all the same but for their
// opcodes and the last one's FIN. It stops where the endpoint ends TCP.
type repeated struct {
	payload []byte
	times   int
}

func (r repeated) frame(i int) frame {
	f := frame{opcode: opContinuation, payload: r.payload, fin: i == r.times-1}
	if i == 0 {
		f.opcode = opBinary
	}
	return f
}

func (r repeated) play(p *session) error {
	var buf []byte
	for i := range r.times {
		if buf = appendFrame(buf, r.frame(i), p.masks(), keyOf(p.at, i)); len(buf) >= 64<<10 || i == r.times-1 {
			if err := p.write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

func (r repeated) show(masks bool, at int) string {
	return "many frames, the first: " + show(appendFrame(nil, r.frame(0), masks, keyOf(at, 0)))
}
