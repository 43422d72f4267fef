package http3_test

import (
	"context"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go"
)

// TestStreamIsGivenBack: CloseNow while a small Write waits for the peer gives the stream back: another one may be opened.
func TestStreamIsGivenBack(t *testing.T) {
	window := &quic.Config{MaxIncomingStreams: 1, InitialStreamReceiveWindow: 64 << 10, MaxStreamReceiveWindow: 64 << 10}
	ended := make(chan error, 1)
	s := serve(t, window, ws3.Handler(&websocket.AcceptOptions{QueueLimit: -1}, func(ctx context.Context, c *websocket.Conn) {
		c.Read(ctx)
		time.AfterFunc(20*time.Millisecond, func() { c.CloseNow() })
		var err error
		for err == nil {
			err = c.Write(ctx, websocket.MessageBinary, make([]byte, 100))
		}
		ended <- err
	}))
	d := dialer(t)
	d.QUICConfig = window
	for n := range 10 {
		c, _, err := d.Dial(soon(t), s.url, &websocket.DialOptions{Passive: true})
		if err != nil {
			t.Fatalf("Dial %d: %v", n, err)
		}
		if err := c.Write(bg, websocket.MessageText, []byte("begin")); err != nil {
			t.Error(err)
		}
		<-ended
		c.CloseNow()
	}
}
