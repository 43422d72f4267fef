package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/closeonce/websocket/internal/mask"
)

// This file is pure: bytes in, headers out. It does no I/O and owns no state.
//
// RFC 6455, section 5.2:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//	|I|S|S|S|  (4)  |A|     (7)     |         (16 or 64 bits)       |
//	|N|V|V|V|       |S|             |   (if payload len==126/127)   |
//	| |1|2|3|       |K|             |    then the masking key (32)  |
//	+-+-+-+-+-------+-+-------------+-------------------------------+

type opcode byte

const (
	opContinuation opcode = 0x0
	opText         opcode = 0x1
	opBinary       opcode = 0x2
	opClose        opcode = 0x8
	opPing         opcode = 0x9
	opPong         opcode = 0xA
)

// control reports whether the opcode's most significant bit is set (section 5.5).
func (o opcode) control() bool { return o&0x8 != 0 }

// MessageType is the type of a message (RFC 6455, section 5.6).
type MessageType int

const (
	// MessageText is for UTF-8 text. It is checked in both directions.
	MessageText MessageType = iota + 1
	// MessageBinary is for any bytes.
	MessageBinary
)

// String returns MessageText, MessageBinary, or MessageType(n) for any other.
func (t MessageType) String() string {
	switch t {
	case MessageText:
		return "MessageText"
	case MessageBinary:
		return "MessageBinary"
	}
	return fmt.Sprintf("MessageType(%d)", int(t))
}

// An Opcode says what a frame is (RFC 6455, section 5.2).
type Opcode uint8

// The opcodes.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// String returns "continuation", "text", "binary", "close", "ping" or "pong".
func (o Opcode) String() string {
	switch o {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	return "reserved"
}

const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsv2Bit = 0x20
	rsv3Bit = 0x10
	maskBit = 0x80

	// maxHeader is two bytes, a 64-bit length and a masking key.
	maxHeader = 2 + 8 + 4

	// maxControlPayload bounds control frames (section 5.5).
	maxControlPayload = 125
)

// A header is a frame without its payload.
type header struct {
	fin, rsv1, rsv2, rsv3 bool
	opcode                opcode
	masked                bool
	key                   mask.Key
	length                int64
}

