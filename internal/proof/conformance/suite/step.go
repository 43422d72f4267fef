package suite

import (
	"fmt"
	"strings"
	"time"
)

// step is one thing the suite does once the connection is open.
type step interface {
	play(*session) error
	show(masks bool, at int) string // what it sends, in words and bytes
}

// keyOf is the masking key of a step's frame: fixed, so that a case sends the
// same bytes each time, and different from frame to frame.
func keyOf(step, i int) [4]byte {
	x := uint32(step+1)*0x9E3779B1 ^ uint32(i+1)*0x85EBCA6B
	return [4]byte{byte(x>>24) | 1, byte(x >> 16), byte(x >> 8), byte(x) | 1}
}

// show prints bytes as hex, cut after 64 of them.
func show(p []byte) string {
	const most = 64
	if len(p) > most {
		return fmt.Sprintf("%x… (%d bytes)", p[:most], len(p))
	}
	return fmt.Sprintf("%x", p)
}

// send writes frames in one write, or in pieces.
type send struct {
	frames []frame
	cutAt  []int // pieces end at these offsets
	every  int   // pieces of so many bytes
	upTo   int   // only so many bytes go out; negative: all but so many
}

func frames(f ...frame) send { return send{frames: f} }

// cut ends a piece at each offset.
func (s send) cut(at ...int) send { s.cutAt = at; return s }

// pieces cuts into pieces of n bytes.
func (s send) pieces(n int) send { s.every = n; return s }

// only sends the first n bytes, or all but the last -n.
func (s send) only(n int) send { s.upTo = n; return s }

func (s send) bytes(masks bool, at int) []byte {
	var out []byte
	for i, f := range s.frames {
		out = appendFrame(out, f, masks, keyOf(at, i))
	}
	if s.upTo > 0 {
		out = out[:min(s.upTo, len(out))]
	} else if s.upTo < 0 {
		out = out[:len(out)+s.upTo]
	}
	return out
}

func (s send) play(p *session) error {
	return p.writePieces(s.bytes(p.masks(), p.at), s.cutAt, s.every)
}

func (s send) show(masks bool, at int) string {
	names := make([]string, 0, 4)
	for i, f := range s.frames {
		if i == 3 {
			names = append(names, fmt.Sprintf("… %d frames", len(s.frames)))
			break
		}
		names = append(names, f.String())
	}
	line := strings.Join(names, ", ") + ": " + show(s.bytes(masks, at))
	if len(s.cutAt) > 0 {
		line += fmt.Sprintf(" cut at %v", s.cutAt)
	}
	if s.every > 0 {
		line += fmt.Sprintf(" in pieces of %d", s.every)
	}
	return line
}

// rest sends the bytes of a send that only left out: after a wait for the
// endpoint to fail early.
type rest struct {
	of send
	at int // the step whose keys it continues
}

func (r rest) bytes(masks bool) []byte {
	whole := r.of
	whole.upTo = 0
	return whole.bytes(masks, r.at)[len(r.of.bytes(masks, r.at)):]
}

func (r rest) play(p *session) error         { return p.writePieces(r.bytes(p.masks()), nil, 0) }
func (r rest) show(masks bool, _ int) string { return "the rest: " + show(r.bytes(masks)) }

// stream sends one message in frames of a size, without building it whole.
type stream struct {
	message
	size int
}

func (st stream) play(p *session) error {
	var buf []byte
	for off, i := 0, 0; ; i++ {
		n := min(st.size, len(st.data)-off)
		f := frame{opcode: opContinuation, payload: st.data[off : off+n]}
		if i == 0 {
			f.opcode = st.opcode
		}
		off += n
		f.fin = off == len(st.data)
		buf = appendFrame(buf, f, p.masks(), keyOf(p.at, i))
		if f.fin || len(buf) >= 256<<10 {
			if err := p.write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		if f.fin {
			return nil
		}
	}
}

func (st stream) show(masks bool, at int) string {
	f := frame{fin: st.size >= len(st.data), opcode: st.opcode, payload: st.data[:min(st.size, len(st.data))]}
	return fmt.Sprintf("a %s message of %d bytes in frames of %d, the first: %s",
		opcodeNames[st.opcode], len(st.data), st.size, show(appendFrame(nil, f, masks, keyOf(at, 0))))
}

// await waits until so many messages and pongs have come.
type await struct{ messages, pongs int }

func (a await) play(p *session) error {
	if !a.come(p) {
		p.record.update(func() {
			if len(p.record.closes) == 0 && !p.record.ended {
				p.record.violations = append(p.record.violations, fmt.Sprintf(
					"%d message(s) and %d Pong(s) have not come before the suite goes on", a.messages, a.pongs))
			}
		})
	}
	return nil
}

// come says whether they have come in time.
func (a await) come(p *session) bool {
	return p.record.wait(p.ctx, p.opts.Timeout, func(r *record) bool {
		return len(r.messages) >= a.messages && len(r.pongs) >= a.pongs
	})
}

func (a await) show(bool, int) string {
	return fmt.Sprintf("wait for %d message(s) and %d Pong(s)", a.messages, a.pongs)
}

// awaitFailure waits for the endpoint to fail the connection at once, and
// notes if it has not.
type awaitFailure struct{}

func (awaitFailure) play(p *session) error {
	if !p.record.wait(p.ctx, p.opts.FailFast, func(r *record) bool { return len(r.closes) > 0 }) {
		p.late = true
	}
	return nil
}

func (awaitFailure) show(bool, int) string { return "wait for a Close: it must not need more" }

// awaitClose waits for the endpoint's Close.
type awaitClose struct{}

func (awaitClose) play(p *session) error {
	p.record.wait(p.ctx, p.opts.Timeout, func(r *record) bool { return len(r.closes) > 0 })
	return nil
}

func (awaitClose) show(bool, int) string { return "wait for the Close" }

// finish ends the suite's half of TCP.
type finish struct{}

func (finish) play(p *session) error { return p.closeWrite() }
func (finish) show(bool, int) string { return "FIN" }

// quiet waits a moment in which nothing may come.
type quiet struct{ d time.Duration }

func (q quiet) play(p *session) error {
	if p.record.wait(p.ctx, q.d, func(r *record) bool { return r.frames > 0 }) {
		p.record.violate("a frame that nothing called for")
	}
	return nil
}

func (q quiet) show(bool, int) string { return fmt.Sprintf("silence for %v", q.d) }
