package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// stock is what the process holds.
type stock struct {
	goroutines, descriptors int
	heap                    int64
}

func takeStock() stock {
	s := stock{heap: heap(), goroutines: runtime.NumGoroutine()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.descriptors = len(entries)
	}
	return s
}

// returnsTo waits until there is no more than before. Some of the heap is the runtime's, which keeps what goroutines were
// made of.
func returnsTo(t *testing.T, before stock, spare int64) {
	t.Helper()
	var now stock
	if pollFor(30*time.Second, func() bool {
		now = takeStock()
		return now.goroutines <= before.goroutines && now.descriptors <= before.descriptors && now.heap <= before.heap+spare
	}) {
		t.Logf("before: %+v, after: %+v", before, now)
		return
	}
	buf := make([]byte, 1<<16)
	t.Errorf("before: %+v, after: %+v\n%s", before, now, buf[:runtime.Stack(buf, true)])
}

// A hubbub is groups with every policy and members that come and go.
type hubbub struct {
	groups []*websocket.Group
	addr   string
	client http.Transport
	joins  atomic.Int64
}

func newHubbub() *hubbub {
	h := &hubbub{}
	for _, policy := range []websocket.SlowPolicy{websocket.CloseAfterGrace, websocket.CloseSlow, websocket.DropNewest, websocket.DropOldest} {
		g := &websocket.Group{Policy: policy, MaxQueued: 50, Grace: 100 * time.Millisecond}
		g.OnSlow = func(c *websocket.Conn, m websocket.MemberStats) {
			g.Stats()
			if rand.IntN(10) == 0 {
				g.Broadcast(websocket.MessageText, []byte("somebody is slow"))
			}
		}
		h.groups = append(h.groups, g)
	}
	return h
}

// serve has a connection join some groups and write, until it ends.
func (h *hubbub) serve(ctx context.Context, c *websocket.Conn) {
	for _, g := range h.groups {
		if rand.IntN(2) == 0 {
			g.Add(c)
			h.joins.Add(1)
		}
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return
		}
		switch g := h.groups[rand.IntN(len(h.groups))]; rand.IntN(5) {
		case 0:
			g.Add(c)
			h.joins.Add(1)
		case 1:
			g.Remove(c)
		case 2:
			c.TryWrite(m.Type, m.Data)
		case 3:
			if p, err := websocket.NewPreparedMessage(m.Type, m.Data); err == nil {
				c.TryWritePrepared(p)
			}
		default:
			g.Broadcast(m.Type, m.Data)
		}
	}
}

// visit is one client, from Dial to its end.
func (h *hubbub) visit(ctx context.Context, compression websocket.CompressionMode) error {
	c, _, err := websocket.Dial(ctx, "ws://"+h.addr, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &h.client}, CompressionMode: compression, CloseTimeout: 200 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	stalls := rand.IntN(5) == 0
	for range rand.IntN(40) {
		if c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("some text ", 1+rand.IntN(300)))) != nil {
			return nil
		}
		if stalls {
			continue
		}
		short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
		for err = nil; err == nil && rand.IntN(30) > 0; {
			_, _, err = c.Read(short)
		}
		cancel()
	}
	switch rand.IntN(4) {
	case 0:
		c.Close(websocket.StatusNormalClosure, "")
	case 1:
		c.CloseNow()
	case 2:
		c.SetReadLimit(1) // the next message fails the connection
		c.Read(ctx)
	}
	return nil
}

// TestSoak: members come and go, in every way, while others broadcast; in the end nothing is left of them.
func TestSoak(t *testing.T) {
	h := newHubbub()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	srv := &http.Server{Handler: websocket.Handler(&websocket.AcceptOptions{
		CompressionMode: websocket.CompressionContextTakeover, QueueLimit: 32 << 10, CloseTimeout: 200 * time.Millisecond, KeepAlive: time.Second,
	}, h.serve)}
	go srv.Serve(l)
	defer srv.Close()
	h.churn(t, *flagSoak/4) // pools and tables
	before := takeStock()
	first := h.joins.Load()
	visits := h.churn(t, *flagSoak)
	returnsTo(t, before, 1<<20)
	for _, g := range h.groups {
		s := g.Stats()
		if s.Members != 0 {
			t.Errorf("%+v", s)
		}
		t.Logf("%+v", s)
	}
	t.Logf("%d connections, %d times they joined a group", visits, h.joins.Load()-first)
}

// churn has clients visit for some time, and returns how many did.
func (h *hubbub) churn(t *testing.T, d time.Duration) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var visits atomic.Int64
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := h.visit(ctx, websocket.CompressionMode(i%3)); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				visits.Add(1)
			}
		})
	}
	for i := range 2 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				h.groups[(i+n)%4].Broadcast(websocket.MessageText, fmt.Append(nil, n, strings.Repeat("news ", n%1000)))
				if n%8 == 0 {
					pause(time.Millisecond)
				}
			}
		})
	}
	group.Wait()
	h.client.CloseIdleConnections() // of handshakes that ctx has ended
	return visits.Load()
}

// TestJoinAndLeave: members join and leave a great many times, while others broadcast. What they cost is given back.
func TestJoinAndLeave(t *testing.T) {
	const members = 100
	r := openRoom(t, new(websocket.Group), &websocket.AcceptOptions{KeepAlive: -1})
	c := startCrowd(t, order{Addr: r.addr, Conns: members})
	r.filled(t, members)
	var all []*websocket.Conn
	for c := range r.group.All() {
		all = append(all, c)
	}
	var topics [8]websocket.Group
	joins := func(times int) {
		var group sync.WaitGroup
		for i := range topics {
			group.Go(func() {
				for n := range times / len(topics) {
					c := all[(n*7+i)%members]
					if err := topics[i].Add(c); err != nil {
						t.Error(err)
						return
					}
					if n%50 == 0 {
						topics[i].Broadcast(websocket.MessageText, []byte("hello"))
					}
					topics[i].Remove(c)
				}
			})
		}
		group.Wait()
	}
	joins(1000)
	before := takeStock()
	begun := time.Now()
	joins(*flagJoins)
	took := time.Since(begun)
	returnsTo(t, before, 128<<10)
	t.Logf("%d joins and leaves in %v: %v each", *flagJoins, took.Round(time.Millisecond), took/time.Duration(*flagJoins))
	for i := range topics {
		if s := topics[i].Stats(); s.Members != 0 || s.Sent+s.Unsent != s.Messages {
			t.Errorf("%+v", s)
		}
	}
	c.leave()
}
