package keepalive

import (
	"math"
	"testing"
	"time"
)

// TestTogether: connections that began at any time are looked at together, once for each Ping, and none later than it asked
// for.
func TestTogether(t *testing.T) {
	const asked, conns, span = 30 * time.Second, 2000, 10 * time.Minute
	moments := make(map[int64]bool)
	var pings int
	for i := range int64(conns) {
		now := i * int64(7*time.Millisecond) // 14 s in all
		var k State
		k.Init(now+1, Spread(asked, now))
		at := now + int64(k.Together(now, k.Period()))
		for last := now; at < int64(span); {
			v, again := k.Check(at+1, 0, 0, false, false)
			if v != Ask {
				t.Fatalf("connection %d is looked at after %v: %v", i, time.Duration(at-last), v)
			}
			if d := time.Duration(at - last); d > asked || d < asked*3/4 {
				t.Fatalf("connection %d is pinged after %v", i, d)
			}
			pings++
			moments[at] = true
			k.PingLeft(k.Next(nil), at+1, 0, 0)
			k.Heard(at + 1 + int64(time.Millisecond))
			k.Answered(nil, at+1+int64(time.Millisecond))
			last, at = at, at+int64(k.Together(at, again))
		}
	}
	if most := int(span / (asked / 256)); len(moments) > most || pings < conns*int(span/asked-1) {
		t.Errorf("%d Pings at %d moments, want at most %d", pings, len(moments), most)
	}
	for _, tt := range []struct{ period, d, least time.Duration }{
		{math.MaxInt64, math.MaxInt64, math.MaxInt64}, // never stays never
		{1, 1, 1},
		{127, 127, 127},
		{time.Microsecond, time.Microsecond, time.Microsecond},
	} {
		var k State
		k.Init(1, tt.period)
		if d := k.Together(1_800_000_000_000_000_000, tt.d); d < tt.least || d-tt.least > tt.period/128 {
			t.Errorf("period %v: %v becomes %v", tt.period, tt.d, d)
		}
	}
}