// parseHeader parses the header at the start of b. It returns the header's size in
// bytes, or 0 if b does not hold all of it yet: then the caller tries again with
// more bytes.
func parseHeader(b []byte) (h header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	n = 2
	length := uint64(b[1] &^ maskBit)
	switch length {
	case 126:
		if n = 4; len(b) < n {
			return h, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
		// "the minimal number of bytes MUST be used to encode the length"
		if length < 126 {
			return h, 0, protocolError(StatusProtocolError, "the payload length is not in its shortest form", "5.2")
		}
	case 127:
		if n = 10; len(b) < n {
			return h, 0, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
		// "a 64-bit unsigned integer (the most significant bit MUST be 0)"
		if length>>63 != 0 {
			return h, 0, protocolError(StatusProtocolError, "the top bit of the 64-bit payload length is set", "5.2")
		}
		if length <= 0xFFFF {
			return h, 0, protocolError(StatusProtocolError, "the payload length is not in its shortest form", "5.2")
		}
	}
	h = header{
		fin:    b[0]&finBit != 0,
		rsv1:   b[0]&rsv1Bit != 0,
		rsv2:   b[0]&rsv2Bit != 0,
		rsv3:   b[0]&rsv3Bit != 0,
		opcode: opcode(b[0] & 0x0F),
		masked: b[1]&maskBit != 0,
		length: int64(length),
	}
	if h.masked {
		if len(b) < n+4 {
			return header{}, 0, nil
		}
		h.key = mask.Key(b[n : n+4])
		n += 4
	}
	return h, n, nil
}

// appendHeader appends the header's bytes to b, with the length in its
// shortest form.
func appendHeader(b []byte, h header) []byte {
	first := byte(h.opcode)
	if h.fin {
		first |= finBit
	}
	if h.rsv1 {
		first |= rsv1Bit
	}
	if h.rsv2 {
		first |= rsv2Bit
	}
	if h.rsv3 {
		first |= rsv3Bit
	}
	if h.masked {
		return append(appendLength(b, first, maskBit, h.length), h.key[:]...)
	}
	return appendLength(b, first, 0, h.length)
}

// appendLength appends a header without its masking key. second is the second byte without it: maskBit or 0.
func appendLength(b []byte, first, second byte, length int64) []byte {
	switch {
	case length < 126:
		return append(b, first, second|byte(length))
	case length <= 0xFFFF:
		return append(b, first, second|126, byte(length>>8), byte(length))
	}
	return binary.BigEndian.AppendUint64(append(b, first, second|127), uint64(length))
}

// legality is the context that decides, with the header, whether a frame is legal.
type legality struct {
	// fromClient says who sent the frame, and so whether it must be masked.
	fromClient bool
	// inMessage: a fragmented message has begun and has not ended.
	inMessage bool
	// deflate: permessage-deflate was negotiated, which gives RSV1 a meaning.
	deflate bool
}

// check returns the violation that h commits, or nil.
func (h *header) check(l legality) error {
	// Section 5.2: "MUST be 0 unless an extension is negotiated that defines
	// meanings for non-zero values."
	if h.rsv2 || h.rsv3 {
		return protocolError(StatusProtocolError, "RSV2 or RSV3 is set, but no negotiated extension defines it", "5.2")
	}
	if h.rsv1 && !l.deflate {
		return protocolError(StatusProtocolError, "RSV1 is set, but no negotiated extension defines it", "5.2")
	}

	if h.opcode > opPong || h.opcode > opBinary && !h.opcode.control() {
		// "If an unknown opcode is received, the receiving endpoint MUST
		// _Fail the WebSocket Connection_."
		return reserved(h.opcode)
	}

	// Section 5.1: "a client MUST mask all frames that it sends to the server"
	// and "A server MUST NOT mask any frames that it sends to the client."
	if l.fromClient && !h.masked {
		return protocolError(StatusProtocolError, "a frame from the client is not masked", "5.1")
	}
	if !l.fromClient && h.masked {
		return protocolError(StatusProtocolError, "a frame from the server is masked", "5.1")
	}

	if h.opcode.control() {
		// Section 5.5: "All control frames MUST have a payload length of 125
		// bytes or less and MUST NOT be fragmented."
		if h.length > maxControlPayload {
			return protocolError(StatusProtocolError, "a control frame has more than 125 bytes", "5.5")
		}
		if !h.fin {
			return protocolError(StatusProtocolError, "a control frame is fragmented", "5.5")
		}
		// RFC 7692, section 6: control frames are never compressed.
		if h.rsv1 {
			return protocolError(StatusProtocolError, "RSV1 is set on a control frame", "5.5")
		}
		return nil
	}

	// Section 5.4: a message is one unfragmented frame, or a first frame with a
	// data opcode and then continuations; fragments of two messages do not mix.
	if h.opcode == opContinuation {
		if !l.inMessage {
			return protocolError(StatusProtocolError, "a continuation frame without a message to continue", "5.4")
		}
		// RFC 7692, section 6.1: "An endpoint MUST NOT set the "Per-Message
		// Compressed" bit of control frames and non-first fragments of a data message."
		if h.rsv1 {
			return protocolError(StatusProtocolError, "RSV1 is set on a continuation frame", "5.4")
		}
		return nil
	}
	if l.inMessage {
		return protocolError(StatusProtocolError, "a new message begins inside a fragmented one", "5.4")
	}
	return nil
}

// reserved is the violation of a frame with an opcode that has no meaning. It is no part of check, which needs little stack.
//
//go:noinline
func reserved(op opcode) error {
	return protocolError(StatusProtocolError, fmt.Sprintf("reserved opcode %d", op), "5.2")
}

// maxCloseReason is what a control frame holds besides the status code.
const maxCloseReason = maxControlPayload - 2

// parseClose parses the payload of a received Close frame.
func parseClose(p []byte) (CloseError, error) {
	// Section 7.1.5: "If this Close control frame contains no status code,
	// _The WebSocket Connection Close Code_ is considered to be 1005."
	if len(p) == 0 {
		return CloseError{Code: StatusNoStatusRcvd}, nil
	}
	// Section 5.5.1: "If there is a body, the first two bytes of the body MUST
	// be a 2-byte unsigned integer".
	if len(p) == 1 {
		return CloseError{}, protocolError(StatusProtocolError, "a Close frame has a payload of one byte", "5.5.1")
	}
	e := CloseError{Code: StatusCode(binary.BigEndian.Uint16(p)), Reason: string(p[2:])}
	if !e.Code.sendable() {
		return CloseError{}, protocolError(StatusProtocolError, fmt.Sprintf("a Close frame has the status code %d", int(e.Code)), "7.4")
	}
	if !utf8.ValidString(e.Reason) {
		return CloseError{}, protocolError(StatusInvalidFramePayloadData, "the reason in a Close frame is not UTF-8", "5.5.1")
	}
	return e, nil
}

// appendClose appends the payload of a Close frame. With StatusNoStatusRcvd the
// payload is empty. The caller has checked the reason.
func appendClose(b []byte, code StatusCode, reason string) []byte {
	if code == StatusNoStatusRcvd {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, reason...)
}

// checkClose checks a code and a reason that the application wants to send. It
// returns the nearest ones that may be sent, and an error if they differ.
func checkClose(code StatusCode, reason string) (StatusCode, string, error) {
	switch {
	case code == StatusNoStatusRcvd && reason == "":
		return code, "", nil
	case code == StatusNoStatusRcvd:
		return StatusInternalError, "", fmt.Errorf("websocket: the status code 1005 (StatusNoStatusRcvd) means a Close frame without a code, which can't have a reason; Close uses 1011 without a reason instead")
	case !code.sendable():
		return StatusInternalError, "", fmt.Errorf("websocket: the status code %d may not be sent in a Close frame (RFC 6455, section 7.4); Close uses 1011 without a reason instead", int(code))
	case !utf8.ValidString(reason):
		return code, "", fmt.Errorf("websocket: the reason for Close is not UTF-8; Close uses none")
	case len(reason) > maxCloseReason:
		cut := maxCloseReason
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		return code, reason[:cut], fmt.Errorf("websocket: the reason for Close has %d bytes; it was cut to fit into %d", len(reason), maxCloseReason)
	}
	return code, reason, nil
}

// A firstByte is the first byte of a frame of ours: FIN, RSV1 and the opcode.
type firstByte byte

func (f firstByte) opcode() opcode { return opcode(f & 0x0F) }
func (f firstByte) fin() bool      { return f&finBit != 0 }
func (f firstByte) rsv1() bool     { return f&rsv1Bit != 0 }
