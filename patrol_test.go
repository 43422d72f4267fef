package websocket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/closeonce/websocket/internal/memconn"
	"github.com/closeonce/websocket/internal/wiretest"
)

// TestPatrol: many connections of one server, accepted or dialled by its handlers, on which applications read, answer, and
// stay away for a while, or for good. Whatever they do, a Ping is answered soon.
func TestPatrol(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const conns = 40
				ctx := served(bg)
				var peers, apps sync.WaitGroup
				for i := range conns {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					ours, theirs := memconn.Pipe(1 << 10)
					client, role := i%2 == 1, wiretest.Client
					if client {
						role = wiretest.Server
					}
					c := newConn(ours, config{client: client, parent: ctx, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
					p := wiretest.NewPeer(t, theirs, role)
					apps.Go(func() {
						defer c.CloseNow()
						for range 1 + random.IntN(200) {
							if _, _, err := c.Read(bg); err != nil {
								return
							}
							switch random.IntN(10) {
							case 0:
								time.Sleep(time.Duration(random.Int64N(int64(3 * readerDelay))))
							case 1:
								time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
							}
						}
						time.Sleep(time.Minute)
					})
					talk := rand.New(rand.NewPCG(seed, uint64(conns+i)))
					peers.Go(func() {
						for n := range 200 {
							p.SendText("hello")
							time.Sleep(time.Duration(talk.Int64N(int64(2 * readerDelay))))
							if talk.IntN(5) > 0 {
								continue
							}
							began := time.Now()
							p.SendPing(fmt.Sprint(n))
							p.WantPong("soon", fmt.Sprint(n))
							// Not before messages that came before it, but before the application
							// is back: one round finds that it has just left Read, the next
							// that it is away.
							if waited := time.Since(began); waited > 10*readerDelay {
								t.Errorf("connection %d waited %v for Pong %d", i, waited, n)
							}
						}
					})
				}
				peers.Wait()
				apps.Wait()
				time.Sleep(3 * readerDelay)
				if patrolOf(ctx).first.Load() != nil {
					t.Error("the patrol goes round for connections that have ended")
				}
			})
		})
	}
}

// TestPatrolEnds: who waits in Read is not visited, and nothing is timed for him.
func TestPatrolEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(0)
		ctx := served(bg)
		c := newConn(ours, config{parent: ctx, readLimit: defaultReadLimit, settings: newSettings(0, 0, -1)})
		p := wiretest.NewPeer(t, theirs, wiretest.Client)
		var app sync.WaitGroup
		app.Go(func() {
			for {
				if _, _, err := c.Read(bg); err != nil {
					return
				}
				time.Sleep(2 * readerDelay)
			}
		})
		defer app.Wait()
		defer c.CloseNow()
		visited := func() bool { return patrolOf(ctx).first.Load() != nil }
		for range 3 {
			time.Sleep(10 * readerDelay)
			if visited() || c.watched.Load() {
				t.Fatal("a connection in Read is watched")
			}
			p.SendText("hello")
			synctest.Wait()
			if !visited() {
				t.Fatal("nobody looks whether the application comes back")
			}
		}
	})
}

var packageServer http.Server

// TestPatrolOf: a server has one patrol, and takes it along when it goes.
func TestPatrolOf(t *testing.T) {
	of := func(s *http.Server) *patrol {
		return patrolOf(context.WithValue(bg, http.ServerContextKey, s))
	}
	if patrolOf(bg) != nil || of(nil) != nil {
		t.Error("a patrol of no server")
	}
	if p := of(&packageServer); p == nil || of(&packageServer) != p {
		t.Error("a server in a variable of a package has no patrol, or several")
	}
	a, b := new(http.Server), new(http.Server)
	if p := of(a); of(b) == p || of(a) != p {
		t.Error("the patrols of two servers are mixed up")
	}
	key := weak.Make(a)
	for range 200 {
		if _, ok := patrols.Load(key); !ok {
			return
		}
		runtime.GC()
		runtime.Gosched()
	}
	t.Error("a server is gone, and its patrol is still there")
}
