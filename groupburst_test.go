package websocket

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
)

// TestGroupBurstFits: what a burst has more than a member's queue holds is no reason to call the member slow, as long as its kernel
// takes it: by no policy is anything dropped, or anybody closed. It is broadcast by one goroutine and by several.
func TestGroupBurstFits(t *testing.T) {
	const members = 4 // servers and clients
	for wire, pair := range map[string]func(t *testing.T) (a, b net.Conn){
		"tcp": tcpPair,
		"tls": tlsOverTCP,
	} {
		for _, policy := range []SlowPolicy{CloseAfterGrace, CloseSlow, DropNewest, DropOldest} {
			for _, b := range []struct{ callers, messages, size, limit int }{ // a kernel's buffers hold it
				{1, 40, 4 << 10, 48 << 10}, // the queue more than one system call takes
				{4, 40, 4 << 10, 48 << 10},
				{1, 16, 10 << 10, 24 << 10}, // each message has its own
				{4, 16, 10 << 10, 24 << 10},
			} {
				if !t.Run(fmt.Sprintf("%s, %v, %v", wire, policy, b), func(t *testing.T) {
					g := Group{Policy: policy}
					var far []net.Conn
					for i := range members {
						near, peer := pair(t)
						c := newConn(near, config{client: i%2 == 1, parent: bg, readLimit: defaultReadLimit, settings: newSettings(b.limit, 0, -1)})
						t.Cleanup(func() { c.CloseNow(); peer.Close() })
						mustTry(t, c)
						if err := g.Add(c); err != nil {
							t.Fatal(err)
						}
						far = append(far, peer)
					}
					var all sync.WaitGroup
					for range b.callers {
						all.Go(func() {
							p := make([]byte, b.size)
							for range b.messages / b.callers {
								if err := g.Broadcast(MessageBinary, p); err != nil {
									t.Error(err)
								}
							}
						})
					}
					all.Wait()
					for i, nc := range far {
						nc.SetReadDeadline(time.Now().Add(5 * time.Second))
						frame := b.size + 4
						if i%2 == 1 {
							frame += 4 // the masking key
						}
						if _, err := io.ReadFull(nc, make([]byte, b.messages*frame)); err != nil {
							t.Fatalf("not all came: %v; %+v", err, g.Stats())
						}
					}
					if s := g.Stats(); s.Dropped != 0 || s.Closed != 0 {
						t.Errorf("%+v", s)
					}
				}) {
					return // the others wait for what does not come, too
				}
			}
		}
	}
}

// mustTry skips the test where a goroutine writes, and nobody knows what the kernel takes: on Windows, and over TLS where poll is not
// called, as under the race detector and on macOS. SlowPolicy promises nothing there.
func mustTry(t *testing.T, c *Conn) {
	t.Helper()
	if !c.transport.Tries() {
		t.Skip("a goroutine writes here")
	}
}

// tlsOverTCP is a pair whose first end is the server's.
func tlsOverTCP(t *testing.T) (a, b net.Conn) {
	a, b = tcpPair(t)
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	done := start(server.Handshake)
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// TestGroupBurstBySome: some callers make room in the same queue, and fill it. None takes another's messages for a sign that the
// member is slow.
func TestGroupBurstBySome(t *testing.T) {
	slow := 0
	for range 100 {
		near, peer := tcpPair(t)
		c := newConn(near, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
		mustTry(t, c)
		go io.Copy(io.Discard, peer)
		g := Group{Policy: CloseSlow, MaxQueued: 4}
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		var some sync.WaitGroup
		for range 8 {
			some.Go(func() {
				for range 12 { // the kernel has room for all
					g.Broadcast(MessageText, []byte("x"))
					c.TryWrite(MessageText, []byte("y")) // takes what was posted
				}
			})
		}
		some.Wait()
		if s := g.Stats(); s.Dropped != 0 || s.Closed != 0 {
			slow++
			t.Logf("%+v", s)
		}
		c.CloseNow()
		peer.Close()
	}
	if slow > 5 { // on a very busy machine somebody may have the turn for a tenth of a second
		t.Errorf("the member was taken for slow in %d of 100 rounds", slow)
	}
}

// TestGroupLongHolder: who keeps the write turn for long, as a callback may, holds up others once, and is waited for again when it
// has given the turn back.
func TestGroupLongHolder(t *testing.T) {
	near, peer := tcpPair(t)
	c := newConn(near, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
	defer c.CloseNow()
	mustTry(t, c)
	go io.Copy(io.Discard, peer)
	g := Group{Policy: DropNewest, MaxQueued: 1}
	if err := g.Add(c); err != nil {
		t.Fatal(err)
	}
	if !c.writeTurn.Try() {
		t.Fatal("somebody writes")
	}
	begun := time.Now()
	const messages = 1000 // 10 s, if each waits
	for range messages {
		g.Broadcast(MessageText, []byte("x"))
		c.pull()
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%d broadcasts took %v", messages, took)
	}
	if mine, _ := c.awaitWriting(); mine || !c.writeTurn.Blocked() {
		t.Errorf("the turn was had twice: %t; its holder is waited for: %t", mine, !c.writeTurn.Blocked())
	}
	c.leaveWrite()
	for { // a writer goroutine may have it in between
		mine, changed := c.awaitWriting()
		if mine {
			break
		} else if !changed {
			t.Fatal("the turn was given back, and was not had")
		}
	}
	if c.writeTurn.Blocked() {
		t.Error("the new holder is not waited for")
	}
	c.leaveWrite()
}

// TestGroupBurstInLine: the write turn goes from hand to hand among those who stand in line for it, so that who makes room hardly
// finds it free. None of them keeps it, and none is blamed.
func TestGroupBurstInLine(t *testing.T) {
	for _, client := range []bool{false, true} {
		near, peer := tcpPair(t)
		c := newConn(near, config{
			client: client, deflate: newCompression(handshake.Params{ServerBits: 15, ClientBits: 15}, client, 1),
			parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1),
		})
		mustTry(t, c)
		go io.Copy(io.Discard, peer)
		g := Group{Policy: DropNewest, MaxQueued: 4}
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		var line sync.WaitGroup
		for range 4 {
			line.Go(func() {
				for ctx.Err() == nil {
					c.Write(bg, MessageText, []byte(strings.Repeat("compress me ", 200)))
				}
			})
		}
		slow := 0 // bursts of which some was dropped: the kernel may be full for once
		for range 50 {
			before := g.Stats().Dropped
			for range 12 {
				g.Broadcast(MessageText, []byte("x"))
			}
			c.pull()
			if g.Stats().Dropped != before {
				slow++
			}
		}
		cancel()
		line.Wait()
		if slow > 5 {
			t.Errorf("client %t: the member was taken for slow in %d of 50 bursts", client, slow)
		}
		c.CloseNow()
	}
}
