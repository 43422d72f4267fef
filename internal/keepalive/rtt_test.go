package keepalive

import (
	"testing"
	"time"
)

// TestFastPong: a Pong that comes before the call that wrote its Ping has returned has a round trip, too: it is measured, and
// 0 says that none was.
func TestFastPong(t *testing.T) {
	const period = int64(time.Second)
	for name, f := range map[string]func(k *State, w *Wait) uint64{
		"keepalive's": func(k *State, _ *Wait) uint64 {
			k.Check(start+period, 0, 0, false)
			return k.Next(nil)
		},
		"the application's": func(k *State, w *Wait) uint64 {
			w.Asked = start + period
			return k.Next(w)
		},
	} {
		var k State
		k.Init(start, time.Duration(period))
		n := f(&k, &Wait{Answered: make(chan struct{})})
		came := start + period + 1 // the goroutine that reads was on its way
		k.PingLeft(n, came+200, 0, 0)
		rtt, measured := k.Answered(AppendPayload(nil, n), came)
		if !measured || rtt != time.Microsecond || k.RTT() != rtt {
			t.Errorf("%s Ping: %v, %v, RTT %v", name, rtt, measured, k.RTT())
		}
	}
}
