package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found, ready to print.
type report struct {
	Date    string            `json:"date"`
	Go      string            `json:"go"`
	CPU     string            `json:"cpu"`
	Modules map[string]string `json:"modules"`
	Cases   []caseReport      `json:"cases"`
}

type caseReport struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Unit    string   `json:"unit"`
	Best    string   `json:"best"` // the best peer
	Target  string   `json:"target"`
	Verdict string   `json:"verdict,omitempty"`
	Results []result `json:"results"`

	// Ours to the lowest among the peers, where latency counts.
	P50Ratio       float64 `json:"p50_ratio,omitempty"`
	P99Ratio       float64 `json:"p99_ratio,omitempty"`
	LatencyVerdict string  `json:"latency_verdict,omitempty"`

	Before *comparison `json:"before,omitempty"`
}

type result struct {
	Library string    `json:"library"`
	Median  float64   `json:"median"`
	Ratio   float64   `json:"ratio,omitempty"` // to the best peer, median of the ratios within each round
	P50     float64   `json:"p50_us,omitempty"`
	P99     float64   `json:"p99_us,omitempty"`
	Max     float64   `json:"max_us,omitempty"`
	PerConn float64   `json:"kib_per_connection,omitempty"`
	Allocs  float64   `json:"allocs_per_message,omitempty"`
	Bytes   float64   `json:"bytes_per_message,omitempty"`
	Rounds  []float64 `json:"rounds"`

	kind     kind
	p50, p99 []float64 // by round
}

func newReport(measured []measurement) report {
	r := report{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Go:      runtime.Version(),
		CPU:     cpuModel(),
		Modules: map[string]string{},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			r.Modules[m.Path] = m.Version
		}
	}
	for _, m := range measured {
		r.Cases = append(r.Cases, reportCase(m))
	}
	return r
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.SplitSeq(string(info), "\n") {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimLeft(name, " \t:")
		}
	}
	return runtime.GOARCH
}

func reportCase(m measurement) caseReport {
	c := caseReport{Name: m.testCase.name, Title: m.testCase.title, Unit: m.testCase.unit, Target: m.testCase.target.String()}
	for _, o := range m.outcomes {
		c.Results = append(c.Results, summarise(o))
	}
	best := c.bestPeer(math.MaxInt)
	for i := range c.Results {
		if best == nil || c.Unit == allocations { // nothing is some times nothing
			break
		}
		c.Best = best.Library
		c.Results[i].Ratio = medianRatio(c.Results[i].Rounds, best.Rounds)
	}
	c.Verdict = c.judge(m.testCase)
	c.Before = c.compareBefore(m.testCase)
	if m.testCase.latency {
		c.P50Ratio, c.P99Ratio = c.latency()
		c.LatencyVerdict = judgeLatency(c.P50Ratio, c.P99Ratio)
	}
	return c
}

func summarise(o *outcome) result {
	r := result{Library: o.lib.name, kind: o.lib.kind}
	var perConn, allocs, bytes []float64
	for _, s := range o.samples {
		r.Rounds = append(r.Rounds, s.value)
		r.p50 = append(r.p50, s.p50)
		r.p99 = append(r.p99, s.p99)
		perConn = append(perConn, s.perConn)
		allocs = append(allocs, s.allocs)
		r.Max = max(r.Max, s.max)
		bytes = append(bytes, s.bytes)
	}
	r.Allocs, r.Bytes = median(allocs), median(bytes)
	r.Median, r.P50, r.P99, r.PerConn = median(r.Rounds), median(r.p50), median(r.p99), median(perConn)
	return r
}

// bestPeer returns the peer with the lowest median among those of the given kind, or of any kind that is
// a peer for math.MaxInt.
func (c *caseReport) bestPeer(of kind) *result {
	var best *result
	for i, r := range c.Results {
		peer := r.kind == readyMade || r.kind == handMade
		if peer && (of == math.MaxInt || r.kind == of) && (best == nil || r.Median < best.Median) {
			best = &c.Results[i]
		}
	}
	return best
}

func (c *caseReport) own() *result {
	return c.of(ours)
}

// of returns the first library of a kind.
func (c *caseReport) of(k kind) *result {
	i := slices.IndexFunc(c.Results, func(r result) bool { return r.kind == k })
	if i < 0 {
		return nil
	}
	return &c.Results[i]
}

