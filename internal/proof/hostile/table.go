package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
)

// table prints the results as Markdown.
func table(results []attacks.Result) string {
	var b strings.Builder
	b.WriteString("| attack | connections × bytes sent | answer | KiB of heap + stacks, peak RSS | goroutines | gone after | CPU |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		answer := listed(r.Answers)
		if answer == "" {
			answer = "none"
		}
		rid := r.Rid.Round(100 * time.Millisecond).String()
		if r.Rid == 0 {
			rid = "kept until " + r.Ends
		}
		if r.Left > 0 {
			rid += fmt.Sprintf(", but %d goroutines are left", r.Left)
		}
		fmt.Fprintf(&b, "| %s | %s × %s | %s | %s + %s, %s | %.1f | %s | %s |\n",
			r.Attack, digits(int64(r.Connections)), digits(r.Sent/int64(r.Connections)), answer,
			kilo(r.Heap), kilo(r.Stacks), kilo(r.RSSPeak), r.Goroutines, rid, perConnection(r))
	}
	return b.String()
}

// listed names the answers, the most frequent first.
func listed(answers map[string]int) string {
	names := slices.SortedFunc(maps.Keys(answers), func(a, b string) int {
		if answers[a] != answers[b] {
			return answers[b] - answers[a]
		}
		return strings.Compare(a, b)
	})
	return strings.Join(names, ", ")
}

// perConnection is the CPU time that one connection cost.
func perConnection(r attacks.Result) string {
	return fmt.Sprintf("%.1f ms", float64(r.CPU.Microseconds())/1000/float64(r.Connections))
}

// kilo is an amount of memory in KiB.
func kilo(n int) string { return digits(int64(n+512) >> 10) }

// digits groups a number's digits.
func digits(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
