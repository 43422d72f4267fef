package websocket

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A slower net.Conn needs longer for each Write than frames stay corked.
type slower struct{ *memconn.Conn }

func (c slower) Write(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return c.Conn.Write(p)
}

// TestFlushCorked: answers to Pings that wait for company do not keep back what waited before them in the backlog, and Flush does not
// take that for sent.
func TestFlushCorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(8 << 20)
		p := wiretest.NewPeer(t, theirs, wiretest.Client)
		c := newConn(slower{ours}, config{parent: bg, readLimit: 1 << 20, settings: newSettings(0, 0, 0)})
		var g Group
		if err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		go c.Read(bg)
		for range 20 {
			broadcast(t, &g, strings.Repeat("x", 3000))
		}
		synctest.Wait()
		flushed := start(func() error { return c.Flush(bg) })
		time.Sleep(9500 * time.Microsecond)
		b := p.Encode(wiretest.Ping("p"), wiretest.Text("half"))
		p.SendRaw(b[:len(b)-2])
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		if n := c.Stats().Written.Messages; n != 20 {
			t.Errorf("%d messages have left of 20", n)
		}
		c.CloseNow()
		theirs.Close()
		time.Sleep(5 * time.Second) // for those that sleep
	})
}

// TestFlushByMany: those who flush hand the write turn to each other, and what they wait for is written all the same.
func TestFlushByMany(t *testing.T) {
	for _, client := range []bool{false, true} {
		near, peer := tcpPair(t)
		c := newConn(near, config{client: client, parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
		if !c.writeTurn.Try() { // as a Write that is under way
			t.Fatal("somebody writes")
		}
		if err := c.TryWrite(MessageText, []byte("queued")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		var all []<-chan error
		for range 4 {
			all = append(all, start(func() error { return c.Flush(ctx) }))
		}
		for !c.writeTurn.Awaited() {
			runtime.Gosched()
		}
		c.leaveWrite()
		go io.Copy(io.Discard, peer)
		for _, flushed := range all {
			if err := <-flushed; err != nil {
				t.Errorf("client %t: %v", client, err)
			}
		}
		cancel()
		c.CloseNow()
	}
}