func (t target) String() string {
	switch {
	case t.atMost:
		return fmt.Sprintf("at most %.3g", t.absolute)
	case t.bytes != 0:
		return fmt.Sprintf("at most %.2f of the best peer, %.3g allocations and %s KiB per message", t.ratio, t.allocs, figure(t.bytes/1024))
	case t.ratio != 0:
		return fmt.Sprintf("at most %.2f of the best peer", t.ratio)
	}
	return ""
}

// allocationNoise is allowed for because allocations per message are never quite 0: the runtime allocates now and
// then on its own account.
const allocationNoise = 0.01

// judge compares ours with the target: "pass", or "falls short" and by what.
func (c *caseReport) judge(t testCase) string {
	own := c.own()
	if own == nil || t.target == (target{}) {
		return ""
	}
	var misses []string
	switch goal := t.target; {
	case goal.atMost:
		if own.Median > goal.absolute+allocationNoise {
			misses = append(misses, fmt.Sprintf("%s is over %.3g", figure(own.Median), goal.absolute))
		}
	case goal.ratio != 0 && c.Best == "": // no peer took part
		if goal.bytes == 0 {
			return ""
		}
	case goal.ratio == 1:
		misses = append(misses, c.missesLevel(own, goal.tie)...)
	case goal.ratio != 0:
		if own.Ratio > goal.ratio {
			misses = append(misses, fmt.Sprintf("%.2f is over %.2f", own.Ratio, goal.ratio))
		}
	}
	if goal := t.target; goal.bytes != 0 {
		const noise = 1.02 // of the runtime's own, and of a turn's few messages
		if own.Allocs > goal.allocs*noise {
			misses = append(misses, fmt.Sprintf("%s allocations are over %.3g", figure(own.Allocs), goal.allocs))
		}
		if own.Bytes > goal.bytes*noise {
			misses = append(misses, fmt.Sprintf("%s KiB are over %s", figure(own.Bytes/1024), figure(goal.bytes/1024)))
		}
	}
	if len(misses) == 0 {
		return "pass"
	}
	return "falls short: " + strings.Join(misses, "; ")
}

// missesLevel judges "at most 1.00". To tie with the loop made by hand, which has none of a library's
// duties, is enough; a library has to be beaten by more than a tie.
func (c *caseReport) missesLevel(own *result, tie float64) (misses []string) {
	if hand := c.bestPeer(handMade); hand != nil {
		if ratio := medianRatio(own.Rounds, hand.Rounds); ratio > 1+tie {
			misses = append(misses, fmt.Sprintf("%.2f of %s, may be %.2f", ratio, hand.Library, 1+tie))
		}
	}
	if library := c.bestPeer(readyMade); library != nil {
		if ratio := medianRatio(own.Rounds, library.Rounds); ratio >= 1-tie {
			misses = append(misses, fmt.Sprintf("%.2f of %s, must be below %.2f", ratio, library.Library, 1-tie))
		}
	}
	return misses
}

// latency compares ours with the peer that has the lowest p50 and the one that has the lowest p99.
func (c *caseReport) latency() (p50, p99 float64) {
	own := c.own()
	if own == nil || own.P50 == 0 {
		return 0, 0
	}
	var best50, best99 *result
	for i, r := range c.Results {
		if r.kind != readyMade && r.kind != handMade {
			continue
		}
		if best50 == nil || r.P50 < best50.P50 {
			best50 = &c.Results[i]
		}
		if best99 == nil || r.P99 < best99.P99 {
			best99 = &c.Results[i]
		}
	}
	if best50 == nil {
		return 0, 0
	}
	return medianRatio(own.p50, best50.p50), medianRatio(own.p99, best99.p99)
}

// latencyTie is how far latencies may be above the best peer's and still count as level.
const latencyTie = 0.10

func judgeLatency(p50, p99 float64) string {
	switch {
	case p50 == 0:
		return ""
	case p50 <= 1+latencyTie && p99 <= 1+latencyTie:
		return "pass"
	}
	return "falls short"
}

