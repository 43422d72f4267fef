package suite

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// RSV bits as they lie in a frame's first byte.
const (
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// frame is one frame as the suite sends or receives it. The fields below
// "deviations" make it an illegal one.
type frame struct {
	fin     bool
	rsv     byte // rsv1, rsv2, rsv3 or'ed
	opcode  byte
	payload []byte

	// Deviations.
	wrongMask bool    // masked where it must not be, or the other way round
	form      int     // 16 or 64: the length in that many bits though fewer would do
	declared  *uint64 // the length field's value, whatever the payload's length
	key       *[4]byte
}

func (f frame) withRSV(bits byte) frame   { f.rsv |= bits; return f }
func (f frame) notFinal() frame           { f.fin = false; return f }
func (f frame) maskedWrongly() frame      { f.wrongMask = true; return f }
func (f frame) lengthIn(bits int) frame   { f.form = bits; return f }
func (f frame) declaring(n uint64) frame  { f.declared = &n; return f }
func (f frame) maskedWith(k uint32) frame { f.key = new([4]byte); putKey(f.key, k); return f }

func putKey(dst *[4]byte, k uint32) { binary.BigEndian.PutUint32(dst[:], k) }

func text(s string) frame        { return frame{fin: true, opcode: opText, payload: []byte(s)} }
func binaryFrame(p []byte) frame { return frame{fin: true, opcode: opBinary, payload: p} }
func continuation(p string) frame {
	return frame{fin: true, opcode: opContinuation, payload: []byte(p)}
}
func ping(p string) frame { return frame{fin: true, opcode: opPing, payload: []byte(p)} }
func pong(p string) frame { return frame{fin: true, opcode: opPong, payload: []byte(p)} }

func closing(code int, reason string) frame {
	p := binary.BigEndian.AppendUint16(nil, uint16(code))
	return frame{fin: true, opcode: opClose, payload: append(p, reason...)}
}

func emptyClose() frame { return frame{fin: true, opcode: opClose} }

// appendHeader appends f's header. masked says what the sender's role asks
// for; the returned key is zero when the frame goes out unmasked.
func (f frame) appendHeader(dst []byte, masked bool, key [4]byte) []byte {
	b0 := f.opcode | f.rsv
	if f.fin {
		b0 |= 0x80
	}
	n := uint64(len(f.payload))
	if f.declared != nil {
		n = *f.declared
	}
	var b1 byte
	if masked {
		b1 = 0x80
	}
	switch {
	case f.form == 64 || f.form == 0 && n > 0xFFFF:
		dst = append(dst, b0, b1|127)
		dst = binary.BigEndian.AppendUint64(dst, n)
	case f.form == 16 || f.form == 0 && n > 125:
		dst = append(dst, b0, b1|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, b0, b1|byte(n))
	}
	if masked {
		dst = append(dst, key[:]...)
	}
	return dst
}

// appendFrame appends f as sent by an endpoint that masks, or does not.
func appendFrame(dst []byte, f frame, masks bool, key [4]byte) []byte {
	if f.wrongMask {
		masks = !masks
	}
	if f.key != nil {
		key = *f.key
	}
	dst = f.appendHeader(dst, masks, key)
	start := len(dst)
	dst = append(dst, f.payload...)
	if masks {
		maskBytes(dst[start:], key)
	}
	return dst
}

// maskBytes applies RFC 6455, section 5.3 to p in place.
func maskBytes(p []byte, key [4]byte) {
	var block [1024]byte
	filled := block[:min(len(block), len(p))]
	for i := range filled {
		filled[i] = key[i&3]
	}
	for len(p) > 0 {
		n := subtle.XORBytes(p, p, filled)
		p = p[n:]
	}
}

// received is a frame as the endpoint under test sent it.
type received struct {
	frame
	masked  bool
	key     [4]byte
	minimal bool // its length was in the shortest form
}

// largestPayload bounds what the suite reads into memory: no case asks for more.
const largestPayload = 80 << 20

var (
	errPayloadTooLong = errors.New("a frame longer than any case asks for")
	errCut            = errors.New("a frame cut short")
)

// readFrame reads one frame. An error after the first byte of a header is
// never io.EOF: TCP ending between frames and within one are told apart.
func readFrame(r io.Reader) (received, error) {
	var f received
	var h [8]byte
	if _, err := io.ReadFull(r, h[:1]); err != nil {
		return f, err
	}
	b0 := h[0]
	if _, err := io.ReadFull(r, h[:1]); err != nil {
		return f, cutShort(err)
	}
	b1 := h[0]
	f.fin, f.rsv, f.opcode = b0&0x80 != 0, b0&0x70, b0&0x0F
	f.masked, f.minimal = b1&0x80 != 0, true
	n := uint64(b1 & 0x7F)
	switch n {
	case 126:
		if _, err := io.ReadFull(r, h[:2]); err != nil {
			return f, cutShort(err)
		}
		n = uint64(binary.BigEndian.Uint16(h[:]))
		f.minimal = n > 125
	case 127:
		if _, err := io.ReadFull(r, h[:8]); err != nil {
			return f, cutShort(err)
		}
		n = binary.BigEndian.Uint64(h[:])
		f.minimal = n > 0xFFFF
	}
	if n > largestPayload {
		return f, fmt.Errorf("%w: %d bytes", errPayloadTooLong, n)
	}
	if f.masked {
		if _, err := io.ReadFull(r, f.key[:]); err != nil {
			return f, cutShort(err)
		}
	}
	// Memory grows with the bytes received, not with what the header says.
	for len(f.payload) < int(n) {
		start := len(f.payload)
		f.payload = append(f.payload, make([]byte, min(int(n)-start, max(start, 64<<10)))...)
		if _, err := io.ReadFull(r, f.payload[start:]); err != nil {
			return f, cutShort(err)
		}
	}
	if f.masked {
		maskBytes(f.payload, f.key)
	}
	return f, nil
}

func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}

var opcodeNames = map[byte]string{
	opContinuation: "continuation", opText: "text", opBinary: "binary",
	opClose: "Close", opPing: "Ping", opPong: "Pong",
}

// String names the frame: opcode, flags and length.
func (f frame) String() string {
	name, known := opcodeNames[f.opcode]
	if !known {
		name = fmt.Sprintf("opcode 0x%X", f.opcode)
	}
	if !f.fin {
		name += " without FIN"
	}
	for i, bit := range []byte{rsv1, rsv2, rsv3} {
		if f.rsv&bit != 0 {
			name += fmt.Sprintf(" RSV%d", i+1)
		}
	}
	if f.opcode == opClose && len(f.payload) >= 2 {
		name += fmt.Sprintf(" %d %q", binary.BigEndian.Uint16(f.payload), f.payload[2:])
	} else {
		name += fmt.Sprintf(" of %d bytes", len(f.payload))
	}
	if f.declared != nil {
		name += fmt.Sprintf(" declared as %d", *f.declared)
	}
	if f.form != 0 {
		name += fmt.Sprintf(" (length in %d bits)", f.form)
	}
	if f.wrongMask {
		name += " (masking against the rule)"
	}
	return name
}
