package websocket

import (
	"errors"
	"fmt"
)

var (
	// ErrMessageTooBig is in the error of a call that met a message larger than
	// the read limit. The peer was sent Close 1009.
	ErrMessageTooBig = errors.New("websocket: the message is larger than the read limit")

	// ErrQueueFull is returned by [Conn.TryWrite] when the message does not fit
	// into the queue: the peer reads more slowly than the application writes.
	// Nothing of the message was sent. Drop it, or close the connection.
	ErrQueueFull = errors.New("websocket: the write queue is full")

	// ErrPingTimeout is in the error of calls on a connection that was given up
	// because the peer did not answer a keepalive Ping.
	ErrPingTimeout = errors.New("websocket: the peer did not answer a keepalive ping")
)

// A ProtocolError says how the peer broke the protocol. The connection was
// closed with Code.
type ProtocolError struct {
	// Code is the status code that the peer was sent.
	Code StatusCode
	// Reason is what the peer did, and the section that forbids it.
	Reason string
}

// Error says what the peer did wrong.
func (e ProtocolError) Error() string {
	return fmt.Sprintf("websocket: the peer broke the protocol: %s; closed with %d", e.Reason, int(e.Code))
}

// violation makes a ProtocolError; section is that of RFC 6455.
func violation(code StatusCode, reason, section string) error {
	return ProtocolError{Code: code, Reason: reason + " (RFC 6455, section " + section + ")"}
}
