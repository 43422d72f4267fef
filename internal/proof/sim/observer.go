package sim

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A frame as the observer saw it.
type frame struct {
	at         time.Duration // when its last byte was written
	start, end int64         // its place in the direction's bytes
	fin        bool
	packed     bool // RSV1: it begins a compressed message
	opcode     byte
	payload    []byte
}

func (f frame) String() string {
	name := map[byte]string{0: "continuation", 1: "text", 2: "binary", 8: "Close", 9: "Ping", 10: "Pong"}[f.opcode]
	if name == "" {
		name = fmt.Sprintf("opcode %d", f.opcode)
	}
	if !f.fin {
		name += " (more follows)"
	}
	if f.packed {
		return fmt.Sprintf("%s, compressed", name)
	}
	p := f.payload
	if len(p) > 24 {
		p = p[:24]
	}
	return fmt.Sprintf("%s, %d bytes %q", name, len(f.payload), p)
}

// closeCode returns the status code of a Close frame, 1005 if it has none.
func (f frame) closeCode() int {
	if len(f.payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(f.payload))
}

// A wireMessage is a message as the observer saw it.
type wireMessage struct {
	opcode byte
	data   []byte
	frames int
	packed bool
	at     time.Duration
	end    int64
}

// A breach is what a direction did against RFC 6455, and the status code that
// it is answered with.
type breach struct {
	code int
	what string
	at   int64 // the place of the byte that makes it one
}

// An observer follows the bytes of one direction. It parses frames and messages
// and stops at the first breach.
type observer struct {
	trace      *trace
	name       string
	fromClient bool
	judges     bool // it may do anything: the observer only says what it deserves
	quiet      bool // frames are not noted in the trace
	onFrame    func(f frame)

	mu        sync.Mutex
	handshake bool   // the bytes are still HTTP's
	deflate   bool   // permessage-deflate was agreed on
	onDeflate func() // called when the server's answer says so
	window    []byte // what was inflated last
	half      bool   // the frame under way is of a compressed message
	pending   []byte // bytes not parsed yet
	parsed    int64  // place of pending[0], counted from the first byte of frames
	httpBytes int64

	frames   []frame
	messages []wireMessage
	open     *wireMessage // the fragmented message under way
	empties  int          // empty fragments of it
	maxEmpty int
	largest  int64 // the largest message that a header announced
	closes   int
	breach   *breach
}

func (o *observer) event(format string, args ...any) {
	if !o.quiet {
		o.trace.event("%s: %s", o.name, fmt.Sprintf(format, args...))
	}
}

// see takes the next bytes of the direction.
func (o *observer) see(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.breach != nil || o.judges && o.closes > 0 {
		return
	}
	o.pending = append(o.pending, p...)
	if o.handshake {
		head, rest, found := bytes.Cut(o.pending, []byte("\r\n\r\n"))
		if !found {
			return
		}
		o.httpBytes = int64(len(head) + 4)
		o.handshake = false
		if !o.fromClient && bytes.Contains(head, []byte("\r\nSec-WebSocket-Extensions: permessage-deflate")) {
			o.deflate = true
			o.event("permessage-deflate is agreed on")
			o.onDeflate()
		}
		o.pending = append([]byte(nil), rest...)
	}
	used := 0
	for o.breach == nil && !(o.judges && o.closes > 0) {
		n := o.next(o.pending[used:])
		if n == 0 {
			break
		}
		used += n
		o.parsed += int64(n)
	}
	o.pending = append(o.pending[:0], o.pending[used:]...)
	if o.judges && o.breach == nil && o.closes == 0 && len(o.pending) > 0 {
		o.early(o.pending)
	}
}

func (o *observer) broken(code int, at int64, format string, args ...any) int {
	o.breach = &breach{code, fmt.Sprintf(format, args...), o.httpBytes + at}
	o.event("breach: %s (%d)", o.breach.what, code)
	return 0
}

// illegalLength reports whether a length can be told to be illegal, be the header whole or not.
func illegalLength(h wiretest.Header) bool { return h.LengthForm != 0 || h.Length>>63 != 0 }

// next parses one frame from the start of b and returns its size, or 0 if there
// is none yet or none any more.
func (o *observer) next(b []byte) int {
	h, n := wiretest.ParseHeader(b)
	at := o.parsed + int64(n)
	switch {
	case illegalLength(h):
		at = o.parsed + int64(h.LengthEnd()) // whatever follows
	case n == 0:
		return 0
	}
	rsv := h.First() >> 4 & 7
	bad := func(format string, args ...any) int { return o.broken(1002, at, format, args...) }
	control := h.Control()
	switch {
	case o.closes > 0:
		return bad("a frame (opcode %d) after the Close frame", h.Opcode)
	case h.LengthForm != 0:
		return bad("a length of %d that is not in its shortest form", h.Length)
	case h.Length>>63 != 0:
		return bad("a length with its top bit set")
	case rsv != 0 && !(o.deflate && rsv == 4 && (h.Opcode == 1 || h.Opcode == 2)):
		return bad("RSV bits %03b", rsv)
	case h.Opcode > 2 && h.Opcode < 8, h.Opcode > 10:
		return bad("the reserved opcode %d", h.Opcode)
	case h.Masked != o.fromClient:
		return bad("a frame with mask=%t", h.Masked)
	case control && h.Length > 125:
		return bad("a control frame with %d bytes", h.Length)
	case control && !h.FIN:
		return bad("a fragmented control frame")
	case h.Opcode == 0 && o.open == nil:
		return bad("a continuation of nothing")
	case !control && h.Opcode != 0 && o.open != nil:
		return bad("a new message inside another")
	}
	if !control {
		size := int64(h.Length)
		if o.open != nil {
			size += int64(len(o.open.data))
		}
		o.largest = max(o.largest, size)
	}
	o.half = !control && uint64(len(b)-n) < h.Length && (rsv != 0 || o.open != nil && o.open.packed)
	if uint64(len(b)-n) < h.Length {
		return 0
	}
	p := append([]byte(nil), b[n:n+int(h.Length)]...)
	h.Mask(p)
	size := n + len(p)
	f := frame{at: o.trace.since(), start: o.httpBytes + o.parsed, end: o.httpBytes + o.parsed + int64(size), fin: h.FIN, packed: rsv != 0, opcode: h.Opcode, payload: p}
	if bad, code := o.frame(f); bad != "" {
		return o.broken(code, o.parsed+int64(size), "%s", bad)
	}
	o.event("%v", f)
	o.frames = append(o.frames, f)
	if o.onFrame != nil {
		o.onFrame(f)
	}
	return size
}

