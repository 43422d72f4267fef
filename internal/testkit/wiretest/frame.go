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
	Payload               []byte  // unmasked

	// LengthForm is the form of the length, as in Header.
	LengthForm int
	// Length, if not 0, is sent as the length instead of len(Payload).
	Length uint64
}

// Text returns a text message in one frame.
func Text(s string) Frame { return Frame{FIN: true, Opcode: OpText, Payload: []byte(s)} }

// Binary returns a binary message in one frame.
func Binary(s string) Frame { return Frame{FIN: true, Opcode: OpBinary, Payload: []byte(s)} }

// Continuation returns the last fragment of a message. Continuation(s).More() is a fragment in the middle.
func Continuation(s string) Frame { return Frame{FIN: true, Payload: []byte(s)} }

// Ping returns a Ping frame.
func Ping(s string) Frame { return Frame{FIN: true, Opcode: OpPing, Payload: []byte(s)} }

// Pong returns a Pong frame.
func Pong(s string) Frame { return Frame{FIN: true, Opcode: OpPong, Payload: []byte(s)} }

// Close returns a Close frame with a status code.
func Close(code int, reason string) Frame {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	return Frame{FIN: true, Opcode: OpClose, Payload: append(payload, reason...)}
}

// EmptyClose returns a Close frame without a status code.
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

// Header returns the frame's header.
func (f Frame) Header() Header {
	h := Header{f.FIN, f.RSV1, f.RSV2, f.RSV3, f.Opcode, f.Masked, f.Key, f.Length, f.LengthForm}
	if h.Length == 0 {
		h.Length = uint64(len(f.Payload))
	}
	return h
}

// Append appends the frame to b. It does not correct any field.
func (f Frame) Append(b []byte) []byte {
	h := f.Header()
	b = h.Append(b)
	start := len(b)
	b = append(b, f.Payload...)
	h.Mask(b[start:])
	return b
}

// maxPayload is far more than any test sends. ParseFrame returns an error for a greater length instead of waiting for the payload.
const maxPayload = 64 << 20

// ParseFrame parses the frame at the start of b and returns its size, or n = 0 if b does not hold all of it.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	h, n := ParseHeader(b)
	if h.Length > maxPayload {
		return f, 0, fmt.Errorf("a frame of %d bytes", h.Length)
	}
	if n == 0 || uint64(len(b)-n) < h.Length {
		return f, 0, nil
	}
	end := n + int(h.Length)
	f = Frame{FIN: h.FIN, RSV1: h.RSV1, RSV2: h.RSV2, RSV3: h.RSV3, Opcode: h.Opcode, Masked: h.Masked, Key: h.Key, LengthForm: h.LengthForm}
	f.Payload = append([]byte{}, b[n:end]...)
	h.Mask(f.Payload)
	return f, end, nil
}

// String describes the frame for a failure message.
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

// quote quotes b. It leaves out the middle of a long b.
func quote(b []byte) string {
	if len(b) <= 100 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q...%q (%d bytes)", b[:40], b[len(b)-40:], len(b))
}
