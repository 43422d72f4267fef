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

// medianRatio returns the median over the rounds of a[i]/b[i].
func medianRatio(a, b []float64) float64 { return median(ratios(a, b)) }

// ratios returns a[i]/b[i] for each round. Ratios are taken within a round because the machine's speed drifts
// between rounds more than two libraries differ.
func ratios(a, b []float64) []float64 {
	var list []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			list = append(list, a[i]/b[i])
		}
	}
	return list
}

// quartile returns the value below which the share p of all values lie, NaN of nothing.
func quartile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(values))[int(p*float64(len(values)-1)+0.5)]
}
