package browser

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/closeonce/websocket"
)

// The codes with which the page and the server close in these tests.
const (
	pageCode   = 3001
	serverCode = 3002
)

// Both sides close in the same instant of the clock, 200 times. Whose Close comes
// first, and whether they cross, chance decides; it must end well each time.
func TestBothSidesCloseAtOnce(t *testing.T) {
	if codes := bothSidesClose(t, nil, "", 200); len(codes) != 2 {
		t.Errorf("one side was always the first: %v", codes)
	}
}

// bothSidesClose has the page send a message and close when the server closes. It
// returns how often the page saw which code.
func bothSidesClose(t *testing.T, opts *websocket.AcceptOptions, extensions string, rounds int) map[int]int {
	t.Helper()
	results := make(chan error, rounds)
	url := serve(t, websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		at := time.Now().Add(25 * time.Millisecond)
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "%-200d", at.UnixMicro())); err != nil {
			results <- err
			return
		}
		<-time.After(time.Until(at))
		results <- c.Close(serverCode, "")
	}))
	p := newPage(t, url)
	var got []closing
	p.run(fmt.Sprintf(`(async () => {
		const all = [];
		while (all.length < %[1]d) {
			const ws = new WebSocket("/ws");
			// From 10 ms before the instant to 2 ms after it, for the page's Close has
			// the longer way to go.
			const shift = all.length / %[1]d * 12000 - 10000;
			ws.onmessage = ({ data }) => {
				while ((performance.timeOrigin + performance.now()) * 1000 < Number(data) + shift);
				ws.send(data);
				ws.close(%[2]d);
			};
			all.push(await %[3]s);
			if (ws.extensions !== %[4]q) throw new Error(ws.extensions);
		}
		return all;
	})()`, rounds, pageCode, closed, extensions), &got)

	if len(got) != rounds {
		t.Errorf("%d WebSockets were closed, want %d", len(got), rounds)
	}
	codes := map[int]int{}
	for _, c := range got {
		p.wantClean(c, pageCode, serverCode)
		codes[c.Code]++
	}
	for range rounds {
		if err := <-results; err != nil {
			t.Errorf("the server's Close returned %v", err)
		}
	}
	p.wantQuiet()
	t.Logf("the codes that the page saw: %v", codes)
	return codes
}

// Here the Closes cross each time: the server's leaves when the page's has
// arrived, and the library reads that one afterwards.
func TestClosesThatCross(t *testing.T) {
	const rounds = 50
	results := make(chan error, rounds)
	crossed := make(chan bool, rounds)
	wrap := func(ln net.Listener) net.Listener { return crossingListener{ln, crossed} }
	url := serveOn(t, wrap, accept(func(ctx context.Context, c *websocket.Conn) {
		if err := c.Write(ctx, websocket.MessageText, []byte("close")); err != nil {
			results <- err
			return
		}
		results <- c.Close(serverCode, "")
	}))
	p := newPage(t, url)
	var got []closing
	p.run(fmt.Sprintf(`(async () => {
		const all = [];
		while (all.length < %d) {
			const ws = new WebSocket("/ws");
			ws.onmessage = () => ws.close(%d);
			all.push(await %s);
		}
		return all;
	})()`, rounds, pageCode, closed), &got)
	for _, c := range got {
		p.wantClean(c, serverCode)
	}
	for range rounds {
		if err := <-results; err != nil {
			t.Errorf("the server's Close returned %v", err)
		}
		if !<-crossed {
			t.Error("the page's Close had not come when the server's left: this test tests nothing")
		}
	}
	p.wantQuiet()
}

type crossingListener struct {
	net.Listener
	crossed chan<- bool
}

func (l crossingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &crossingConn{Conn: nc, crossed: l.crossed, arrived: make(chan struct{}), left: make(chan struct{})}, nil
}

// A crossingConn holds our Close frame back until the peer's has arrived, and
// that back until ours has left.
type crossingConn struct {
	net.Conn
	crossed  chan<- bool
	upgraded atomic.Bool
	arrive   sync.Once
	arrived  chan struct{} // closed when the first frame has come
	left     chan struct{} // closed when our Close has left
}

var closeFrame = []byte{0x88, 2, serverCode >> 8, serverCode & 0xff}

func (c *crossingConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("HTTP/1.1 101")) {
		c.upgraded.Store(true)
	}
	if !bytes.HasSuffix(p, closeFrame) {
		return c.Conn.Write(p)
	}
	select {
	case <-c.arrived:
		c.crossed <- true
	case <-time.After(patience):
		c.crossed <- false
	}
	defer close(c.left)
	return c.Conn.Write(p)
}

func (c *crossingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.upgraded.Load() {
		c.arrive.Do(func() { close(c.arrived) })
		<-c.left
	}
	return n, err
}

func TestTheServerSeesReloadAndTabClose(t *testing.T) {
	ended := make(chan error, 2)
	url := serve(t, accept(func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		ended <- err
	}))
	p := newPage(t, url)
	const open = `new Promise((done) => (window.ws = new WebSocket("/ws")).onopen = () => done(true))`
	p.run(open, nil)
	p.do(chromedp.Reload())
	if err := wantSoon(t, ended); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("after a reload the server sees %v, want Close 1001", err)
	}
	p.run(open, nil)
	p.wantQuiet()

	p.close()
	err := wantSoon(t, ended)
	if websocket.CloseStatus(err) != websocket.StatusGoingAway && !strings.Contains(err.Error(), "the connection was lost") {
		t.Errorf("after the tab was closed the server sees %v, want Close 1001 or the loss", err)
	}
	t.Logf("after the tab was closed the server sees: %v", err)
}

// wantSoon returns what comes within 5 seconds.
func wantSoon[T any](t *testing.T, ended <-chan T) T {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("the server does not see that the page is gone")
		panic("not reached")
	}
}
