package http2_test

import (
	"context"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// TestResetWithoutError: a client resets its stream with NO_ERROR, as Node's does when it drops a stream. The handler has not
// returned, so the error must not say just that it has.
func TestResetWithoutError(t *testing.T) {
	accepted, seen := make(chan bool, 1), make(chan error, 1)
	s := h2test.Start(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		accepted <- true // a reset in the middle of Accept would be its error
		_, _, err := c.Read(ctx)
		seen <- err
	}), false, nil)
	defer s.Close()
	r, err := h2test.OpenRaw(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	<-accepted
	if err := r.Send(h2test.Frame{Type: h2test.FrameReset, Stream: 1, Payload: []byte{0, 0, 0, 0}}); err != nil {
		t.Fatal(err)
	}
	if err := <-seen; err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("Read: %v", err)
	}
}
