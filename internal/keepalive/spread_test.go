package keepalive

import (
	"math"
	"testing"
	"time"
)

// TestSpread: no period is longer than what was asked for, nor shorter by more than a quarter, with room for a tick at both
// ends, and the periods of connections that began one right after another are spread evenly between.
func TestSpread(t *testing.T) {
	for _, period := range []time.Duration{0, 1, time.Millisecond, 30 * time.Second, math.MaxInt64} {
		for seed := range int64(1000) {
			for _, seed := range []int64{seed, -seed, math.MaxInt64 - seed, 1_700_000_000_000_000_000 + seed*100_000} {
				p := Spread(period, seed)
				if most := p + p/128; most > period || most < 0 || p-p/128 < period-period/4-1 {
					t.Fatalf("%v becomes %v", period, p)
				}
			}
		}
	}
	for _, apart := range []int64{1, 100, 100_000, 1 << 20} { // ns
		var some [16]int
		const all = 16_000
		for i := range int64(all) {
			shorter := 64*time.Second - Spread(64*time.Second, 1_700_000_000_000_000_000+i*apart)
			some[(shorter-time.Second)*16/(14*time.Second)]++ // 1 s to 15 s
		}
		for i, n := range some {
			if n < all/16*8/10 || n > all/16*12/10 {
				t.Errorf("%d ns apart: %d of %d are in the range %d of %d", apart, n, all, i, len(some))
			}
		}
	}
}
