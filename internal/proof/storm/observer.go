package storm

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// An observer parses what one end writes. It shares no code with the library.
type observer struct {
	name       string // "client" or "server"
	fromClient bool
	fail       func(kind, format string, args ...any)
	onMessage  func(data []byte, typ websocket.MessageType)
	onPing     func(payload string)
	onPong     func(payload string)
	agreed     func() // called when the server's answer agrees on compression

	mu        sync.Mutex
	handshake bool // the bytes are still HTTP's
	deflate   bool
	pending   []byte // bytes of a frame that is not whole
	broken    bool   // a breach was found: the rest says nothing

	open     bool // a message's last fragment has not come
	typ      byte
	packed   bool
	data     []byte
	inflater io.ReadCloser
	window   []byte // what was inflated last

	frames, bytes int64
	closes        int
	closeCode     int
	closeInside   bool // the Close frame came inside a fragmented message
	closeAt       time.Time
}

// see takes the next bytes. It returns the place in p behind the last whole frame, or -1
// if no frame ends in p.
func (o *observer) see(p []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += int64(len(p))
	if o.broken {
		return -1
	}
	o.pending = append(o.pending, p...)
	if o.handshake {
		head, rest, found := bytes.Cut(o.pending, []byte("\r\n\r\n"))
		if !found {
			return -1
		}
		o.handshake = false
		if !o.fromClient && bytes.Contains(head, []byte("permessage-deflate")) {
			o.deflate = true
			o.agreed()
		}
		o.pending = append([]byte(nil), rest...)
		if len(rest) == 0 {
			return len(p)
		}
	}
	used := 0
	for !o.broken {
		n := o.next(o.pending[used:])
		if n == 0 {
			break
		}
		used += n
	}
	rest := len(o.pending) - used
	o.pending = append(o.pending[:0], o.pending[used:]...)
	if used == 0 || o.broken {
		return -1
	}
	return len(p) - rest
}

// aligned reports whether the last byte seen was the last of a frame.
func (o *observer) aligned() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.handshake && !o.broken && len(o.pending) == 0
}

func (o *observer) breach(kind, format string, args ...any) int {
	o.broken = true
	o.fail(kind, o.name+": "+format, args...)
	return 0
}

// next parses one frame and returns its size, or 0 if it is not whole or not legal.
func (o *observer) next(b []byte) int {
	h, n := wiretest.ParseHeader(b)
	if n == 0 {
		return 0
	}
	control := h.Control()
	switch {
	case o.closes > 0 && h.Opcode == wiretest.OpClose:
		return o.breach("after-close", "a second Close frame")
	case o.closes > 0:
		return o.breach("after-close", "a frame with opcode %d after the Close frame", h.Opcode)
	case h.RSV2, h.RSV3, h.RSV1 && (!o.deflate || h.Opcode != wiretest.OpText && h.Opcode != wiretest.OpBinary):
		return o.breach("illegal", "RSV bits in a frame with opcode %d", h.Opcode)
	case h.Opcode > wiretest.OpBinary && h.Opcode < wiretest.OpClose, h.Opcode > wiretest.OpPong:
		return o.breach("illegal", "the reserved opcode %d", h.Opcode)
	case h.Masked != o.fromClient:
		return o.breach("illegal", "a frame with mask=%t", h.Masked)
	case h.LengthForm != 0, h.Length > 1<<30:
		return o.breach("illegal", "the length %d, or its form", h.Length)
	case control && (h.Length > 125 || !h.FIN):
		return o.breach("illegal", "a control frame with %d bytes, fin=%t", h.Length, h.FIN)
	case h.Opcode == wiretest.OpContinuation && !o.open:
		return o.breach("interleaved", "a continuation of nothing")
	case !control && h.Opcode != wiretest.OpContinuation && o.open:
		return o.breach("interleaved", "a new message inside one of which %d bytes came", len(o.data))
	case uint64(len(b)-n) < h.Length:
		return 0
	}
	size := n + int(h.Length)
	payload := bytes.Clone(b[n:size])
	h.Mask(payload)
	o.frames++
	if control {
		return o.control(h, payload, size)
	}
	return o.fragment(h, payload, size)
}

// control takes a whole control frame.
func (o *observer) control(h wiretest.Header, payload []byte, size int) int {
	switch h.Opcode {
	case wiretest.OpPing:
		o.onPing(string(payload))
	case wiretest.OpPong:
		o.onPong(string(payload))
	case wiretest.OpClose:
		o.closes++
		o.closeCode, o.closeInside, o.closeAt = 1005, o.open, time.Now()
		if len(payload) == 1 || len(payload) > 2 && !utf8.Valid(payload[2:]) {
			return o.breach("illegal", "a Close frame with the payload %q", payload)
		}
		if len(payload) >= 2 {
			o.closeCode = int(binary.BigEndian.Uint16(payload))
		}
	}
	return size
}

// fragment takes a whole data frame.
func (o *observer) fragment(h wiretest.Header, payload []byte, size int) int {
	if h.Opcode != wiretest.OpContinuation {
		o.typ, o.packed, o.data = h.Opcode, h.RSV1, nil
	}
	if o.data == nil {
		o.data = payload
	} else {
		o.data = append(o.data, payload...)
	}
	o.open = !h.FIN
	if o.open {
		return size
	}
	data := o.data
	o.data = nil
	if o.packed {
		var err error
		if data, err = o.inflate(data); err != nil {
			return o.breach("corrupt", "a compressed message can't be inflated: %v", err)
		}
	}
	if o.typ == wiretest.OpText && !utf8.Valid(data) {
		return o.breach("corrupt", "text that is not UTF-8: %.60q", data)
	}
	o.onMessage(data, websocket.MessageType(o.typ))
	return size
}

// inflate decodes a compressed message (RFC 7692, section 7.2.2), which may refer
// to those before it.
func (o *observer) inflate(p []byte) ([]byte, error) {
	whole := bytes.NewReader(append(p, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	if o.inflater == nil {
		o.inflater = flate.NewReaderDict(whole, o.window)
	} else if err := o.inflater.(flate.Resetter).Reset(whole, o.window); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(o.inflater)
	o.window = append(o.window, data...)
	if n := len(o.window) - 32<<10; n > 0 {
		o.window = append(o.window[:0], o.window[n:]...)
	}
	return data, err
}

// A view is what an observer has seen so far.
type view struct {
	frames, bytes int64
	pending       int // bytes of a frame that is not whole
	open          bool
	broken        bool
	closes, code  int
	closeInside   bool
	closeAt       time.Time
}

// closed says when a Close frame left, counted from a moment.
func (v view) closed(from time.Time) string {
	if v.closes == 0 {
		return "no Close frame"
	}
	return fmt.Sprintf("Close %d after %v", v.code, v.closeAt.Sub(from).Round(time.Millisecond))
}

func (o *observer) view() view {
	o.mu.Lock()
	defer o.mu.Unlock()
	return view{o.frames, o.bytes, len(o.pending), o.open, o.broken, o.closes, o.closeCode, o.closeInside, o.closeAt}
}
