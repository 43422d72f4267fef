package keepalive

import (
	"math"
	"testing"
	"time"
)

// TestSpread: no period is longer than what was asked for, nor shorter by more than a quarter, and the periods of connections
// that began one right after another are spread evenly between.
func TestSpread(t *testing.T) {
	for _, period := range []time.Duration{0, 1, time.Millisecond, 30 * time.Second, math.MaxInt64} {
		for seed := range int64(1000) {
			for _, seed := range []int64{seed, -seed, math.MaxInt64 - seed, 1_700_000_000_000_000_000 + seed*100_000} {
				if p := Spread(period, seed); p > period || p < period-period/4-1 {
					t.Fatalf("%v becomes %v", period, p)
				}
			}
		}
	}
	for _, apart := range []int64{1, 100, 100_000, 1 << 20} { // ns
		var some [16]int
		const all = 16_000
		for i := range int64(all) {
			p := Spread(32*time.Second, 1_700_000_000_000_000_000+i*apart)
			some[min(int((32*time.Second-p)/(time.Second/2)), 15)]++
		}
		for i, n := range some {
			if n < all/16*8/10 || n > all/16*12/10 {
				t.Errorf("%d ns apart: %d of %d are shorter by %v to %v", apart, n, all, time.Duration(i)*time.Second/2, time.Duration(i+1)*time.Second/2)
			}
		}
	}
}
