package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Peers that take their time, and peers that take nothing.

// takeSlowly reads from a connection at a steady pace, until it ends.
func takeSlowly(nc net.Conn, piece int, pause time.Duration) error {
	defer nc.Close()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	b := make([]byte, piece)
	for {
		if _, err := io.ReadFull(nc, b); err != nil {
			return err
		}
		<-tick.C
	}
}

// TestSlowPeerIsAlive: a peer takes a long message, reading all the time, and has nothing to say meanwhile. Keepalive
// does not take it for dead, though its Ping waits behind the message.
func TestSlowPeerIsAlive(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) { // the default: 30 s
		if t.real {
			return
		}
		taking := start(func() error { return takeSlowly(t.p.Conn, 15<<10, 100*time.Millisecond) }) // 150 KiB/s
		begun := time.Now()
		err := t.c.Write(bg, MessageBinary, make([]byte, 16<<20))
		if err != nil {
			t.Fatalf("Write gave %v after %v", err, time.Since(begun))
		}
		if took := time.Since(begun); took < 100*time.Second {
			t.Errorf("the peer was not slow: %v", took)
		}
		t.c.CloseNow()
		t.want("the peer", taking)
	})
}

// TestSlowPeerIsAliveTCP is the same where the system buffers, in a hurry.
func TestSlowPeerIsAliveTCP(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, time.Second)}, func(t *connTest) {
		if !t.real {
			return
		}
		go takeSlowly(t.p.Conn, 64<<10, 45*time.Millisecond)
		if err := t.c.Write(bg, MessageBinary, make([]byte, 4<<20)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStalledPeerIsDead: a peer that stops taking a message in its middle is found.
func TestStalledPeerIsDead(t *testing.T) {
	const period = 10 * time.Second
	runConnTest(t, config{settings: newSettings(0, 0, period)}, func(t *connTest) {
		if t.real {
			return
		}
		write := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 1<<20)) })
		b := make([]byte, 40<<10)
		for range 20 {
			if _, err := io.ReadFull(t.p.Conn, b); err != nil {
				t.Fatal(err)
			}
			time.Sleep(period / 3)
		}
		begun := time.Now()
		<-t.c.Context().Done()
		if took := time.Since(begun); took > 4*period {
			t.Errorf("it was found after %v", took)
		}
		if err := t.want("Write", write); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("Write gave %v", err)
		}
		t.p.Close()
	})
}

// A speechless net.Conn takes our Close and nothing behind it, as that of a peer that does not read and whose buffer is
// just full. It is in memory: TLS over it keeps to the deadlines.
type speechless struct {
	*memconn.Conn
	mu       sync.Mutex
	writes   int // that it still takes; -1: all
	deadline time.Time
	closed   chan struct{}
	once     sync.Once
}

func (c *speechless) Write(p []byte) (int, error) {
	c.mu.Lock()
	takes, deadline := c.writes != 0, c.deadline
	if c.writes > 0 {
		c.writes--
	}
	c.mu.Unlock()
	if takes {
		return c.Conn.Write(p)
	}
	var expired <-chan time.Time
	if !deadline.IsZero() {
		expired = time.After(time.Until(deadline))
	}
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	case <-expired:
		return 0, context.DeadlineExceeded
	}
}

func (c *speechless) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *speechless) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestGoodbyeIsNotWaitedFor: both Close frames are through, and the peer does not read what crypto/tls says at the end.
// No call waits for it.
func TestGoodbyeIsNotWaitedFor(t *testing.T) {
	for _, theirs := range []bool{true, false} { // whose Close comes first
		for _, client := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				x, y := memconn.Pipe(64 << 10)
				below := &speechless{Conn: x, writes: -1, closed: make(chan struct{})}
				ours, peers := secure(t, client, below, y)
				runOne(t, client, config{}, ours, peers, false, func(t *connTest) {
					goodbye(t, below, theirs)
				})
			})
		}
	}
}

func goodbye(t *connTest, below *speechless, theirs bool) {
	read := start(func() error { _, _, err := t.c.Read(bg); return err })
	ping := start(func() error { return t.c.Ping(bg) })
	if f := t.p.ReadFrame("a Ping"); f.Opcode != wiretest.OpPing {
		t.Fatal(f)
	}
	t.settle()
	below.mu.Lock()
	below.writes = 1 // the Close frame
	below.mu.Unlock()
	begun := time.Now()
	closing := start(func() error { return t.c.Close(1000, "") })
	if !theirs {
		t.p.WantClose("ours", 1000)
	}
	t.p.SendClose(1000, "")
	if t.p.Role == wiretest.Server {
		y := t.p.Conn.(*tls.Conn)
		y.CloseWrite() // the server closes; it does not read
	}
	if err := t.want("Close", closing); err != nil {
		t.Errorf("Close gave %v", err)
	}
	t.want("Read", read)
	t.want("Ping", ping)
	<-t.c.Context().Done()
	t.c.CloseNow()
	if took := time.Since(begun); took > 0 {
		t.Errorf("the calls returned after %v", took)
	}
	below.Close()
}

// floods has the peer send messages until the connection is lost.
func (t *connTest) floods() {
	b := t.p.Encode(wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Payload: make([]byte, 64<<10)})
	for err := error(nil); err == nil; {
		_, err = t.p.Conn.Write(b)
	}
}

// TestBothBlockedIsDead: the application writes and does not read, and the peer does the same, so neither ever goes on.
func TestBothBlockedIsDead(t *testing.T) {
	const period = 10 * time.Second
	runConnTest(t, config{settings: newSettings(0, 0, period)}, func(t *connTest) {
		if t.real {
			return
		}
		go t.floods()
		synctest.Wait()
		begun := time.Now()
		write := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 16<<20)) })
		<-t.c.Context().Done()
		if took := time.Since(begun); took > 4*period {
			t.Errorf("it was found after %v", took)
		}
		if err := t.want("Write", write); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("Write gave %v", err)
		}
		t.p.Close()
	})
}

// TestBothBlockedIsDeadTCP is the same where the system buffers, in a hurry.
func TestBothBlockedIsDeadTCP(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, 300*time.Millisecond)}, func(t *connTest) {
		if !t.real {
			return
		}
		go t.floods()
		write := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, 16<<20)) })
		if err := t.want("Write", write); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("Write gave %v", err)
		}
		t.p.Close()
	})
}
