package websocket

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

var crowd = flag.Int("crowd", 300, "how many `connections` TestServerGroupCrowd closes at once")

// TestGroupShutdown: all members get what was broadcast before, and the Close; who does not answer is cut when the context
// ends, and nobody waits for it before.
func TestGroupShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		var good []*groupMember
		for i := range 50 {
			m := joinedMember(t, &g, config{client: i%2 == 0}, 0)
			good = append(good, m)
		}
		s := newSettings(0, time.Hour, -1)
		silent := joinedMember(t, &g, config{settings: s}, 0)
		stalled := joinedMember(t, &g, config{settings: s}, 1<<10)
		stalled.stall(t, 8<<10)
		flood := joinedMember(t, &g, config{settings: s}, 0)
		reset := joinedMember(t, &g, config{settings: s}, 0)
		broadcast(t, &g, "the last")
		reset.under.Reset()
		done := make(chan bool)
		messages := flood.p.Encode(slices.Repeat([]wiretest.Frame{wiretest.Text("more and more")}, 100)...)
		go func() {
			defer close(done)
			for {
				if _, err := flood.p.Conn.Write(messages); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		ctx, cancel := context.WithTimeout(bg, 3*time.Second)
		defer cancel()
		begun := time.Now()
		var closed int
		shutdown := start(func() (err error) { closed, err = g.Shutdown(ctx); return err })
		for _, m := range append(good, silent, flood) {
			m.p.WantText("what was broadcast before", "the last")
			if reason := m.p.WantClose("then the Close", 1001); reason == "" {
				t.Error("there is no reason")
			}
		}
		for _, m := range good {
			m.p.SendClose(1001, "")
			m.p.Close()
		}
		synctest.Wait()
		if n := g.Len(); n != 3 {
			t.Errorf("%d members are left", n)
		}
		late := newMember(t, config{}, 0)
		if err := g.Add(late.c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Add gave %v", err)
		}
		late.p.WantClose("who comes late is refused", 1001)
		again, err := g.Shutdown(ctx)
		first := <-shutdown
		if again != 50 || closed != 50 {
			t.Errorf("the two Shutdowns gave %d and %d", closed, again)
		}
		// One of them has cut those who were left; the other may have found them cut.
		if err == nil {
			err = first
		}
		if err != context.DeadlineExceeded || first != nil && first != err {
			t.Errorf("the two Shutdowns gave %v and %v", first, err)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		flood.c.CloseNow()
		flood.p.Close()
		<-done
		synctest.Wait()
		if n := g.Len(); n != 0 {
			t.Errorf("%d members are left", n)
		}
		broadcast(t, &g, "to nobody")
		if n, err := g.Shutdown(bg); n != 50 || err != nil {
			t.Errorf("with nobody left: %d, %v", n, err)
		}
	})
}

// TestGroupClose: the code and the reason are the application's, and misuse is told.
func TestGroupClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 0)
		closing := start(func() error {
			n, err := g.Close(bg, 4001, "the room is closed")
			if n != 1 {
				t.Errorf("%d were closed well", n)
			}
			return err
		})
		if reason := m.p.WantClose("the group's", 4001); reason != "the room is closed" {
			t.Errorf("the reason is %q", reason)
		}
		m.p.SendClose(4001, "")
		m.p.Close()
		if err := <-closing; err != nil {
			t.Error(err)
		}
		if _, err := new(Group).Close(bg, 1005, "no"); err == nil {
			t.Error("1005 may not be sent with a reason")
		}
	})
}

// TestGroupShutdownWhileAdding: everybody who has joined, or tries to, is closed.
func TestGroupShutdownWhileAdding(t *testing.T) {
	for round := range 20 {
		var g Group
		var wg sync.WaitGroup
		var joined atomic.Int64
		for range 4 {
			wg.Go(func() {
				for range 10 {
					x, y := memconn.Pipe(0)
					a := newConn(x, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
					b := newConn(y, config{client: true, parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
					if g.Add(a) == nil {
						joined.Add(1)
					}
					wg.Go(func() {
						if _, _, err := b.Read(bg); CloseStatus(err) != 1001 {
							t.Errorf("the peer got %v", err)
						}
					})
				}
			})
		}
		for range round {
			runtime.Gosched()
		}
		var closed atomic.Int64
		for range 2 {
			wg.Go(func() {
				n, err := g.Shutdown(bg)
				if err != nil {
					t.Error(err)
				}
				closed.Store(max(closed.Load(), int64(n)))
			})
		}
		wg.Wait()
		// One that is closed while it joins counts as closed, and its Add fails.
		if closed.Load() > 40 || g.Len() != 0 {
			t.Errorf("%d joined, %d were closed, %d are left", joined.Load(), closed.Load(), g.Len())
		}
	}
}

// TestServerGroup: http.Server.Shutdown closes all WebSockets, those of Accept, of Handler, and over TLS.
func TestServerGroup(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			type key struct{}
			mux := http.NewServeMux()
			mux.Handle("/handler", Handler(nil, func(ctx context.Context, c *Conn) {
				if ctx.Value(key{}) != "value" {
					t.Error("the BaseContext before is lost")
				}
				c.Read(ctx)
			}))
			mux.HandleFunc("/accept", func(w http.ResponseWriter, r *http.Request) {
				if c, err := Accept(w, r, nil); err == nil {
					go c.Read(c.Context())
				}
			})
			runs := make(chan bool, 1)
			mux.Handle("/own", Handler(&AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *Conn) {
				runs <- true
				<-ctx.Done()
				if cause := context.Cause(ctx); cause != http.ErrServerClosed {
					t.Errorf("the context ends with %v", cause)
				}
				c.Close(4000, "see you")
			}))
			srv := httptest.NewUnstartedServer(mux)
			srv.Config.BaseContext = func(net.Listener) context.Context { return context.WithValue(bg, key{}, "value") }
			g := ServerGroup(srv.Config)
			if secure {
				srv.StartTLS()
			} else {
				srv.Start()
			}
			defer srv.Close()
			var wg sync.WaitGroup
			for path, code := range map[string]StatusCode{"/handler": 1001, "/accept": 1001, "/own": 4000} {
				c, _, err := Dial(bg, srv.URL+path, &DialOptions{HTTPClient: srv.Client()})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				wg.Go(func() {
					if _, _, err := c.Read(bg); CloseStatus(err) != code {
						t.Errorf("%s: %v", path, err)
					}
				})
			}
			for <-runs; g.Len() < 3; {
				runtime.Gosched()
			}
			ctx, cancel := context.WithTimeout(bg, 20*time.Second)
			defer cancel()
			if err := srv.Config.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			wg.Wait() // it has begun by itself
			if n, err := g.Shutdown(ctx); n != 3 || err != nil || g.Len() != 0 {
				t.Errorf("Shutdown gave %d, %v; %d are left", n, err, g.Len())
			}
		})
	}
}

