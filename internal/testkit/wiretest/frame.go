package wiretest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The opcodes of RFC 6455, section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

// A Frame is a frame of RFC 6455, section 5.2, legal or not.
type Frame struct {
	FIN, RSV1, RSV2, RSV3 bool
	Opcode                byte // four bits
	Masked                bool
	Key                   [4]byte // used if Masked
	Payload               []byte  // not masked

	// LengthForm forces the form of the length: 0 is the shortest, as the RFC demands, 16 is "7+16 bits", 64
	// is "7+64 bits". In a frame that came from the wire it is 0 if the form was the shortest.
	LengthForm int
	// Length, if not 0, is written in place of the length of Payload: a lie.
	Length uint64
}

// Text is a whole text message in one frame.
func Text(s string) Frame { return Frame{FIN: true, Opcode: OpText, Payload: []byte(s)} }

// Binary is a whole binary message in one frame.
func Binary(s string) Frame { return Frame{FIN: true, Opcode: OpBinary, Payload: []byte(s)} }

// Continuation is the last fragment of a message; Continuation(s).More() is one in its middle.
func Continuation(s string) Frame { return Frame{FIN: true, Payload: []byte(s)} }

// Ping is a ping.
func Ping(s string) Frame { return Frame{FIN: true, Opcode: OpPing, Payload: []byte(s)} }

// Pong is a pong.
func Pong(s string) Frame { return Frame{FIN: true, Opcode: OpPong, Payload: []byte(s)} }

// Close is a Close frame with a status code.
func Close(code int, reason string) Frame {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	return Frame{FIN: true, Opcode: OpClose, Payload: append(payload, reason...)}
}

// EmptyClose is a Close frame without a status code.
func EmptyClose() Frame { return Frame{FIN: true, Opcode: OpClose} }

// More returns the frame without FIN: more fragments follow.
func (f Frame) More() Frame {
	f.FIN = false
	return f
}

// Compressed returns the frame with RSV1 set, the bit of permessage-deflate.
func (f Frame) Compressed() Frame {
	f.RSV1 = true
	return f
}

// Append appends the frame to b exactly as its fields say, Masked and Key included.
func (f Frame) Append(b []byte) []byte {
	first := f.Opcode & 0x0F
	for i, bit := range []bool{f.RSV3, f.RSV2, f.RSV1, f.FIN} {
		if bit {
			first |= 0x10 << i
		}
	}
	length := f.Length
	if length == 0 {
		length = uint64(len(f.Payload))
	}
	form := f.LengthForm
	if form == 0 {
		form = shortestForm(length)
	}
	maskBit := byte(0)
	if f.Masked {
		maskBit = 0x80
	}
	b = append(b, first)
	switch form {
	case 7:
		b = append(b, maskBit|byte(length))
	case 16:
		b = append(b, maskBit|126)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	case 64:
		b = append(b, maskBit|127)
		b = binary.BigEndian.AppendUint64(b, length)
	default:
		panic(fmt.Sprintf("wiretest: a length has no form of %d bits", form))
	}
	if !f.Masked {
		return append(b, f.Payload...)
	}
	b = append(b, f.Key[:]...)
	for i, c := range f.Payload {
		b = append(b, c^f.Key[i%4])
	}
	return b
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

// maxPayload is far more than a test sends. A length above it is a mistake, for the rest of which nobody waits.
const maxPayload = 64 << 20

// ParseFrame takes the first frame off b. It returns n = 0 as long as the frame is not whole.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.FIN, f.RSV1, f.RSV2, f.RSV3 = b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x20 != 0, b[0]&0x10 != 0
	f.Opcode = b[0] & 0x0F
	f.Masked = b[1]&0x80 != 0

	length, form := uint64(b[1]&0x7F), 7
	n = 2
	switch {
	case length == 126 && len(b) >= 4:
		length, form, n = uint64(binary.BigEndian.Uint16(b[2:])), 16, 4
	case length == 127 && len(b) >= 10:
		length, form, n = binary.BigEndian.Uint64(b[2:]), 64, 10
	case length > 125:
		return f, 0, nil
	}
	if form != shortestForm(length) {
		f.LengthForm = form
	}
	if length > maxPayload {
		return f, 0, fmt.Errorf("a frame of %d bytes", length)
	}
	if f.Masked {
		if len(b) < n+4 {
			return f, 0, nil
		}
		f.Key = [4]byte(b[n:])
		n += 4
	}
	if len(b)-n < int(length) {
		return f, 0, nil
	}
	f.Payload = make([]byte, length)
	for i := range f.Payload {
		f.Payload[i] = b[n+i]
		if f.Masked {
			f.Payload[i] ^= f.Key[i%4]
		}
	}
	return f, n + int(length), nil
}

// String describes the frame for people: all that two frames may differ in.
func (f Frame) String() string {
	var s strings.Builder
	name, ok := map[byte]string{OpContinuation: "continuation", OpText: "text", OpBinary: "binary",
		OpClose: "Close", OpPing: "ping", OpPong: "pong"}[f.Opcode]
	if !ok {
		name = fmt.Sprintf("opcode %#x", f.Opcode)
	}
	s.WriteString(name)
	if f.Opcode == OpClose && len(f.Payload) >= 2 {
		fmt.Fprintf(&s, " %d %s", binary.BigEndian.Uint16(f.Payload), quote(f.Payload[2:]))
	} else {
		fmt.Fprintf(&s, " %s", quote(f.Payload))
	}
	for _, bit := range []struct {
		set  bool
		name string
	}{{!f.FIN, "no FIN"}, {f.RSV1, "RSV1"}, {f.RSV2, "RSV2"}, {f.RSV3, "RSV3"}} {
		if bit.set {
			s.WriteString(", " + bit.name)
		}
	}
	if f.LengthForm != 0 {
		fmt.Fprintf(&s, ", length in 7+%d bits", f.LengthForm)
	}
	return s.String()
}

// quote quotes b, of which it leaves the middle out when it is long.
func quote(b []byte) string {
	if len(b) <= 100 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q...%q (%d bytes)", b[:40], b[len(b)-40:], len(b))
}