// figure prints three digits that matter.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r report) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s\n", r.CPU, r.Go, r.Date)
	fmt.Fprintln(w, "Medians over the rounds. ratio: to the best peer, taken within each round.")
	for _, c := range r.Cases {
		fmt.Fprintf(w, "\n%s: %s, %s\n", c.Name, c.Title, c.Unit)
		if err := c.writeTable(w); err != nil {
			return err
		}
		fmt.Fprintf(w, "  target: %s", cmp.Or(c.Target, "none"))
		if c.Verdict != "" {
			fmt.Fprintf(w, "; %s", c.Verdict)
		}
		fmt.Fprintln(w)
		if c.LatencyVerdict != "" {
			fmt.Fprintf(w, "  latency: p50 %.2f and p99 %.2f of the best peer's; %s\n", c.P50Ratio, c.P99Ratio, c.LatencyVerdict)
		}
	}
	if err := r.writeScale(w); err != nil {
		return err
	}
	return r.writeBefore(w)
}

func (c caseReport) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := []struct {
		title string
		value func(result) float64
	}{
		{"median", func(r result) float64 { return r.Median }},
		{"ratio", func(r result) float64 { return r.Ratio }},
		{"p50 us", func(r result) float64 { return r.P50 }},
		{"p99 us", func(r result) float64 { return r.P99 }},
		{"max us", func(r result) float64 { return r.Max }},
		{"allocs", func(r result) float64 { return r.Allocs }},
		{"KiB/message", func(r result) float64 { return r.Bytes / 1024 }},
		{"KiB/conn", func(r result) float64 { return r.PerConn }},
	}
	// A column of zeros says nothing, but the median is always there.
	shown := columns[:1]
	for _, column := range columns[1:] {
		if slices.ContainsFunc(c.Results, func(r result) bool { return column.value(r) != 0 }) {
			shown = append(shown, column)
		}
	}
	fmt.Fprint(t, "\t")
	for _, column := range shown {
		fmt.Fprint(t, column.title, "\t")
	}
	fmt.Fprintln(t)
	for _, r := range c.Results {
		fmt.Fprint(t, r.Library, "\t")
		for _, column := range shown {
			fmt.Fprint(t, figure(column.value(r)), "\t")
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// scalePrefix begins the names of the cases that differ in the number of connections only.
const scalePrefix = "scale"

// writeScale says how flat the cost of a message and the memory of a connection stay from the fewest
// connections to the most. The cost grows with plain TCP too: the more connections, the less of them is in
// the CPU's cache.
func (r report) writeScale(w io.Writer) error {
	costs, memory := map[string][]float64{}, map[string][]float64{}
	var names []string
	for _, c := range r.Cases {
		if !strings.HasPrefix(c.Name, scalePrefix) {
			continue
		}
		for _, one := range c.Results {
			if costs[one.Library] == nil {
				names = append(names, one.Library)
			}
			costs[one.Library] = append(costs[one.Library], one.Median)
			memory[one.Library] = append(memory[one.Library], one.PerConn)
		}
	}
	if len(names) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nscale: most over fewest connections")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tCPU\tmemory\t")
	for _, name := range names {
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", name, figure(growth(costs[name])), figure(growth(memory[name])))
	}
	return t.Flush()
}

func growth(v []float64) float64 { return v[len(v)-1] / v[0] }

// writeMarkdown writes one row per case and one column per library, for this directory's README.
func (r report) writeMarkdown(w io.Writer) error {
	var names []string
	for _, c := range r.Cases {
		for _, one := range c.Results {
			if !slices.Contains(names, one.Library) {
				names = append(names, one.Library)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s with %s, %s.\n\n", r.Date, r.Go, r.CPU)
	fmt.Fprintf(&b, "| case | unit | %s | ours to the best peer | target |\n", strings.Join(names, " | "))
	fmt.Fprintf(&b, "| --- | --- |%s --- | --- |\n", strings.Repeat(" ---: |", len(names)))
	for _, c := range r.Cases {
		fmt.Fprintf(&b, "| %s | %s |", c.Title, c.Unit)
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", c.cell(name))
		}
		ratio := ""
		if own := c.own(); own != nil && own.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f (%s)", own.Ratio, c.Best)
		}
		fmt.Fprintf(&b, " %s | %s |\n", ratio, c.Target)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *caseReport) cell(library string) string {
	for _, one := range c.Results {
		if one.Library == library {
			return figure(one.Median)
		}
	}
	return ""
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(r)
}
