package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/closeonce/websocket"
)

// The status codes of a Close frame (RFC 6455, section 7.4.1).
const (
	CloseNormalClosure           = 1000
	CloseGoingAway               = 1001
	CloseProtocolError           = 1002
	CloseUnsupportedData         = 1003
	CloseNoStatusReceived        = 1005
	CloseAbnormalClosure         = 1006
	CloseInvalidFramePayloadData = 1007
	ClosePolicyViolation         = 1008
	CloseMessageTooBig           = 1009
	CloseMandatoryExtension      = 1010
	CloseInternalServerErr       = 1011
	CloseServiceRestart          = 1012
	CloseTryAgainLater           = 1013
	CloseTLSHandshake            = 1015
)

// The message types, which are opcodes (RFC 6455, section 11.8).
const (
	// TextMessage is for text.
	TextMessage = 1
	// BinaryMessage is for bytes.
	BinaryMessage = 2
	// CloseMessage is a Close frame. [FormatCloseMessage] makes its payload.
	CloseMessage = 8
	// PingMessage is a Ping frame.
	PingMessage = 9
	// PongMessage is a Pong frame.
	PongMessage = 10
)

// noFrame is the message type of a call that returns an error.
const noFrame = -1

// maxControlPayload is the size of a control frame's payload at most (RFC 6455, section 5.5).
const maxControlPayload = 125

var (
	// ErrCloseSent is returned by methods that write after a Close frame was sent.
	ErrCloseSent = errors.New("websocket: close sent")
	// ErrReadLimit is returned by methods that read when a message is larger than the read limit.
	ErrReadLimit = errors.New("websocket: read limit exceeded")
	// ErrBadHandshake is returned by Dial when the server's answer is not a valid handshake.
	ErrBadHandshake = errors.New("websocket: bad handshake")

	errBadWriteOpCode      = errors.New("websocket: bad write message type")
	errWriteClosed         = errors.New("websocket: write closed")
	errInvalidControlFrame = errors.New("websocket: invalid control frame")
	errInsideMessage       = errors.New("websocket: a prepared message can't be sent inside a message of NextWriter")
	errUnexpectedEOF       = &CloseError{Code: CloseAbnormalClosure, Text: io.ErrUnexpectedEOF.Error()}
	errWriteTimeout        = &timeoutError{text: "websocket: write timeout", temporary: true}
)

// A CloseError is the content of the peer's Close frame. Code 1006 says that the stream has ended without one.
type CloseError struct {
	// Code is the status code, or CloseNoStatusReceived.
	Code int
	// Text is the reason. It may be empty.
	Text string
}

var closeNames = map[int]string{
	CloseNormalClosure: "normal", CloseGoingAway: "going away", CloseProtocolError: "protocol error",
	CloseUnsupportedData: "unsupported data", CloseNoStatusReceived: "no status", CloseAbnormalClosure: "abnormal closure",
	CloseInvalidFramePayloadData: "invalid payload data", ClosePolicyViolation: "policy violation", CloseMessageTooBig: "message too big",
	CloseMandatoryExtension: "mandatory extension missing", CloseInternalServerErr: "internal server error", CloseTLSHandshake: "TLS handshake error",
}

// Error returns a text with the code, its name and the reason.
func (e *CloseError) Error() string {
	s := "websocket: close " + strconv.Itoa(e.Code)
	if name := closeNames[e.Code]; name != "" {
		s += " (" + name + ")"
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// IsCloseError reports whether err is a *CloseError with one of the codes.
func IsCloseError(err error, codes ...int) bool {
	e, ok := err.(*CloseError)
	return ok && slices.Contains(codes, e.Code)
}

// IsUnexpectedCloseError reports whether err is a *CloseError with none of the codes.
func IsUnexpectedCloseError(err error, expectedCodes ...int) bool {
	e, ok := err.(*CloseError)
	return ok && !slices.Contains(expectedCodes, e.Code)
}

// FormatCloseMessage returns the payload of a Close frame. It is empty for CloseNoStatusReceived.
func FormatCloseMessage(closeCode int, text string) []byte {
	if closeCode == CloseNoStatusReceived {
		return []byte{}
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(closeCode)), text...)
}

// A HandshakeError says what is wrong with a client's request.
type HandshakeError struct{ message string }

// Error returns the text.
func (e HandshakeError) Error() string { return e.message }

// A timeoutError is a net.Error.
type timeoutError struct {
	text      string
	temporary bool
}

func (e *timeoutError) Error() string   { return e.text }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return e.temporary }
func (e *timeoutError) Unwrap() error   { return os.ErrDeadlineExceeded }

