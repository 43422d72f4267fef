//go:build (amd64 || arm64) && !race && !msan && !asan

package websocket

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/wiretest"
)

// TestBlockingSocket: somebody has taken the socket's descriptor, and so made it one
// that blocks. Neither a thread nor the collector waits with the call.
func TestBlockingSocket(t *testing.T) {
	nc, peerConn := tcpPair(t)
	f, err := nc.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Fd()
	p := wiretest.NewPeer(t, peerConn, wiretest.Client)
	c := newConn(nc, config{parent: bg, readLimit: 1 << 10, settings: newSettings(0, 0, 0)})
	ct := &connTest{T: t, c: c, p: p}

	ctx, cancel := context.WithCancel(bg)
	reading := start(func() error {
		_, _, err := c.Read(ctx)
		return err
	})
	p.Send(wiretest.Ping("p"))
	if f := p.ReadFrame("pong"); f.Opcode != wiretest.OpPong {
		t.Fatalf("%v", f)
	}
	collected := start(func() error { runtime.GC(); return nil })
	if err := ct.want("the collector", collected); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := ct.want("Read", reading); err != context.Canceled {
		t.Fatalf("Read: %v", err)
	}
	p.SendText("hello")
	ct.wantRead("hello", MessageText, "hello")
	closed := start(func() error { return c.Close(StatusNormalClosure, "") })
	if f := p.ReadFrame("Close"); f.Opcode != wiretest.OpClose {
		t.Fatalf("%v", f)
	}
	p.Send(wiretest.Close(1000, ""))
	peerConn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := ct.want("Close", closed); err != nil {
		t.Fatal(err)
	}
}
