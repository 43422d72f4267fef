package faulty

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"time"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// messageLimit is what a sound endpoint reads at most.
const messageLimit = 32 << 20

// mostEmpty is how many frames of a message may carry nothing.
const mostEmpty = 10000

// endpoint echoes on an open connection. One goroutine reads and answers.
type endpoint struct {
	ctx    context.Context
	conn   net.Conn
	br     *bufio.Reader
	client bool
	fault  Fault

	deflate  *agreement // nil: not negotiated
	deflater *suite.Deflater
	history  []byte // the window of what has been inflated

	opcode     byte // of the message under way, 0: none
	compressed bool
	text       utf8State
	message    []byte
	held       [][]byte // Pings kept until the message's end
	pinged     bool
	empty      int // frames of the message under way that carry nothing
	buf        []byte

	queue chan []byte // of the endpoint that never waits for its answers to leave
	gone  chan struct{}
}

func (e *endpoint) has(f Fault) bool { return e.fault == f }

// header is a frame's header as it came.
type header struct {
	fin     bool
	rsv     byte // as in the first byte
	opcode  byte
	masked  bool
	key     [4]byte
	length  uint64
	minimal int // bits of a length field that fewer would have done for, else 0
}

func (h *header) control() bool { return h.opcode >= 8 }

func (e *endpoint) readHeader() (h header, err error) {
	var b [8]byte
	if e.has("reads a header in one piece only") {
		// What a single read brings must hold all of it.
		if _, err := e.br.Peek(1); err != nil {
			return h, err
		}
		if n := e.br.Buffered(); n < 2 {
			return h, io.ErrUnexpectedEOF
		}
	}
	if _, err = io.ReadFull(e.br, b[:2]); err != nil {
		return h, err
	}
	h.fin, h.rsv, h.opcode = b[0]&0x80 != 0, b[0]&0x70, b[0]&0x0f
	h.masked, h.length = b[1]&0x80 != 0, uint64(b[1]&0x7f)
	switch h.length {
	case 126:
		if _, err = io.ReadFull(e.br, b[:2]); err != nil {
			return h, err
		}
		if h.length = uint64(binary.BigEndian.Uint16(b[:])); h.length < 126 {
			h.minimal = 16
		}
	case 127:
		if _, err = io.ReadFull(e.br, b[:8]); err != nil {
			return h, err
		}
		if h.length = binary.BigEndian.Uint64(b[:]); h.length < 1<<16 {
			h.minimal = 64
		}
	}
	if h.masked {
		_, err = io.ReadFull(e.br, h.key[:])
	}
	return h, err
}

// illegal is the check of RFC 6455, sections 5.1, 5.2, 5.4 and 5.5.
func (e *endpoint) illegal(h *header) bool {
	rsv := h.rsv
	if e.deflate != nil && !h.control() && (h.opcode != 0 || e.has("accepts RSV1 on continuation frames")) {
		rsv &^= 0x40
	}
	switch e.fault {
	case "accepts RSV1":
		rsv &^= 0x40
	case "accepts RSV2":
		rsv &^= 0x20
	case "accepts RSV3":
		rsv &^= 0x10
	case "accepts reserved bits on control frames":
		if h.control() {
			rsv = 0
		}
	}
	reserved := h.opcode > 2 && h.opcode < 8 && !e.has("accepts reserved data opcodes") ||
		h.opcode > 10 && !e.has("accepts reserved control opcodes")
	switch {
	case rsv != 0, reserved:
		return true
	case h.masked == e.client && !e.has("accepts masking against the role"):
		return true
	case h.control() && h.length > 125 && !e.has("accepts control frames over 125 bytes"):
		return true
	case h.control() && !h.fin && !e.has("accepts fragmented control frames"):
		return true
	case h.minimal == 16 && !e.has("accepts a 16-bit length that is not shortest"):
		return true
	case h.minimal == 64 && !e.has("accepts a 64-bit length that is not shortest"):
		return true
	case h.length>>63 != 0 && !e.has("ignores the top bit of a 64-bit length"):
		return true
	case h.opcode == 0 && e.opcode == 0 && !e.has("accepts a continuation without a start"):
		return true
	case (h.opcode == 1 || h.opcode == 2) && e.opcode != 0 && !e.has("accepts a start inside a message"):
		return true
	}
	return false
}

