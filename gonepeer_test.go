package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A peer that has closed TCP, or says nothing more, and an application that has yet to read what came before.

// openGone returns a connection, and its peer.
func openGone(t *testing.T, network string, client bool) (*Conn, *wiretest.Peer, net.Conn) {
	t.Helper()
	pair := map[string]func(*testing.T) (a, b net.Conn){"tcp": tcpPair, "tls": tlsOverTCP, "unix": unixPair}[network]
	role := wiretest.Client
	if client {
		role = wiretest.Server
	}
	ours, theirs := pair(t)
	c := newConn(ours, config{client: client, parent: bg, readLimit: -1, settings: newSettings(0, 0, time.Hour)})
	t.Cleanup(func() { c.CloseNow() })
	return c, wiretest.NewPeer(t, theirs, role), theirs
}

// gonePeer returns a connection whose application has read nothing, and whose peer has sent messages of 1 KiB, more than the
// read-ahead holds, then what last sends, then a Close, and has closed TCP.
func gonePeer(t *testing.T, network string, client bool, messages int, last func(*wiretest.Peer)) *Conn {
	t.Helper()
	c, peer, theirs := openGone(t, network, client)
	for range messages {
		peer.SendBinary(strings.Repeat("x", 1<<10))
	}
	awaitStall(t, c)
	last(peer)
	peer.SendClose(1000, "that was all")
	theirs.Close()
	awaitGone(t, c)
	return c
}

// awaitGone waits until the peer is known to have closed TCP.
func awaitGone(t *testing.T, c *Conn) {
	t.Helper()
	for begun := time.Now(); ; runtime.Gosched() {
		if closed, _ := c.transport.PeerClosed(); closed {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("nobody sees that the peer has closed TCP")
		}
	}
}

// awaitStall waits until the read-ahead is full.
func awaitStall(t *testing.T, c *Conn) {
	t.Helper()
	for begun := time.Now(); !c.supervisor.Stalled.Load(); runtime.Gosched() {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the read-ahead does not become full")
		}
	}
}

// onGonePeers runs f over TCP, TLS and Unix, in both roles, where sockets can be asked what has become of the peer.
func onGonePeers(t *testing.T, f func(t *testing.T, network string, client bool)) {
	if c := newConn(first(tlsOverTCP(t)), config{parent: bg, settings: newSettings(0, 0, 0)}); !c.transport.Tries() {
		t.Skip("what has become of a socket's peer is asked on Linux with amd64 or arm64 alone, and not under -race: elsewhere PeerClosed is false, and there is nothing to prove")
	}
	for _, network := range []string{"tcp", "tls", "unix"} {
		for _, client := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/client %v", network, client), func(t *testing.T) { f(t, network, client) })
		}
	}
}

// TestSlowReaderOfTheGone: the peer has said all that it has to say, and closed TCP, while the application, which is slow, leaves
// more unread than the read-ahead holds. A Ping would be answered with a reset. None is sent for ten periods from the application's
// last reading on, and it gets all; if it does not read for so long, the connection ends.
func TestSlowReaderOfTheGone(t *testing.T) {
	const messages = 64 // half of them wait in our system
	none := func(*wiretest.Peer) {}
	onGonePeers(t, func(t *testing.T, network string, client bool) {
		c := gonePeer(t, network, client, messages, none)
		at, period := now(), int64(c.keepalive.Period())
		for n := range messages {
			if n < 20 {
				awaitStall(t, c)
				for range 9 {
					at += period
					c.checkAlive(at)
				}
			}
			if _, p, err := c.Read(bg); err != nil || len(p) != 1<<10 {
				t.Fatalf("message %d: %d bytes, %v", n, len(p), err)
			}
			if n < 20 {
				at += period
				c.checkAlive(at) // just behind a Read, before the read-ahead is full again
			}
		}
		if _, _, err := c.Read(bg); CloseStatus(err) != 1000 {
			t.Errorf("at last Read gave %v", err)
		}

		c = gonePeer(t, network, client, messages, none)
		at, period = now(), int64(c.keepalive.Period())
		for n := 0; c.Context().Err() == nil; n++ {
			if n == 15 {
				t.Fatal("the application never reads, and the connection stays")
			}
			at += period
			c.checkAlive(at)
		}
	})
}

