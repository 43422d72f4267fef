//go:build unix

package scale

import (
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// TestIdle: what keepalive costs for connections that are idle. The period is shorter than the default, so that there is
// something to measure; a Ping costs the same however seldom it is sent.
func TestIdle(t *testing.T) {
	const period = 2 * time.Second
	r := openRoom(t, new(websocket.Group), &websocket.AcceptOptions{KeepAlive: period})
	c := startCrowd(t, order{Addr: r.addr, Conns: *flagConns})
	r.filled(t, *flagConns)
	pings := func() (n int64) {
		for c := range r.group.All() {
			n += c.Stats().Written.Frames
		}
		return n
	}
	pause(period) // the first are done
	n, used, begun := pings(), cpu(t), time.Now()
	pause(max(*flagFor, 2*period))
	used, took := cpu(t)-used, time.Since(begun)
	n = pings() - n
	unmeasured := 0
	var rtt time.Duration
	for c := range r.group.All() {
		s := c.Stats().RTT
		if s == 0 {
			unmeasured++
		}
		rtt = max(rtt, s)
	}
	r.Close()
	if n == 0 || unmeasured > 0 {
		t.Errorf("%d Pings, and the RTT of %d connections was not measured", n, unmeasured)
	}
	each := used / time.Duration(max(n, 1))
	// The default period is 30 s, and an eighth shorter on average.
	t.Logf("%d connections: %d Pings in %v cost %v of CPU, %v each; the largest RTT was %v. By the default, 100,000 connections would cost %.2f %% of a core",
		*flagConns, n, took.Round(time.Millisecond), used.Round(time.Millisecond), each, rtt, 100*each.Seconds()*100_000/(30*7./8))
	c.leave()
}

// cpu is what the process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
