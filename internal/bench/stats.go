package main

import (
	"math"
	"slices"
)

// median returns the middle value, or the mean of the two middle ones; NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// percentile returns the smallest value that at least the share p of all values do not exceed. It
// sorts values.
func percentile(values []int64, p float64) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	index := int(math.Ceil(p*float64(len(values)))) - 1
	return values[min(max(index, 0), len(values)-1)]
}

// medianRatio returns the median over the rounds of a[i]/b[i]. Ratios are taken within a round because
// the machine's speed drifts between rounds more than two libraries differ.
func medianRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	return median(ratios)
}
