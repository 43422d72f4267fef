package main

import (
	"encoding/binary"
	"errors"
)

// framing says how messages are told apart on the wire.
type framing int

const (
	framingWebSocket framing = iota
	framingLength            // the references: four bytes of length, big endian, then the message
)

const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8

	bitFin    = 0x80
	bitRsv1   = 0x40
	bitMasked = 0x80
)

// maskingKey is the same in every frame: unmasking costs the same for all keys but the zero one,
// which a library may skip.
var maskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendFrame appends one final frame. first is the header's first byte: FIN, RSV1 and the opcode.
func appendFrame(dst []byte, first byte, masked bool, payload []byte) []byte {
	var second byte
	if masked {
		second = bitMasked
	}
	dst = append(dst, first)
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, second|byte(n))
	case n <= 0xffff:
		dst = append(dst, second|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, second|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if !masked {
		return append(dst, payload...)
	}
	dst = append(dst, maskingKey[:]...)
	for i, b := range payload {
		dst = append(dst, b^maskingKey[i&3])
	}
	return dst
}

// appendLengthPrefixed appends one message of the references.
func appendLengthPrefixed(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...)
}

// repeat returns n copies of p, one after the other.
func repeat(p []byte, n int) []byte {
	out := make([]byte, 0, n*len(p))
	for range n {
		out = append(out, p...)
	}
	return out
}

var errPeerClosed = errors.New("the process under test sent a Close frame")

// scanner counts the whole messages in a byte stream, whatever the reads it arrives in. It looks at
// headers and skips payloads, so that it costs the load generator next to nothing.
type scanner struct {
	framing framing
	keep    bool   // collect payloads of data frames
	kept    []byte // what was collected

	header [14]byte
	have   int    // bytes of header present
	left   uint64 // payload bytes still to come
	first  byte   // first byte of the frame whose payload is coming
	key    [4]byte
	masked bool
	offset int
	inside bool // between a header and the end of its payload
}

// feed takes the next bytes of the stream and returns how many messages ended within them. A Close
// frame is reported as errPeerClosed, after the messages before it; other control frames are skipped.
func (s *scanner) feed(p []byte) (messages int, err error) {
	for len(p) > 0 || s.inside && s.left == 0 {
		if !s.inside {
			used := s.readHeader(p)
			p = p[used:]
			continue
		}
		n := min(uint64(len(p)), s.left)
		if s.keep && s.isData() {
			s.collect(p[:n])
		}
		p, s.left = p[n:], s.left-n
		if s.left > 0 {
			return messages, nil
		}
		s.inside = false
		if s.framing == framingLength || s.first&bitFin != 0 && s.isData() {
			messages++
		}
		if s.framing == framingWebSocket && s.first&0x0f == opClose {
			return messages, errPeerClosed
		}
	}
	return messages, nil
}

func (s *scanner) isData() bool {
	return s.framing == framingLength || s.first&0x0f < opClose
}

func (s *scanner) collect(p []byte) {
	for _, b := range p {
		if s.masked {
			b ^= s.key[s.offset&3]
			s.offset++
		}
		s.kept = append(s.kept, b)
	}
}

// readHeader takes header bytes from p until the header is whole, and returns how many it took.
func (s *scanner) readHeader(p []byte) (used int) {
	for used < len(p) {
		s.header[s.have] = p[used]
		s.have++
		used++
		if s.have == s.headerSize() {
			s.begin()
			return used
		}
	}
	return used
}

// headerSize returns how long the header is, as far as its present bytes tell.
func (s *scanner) headerSize() int {
	if s.framing == framingLength {
		return 4
	}
	if s.have < 2 {
		return 2
	}
	size := 2
	switch s.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if s.header[1]&bitMasked != 0 {
		size += 4
	}
	return size
}

func (s *scanner) begin() {
	h := s.header[:s.have]
	s.have, s.inside, s.offset = 0, true, 0
	if s.framing == framingLength {
		s.left = uint64(binary.BigEndian.Uint32(h))
		return
	}
	s.first = h[0]
	s.masked = h[1]&bitMasked != 0
	switch n := h[1] & 0x7f; n {
	case 126:
		s.left = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		s.left = binary.BigEndian.Uint64(h[2:])
	default:
		s.left = uint64(n)
	}
	if s.masked {
		copy(s.key[:], h[len(h)-4:])
	}
}
