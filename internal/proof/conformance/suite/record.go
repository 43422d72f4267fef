package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// record is what the endpoint has sent. The session's reading goroutine fills
// it; its own mutex guards it.
type record struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change

	messages   []message
	pongs      []string
	closes     []closePayload
	frames     int
	keys       map[[4]byte]int
	violations []string
	notes      []string // the first frames, for the report
	compressed int      // messages that came compressed
	ended      bool
	endErr     error // nil: FIN, over TLS after a close_notify
}

type closePayload struct {
	code   int // 0: none
	reason string
}

func newRecord() *record {
	return &record{changed: make(chan struct{}), keys: map[[4]byte]int{}}
}

// gone says whether the endpoint has ended TCP: that the suite closes its side
// in the end, or that time runs out, does not count.
func (r *record) gone() bool {
	return r.ended && !errors.Is(r.endErr, net.ErrClosed) && !errors.Is(r.endErr, os.ErrDeadlineExceeded)
}

// update changes the record and wakes those who wait.
func (r *record) update(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *record) violate(format string, args ...any) {
	r.update(func() { r.violations = append(r.violations, fmt.Sprintf(format, args...)) })
}

// wait returns true once the record satisfies done, false when it can no
// longer, or d has passed.
func (r *record) wait(ctx context.Context, d time.Duration, done func(*record) bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		r.mu.Lock()
		ok, over, changed := done(r), r.ended, r.changed
		r.mu.Unlock()
		if ok || over {
			return ok
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// read takes frames off the connection until it ends, and holds the endpoint
// to what every frame must obey.
func (s *session) read() {
	r := s.record
	var partial []byte
	var opcode byte // of the message under way
	var compressed bool
	for {
		f, err := readFrame(s.br)
		if err != nil {
			r.update(func() {
				r.ended = true
				if err != io.EOF {
					r.endErr = err
				}
				if err == errCut {
					r.violations = append(r.violations, "the last frame is cut short")
				}
			})
			return
		}
		var broken []string
		bad := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
		if f.masked != (s.role == Client) {
			bad("%v: masking against the role (5.1)", f)
		}
		if !f.minimal {
			bad("%v: length not in the shortest form (5.2)", f)
		}
		allowed := byte(0)
		if s.deflate != nil && (f.opcode == opText || f.opcode == opBinary) {
			allowed = rsv1
		}
		if f.rsv&^allowed != 0 {
			bad("%v: reserved bits (5.2)", f)
		}
		if opcodeNames[f.opcode] == "" {
			bad("%v: reserved opcode (5.2)", f)
		}
		control := f.opcode >= 8
		if control && (!f.fin || len(f.payload) > 125) {
			bad("%v: control frame fragmented or too long (5.5)", f)
		}
		var whole *message
		switch f.opcode {
		case opText, opBinary:
			if opcode != 0 {
				bad("%v inside a message (5.4)", f)
			}
			opcode, partial = f.opcode, nil
			compressed = f.rsv&rsv1 != 0 && s.deflate != nil
		case opContinuation:
			if opcode == 0 {
				bad("%v outside a message (5.4)", f)
			}
		}
		if !control && opcode != 0 {
			if partial == nil {
				partial = f.payload
			} else {
				partial = append(partial, f.payload...)
			}
			if f.fin {
				data := partial
				if compressed {
					if data, err = s.deflate.in.message(partial); err != nil {
						bad("compressed message of %d bytes: %v (RFC 7692, 7.2.2)", len(partial), err)
					}
				}
				if data == nil {
					data = []byte{}
				}
				whole = &message{opcode, data}
				var u utf8Text
				if opcode == opText && !s.expected(data) && (u.add(data) >= 0 || !u.whole()) {
					bad("ill-formed UTF-8 in a text message of %d bytes (5.6)", len(data))
				}
				opcode, partial = 0, nil
			}
		}
		var cl *closePayload
		if f.opcode == opClose {
			cl = &closePayload{}
			switch {
			case len(f.payload) == 1:
				bad("Close with a payload of one byte (5.5.1)")
			case len(f.payload) >= 2:
				cl.code = int(f.payload[0])<<8 | int(f.payload[1])
				cl.reason = string(f.payload[2:])
				if !validCode(cl.code) {
					bad("Close with code %d (7.4)", cl.code)
				}
				var u utf8Text
				if u.add(f.payload[2:]) >= 0 || !u.whole() {
					bad("Close reason is not UTF-8 (5.5.1)")
				}
			}
		}
		r.update(func() {
			if len(r.closes) > 0 {
				broken = append(broken, fmt.Sprintf("%v after a Close (5.5.1)", f))
			}
			r.frames++
			if f.masked && len(r.keys) < 1000 {
				r.keys[f.key]++
			}
			r.violations = append(r.violations, broken...)
			if len(r.notes) < 12 {
				r.notes = append(r.notes, fmt.Sprintf("%v: %s", f.frame, show(f.payload)))
			}
			if whole != nil {
				r.messages = append(r.messages, *whole)
				if compressed {
					r.compressed++
				}
			}
			if f.opcode == opPong {
				r.pongs = append(r.pongs, string(f.payload))
			}
			if cl != nil {
				r.closes = append(r.closes, *cl)
			}
		})
	}
}

// expected says whether data is what the next message should be: then it needs
// no check.
func (s *session) expected(data []byte) bool {
	n := len(s.record.messages) // only the reading goroutine adds to them
	return n < len(s.c.want.messages) && difference(data, s.c.want.messages[n].data) < 0
}

// validCode says whether an endpoint may send code in a Close frame: RFC 6455,
// section 7.4, and the codes registered since.
func validCode(code int) bool {
	return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 ||
		code >= 3000 && code <= 4999
}
