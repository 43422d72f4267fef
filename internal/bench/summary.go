package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// summaryRows are the cases of the short table, with titles for a reader who knows nothing of the others.
var summaryRows = []struct{ name, title string }{
	{"echo64", "echo, 64 B"},
	{"burst64", "echo, 64 B, bursts of 32"},
	{"tls16k", "echo, 16 KiB, over TLS"},
	{"deflate1k", "echo, 1 KiB of JSON, compressed"},
	{"broadcast256", "broadcast, 256 B to 1,000 connections"},
	{"idle-handler", "waiting connection, with its goroutine"},
}

// summaryColumns are the libraries of the short table.
var summaryColumns = []struct{ library, title string }{
	{"ours", "this library"},
	{"coder", "coder/websocket"},
	{"gorilla", "gorilla/websocket"},
	{"gws", "lxzan/gws"},
	{"gobwas-low", "gobwas/ws, by hand"},
	{"rawtcp", "plain TCP"},
}

// writeSummary writes the short table of the project's README, and says below it where the figures come from.
func (r report) writeSummary(w io.Writer) error {
	columns := summaryColumns[:0:0]
	for _, column := range summaryColumns {
		if slices.ContainsFunc(r.Cases, func(c caseReport) bool { return c.cell(column.library) != "" }) {
			columns = append(columns, column)
		}
	}
	var b strings.Builder
	b.WriteString("| case | unit |")
	for _, column := range columns {
		fmt.Fprintf(&b, " %s |", column.title)
	}
	fmt.Fprintf(&b, "\n| --- | --- |%s\n", strings.Repeat(" ---: |", len(columns)))
	for _, row := range summaryRows {
		i := slices.IndexFunc(r.Cases, func(c caseReport) bool { return c.Name == row.name })
		if i < 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s |", row.title, r.Cases[i].Unit)
		for _, column := range columns {
			fmt.Fprintf(&b, " %s |", r.Cases[i].cell(column.library))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\nMeasured %s with %s, %s. Lower is better.\n", r.Date, r.Go, r.CPU)
	_, err := io.WriteString(w, b.String())
	return err
}