// TestServerGroupWithoutGoodbye: who was told, and does not close its connection, is cut, and its peer gets a Close first.
func TestServerGroupWithoutGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memconn.Listen()
		let := make(chan bool)
		srv := &http.Server{Handler: Handler(&AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *Conn) { <-let })}
		g := ServerGroup(srv)
		go srv.Serve(ln)
		c, _, err := Dial(bg, "ws://server/", &DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		read := start(func() error { _, _, err := c.Read(bg); return err })
		synctest.Wait() // Handler's function runs
		ctx, cancel := context.WithTimeout(bg, 3*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		synctest.Wait()
		select {
		case err := <-read:
			t.Errorf("it was closed before its time: %v", err)
		default:
		}
		if n, err := g.Shutdown(ctx); n != 0 || err != context.DeadlineExceeded {
			t.Errorf("Shutdown gave %d, %v", n, err)
		}
		if err := <-read; CloseStatus(err) != 1001 {
			t.Errorf("the peer got %v", err)
		}
		close(let)
		time.Sleep(10 * time.Second)
	})
}

// TestServerGroupCrowd: all of a crowd get their Close.
func TestServerGroupCrowd(t *testing.T) {
	ln := memconn.Listen()
	srv := &http.Server{Handler: Handler(nil, func(ctx context.Context, c *Conn) { c.Read(ctx) })}
	g := ServerGroup(srv)
	go srv.Serve(ln)
	client := &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}}
	var wg sync.WaitGroup
	var said atomic.Int64
	gate := make(chan bool, 16)
	for range *crowd {
		wg.Add(1)
		gate <- true
		go func() {
			defer wg.Done()
			c, _, err := Dial(bg, "ws://server/", &DialOptions{HTTPClient: client})
			<-gate
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			if _, _, err := c.Read(bg); CloseStatus(err) == 1001 {
				said.Add(1)
			} else {
				t.Error(err)
			}
		}()
	}
	for g.Len() < *crowd {
		time.AfterFunc(0, runtime.Gosched)
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	begun := time.Now()
	n, err := g.Shutdown(ctx)
	took := time.Since(begun)
	if err != nil || n != *crowd {
		t.Errorf("%d of %d were closed well: %v", n, *crowd, err)
	}
	wg.Wait()
	if said.Load() != int64(*crowd) {
		t.Errorf("%d of %d got 1001", said.Load(), *crowd)
	}
	t.Logf("%d connections were closed in %v", n, took)
	srv.Shutdown(ctx)
}

// TestServerGroupTells: the group's Shutdown tells those who say good-bye themselves, without the server's.
func TestServerGroupTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memconn.Listen()
		srv := &http.Server{Handler: Handler(&AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *Conn) {
			<-ctx.Done()
			c.Close(4000, "see you")
		})}
		g := ServerGroup(srv)
		go srv.Serve(ln)
		defer srv.Close()
		c, _, err := Dial(bg, "ws://server/", &DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		read := start(func() error { _, _, err := c.Read(bg); return err })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, 3*time.Second)
		defer cancel()
		if n, err := g.Shutdown(ctx); n != 1 || err != nil {
			t.Errorf("Shutdown gave %d, %v", n, err)
		}
		if err := <-read; CloseStatus(err) != 4000 {
			t.Errorf("the peer got %v", err)
		}
	})
}

// TestServerGroupFarewell: nobody whose function says good-bye itself is a member without that, not even for a moment.
func TestServerGroupFarewell(t *testing.T) {
	ln := memconn.Listen()
	srv := &http.Server{Handler: Handler(&AcceptOptions{EndOnShutdown: true}, func(ctx context.Context, c *Conn) { <-ctx.Done() })}
	g := ServerGroup(srv)
	go srv.Serve(ln)
	defer srv.Close()
	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		bare := 0
		defer func() { looked <- bare }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			g.mu.Lock()
			for _, m := range g.members {
				if m.farewell == nil {
					bare++
				}
			}
			g.mu.Unlock()
			runtime.Gosched()
		}
	}()
	client := &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}}
	for range 200 {
		c, _, err := Dial(bg, "ws://server/", &DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		c.CloseNow()
	}
	close(stop)
	if bare := <-looked; bare > 0 {
		t.Errorf("seen %d times", bare)
	}
}