// frame takes a whole frame and says what is wrong with what it holds.
func (o *observer) frame(f frame) (string, int) {
	switch {
	case f.opcode == 8:
		o.closes++
		if len(f.payload) == 1 {
			return "a Close frame with one byte", 1002
		}
		if code := f.closeCode(); len(f.payload) >= 2 && !sendable(code) {
			return fmt.Sprintf("a Close frame with the code %d", code), 1002
		}
		if len(f.payload) > 2 && !utf8.Valid(f.payload[2:]) {
			return "a Close frame whose reason is not UTF-8", 1007
		}
		return "", 0
	case f.opcode > 8:
		return "", 0
	}
	if o.open == nil {
		o.open = &wireMessage{opcode: f.opcode, packed: f.packed}
		o.empties = 0
	}
	m := o.open
	if len(f.payload) == 0 {
		o.empties++
		o.maxEmpty = max(o.maxEmpty, o.empties)
	}
	m.data = append(m.data, f.payload...)
	m.frames++
	if m.packed {
		if !f.fin {
			return "", 0
		}
		data, err := o.inflate(m.data)
		if err != nil {
			return fmt.Sprintf("a compressed message that can't be inflated: %v", err), 1007
		}
		m.data = data
		o.largest = max(o.largest, int64(len(data)))
	}
	if m.opcode == 1 && (!couldBeText(m.data) || f.fin && !utf8.Valid(m.data)) {
		return "text that is not UTF-8", 1007
	}
	if f.fin {
		m.at, m.end = f.at, f.end
		o.messages = append(o.messages, *m)
		o.open = nil
	}
	return "", 0
}

// inflate decodes a compressed message (RFC 7692, section 7.2.2), which may refer
// to what was inflated before it.
func (o *observer) inflate(p []byte) ([]byte, error) {
	whole := append(bytes.Clone(p), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	data, err := io.ReadAll(flate.NewReaderDict(bytes.NewReader(whole), o.window))
	o.window = append(o.window, data...)
	o.window = bytes.Clone(o.window[max(0, len(o.window)-32<<10):])
	return data, err
}

// early looks into the payload of a frame that is not whole yet: text that can't
// be UTF-8 any more is a breach already.
func (o *observer) early(b []byte) {
	h, n := wiretest.ParseHeader(b)
	if n == 0 || h.Opcode > 2 || h.Length > 1<<24 {
		return
	}
	text := h.Opcode == 1 || h.Opcode == 0 && o.open != nil && o.open.opcode == 1
	if !text {
		return
	}
	var data []byte
	if o.open != nil {
		data = append(data, o.open.data...)
	}
	came := append([]byte(nil), b[n:]...)
	h.Mask(came)
	data = append(data, came...)
	if !couldBeText(data) {
		o.broken(1007, o.parsed+int64(len(b)), "text that is not UTF-8, in a frame that is not whole")
	}
}

// couldBeText reports whether b is the start of UTF-8.
func couldBeText(b []byte) bool {
	for i := max(len(b)-utf8.UTFMax+1, 0); i < len(b); i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			b = b[:i]
			break
		}
	}
	return utf8.Valid(b)
}

// sendable: RFC 6455, section 7.4, and IANA's registry.
func sendable(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// snapshot of what was seen, for the checks.
type seen struct {
	frames   []frame
	messages []wireMessage
	partial  []byte // of the message under way
	packed   bool   // ... which is compressed, whole frames of it or not
	pending  int    // bytes of a frame that is not whole
	breach   *breach
	maxEmpty int
	largest  int64
}

func (o *observer) seen() seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := seen{frames: o.frames, messages: o.messages, pending: len(o.pending), breach: o.breach, maxEmpty: o.maxEmpty, largest: o.largest}
	s.packed = o.half
	if o.open != nil {
		s.partial, s.packed = o.open.data, o.open.packed
	}
	return s
}

// close returns the Close frame, if there is one.
func (s seen) close() *frame {
	for i := range s.frames {
		if s.frames[i].opcode == 8 {
			return &s.frames[i]
		}
	}
	return nil
}

// cutShort reports whether the Close frame came in the middle of a fragmented message.
func (s seen) cutShort() bool {
	inside := false
	for i := range s.frames {
		switch f := &s.frames[i]; {
		case f.opcode == 8:
			return inside
		case f.opcode < 8:
			inside = !f.fin
		}
	}
	return false
}

// taken returns the frames that have been read whole by the receiving end.
func (s seen) taken(read int64) []frame {
	n := 0
	for n < len(s.frames) && s.frames[n].end <= read {
		n++
	}
	return s.frames[:n]
}
