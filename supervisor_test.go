package websocket

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestSweeper: many connections of one server, accepted or dialled by its handlers, on which applications read, answer, and
// stay away for a while, or for good. Whatever they do, a Ping is answered soon.
func TestSweeper(t *testing.T) {
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
								time.Sleep(time.Duration(random.Int64N(int64(3 * supervisor.ReaderDelay))))
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
							time.Sleep(time.Duration(talk.Int64N(int64(2 * supervisor.ReaderDelay))))
							if talk.IntN(5) > 0 {
								continue
							}
							began := time.Now()
							p.SendPing(fmt.Sprint(n))
							p.WantPong("soon", fmt.Sprint(n))
							// Not before messages that came before it, but before the application
							// is back: one round finds that it has just left Read, the next
							// that it is away.
							if waited := time.Since(began); waited > 10*supervisor.ReaderDelay {
								t.Errorf("connection %d waited %v for Pong %d", i, waited, n)
							}
						}
					})
				}
				peers.Wait()
				apps.Wait()
				time.Sleep(3 * supervisor.ReaderDelay)
				if supervisor.Visiting(ctx) {
					t.Error("the sweeper goes round for connections that have ended")
				}
			})
		})
	}
}

// TestSweeperEnds: who waits in Read is not visited, and no timer runs for it.
func TestSweeperEnds(t *testing.T) {
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
				time.Sleep(2 * supervisor.ReaderDelay)
			}
		})
		defer app.Wait()
		defer c.CloseNow()
		visited := func() bool { return supervisor.Visiting(ctx) }
		for range 3 {
			time.Sleep(10 * supervisor.ReaderDelay)
			if visited() || c.supervisor.Scheduled.Load() {
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
