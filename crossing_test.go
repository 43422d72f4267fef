package websocket

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// A proxy reads each of its two connections under the other's Context.

// TestProxyContexts: both peers hang up at the same moment, again and again. All calls return.
func TestProxyContexts(t *testing.T) {
	pairs := map[string]func(t *testing.T) (net.Conn, net.Conn){
		"memory": func(*testing.T) (net.Conn, net.Conn) { return memconn.Pipe(0) },
		"tcp":    tcpPair,
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			enough := time.Now().Add(400 * time.Millisecond)
			for i := 0; i < 5000 && time.Now().Before(enough); i++ {
				proxyOnce(t, i, pair)
			}
		})
	}
}

func proxyOnce(t *testing.T, round int, pair func(*testing.T) (net.Conn, net.Conn)) {
	near, client := pair(t)
	far, server := pair(t)
	a := newConn(near, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
	b := newConn(far, config{client: true, parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
	var calls sync.WaitGroup
	calls.Go(func() { a.Read(b.Context()); a.CloseNow() })
	calls.Go(func() { b.Read(a.Context()); b.CloseNow() })
	calls.Go(func() { // as the calls begin, or a little later
		for range round * 101 % 50000 {
		}
		client.Close()
	})
	calls.Go(func() {
		for range round * 101 % 50000 {
		}
		server.Close()
	})
	over := start(func() error { calls.Wait(); return nil })
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Fatalf("round %d: the calls do not return", round)
	}
}

// A meddler is a context whose methods call back into the connection that it is used on.
type meddler struct {
	context.Context
	c *Conn
}

func (m meddler) meddle() {
	m.c.TryWrite(MessageText, []byte("meddled"))
	m.c.SetReadLimit(1 << 20)
	_ = m.c.Context().Err()
}

func (m meddler) Done() <-chan struct{} {
	m.meddle()
	return m.Context.Done()
}

func (m meddler) Err() error {
	m.meddle()
	return m.Context.Err()
}

func (m meddler) Value(key any) any {
	m.meddle()
	return m.Context.Value(key)
}

func (m meddler) AfterFunc(f func()) (stop func() bool) {
	m.meddle()
	below := context.AfterFunc(m.Context, f)
	return func() bool {
		m.meddle()
		return below()
	}
}

// TestContextThatCallsBack: no method of a context is called with a lock held, nor is the function that stops an
// AfterFunc.
func TestContextThatCallsBack(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, time.Second, -1)}, func(t *connTest) {
		if !t.real {
			return // a mutex that is never unlocked keeps a bubble waiting for ever
		}
		go func() { // the peer takes everything
			b := make([]byte, 4<<10)
			for {
				if _, err := t.p.Conn.Read(b); err != nil {
					return
				}
			}
		}()
		foreign := func() (meddler, context.CancelFunc) {
			ctx, cancel := context.WithCancel(bg)
			return meddler{ctx, t.c}, cancel
		}
		calls := map[string]func(ctx context.Context) error{
			"Read":         func(ctx context.Context) error { _, _, err := t.c.Read(ctx); return err },
			"Reader":       func(ctx context.Context) error { _, _, err := t.c.Reader(ctx); return err },
			"Ping":         func(ctx context.Context) error { return t.c.Ping(ctx) },
			"Write":        func(ctx context.Context) error { return t.c.Write(ctx, MessageBinary, make([]byte, 1<<20)) },
			"CloseRead":    func(ctx context.Context) error { <-t.c.CloseRead(ctx).Done(); return nil },
			"CloseContext": func(ctx context.Context) error { return t.c.CloseContext(ctx, 1000, "") },
		}
		for _, name := range []string{"Read", "Reader", "Ping", "Write", "CloseRead", "CloseContext"} {
			for range 2 { // the second time another context takes the first one's place
				ctx, cancel := foreign()
				call := start(func() error { return calls[name](ctx) })
				timer := time.AfterFunc(20*time.Millisecond, cancel)
				t.want(name+" under a context that calls back", call)
				timer.Stop()
				cancel()
			}
		}
	})
}

// A locked context wants a lock of the application's to be asked for its end, and to be told that nobody asks any more.
type locked struct {
	context.Context
	mu    *sync.Mutex
	asked chan struct{} // gets something when it was asked
}

func (l locked) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	below := context.AfterFunc(l.Context, f)
	select {
	case l.asked <- struct{}{}:
	default:
	}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return below()
	}
}

// TestContextUnderLock: CloseNow never blocks, nor do Close and Read, whatever lock their caller has that the context of another
// call wants, which is under way or over.
func TestContextUnderLock(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]bool{"of a Read that waits": false, "of a Read before": true} {
		for end, call := range map[string]func(c *Conn){
			"CloseNow": func(c *Conn) { c.CloseNow() },
			"Close":    func(c *Conn) { c.Close(1000, "") },
			"Read": func(c *Conn) {
				ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
				defer cancel()
				c.Read(ctx)
				c.CloseNow()
			},
		} {
			t.Run(end+", with the lock of the context "+name, func(t *testing.T) {
				runConnTest(t, config{settings: newSettings(0, 100*time.Millisecond, -1)}, func(t *connTest) {
					if !t.real {
						return // in a bubble all would wait for the lock for ever
					}
					var mu sync.Mutex
					ctx, cancel := context.WithCancel(bg)
					defer cancel()
					foreign := locked{ctx, &mu, make(chan struct{}, 1)}
					read := start(func() error { _, _, err := t.c.Read(foreign); return err })
					if over {
						t.p.SendText("first")
						if err := t.want("Read", read); err != nil {
							t.Fatal(err)
						}
						read = nil
					}
					<-foreign.asked
					mu.Lock()
					defer mu.Unlock()
					t.want(end, start(func() error { call(t.c); return nil }))
					if read != nil {
						t.want("Read", read)
					}
				})
			})
		}
	}
}

// A halfRead net.Conn has read bytes, and has yet to return them, when something else happens.
type halfRead struct {
	*memconn.Conn
	then atomic.Pointer[func()]
}

func (c *halfRead) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		if then := c.then.Swap(nil); then != nil {
			(*then)()
		}
	}
	return n, err
}

// TestCrossingWithUnread: our Close begins in the moment in which the peer's has been read, behind a message that nobody
// has. The client then waits for the server to close TCP, and does nothing meanwhile.
func TestCrossingWithUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := memconn.Pipe(64 << 10)
		ours := &halfRead{Conn: x}
		runOne(t, true, config{}, ours, y, false, func(t *connTest) {
			t.p.SendText("unread")
			time.Sleep(time.Second) // it is read ahead
			begun := make(chan (<-chan error), 1)
			then := func() {
				begun <- start(func() error { return t.c.Close(1000, "") })
				for !t.c.has(dropping) {
					time.Sleep(time.Microsecond)
				}
			}
			ours.then.Store(&then)
			t.p.SendClose(1000, "")
			t.p.WantClose("ours", 1000)
			time.Sleep(time.Second) // which passes only if nobody has anything to do
			t.p.Close()
			if err := t.want("Close", <-begun); err != nil {
				t.Errorf("Close gave %v", err)
			}
		})
	})
}
