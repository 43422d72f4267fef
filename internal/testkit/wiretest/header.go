package wiretest

import (
	"bufio"
	"encoding/binary"
	"fmt"
)

// A Header is the header of a frame (RFC 6455, section 5.2), legal or not.
type Header struct {
	FIN, RSV1, RSV2, RSV3 bool
	Opcode                byte // four bits
	Masked                bool
	Key                   [4]byte // the masking key, used if Masked
	Length                uint64  // of the payload

	// LengthForm is the form of the length: 16 is "7+16 bits", 64 is "7+64 bits", and 0 is the shortest form that
	// holds Length, which the RFC demands. ParseHeader sets it only if the form was not the shortest.
	LengthForm int
}

// First returns a header with the FIN bit, the RSV bits and the opcode of the byte b.
func First(b byte) Header {
	return Header{FIN: b&0x80 != 0, RSV1: b&0x40 != 0, RSV2: b&0x20 != 0, RSV3: b&0x10 != 0, Opcode: b & 0x0F}
}

// First returns the header's first byte.
func (h Header) First() byte {
	first := h.Opcode & 0x0F
	for i, bit := range []bool{h.RSV3, h.RSV2, h.RSV1, h.FIN} {
		if bit {
			first |= 0x10 << i
		}
	}
	return first
}

// Control reports whether the opcode is that of a control frame.
func (h Header) Control() bool { return h.Opcode&0x8 != 0 }

// form returns how many bits the length takes on the wire.
func (h Header) form() int {
	if h.LengthForm != 0 {
		return h.LengthForm
	}
	return shortestForm(h.Length)
}

// LengthEnd returns the size of the header without its masking key.
func (h Header) LengthEnd() int { return 2 + h.form()/8 } // 7 bits take no byte of their own

// Append appends the header to b. It does not correct any field.
func (h Header) Append(b []byte) []byte {
	var mask byte
	if h.Masked {
		mask = 0x80
	}
	switch b = append(b, h.First()); h.form() {
	case 7:
		b = append(b, mask|byte(h.Length))
	case 16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(h.Length))
	case 64:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), h.Length)
	default:
		panic(fmt.Sprintf("wiretest: a length has no form of %d bits", h.LengthForm))
	}
	if h.Masked {
		b = append(b, h.Key[:]...)
	}
	return b
}

// Mask masks or unmasks a payload in place, if the frame is masked.
func (h Header) Mask(payload []byte) {
	if !h.Masked {
		return
	}
	for i := range payload {
		payload[i] ^= h.Key[i%4]
	}
}

// shortestForm returns how many bits a length takes: "the minimal number of bytes MUST be used".
func shortestForm(length uint64) int {
	switch {
	case length <= 125:
		return 7
	case length <= 0xFFFF:
		return 16
	default:
		return 64
	}
}

// headerSize returns the size of a header with this second byte, without and with the masking key.
func headerSize(second byte) (keyAt, size int) {
	keyAt = 2
	switch second & 0x7F {
	case 126:
		keyAt = 4
	case 127:
		keyAt = 10
	}
	if second&0x80 != 0 {
		return keyAt, keyAt + 4
	}
	return keyAt, keyAt
}

// ParseHeader parses the header at the start of b and returns its size, or n = 0 if b does not hold all of it. Fields
// that b does hold are set in either case.
func ParseHeader(b []byte) (h Header, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h = First(b[0])
	h.Masked = b[1]&0x80 != 0
	keyAt, size := headerSize(b[1])
	if len(b) < keyAt {
		return h, 0
	}
	form := 7
	switch keyAt {
	case 2:
		h.Length = uint64(b[1] & 0x7F)
	case 4:
		h.Length, form = uint64(binary.BigEndian.Uint16(b[2:])), 16
	case 10:
		h.Length, form = binary.BigEndian.Uint64(b[2:]), 64
	}
	if form != shortestForm(h.Length) {
		h.LengthForm = form
	}
	if len(b) < size {
		return h, 0
	}
	copy(h.Key[:], b[keyAt:size])
	return h, size
}

// ReadHeader reads a header and nothing after it. The buffer of r must have at least 14 bytes.
func ReadHeader(r *bufio.Reader) (Header, error) {
	b, err := r.Peek(2)
	if err != nil {
		return Header{}, err
	}
	_, size := headerSize(b[1])
	if b, err = r.Peek(size); err != nil {
		return Header{}, err
	}
	h, n := ParseHeader(b)
	_, err = r.Discard(n)
	return h, err
}
