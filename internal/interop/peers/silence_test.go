package peers

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// These tests are about seconds: so they don't run beside the others.

const (
	silence     = "3s" // what the proxies bear
	silenceTime = 3 * time.Second
)

// TestSilenceIsCut: without keepalive, a proxy cuts a connection that is silent,
// and both ends see it.
func TestSilenceIsCut(t *testing.T) {
	eachProxy(t, func(t *testing.T, kind proxyKind, peer *peer, role role) {
		l := newLink(t, peer, role, websocket.DialOptions{KeepAlive: -1}, nil, kind.route(proxySettings{silence: silence}))
		c, _ := l.open()
		echo(t, c, websocket.MessageText, []byte("the last word"))
		start := time.Now()
		wantLost(t, c, patience)
		if d := time.Since(start); d < silenceTime*3/4 {
			t.Errorf("the connection was cut after %v, not by the proxy's time-out of %v", d, silenceTime)
		}
		peer.wantClosed(1006, "")
	})
}

// TestKeepAlive: with keepalive, the same proxies leave the connection alone.
func TestKeepAlive(t *testing.T) {
	eachProxy(t, func(t *testing.T, kind proxyKind, peer *peer, role role) {
		pongs := make(chan time.Time, 100)
		ours := websocket.DialOptions{
			KeepAlive:      silenceTime / 3,
			OnPongReceived: func(context.Context, []byte) { pongs <- time.Now() },
		}
		l := newLink(t, peer, role, ours, nil, kind.route(proxySettings{silence: silence}))
		c, _ := l.open()
		for start := time.Now(); ; {
			select {
			case at := <-pongs:
				if at.Sub(start) < 2*silenceTime {
					continue
				}
			case <-c.Context().Done():
				t.Fatalf("after %v: %v", time.Since(start), context.Cause(c.Context()))
			}
			break
		}
		echo(t, c, websocket.MessageText, []byte("still here"))
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		peer.wantClosed(1000, "")
	})
}

// wantLost waits until the connection has ended without a Close frame.
func wantLost(t *testing.T, c *websocket.Conn, soon time.Duration) {
	t.Helper()
	select {
	case <-c.Context().Done():
	case <-time.After(soon):
		t.Fatalf("the connection is not seen to be lost after %v", soon)
	}
	// An end of the stream, or what TCP says when bytes were on their way.
	cause := context.Cause(c.Context())
	if !errors.Is(cause, io.ErrUnexpectedEOF) && !errors.Is(cause, syscall.ECONNRESET) {
		t.Errorf("the connection was lost; it says %v", cause)
	}
	if code := websocket.CloseStatus(cause); code != -1 {
		t.Errorf("the connection was lost; it has the status %v", code)
	}
}
