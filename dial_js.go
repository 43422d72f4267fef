package websocket

import (
	"context"
	"errors"
	"net/http"
)

// Dial is not available for GOOS=js yet: there the browser opens WebSockets.
func Dial(ctx context.Context, u string, opts *DialOptions) (*Conn, *http.Response, error) {
	return nil, nil, errors.New("websocket: Dial is not supported on GOOS=js")
}

// A HandshakeError says why the server's answer was no proper handshake.
type HandshakeError struct {
	// Response is the server's answer.
	Response *http.Response
}

// Error says that the handshake failed.
func (e *HandshakeError) Error() string { return "websocket: the handshake failed" }
