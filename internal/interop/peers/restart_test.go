package peers

import (
	"context"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// soon is how long a loss may take to be seen: long for a busy machine, and far
// less than keepalive would need.
const soon = 5 * time.Second

// TestProxyStops: when the proxy is stopped, we see the loss, whether we read or
// not; when it is back, so are we.
func TestProxyStops(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, kind proxyKind, peer *peer, role role) {
		var proxy *proxy
		l := newLink(t, peer, role, websocket.DialOptions{}, nil, kind.keptRoute(proxySettings{}, &proxy))

		c, _ := l.open()
		echo(t, c, websocket.MessageText, []byte("nobody reads"))
		proxy.stop()
		wantLost(t, c, soon)
		peer.wantClosed(1006, "")

		proxy.start(t)
		c, _ = l.open()
		echo(t, c, websocket.MessageText, []byte("somebody reads"))
		readErr := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			readErr <- err
		}()
		proxy.stop()
		wantLost(t, c, soon)
		if err := <-readErr; err != context.Cause(c.Context()) {
			t.Errorf("Read returns %v, the context's cause is %v", err, context.Cause(c.Context()))
		}
		peer.wantClosed(1006, "")

		proxy.start(t)
		c, _ = l.open()
		echo(t, c, websocket.MessageText, []byte(prose(1<<20)))
		if err := c.Close(websocket.StatusNormalClosure, "through"); err != nil {
			t.Errorf("Close: %v", err)
		}
		peer.wantClosed(1000, "through")
	})
}

// TestProxyReloads: a reload leaves connections alone, and new ones work.
func TestProxyReloads(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, kind proxyKind, peer *peer, role role) {
		var proxy *proxy
		l := newLink(t, peer, role, websocket.DialOptions{}, nil, kind.keptRoute(proxySettings{}, &proxy))
		c, _ := l.open()
		proxy.reload()
		echo(t, c, websocket.MessageText, []byte("through the old worker"))
		if err := c.Close(4000, "done"); err != nil {
			t.Errorf("Close: %v", err)
		}
		peer.wantClosed(4000, "done")

		c, _ = l.open()
		echo(t, c, websocket.MessageText, []byte("through the new worker"))
		if err := c.Close(4000, "done"); err != nil {
			t.Errorf("Close: %v", err)
		}
		peer.wantClosed(4000, "done")
	})
}

// TestProxyDrains: some time after a reload a proxy may cut the connections that
// it had before; we see the loss.
func TestProxyDrains(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, kind proxyKind, peer *peer, role role) {
		var proxy *proxy
		l := newLink(t, peer, role, websocket.DialOptions{}, nil, kind.keptRoute(proxySettings{drain: "1s"}, &proxy))
		c, _ := l.open()
		echo(t, c, websocket.MessageText, []byte("before"))
		proxy.reload()
		wantLost(t, c, soon)
		peer.wantClosed(1006, "")
	})
}
