package websocket

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"

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
	switch {
	case errors.As(err, &said):
		return &CloseError{Code: int(said.Code), Text: said.Reason}
	case err == os.ErrDeadlineExceeded:
		return c.opError(op, err)
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ErrReadLimit
	case errors.As(err, &broken):
		return errors.New("websocket: " + broken.Reason)
	case errors.Is(err, net.ErrClosed):
		return c.opError(op, net.ErrClosed)
	}
	// What is left is a connection that was lost: the core's error wraps that of the net.Conn.
	cause := errors.Unwrap(err)
	if inner := errors.Unwrap(cause); op == "read" && inner != nil {
		cause = inner
	}
	switch {
	case cause == nil:
		return err
	case cause != io.ErrUnexpectedEOF && errors.Is(cause, io.ErrUnexpectedEOF): // the core's own, for io.EOF
		return errUnexpectedEOF
	}
	return cause
}
