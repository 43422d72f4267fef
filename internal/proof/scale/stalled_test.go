package scale

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// A room is a server whose connections are members of one group, in the order in which they come.
type room struct {
	*http.Server
	group *websocket.Group
	addr  string

	mu      sync.Mutex
	stalled []*websocket.Conn // those whose clients do not read
}

// openRoom serves until the test ends.
func openRoom(t *testing.T, group *websocket.Group, options *websocket.AcceptOptions) *room {
	t.Helper()
	l := listen(t)
	r := &room{Server: &http.Server{}, group: group, addr: l.Addr().String()}
	mux := http.NewServeMux()
	serve := func(ctx context.Context, c *websocket.Conn) {
		if err := group.Add(c); err != nil {
			t.Error(err)
		}
		c.Read(ctx)
	}
	mux.Handle("/", websocket.Handler(options, serve))
	mux.Handle("/stalls", websocket.Handler(options, func(ctx context.Context, c *websocket.Conn) {
		r.mu.Lock()
		r.stalled = append(r.stalled, c)
		r.mu.Unlock()
		serve(ctx, c)
	}))
	r.Handler = mux
	go r.Serve(l)
	t.Cleanup(func() { r.Close() })
	return r
}

// filled waits until so many are members.
func (r *room) filled(t *testing.T, n int) {
	t.Helper()
	poll(t, "not all are members", func() bool { return r.group.Len() == n })
}

const every = 100 * time.Millisecond // a message is broadcast

// broadcastFor broadcasts small messages, with a time in them, and lets what is on its way arrive.
func (r *room) broadcastFor(t *testing.T, d time.Duration) (sent int) {
	t.Helper()
	p := make([]byte, 256)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < d; sent++ {
		<-tick.C
		stamp(p, sent)
		if err := r.group.Broadcast(websocket.MessageBinary, p); err != nil {
			t.Fatal(err)
		}
	}
	return sent
}

// settled waits until all that was broadcast has left, but for what waits for those that stall.
func (r *room) settled(t *testing.T, stalled int) {
	t.Helper()
	poll(t, "not all have had all", func() bool {
		busy, taken := 0, uint64(0)
		for c := range r.group.All() {
			if m, ok := r.group.Member(c); ok && m.Bytes > 0 {
				busy++
				taken += uint64(m.Queued)
			}
		}
		s := r.group.Stats() // all were members before the first message
		return busy <= stalled && taken+s.Sent+s.Dropped == s.Messages*uint64(s.Members)
	})
}

// stall broadcasts until something is dropped for each of those that do not read.
func (r *room) stall(t *testing.T) {
	t.Helper()
	filler := make([]byte, 1<<10) // without a time
	full := func(c *websocket.Conn) bool { m, _ := r.group.Member(c); return m.Dropped > 0 }
	for begun := time.Now(); !all(r.stalled, full); r.settled(t, len(r.stalled)) {
		if err := r.group.Broadcast(websocket.MessageBinary, filler); err != nil || time.Since(begun) > time.Minute {
			t.Fatalf("they are not full: %v", err)
		}
	}
}

func all[T any](some []T, is func(T) bool) bool {
	return !slices.ContainsFunc(some, func(v T) bool { return !is(v) })
}

// TestStalledDelaysNobody: deliveries to those who read are as quick beside a member that does not, and none is dropped.
func TestStalledDelaysNobody(t *testing.T) {
	mostlyWaits(t)
	for _, stalled := range []int{0, 1, 0, 1} {
		r := openRoom(t, &websocket.Group{Policy: websocket.DropNewest}, &websocket.AcceptOptions{KeepAlive: -1, QueueLimit: 16 << 10})
		c := startCrowd(t, order{Addr: r.addr, Conns: *flagConns, Stalled: stalled})
		r.filled(t, *flagConns)
		r.stall(t)
		before := r.group.Stats().Dropped
		sent := r.broadcastFor(t, *flagFor)
		r.settled(t, stalled)
		dropped := r.group.Stats().Dropped - before
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		go func() {
			defer cancel()
			r.group.Shutdown(ctx)
		}()
		report := c.end()
		t.Logf("%d members, %d stalled: %d messages, after %v (p50), %v (p99), %v (the last)", *flagConns, stalled, sent,
			report.P50.Round(time.Microsecond), report.P99.Round(time.Microsecond), report.Most.Round(time.Microsecond))
		if want := sent * (*flagConns - stalled); report.Delivered != want || report.Dropped != 0 || dropped > uint64(sent*stalled) || stalled > 0 && dropped == 0 {
			t.Errorf("%d were delivered, want %d; %d gaps, %d were dropped", report.Delivered, want, report.Dropped, dropped)
		}
		r.Close()
	}
}

// TestStalledMemory: what waits for members that stall takes no more memory than their queues may have, whether it is of
// the group, and so shared, or their own.
func TestStalledMemory(t *testing.T) {
	const limit = 64 << 10
	stalled := max(*flagConns/10, 1)
	for name, fill := range map[string]func(*room){
		"of the group": func(r *room) { r.stall(t) },
		"their own": func(r *room) {
			for _, c := range r.stalled {
				for c.TryWrite(websocket.MessageBinary, make([]byte, 1<<10)) == nil {
				}
			}
		},
	} {
		r := openRoom(t, &websocket.Group{Policy: websocket.DropNewest, MaxQueued: -1}, &websocket.AcceptOptions{KeepAlive: -1, QueueLimit: limit})
		startCrowd(t, order{Addr: r.addr, Conns: *flagConns, Stalled: stalled})
		r.filled(t, *flagConns)
		before := heap()
		fill(r)
		more, queued := heap()-before, 0
		for _, c := range r.stalled {
			queued += c.Stats().QueuedBytes
		}
		t.Logf("%d of %d members stall: %d KiB wait for them, %s, and take %d KiB; the limits allow %d KiB", stalled, *flagConns, queued>>10, name, more>>10, stalled*limit>>10)
		if queued > stalled*limit || queued < stalled*limit/2 || more > int64(stalled*limit)*5/4 {
			t.Errorf("that is too much, or too little")
		}
		r.Close()
	}
}

// heap is what is in use.
func heap() int64 {
	for range 4 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
