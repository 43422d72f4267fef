package streamconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// A gate is a Room that has room while it is open.
type gate struct {
	mu     sync.Mutex
	moved  *sync.Cond
	open   bool
	closed bool
}

func newGate() *gate {
	g := new(gate)
	g.moved = sync.NewCond(&g.mu)
	return g
}

func (g *gate) HasRoom() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

func (g *gate) AwaitRoom() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.open && !g.closed {
		g.moved.Wait()
	}
}

func (g *gate) set(open, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.closed = open, closed
	g.moved.Broadcast()
}

// TestRoom: of a Write whose deadline passes before there is room nothing is written, and the goroutine that it leaves waits on, once.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, peer := memconn.Pipe(1 << 10)
		defer peer.Close()
		g := newGate()
		c := streamconn.NewRoom(ours, g)
		defer c.Close()
		for range 3 {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			if n, err := c.Write([]byte("late")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("there is no room: %d, %v", n, err)
			}
			if c.Settled() {
				t.Fatal("a goroutine waits for room, and all is settled")
			}
		}
		c.SetWriteDeadline(time.Time{})
		written := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("sent"))
			written <- err
		}()
		synctest.Wait()
		g.set(true, false)
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		if !c.Settled() {
			t.Error("all was written, and is not settled")
		}
		ours.Close()
		if got, err := io.ReadAll(peer); string(got) != "sent" {
			t.Errorf("%q came, %v", got, err)
		}
	})
}

// TestRoomClosed: Close ends a Write that waits for room.
func TestRoomClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, peer := memconn.Pipe(1 << 10)
		defer peer.Close()
		g := newGate()
		c := streamconn.NewRoom(ours, g)
		written := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("never"))
			written <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-written; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write gave %v", err)
		}
		g.set(false, true) // as a socket does that is closed
	})
}

// TestRoomCrowd: room comes and goes, and several write under deadlines that pass. What each was told was written came, whole.
func TestRoomCrowd(t *testing.T) {
	ours, peer := net.Pipe()
	g := newGate()
	c := streamconn.NewRoom(ours, g)
	got := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	stop, turning := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(turning)
		for open := true; ; open = !open {
			select {
			case <-stop:
				g.set(true, true)
				return
			case <-time.After(100 * time.Microsecond):
				g.set(open, false)
			}
		}
	}()
	var mu sync.Mutex
	var told [4]int
	var writers sync.WaitGroup
	for i := range told {
		writers.Go(func() {
			p := bytes.Repeat([]byte{byte(i)}, 100)
			for range 200 {
				c.SetWriteDeadline(time.Now().Add(time.Duration(i+1) * 50 * time.Microsecond)) // the others' as well
				n, err := c.Write(p)
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
				mu.Lock()
				told[i] += n
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	close(stop)
	<-turning
	c.SetWriteDeadline(time.Time{})
	if _, err := c.Write([]byte{9}); err != nil { // behind what the last has left
		t.Fatal(err)
	}
	c.Close()
	all := <-got
	for i, n := range told {
		if came := bytes.Count(all, []byte{byte(i)}); came != n {
			t.Errorf("%d bytes of writer %d came, he was told %d", came, i, n)
		}
	}
}