// TestPingsOfTheGone: Pings between what such a peer has sent are not answered: a Pong would draw a reset as well.
func TestPingsOfTheGone(t *testing.T) {
	const messages = 60
	onGonePeers(t, func(t *testing.T, network string, client bool) {
		c := gonePeer(t, network, client, messages, func(p *wiretest.Peer) {
			for range 10 {
				p.SendPing("are you there?")
				p.SendBinary(strings.Repeat("x", 1<<10))
			}
		})
		before := c.Stats().Written.Frames
		for n := range messages + 10 {
			if _, _, err := c.Read(bg); err != nil {
				t.Fatalf("message %d: %v", n, err)
			}
			awaitAnswers(t, c)
		}
		sent, most := c.Stats().Written.Frames-before, int64(0)
		c.mu.Lock()
		if c.closing.ours != none { // the reader goroutine has come to the peer's Close already
			most = 1
		}
		c.mu.Unlock()
		if sent > most {
			t.Errorf("%d frames were sent", sent)
		}
		if _, _, err := c.Read(bg); CloseStatus(err) != 1000 {
			t.Errorf("at last Read gave %v", err)
		}
	})
}

// awaitAnswers waits until nothing is pending.
func awaitAnswers(t *testing.T, c *Conn) {
	t.Helper()
	for begun := time.Now(); ; runtime.Gosched() {
		c.mu.Lock()
		waits := c.closing.ours == none && c.sender.waits(&c.closing)
		c.mu.Unlock()
		if !waits {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("Pongs stay pending")
		}
	}
}

// TestGoneAndBlocked: a peer that has closed its half of TCP, and takes nothing of what is being written, is found dead in two periods,
// however much of what it has sent is unread.
func TestGoneAndBlocked(t *testing.T) {
	onGonePeers(t, func(t *testing.T, network string, client bool) {
		c, peer, theirs := openGone(t, network, client)
		for range 64 {
			peer.SendBinary(strings.Repeat("x", 1<<10))
		}
		if secured, ok := theirs.(*tls.Conn); ok {
			theirs = secured.NetConn() // package tls has a half of its own, of which the system knows nothing
		}
		theirs.(interface{ CloseWrite() error }).CloseWrite()
		awaitStall(t, c)
		write := start(func() error { return c.Write(bg, MessageBinary, make([]byte, 64<<20)) })
		for before, begun := int64(-1), time.Now(); ; {
			taken, outstanding := c.transport.Taken()
			if outstanding > 0 && taken == before {
				break
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("%d were taken, %d are outstanding", taken, outstanding)
			}
			before = taken
			<-time.After(300 * time.Millisecond)
		}
		at, period := now(), int64(c.keepalive.Period())
		for n := 0; c.Context().Err() == nil; n++ {
			if n == 4 {
				t.Fatal("nobody sees that the peer takes nothing")
			}
			at += period
			c.checkAlive(at)
		}
		if err := <-write; !errors.Is(err, ErrPingTimeout) {
			t.Errorf("Write gave %v", err)
		}
	})
}

// TestReadOfFullReadAhead: the read-ahead is full when a Read takes what is in it, and waits for the rest of the message. The
// application reads now, so a peer that says nothing more is dead, and a Close behind a write that fails is found.
func TestReadOfFullReadAhead(t *testing.T) {
	begin := func(t *connTest, inMiddle bool) (frame []byte, read <-chan error) {
		frame = t.p.Encode(wiretest.Binary(strings.Repeat("x", 1<<20)))
		sent := start(func() error { _, err := t.p.Conn.Write(frame[:200<<10]); return err })
		rest := func() error { _, _, err := t.c.Read(bg); return err }
		if inMiddle {
			_, r, err := t.c.Reader(bg)
			if err != nil {
				t.Fatal(err)
			}
			r.Read(make([]byte, 1))
			rest = func() error { _, err := io.Copy(io.Discard, r); return err }
		}
		time.Sleep(time.Second)
		if !t.c.supervisor.Stalled.Load() {
			t.Fatal("the read-ahead is not full")
		}
		read = start(rest)
		if err := t.want("the start of a message", sent); err != nil {
			t.Fatal(err)
		}
		t.settle()
		return frame, read
	}
	for _, inMiddle := range []bool{false, true} {
		t.Run(fmt.Sprintf("silence, in the middle %v", inMiddle), func(t *testing.T) {
			runInMemory(t, config{settings: newSettings(0, 0, 10*time.Second)}, func(t *connTest) {
				begun := time.Now()
				_, read := begin(t, inMiddle)
				go io.Copy(io.Discard, t.p.Conn)
				if err := t.want("a dead peer", read); err != ErrPingTimeout {
					t.Errorf("Read gave %v", err)
				}
				if took := time.Since(begun); took > 25*time.Second {
					t.Errorf("it took %v", took)
				}
				t.p.Close()
			})
		})
	}
	t.Run("a write fails", func(t *testing.T) {
		runInMemory(t, config{readLimit: -1}, func(t *connTest) {
			frame, read := begin(t, false)
			t.c.writeFailed(net.ErrClosed)
			start(func() error { _, err := t.p.Conn.Write(frame[200<<10:]); t.p.SendClose(4000, ""); return err })
			if err := t.want("Read", read); err != nil {
				t.Errorf("Read gave %v", err)
			}
			if _, _, err := t.c.Read(bg); CloseStatus(err) != 4000 {
				t.Errorf("another Read gave %v", err)
			}
		})
	})
}

