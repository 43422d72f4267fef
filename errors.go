package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

var (
	// ErrMessageTooBig is wrapped by the error of a call that has received a message
	// larger than the read limit. The connection was closed with 1009.
	ErrMessageTooBig = errors.New("websocket: message too big")

	// ErrQueueFull is returned by [Conn.TryWrite], [Conn.TryWritePrepared],
	// [Conn.SendPing] and [Conn.SendPong] when the message or frame does not fit into the queue:
	// the peer reads more slowly than the application writes, or the message is larger than
	// the option QueueLimit. Nothing of it was sent. Drop the message, or close the
	// connection; send one that is larger with Write.
	ErrQueueFull = errors.New("websocket: the write queue is full")

	// ErrPingTimeout is returned by calls on a connection that has ended because
	// the peer did not answer a keepalive Ping.
	ErrPingTimeout = errors.New("websocket: the peer did not answer a keepalive ping")
)

// A ProtocolError says how the peer broke the protocol. The connection was
// closed with Code (RFC 6455, section 7.1.7), unless a Close frame had left before.
type ProtocolError struct {
	// Code is the status code that the peer was sent, or would have been.
	Code StatusCode
	// Reason says what the peer did, and for a frame which section forbids it.
	Reason string
}

// Error says what the peer did wrong.
func (e ProtocolError) Error() string {
	return fmt.Sprintf("websocket: the peer broke the protocol: %s; closed with %d", e.Reason, int(e.Code))
}

// protocolError makes a ProtocolError; section is that of RFC 6455.
func protocolError(code StatusCode, reason, section string) error {
	return ProtocolError{Code: code, Reason: reason + " (RFC 6455, section " + section + ")"}
}

// A CloseError is the content of the peer's Close frame (RFC 6455, section 5.5.1).
// After the peer has closed the connection, calls return a CloseError or an error that wraps it:
// [errors.As] finds it, and [CloseStatus] returns its code. The error of calls that send
// (Write, TryWrite, Ping, a Writer) also wraps [net.ErrClosed].
type CloseError struct {
	// Code is the frame's status code, or StatusNoStatusRcvd if it had none.
	Code StatusCode
	// Reason is the frame's reason: UTF-8, at most 123 bytes, often empty.
	Reason string
}

// Error returns a text with the code and the reason.
func (e CloseError) Error() string {
	return fmt.Sprintf("websocket: received close frame: status = %v and reason = %q", e.Code, e.Reason)
}

// A cannotSend is the error of a call that sends, after the peer's Close.
type cannotSend struct{ CloseError }

func (e cannotSend) Error() string   { return e.CloseError.Error() + ": " + net.ErrClosed.Error() }
func (e cannotSend) Unwrap() []error { return []error{e.CloseError, net.ErrClosed} }

// sending turns the reason for the connection's end into the error of a call that sends.
func sending(err error) error {
	if said, ok := err.(CloseError); ok {
		return cannotSend{said}
	}
	return err
}

// errClosed is the cause when this end has closed the connection. It wraps net.ErrClosed.
type errClosed struct{ what string }

func (e errClosed) Error() string { return "websocket: " + e.what + ": " + net.ErrClosed.Error() }
func (e errClosed) Unwrap() error { return net.ErrClosed }

var errClosedNow error = errClosed{"the connection was closed here without a closing handshake"}

// errCloseTimeout is the result of a Close that has timed out.
var errCloseTimeout = fmt.Errorf("websocket: the closing handshake took longer than the close timeout: %w", os.ErrDeadlineExceeded)

var errNilContext = errors.New("websocket: the context is nil; use context.Background() where there is none")

var errNoConn = errors.New("websocket: there is no connection, it is nil; did Accept or Dial return an error?")

// errOver is returned inside the package when the connection is closing or has ended. Conn.reason turns it into the reason.
var errOver = errors.New("over")

// errWouldBlock is returned inside the package when a write that must not wait would have to.
var errWouldBlock = errors.New("would block")

// connectionLost is the error for a connection that broke without a Close frame.
func connectionLost(err error) error { return &lostError{err} }

// A lostError is the cause when the net.Conn has failed. It is a pointer, since causes are compared, and err may be of a type that
// can't be.
type lostError struct{ err error }

