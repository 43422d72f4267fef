package loss

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// A weather is what happens to packets on their way.
type weather struct {
	delay time.Duration // one way
	loss  float64       // this part of them is lost
	late  float64       // and this part comes by another delay later, behind others
}

// A link joins two network stacks, the client's and the server's, in its weather.
type link struct {
	weather
	nets    [2]*netstack.Net
	dropped atomic.Int64
	delayed atomic.Int64
	passed  atomic.Int64
}

var addrs = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

const mtu = 1420

// newLink returns a link that ends with the test. What it loses is drawn from the seed.
func newLink(t testing.TB, w weather, seed uint64) *link {
	t.Helper()
	l := &link{weather: w}
	var devices [2]tun.Device
	for i, addr := range addrs {
		var err error
		if devices[i], l.nets[i], err = netstack.CreateNetTUN([]netip.Addr{addr}, nil, mtu); err != nil {
			t.Fatal(err)
		}
	}
	var relays sync.WaitGroup
	for i, from := range devices {
		relays.Go(func() { l.relay(from, devices[1-i], rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	t.Cleanup(func() {
		for _, d := range devices {
			d.Close()
		}
		relays.Wait()
	})
	return l
}

// relay carries packets from one stack to the other.
func (l *link) relay(from, to tun.Device, draw *rand.Rand) {
	packet, size := [][]byte{make([]byte, mtu)}, []int{0}
	for {
		if _, err := from.Read(packet, size, 0); err != nil {
			return
		}
		if draw.Float64() < l.loss {
			l.dropped.Add(1)
			continue
		}
		l.passed.Add(1)
		delay := l.delay
		if draw.Float64() < l.late {
			l.delayed.Add(1)
			delay *= 2
		}
		p := append([]byte(nil), packet[0][:size[0]]...)
		time.AfterFunc(delay, func() { to.Write([][]byte{p}, 0) })
	}
}
