//go:build (amd64 || arm64) && !race && !msan && !asan

package websocket

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
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

// TestSendLast: the end of the stream follows what was sent last, if all of it was.
func TestSendLast(t *testing.T) {
	nc, peer := tcpPair(t)
	raw := rawConn(nc)
	attempt := func(f func(fd uintptr, p []byte) (int, error), p []byte) (n int, err error) {
		raw.Control(func(fd uintptr) { n, err = f(fd, p) })
		return n, err
	}
	sent := 0
	for {
		n, err := attempt(func(fd uintptr, p []byte) (int, error) { return send(fd, p, nil) }, make([]byte, 100_000))
		if err == syscall.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	read, err := io.ReadFull(peer, make([]byte, sent/2))
	if err != nil {
		t.Fatal(err)
	}
	raw.Write(func(fd uintptr) bool {
		n, err := sendLast(fd, make([]byte, quickSize))
		if err != nil {
			return err != syscall.EAGAIN
		}
		if n == quickSize {
			t.Error("a socket that is half full takes everything")
		}
		sent += n
		return true
	})
	if _, err := io.ReadFull(peer, make([]byte, sent-read)); err != nil {
		t.Fatalf("what was sent in part: %v", err)
	}
	if n, err := attempt(sendLast, []byte("bye")); n != 3 || err != nil {
		t.Fatalf("%d bytes sent, %v", n, err)
	}
	peer.SetReadDeadline(time.Now().Add(20 * time.Second))
	if b, err := io.ReadAll(peer); string(b) != "bye" || err != nil {
		t.Fatalf("%d bytes came at last, %.20q, %v", len(b), b, err)
	}
	if _, err := attempt(sendLast, []byte("more")); err != syscall.EPIPE {
		t.Errorf("after the end: %v", err)
	}
	if _, err := io.WriteString(peer, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, 5)); err != nil {
		t.Errorf("the other half: %v", err)
	}
}