func (e *lostError) Error() string { return "websocket: the connection was lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// errEnd is the end of the stream between two frames, and errCutOff within one. Both wrap io.ErrUnexpectedEOF, since a Close
// frame should come first.
var errEnd, errCutOff error = endOfStream("EOF"), endOfStream("unexpected EOF")

type endOfStream string

func (e endOfStream) Error() string { return string(e) }
func (endOfStream) Unwrap() error   { return io.ErrUnexpectedEOF }

// A sizeError is the error for a message over the read limit.
type sizeError struct{ limit int64 }

func (e sizeError) Error() string {
	return fmt.Sprintf("%v: %s; closed with %d", ErrMessageTooBig, e.reason(), int(StatusMessageTooBig))
}

func (e sizeError) Unwrap() error { return ErrMessageTooBig }

// reason is what the peer is told.
func (e sizeError) reason() string { return fmt.Sprintf("read limited at %d bytes", e.limit) }

// A panicError is the cause when a callback panicked.
type panicError struct {
	callback string
	value    any
	stack    []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("websocket: %s panicked: %v; closed with %d\n%s", e.callback, e.value, int(StatusInternalError), e.stack)
}

// Unwrap returns the panic's value if it is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// A StatusCode says in a Close frame why a connection is closed
// (RFC 6455, section 7.4). Codes 3000 to 3999 are registered with IANA, 4000 to
// 4999 are for applications.
type StatusCode int

// The status codes of RFC 6455, section 7.4.1, and of IANA's registry.
// StatusNoStatusRcvd, StatusAbnormalClosure and StatusTLSHandshake are never sent
// in a frame.
const (
	StatusNormalClosure           StatusCode = 1000
	StatusGoingAway               StatusCode = 1001
	StatusProtocolError           StatusCode = 1002
	StatusUnsupportedData         StatusCode = 1003
	StatusNoStatusRcvd            StatusCode = 1005
	StatusAbnormalClosure         StatusCode = 1006
	StatusInvalidFramePayloadData StatusCode = 1007
	StatusPolicyViolation         StatusCode = 1008
	StatusMessageTooBig           StatusCode = 1009
	StatusMandatoryExtension      StatusCode = 1010
	StatusInternalError           StatusCode = 1011
	StatusServiceRestart          StatusCode = 1012
	StatusTryAgainLater           StatusCode = 1013
	StatusBadGateway              StatusCode = 1014
	StatusTLSHandshake            StatusCode = 1015
)

var statusNames = map[StatusCode]string{
	StatusNormalClosure:           "StatusNormalClosure",
	StatusGoingAway:               "StatusGoingAway",
	StatusProtocolError:           "StatusProtocolError",
	StatusUnsupportedData:         "StatusUnsupportedData",
	StatusNoStatusRcvd:            "StatusNoStatusRcvd",
	StatusAbnormalClosure:         "StatusAbnormalClosure",
	StatusInvalidFramePayloadData: "StatusInvalidFramePayloadData",
	StatusPolicyViolation:         "StatusPolicyViolation",
	StatusMessageTooBig:           "StatusMessageTooBig",
	StatusMandatoryExtension:      "StatusMandatoryExtension",
	StatusInternalError:           "StatusInternalError",
	StatusServiceRestart:          "StatusServiceRestart",
	StatusTryAgainLater:           "StatusTryAgainLater",
	StatusBadGateway:              "StatusBadGateway",
	StatusTLSHandshake:            "StatusTLSHandshake",
}

// String returns the constant's name, or StatusCode(n) for a code without one.
func (c StatusCode) String() string {
	if name, ok := statusNames[c]; ok {
		return name
	}
	return fmt.Sprintf("StatusCode(%d)", int(c))
}

// sendable reports whether the code may stand in a Close frame. Section 7.4.2:
// 0-999 are not used, 1000-2999 are reserved for the protocol, 3000-4999 are
// free. Of 1000-2999, only the assigned codes may be sent, and not those that "MUST
// NOT be set as a status code in a Close control frame" (1005, 1006, 1015).
func (c StatusCode) sendable() bool {
	switch {
	case c < 1000, c == 1004, c == StatusNoStatusRcvd, c == StatusAbnormalClosure:
		return false
	case c <= StatusBadGateway:
		return true
	}
	return 3000 <= c && c <= 4999
}

// CloseStatus returns the status code of the peer's Close frame (RFC 6455, section 7.1.5) if err holds a [CloseError].
// For any other error, and for nil, it returns -1. For a Close frame without a code, it returns StatusNoStatusRcvd.
func CloseStatus(err error) StatusCode {
	var e CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}

// A redacted error hides the password of a URL in the text of another error.
type redacted struct {
	error
	text string
}

func (e redacted) Error() string { return e.text }
func (e redacted) Unwrap() error { return e.error }

// withoutPassword returns err with no user and password in its text. Package net/http quotes the Location of a redirect
// when it is malformed.
func withoutPassword(err error) error {
	text := err.Error()
	for from := 0; ; {
		at := strings.Index(text[from:], "//")
		if at < 0 {
			break
		}
		from += at + len("//")
		url := text[from : from+strings.IndexAny(text[from:]+" ", ` "`)]
		if host := strings.LastIndexByte(url, '@'); host >= 0 {
			text = text[:from] + "***" + text[from+host:]
		}
	}
	if text == err.Error() {
		return err
	}
	return redacted{err, text}
}