// run echoes until the connection is over.
func (e *endpoint) run() {
	defer e.conn.Close()
	defer e.flush()
	if e.has("sends a Ping unasked, fragmented") {
		e.send(0x09, []byte("un"))
		e.send(0x80, []byte("asked"))
	}
	for {
		h, err := e.readHeader()
		if err != nil {
			return
		}
		if e.illegal(&h) {
			if e.has("goes on after a failure") && h.length < 1<<20 {
				e.payload(&h, func([]byte) bool { return true })
				continue
			}
			e.fail(1002)
			return
		}
		h.length &= 1<<63 - 1
		over := false
		if h.control() {
			over = e.control(&h)
		} else if h.opcode <= 2 {
			over = e.data(&h)
		} else {
			e.payload(&h, func([]byte) bool { return true })
		}
		if over {
			return
		}
	}
}

// payload hands a frame's payload over in pieces as they come.
func (e *endpoint) payload(h *header, take func([]byte) bool) bool {
	if e.buf == nil {
		e.buf = make([]byte, 32<<10)
	}
	buf := e.buf
	restarts := e.has("unmasks each piece from the key's start")
	for at := uint64(0); at < h.length; {
		n, err := e.br.Read(buf[:min(h.length-at, uint64(len(buf)))])
		if h.masked {
			k := int(at)
			if restarts {
				k = 0
			}
			for i := range buf[:n] {
				buf[i] ^= h.key[(k+i)&3]
			}
		}
		at += uint64(n)
		if n > 0 && !take(buf[:n]) {
			return false
		}
		if err != nil {
			e.conn.Close()
			return false
		}
	}
	return true
}

// send writes one frame; first is its first byte.
func (e *endpoint) send(first byte, p []byte) {
	b := []byte{first}
	var mask byte
	if e.client != e.has("masks against its role") {
		mask = 0x80
	}
	switch n := len(p); {
	case n > 0xffff || e.has("sends lengths not in the shortest form") && n > 125:
		b = append(b, mask|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	case n > 125:
		b = append(b, mask|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, mask|byte(n))
	}
	if mask == 0 {
		e.write(append(b, p...))
		return
	}
	var key [4]byte
	if !e.has("masks with one key") {
		rand.Read(key[:])
	}
	b = append(b, key[:]...)
	start := len(b)
	b = append(b, p...)
	for i := range b[start:] {
		b[start+i] ^= key[i&3]
	}
	e.write(b)
}

func (e *endpoint) write(b []byte) {
	if !e.has("reads on though nobody reads its answers") {
		e.conn.Write(b)
		return
	}
	if e.queue == nil {
		e.queue, e.gone = make(chan []byte, 1<<16), make(chan struct{})
		go func() {
			defer close(e.gone)
			for b := range e.queue {
				e.conn.Write(b)
			}
		}()
	}
	e.queue <- b
}

// flush waits until what is queued has left.
func (e *endpoint) flush() {
	if e.queue != nil {
		close(e.queue)
		<-e.gone
		e.queue = nil
	}
}

// fail sends Close and ends TCP: RFC 6455, section 7.1.7.
func (e *endpoint) fail(code int) {
	if e.has("fails with 1000") {
		code = 1000
	}
	if code == 1009 && e.has("refuses large messages with 1002") {
		code = 1002
	}
	if !e.has("fails without a Close") {
		e.sendClose(binary.BigEndian.AppendUint16(nil, uint16(code)))
	}
	if e.has("fails but leaves TCP open") {
		e.hang()
		return
	}
	e.end()
}

func (e *endpoint) sendClose(payload []byte) {
	e.send(0x88, payload)
	if e.has("answers a Close twice") {
		e.send(0x88, payload)
	}
	if e.has("sends a message after its Close") {
		e.send(0x81, []byte("bye"))
	}
}

// end sends FIN and waits for the peer's, so that no reset overtakes the Close.
func (e *endpoint) end() {
	if e.has("never ends TCP") {
		e.hang()
		return
	}
	e.flush()
	if c, ok := e.conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	e.conn.SetReadDeadline(time.Now().Add(time.Minute))
	io.Copy(io.Discard, e.br)
}

// hang keeps TCP open whatever the peer does, until the test is over.
func (e *endpoint) hang() {
	io.Copy(io.Discard, e.br)
	<-e.ctx.Done()
}
