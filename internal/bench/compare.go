package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// comparison is ours to ours from another checkout, in one case.
type comparison struct {
	Before float64 `json:"before"` // medians
	Now    float64 `json:"now"`
	// Ratio is the median of the ratios within each round; half of them lie from Low to High. All are 0 where there is
	// nothing to divide by.
	Ratio float64 `json:"ratio,omitempty"`
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
	P50   float64 `json:"p50_ratio,omitempty"`
	P99   float64 `json:"p99_ratio,omitempty"`
	// Limit is the most that Ratio may be; 0: anything.
	Limit float64 `json:"limit,omitempty"`
	// Verdict is "more" if Ratio is above Limit.
	Verdict string `json:"verdict,omitempty"`
}

// worst is how much more than before a case may cost.
func (t testCase) worst() float64 {
	if t.unit == perGigabyte || t.target.tie > level.tie {
		return 1.05
	}
	return 1.03
}

func (c *caseReport) compareBefore(t testCase) *comparison {
	now, before := c.own(), c.of(earlier)
	if now == nil || before == nil {
		return nil
	}
	v := &comparison{Before: before.Median, Now: now.Median, Limit: t.worst()}
	if c.Unit == allocations { // nothing is some times nothing
		if v.Now > v.Before+allocationNoise {
			v.Verdict = "more"
		}
		return v
	}
	all := ratios(now.Rounds, before.Rounds)
	v.Ratio, v.Low, v.High = median(all), quartile(all, 0.25), quartile(all, 0.75)
	if t.latency && before.P50 != 0 && before.P99 != 0 {
		v.P50, v.P99 = medianRatio(now.p50, before.p50), medianRatio(now.p99, before.p99)
	}
	if c.Unit == perStop { // a matter of luck, in large steps
		v.Limit = 0
		return v
	}
	if v.Ratio > v.Limit {
		v.Verdict = "more"
	}
	return v
}

// writeBefore writes one line per case: ours to ours from the other checkout.
func (r report) writeBefore(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	lines := 0
	for _, c := range r.Cases {
		v := c.Before
		if v == nil {
			continue
		}
		if lines++; lines == 1 {
			fmt.Fprintln(t, "\tbefore\tnow\tunit\tratio\tmiddle half\tp50\tp99\tmay be\t\t")
		}
		half := "-"
		if v.Ratio != 0 {
			half = fmt.Sprintf("%.3f to %.3f", v.Low, v.High)
		}
		limit := "-"
		if v.Limit != 0 {
			limit = fmt.Sprintf("%.2f", v.Limit)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			c.Name, figure(v.Before), figure(v.Now), c.Unit, ratio(v.Ratio), half, ratio(v.P50), ratio(v.P99), limit, v.Verdict)
	}
	if lines == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nours to ours-before: medians of the ratios within each round, and between what half of them lie")
	return t.Flush()
}

// ratio prints a ratio to the tenth of a percent, and nothing for none.
func ratio(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}
