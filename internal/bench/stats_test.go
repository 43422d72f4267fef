package main

import (
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v, want NaN", got)
	}
}

func TestPercentile(t *testing.T) {
	values := make([]int64, 200)
	for i := range values {
		values[i] = int64(len(values) - i) // 200 down to 1
	}
	for p, want := range map[float64]int64{0: 1, 0.5: 100, 0.99: 198, 1: 200} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %v = %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("percentile of nothing = %d, want 0", got)
	}
}

func TestMedianRatioIsTakenWithinRounds(t *testing.T) {
	// The machine is ten times slower in the second round; the library costs twice the other in each.
	a := []float64{2, 20, 2.2}
	b := []float64{1, 10, 1.1}
	if got := medianRatio(a, b); math.Abs(got-2) > 1e-9 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestQuartile(t *testing.T) {
	if got := quartile([]float64{5, 1, 3, 2, 4}, 0.25); got != 2 {
		t.Errorf("lower quartile %v, want 2", got)
	}
	if got := quartile([]float64{7}, 0.75); got != 7 {
		t.Errorf("quartile of one value %v, want 7", got)
	}
}

func TestHistogramBound(t *testing.T) {
	counts, bounds := []uint64{0, 6, 3, 0, 1, 0}, []float64{0, 1, 2, 3, 4, 5, 6}
	for p, want := range map[float64]float64{0.5: 2, 0.6: 2, 0.9: 3, 0.99: 5, 1: 5} {
		if got := histogramBound(counts, bounds, p); got != want {
			t.Errorf("the share %v is below %v, want %v", p, got, want)
		}
	}
}
