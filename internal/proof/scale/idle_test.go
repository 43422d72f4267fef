//go:build unix

package scale

import (
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// TestIdle: what keepalive costs for connections that are idle, and what the same bytes cost over plain TCP.
func TestIdle(t *testing.T) {
	mostlyWaits(t)
	r := openRoom(t, new(websocket.Group), &websocket.AcceptOptions{KeepAlive: *flagPeriod})
	c := startCrowd(t, order{Addr: r.addr, Conns: *flagConns})
	r.filled(t, *flagConns)
	measure(t, "this library", func() (n int64) {
		for c := range r.group.All() {
			n += c.Stats().Written.Frames
		}
		return n
	})
	poll(t, "the RTT of some was not measured", func() bool {
		for c := range r.group.All() {
			if c.Stats().RTT == 0 {
				return false
			}
		}
		return true
	})
	c.leave()
	r.Close()

	var pings, open atomic.Int64
	plain := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			open.Add(1)
			ping, pong := []byte("\x89\x0812345678"), make([]byte, 14)
			period := *flagPeriod - time.Duration(time.Now().UnixNano()%int64(*flagPeriod/4))
			for err := error(nil); err == nil; _, err = io.ReadFull(nc, pong) {
				pause(period)
				nc.Write(ping)
				pings.Add(1)
			}
		}()
	})}
	l := listen(t)
	go plain.Serve(l)
	defer plain.Close()
	c = startCrowd(t, order{Addr: l.Addr().String(), Conns: *flagConns})
	poll(t, "not all are open", func() bool { return open.Load() == int64(*flagConns) })
	measure(t, "plain TCP", pings.Load)
	c.leave()
}

// measure logs what a Ping and its Pong cost.
func measure(t *testing.T, name string, pings func() int64) {
	pause(*flagPeriod) // the first are done
	n, used, begun := pings(), cpu(t), time.Now()
	pause(max(*flagFor, 2**flagPeriod))
	used, took := cpu(t)-used, time.Since(begun)
	if n = pings() - n; n == 0 {
		t.Fatal("there were no Pings")
	}
	each := used / time.Duration(n)
	// The default period is 30 s, and an eighth shorter on average.
	t.Logf("%s, %d connections: %d Pings in %v cost %v of CPU, %v each. By the default, 100,000 connections would cost %.2f %% of a core",
		name, *flagConns, n, took.Round(time.Millisecond), used.Round(time.Millisecond), each, 100*each.Seconds()*100_000/(30*7./8))
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