// opError is what a net.Conn returns for err.
func (c *Conn) opError(op string, err error) error {
	local, remote := c.LocalAddr(), c.RemoteAddr()
	e := &net.OpError{Op: op, Source: local, Addr: remote, Err: err}
	if remote != nil {
		e.Net = remote.Network()
	}
	if err == os.ErrDeadlineExceeded {
		return &timeoutError{text: e.Error()}
	}
	return e
}

// translate returns what gorilla/websocket returns for an error of the core. op is read or write.
func (c *Conn) translate(op string, err error) error {
	var said websocket.CloseError
	var broken websocket.ProtocolError
	isBroken := errors.As(err, &broken)
	switch {
	case errors.As(err, &said):
		if op == "write" {
			return ErrCloseSent
		}
		return &CloseError{Code: int(said.Code), Text: said.Reason}
	case err == os.ErrDeadlineExceeded, err == context.DeadlineExceeded:
		return c.opError(op, os.ErrDeadlineExceeded)
	case op == "write" && (isBroken || errors.Is(err, websocket.ErrMessageTooBig)): // a Close frame has said so
		return ErrCloseSent
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ErrReadLimit
	case isBroken:
		return errors.New("websocket: " + protocolText(broken.Reason))
	case errors.Is(err, net.ErrClosed):
		return c.opError(op, net.ErrClosed)
	}
	return c.lost(op, err)
}

// lost returns what gorilla/websocket returns for a connection that was lost: the core's error wraps that of the net.Conn.
func (c *Conn) lost(op string, err error) error {
	cause := errors.Unwrap(err)
	if inner := errors.Unwrap(cause); op == "read" && inner != nil {
		if _, ok := cause.(*net.OpError); !ok {
			cause = inner
		}
	}
	var of *net.OpError
	var number interface { // a syscall.Errno, where there is that type
		error
		Temporary() bool
	}
	switch {
	case cause == nil:
		return err
	case cause != io.ErrUnexpectedEOF && errors.Is(cause, io.ErrUnexpectedEOF): // the core's own, for io.EOF
		if op == "write" {
			return c.opError(op, os.NewSyscallError(op, errBrokenPipe))
		}
		return errUnexpectedEOF
	case errors.As(cause, &of):
		return c.opError(op, of.Err)
	case errors.As(cause, &number):
		return c.opError(op, os.NewSyscallError(op, number))
	}
	return cause
}

// protocolTexts are the beginnings of the core's texts for what peers do wrong, and those of gorilla/websocket. Behind a space
// the number follows that stands in the core's.
var protocolTexts = [][2]string{
	{"RSV1 is set", "RSV1 set"},
	{"RSV2 or RSV3 is set", "RSV2 set"},
	{"reserved opcode ", "bad opcode "},
	{"a frame from the ", "bad MASK"},
	{"a control frame has more", "len > 125 for control"},
	{"a control frame is fragmented", "FIN not set on control"},
	{"a continuation frame", "continuation after FIN"},
	{"a new message", "data before FIN"},
	{"a Close frame has the status code ", "bad close code "},
	{"the reason in a Close frame", "invalid utf8 payload in close frame"},
}

// protocolText returns the text of gorilla/websocket for one of the core.
func protocolText(reason string) string {
	for _, t := range protocolTexts {
		rest, ok := strings.CutPrefix(reason, t[0])
		switch {
		case !ok:
		case strings.HasSuffix(t[1], " "):
			number, _, _ := strings.Cut(rest, " ")
			return t[1] + number
		default:
			return t[1]
		}
	}
	return reason
}