func first(a, _ net.Conn) net.Conn { return a }

func unixPair(t *testing.T) (a, b net.Conn) {
	if runtime.GOOS == "windows" {
		t.Skip("no Unix sockets under wine")
	}
	dir, err := os.MkdirTemp("", "ws") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("unix", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// onHalfClosed runs f over TCP and Unix, in both roles.
func onHalfClosed(t *testing.T, f func(t *testing.T, network string, client bool)) {
	for _, network := range []string{"tcp", "unix"} {
		for _, client := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/client %v", network, client), func(t *testing.T) { f(t, network, client) })
		}
	}
}

// TestPongAfterHalfClose: a peer that has closed only its half of TCP, and of whose bytes none is unread, gets its Pong.
func TestPongAfterHalfClose(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("PeerClosed is always false here, so there is nothing to prove; and under wine a send that waits is lost when the peer closes its half, whoever sends")
	}
	onHalfClosed(t, func(t *testing.T, network string, client bool) {
		_, peer, theirs := openGone(t, network, client)
		peer.SendPing("and now?")
		theirs.(interface{ CloseWrite() error }).CloseWrite()
		peer.WantPong("half closed", "and now?")
	})
}

// TestPongBehindMessage: the same for a Ping that came with a message, which was read.
func TestPongBehindMessage(t *testing.T) {
	onHalfClosed(t, func(t *testing.T, network string, client bool) {
		c, peer, theirs := openGone(t, network, client)
		peer.SendRaw(peer.Encode(wiretest.Binary("hello"), wiretest.Ping("and now?")))
		theirs.(interface{ CloseWrite() error }).CloseWrite()
		if _, p, err := c.Read(bg); err != nil || string(p) != "hello" {
			t.Fatalf("read %q, %v", p, err)
		}
		start(func() error { _, _, err := c.Read(bg); return err })
		peer.WantPong("half closed", "and now?")
	})
}

// TestAnswersOfTheGone: what such a peer has sent is all in the inbox, where our system does not see it, and the application answers Pings
// itself, in a callback. Nothing leaves, since messages behind the Pings are unread.
func TestAnswersOfTheGone(t *testing.T) {
	onGonePeers(t, func(t *testing.T, network string, client bool) {
		role := wiretest.Client
		if client {
			role = wiretest.Server
		}
		pair := map[string]func(*testing.T) (a, b net.Conn){"tcp": tcpPair, "tls": tlsOverTCP, "unix": unixPair}[network]
		ours, theirs := pair(t)
		set := newSettings(0, 0, time.Hour)
		conns := make(chan *Conn, 1)
		var c *Conn
		set.onPing = func(_ context.Context, p []byte) bool {
			if c == nil {
				c = <-conns
			}
			c.SendPong(p)
			return false
		}
		conn := readyConn(ours, config{client: client, parent: bg, readLimit: -1, settings: set})
		conns <- conn
		defer conn.CloseNow()
		peer := wiretest.NewPeer(t, theirs, role)
		peer.SendRaw(peer.Encode(wiretest.Ping("1"), wiretest.Ping("2"), wiretest.Binary("a"), wiretest.Binary("b")))
		theirs.Close()
		awaitGone(t, conn)
		conn.begin()
		for _, want := range []string{"a", "b"} {
			if _, p, err := conn.Read(bg); err != nil || string(p) != want {
				t.Fatalf("read %q, %v", p, err)
			}
		}
		if sent := conn.Stats().Written.Frames; sent != 0 {
			t.Errorf("%d frames were sent", sent)
		}
	})
}

// TestLastWordsOfRest: CloseNow makes an attempt to send the rest of what was written in part, and then closes only our half: a reset
// would overtake it.
func TestLastWordsOfRest(t *testing.T) {
	for _, client := range []bool{false, true} {
		c, peer, theirs := openGone(t, "tcp", client)
		peer.SendBinary("unread, so that closing TCP would reset it")
		c.mu.Lock()
		c.sender.rest = &rest{b: []byte{0x82, 2, 'h', 'i'}}
		c.unlock()
		c.CloseNow()
		theirs.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(theirs); err != nil || string(b) != "\x82\x02hi" {
			t.Errorf("client %v: the peer got %q, %v", client, b, err)
		}
	}
}
