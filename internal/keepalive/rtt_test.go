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
			k.Check(start+period, 0, 0, false, false)
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

// TestHeartbeat: a Pong that answers nothing (RFC 6455, section 5.5.3) may come between a Ping and its Pong.
func TestHeartbeat(t *testing.T) {
	for _, heartbeat := range [][]byte{nil, []byte("12345678"), AppendPayload(nil, 0), AppendPayload(nil, 1)} {
		var k State
		k.Init(start, 10*time.Second)
		w := &Wait{}
		if string(heartbeat) == string(AppendPayload(nil, 1)) { // the answer to an earlier Ping
			w.Answered = make(chan struct{})
			k.Next(w)
		}
		at := start + int64(10*time.Second)
		if v, _ := k.Check(at, 0, 0, false, false); v != Ask {
			t.Fatal(v)
		}
		number := k.Next(nil)
		k.PingLeft(number, at, 0, 0)
		k.Heard(at + 1)
		if rtt, measured := k.Answered(heartbeat, at+1); measured && w.Answered == nil {
			t.Errorf("%q was measured: %v", heartbeat, rtt)
		}
		if rtt, measured := k.Answered(AppendPayload(nil, number), at+int64(time.Millisecond)); !measured || rtt != time.Millisecond || k.RTT() != rtt {
			t.Errorf("behind %q: %v, %t", heartbeat, rtt, measured)
		}
	}
}

// TestPongOfNoPing: no Ping has the number 0. A Pong with it says nothing, also while no Ping was asked for and the peer has yet to take bytes.
func TestPongOfNoPing(t *testing.T) {
	var k State
	k.Init(start, 10*time.Second)
	if v, _ := k.Check(start+1, 0, 100, false, false); v != Alive {
		t.Fatal(v)
	}
	if rtt, measured := k.Answered(AppendPayload(nil, 0), start+2); measured || k.RTT() != 0 {
		t.Errorf("measured: %v", rtt)
	}
}
