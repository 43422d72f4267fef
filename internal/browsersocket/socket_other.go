//go:build !js

package browsersocket

import (
	"context"
	"errors"
)

// Here reports whether the host may have WebSockets.
const Here = false

// A Socket is a WebSocket of the host.
type Socket struct{ Subprotocol, Extensions string }

// Dial returns errors.ErrUnsupported.
func Dial(context.Context, string, []string, Events) (*Socket, error) {
	return nil, errors.ErrUnsupported
}

// Location returns "".
func Location() string { return "" }

// Send returns errors.ErrUnsupported.
func (*Socket) Send(bool, []byte) error { return errors.ErrUnsupported }

// Buffered returns 0.
func (*Socket) Buffered() int { return 0 }

// Close does nothing.
func (*Socket) Close(int, string) {}
