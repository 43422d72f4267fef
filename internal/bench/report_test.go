package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func measured(name string, goal target, costs map[string][]float64) measurement {
	m := measurement{testCase: testCase{name: name, title: name, unit: perMessage, target: goal, latency: true}}
	kinds := []struct {
		name string
		kind kind
	}{{"ours", ours}, {"gws", readyMade}, {"gobwas-low", handMade}, {"rawtcp", reference}}
	for _, k := range kinds {
		if costs[k.name] == nil {
			continue
		}
		o := &outcome{lib: &library{name: k.name, kind: k.kind}}
		for _, v := range costs[k.name] {
			o.samples = append(o.samples, sample{value: v, p50: 10 * v, p99: 20 * v})
		}
		m.outcomes = append(m.outcomes, o)
	}
	return m
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name  string
		goal  target
		costs map[string][]float64
		want  string
	}{
		{"level with the loop made by hand, ahead of a library", level,
			map[string][]float64{"ours": {1.04}, "gobwas-low": {1}, "gws": {1.2}}, "pass"},
		{"a tie with a library is not enough", level,
			map[string][]float64{"ours": {1}, "gobwas-low": {1}, "gws": {1.02}},
			"falls short: 0.98 of gws, must be below 0.95"},
		{"slower than both", level,
			map[string][]float64{"ours": {2}, "gobwas-low": {1}, "gws": {1.25}},
			"falls short: 2.00 of gobwas-low, may be 1.05; 1.60 of gws, must be below 0.95"},
		{"a reference is no peer", level,
			map[string][]float64{"ours": {2}, "gobwas-low": {2}, "gws": {3}, "rawtcp": {1}}, "pass"},
		{"a share of the best peer", target{ratio: 0.12},
			map[string][]float64{"ours": {0.3}, "gws": {2}, "gobwas-low": {3}}, "falls short: 0.15 is over 0.12"},
		{"an absolute figure", target{absolute: 5.4, atMost: true},
			map[string][]float64{"ours": {5.3}, "gws": {2}}, "pass"},
		{"an absolute figure missed", target{absolute: 0, atMost: true},
			map[string][]float64{"ours": {1}, "gws": {2}}, "falls short: 1.00 is over 0"},
		{"memory of its own for each message", ownMemory(1 << 10),
			map[string][]float64{"ours": {1.04}, "gws": {1}}, "pass"},
		{"memory of its own, at too much CPU", ownMemory(1 << 10),
			map[string][]float64{"ours": {1.06}, "gws": {1}}, "falls short: 1.06 is over 1.05"},
		{"without ours there is nothing to judge", level,
			map[string][]float64{"gws": {2}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := reportCase(measured("x", test.goal, test.costs)).Verdict; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestVerdictOnAllocations(t *testing.T) {
	for _, test := range []struct {
		allocs, bytes float64
		want          string
	}{
		{2.01, 1290, "pass"},
		{5, 1024, "falls short: 5.00 allocations are over 2"},
		{2, 2048, "falls short: 2.00 KiB are over 1.25"},
	} {
		m := measured("x", ownMemory(1<<10), map[string][]float64{"ours": {1}, "gws": {1}})
		m.outcomes[0].samples[0].allocs, m.outcomes[0].samples[0].bytes = test.allocs, test.bytes
		if got := reportCase(m).Verdict; got != test.want {
			t.Errorf("%v allocations of %v bytes: got %q, want %q", test.allocs, test.bytes, got, test.want)
		}
	}
}

func TestCompareBefore(t *testing.T) {
	compare := func(goal target, unit string, now, before []float64) *comparison {
		m := measured("x", goal, map[string][]float64{"ours": now})
		m.testCase.unit = unit
		o := &outcome{lib: &library{name: "ours-before", kind: earlier}}
		for _, v := range before {
			o.samples = append(o.samples, sample{value: v, p50: v, p99: v})
		}
		m.outcomes = append(m.outcomes, o)
		return reportCase(m).Before
	}
	for _, test := range []struct {
		name        string
		goal        target
		unit        string
		now, before []float64
		ratio       float64
		verdict     string
	}{
		{"the ratio is taken within each round", level, perMessage, []float64{1, 20, 30}, []float64{1, 20, 10}, 1, ""},
		{"a little more is no more", level, perMessage, []float64{1.03}, []float64{1}, 1.03, ""},
		{"more", level, perMessage, []float64{1.04}, []float64{1}, 1.04, "more"},
		{"in bulk it may be more", bulkLevel, perMessage, []float64{1.04}, []float64{1}, 1.04, ""},
		{"allocations have no ratio", target{atMost: true}, allocations, []float64{0}, []float64{0}, 0, ""},
		{"more allocations", target{atMost: true}, allocations, []float64{1}, []float64{0}, 0, "more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := compare(test.goal, test.unit, test.now, test.before)
			if got == nil || got.Ratio != test.ratio || got.Verdict != test.verdict {
				t.Errorf("got %+v, want ratio %v, verdict %q", got, test.ratio, test.verdict)
			}
		})
	}
	if got := reportCase(measured("x", level, map[string][]float64{"ours": {1}})).Before; got != nil {
		t.Errorf("nothing was before, and it is compared: %+v", got)
	}
}

func exampleReport() report {
	return newReport([]measurement{
		measured("echo64", level, map[string][]float64{"ours": {1, 9}, "gws": {2, 18}, "gobwas-low": {4, 36}, "rawtcp": {1, 9}}),
		measured("scale100", level, map[string][]float64{"ours": {4}, "gws": {5}}),
		measured("scale1000", level, map[string][]float64{"ours": {6}, "gws": {5}}),
	})
}

func TestTextReport(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().writeText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"echo64: echo64, us/message",
		"target: at most 1.00 of the best peer; pass",
		"latency: p50 0.50 and p99 0.50 of the best peer's; pass",
		"scale: most over fewest connections",
		"1.50",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

func TestJSONReport(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	first := back.Cases[0]
	if first.Best != "gws" || first.Results[0].Library != "ours" || first.Results[0].Ratio != 0.5 {
		t.Errorf("best peer %q, first result %+v", first.Best, first.Results[0])
	}
}

func TestMarkdownReport(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")[2:] // below where and when
	if want := "| echo64 | us/message | 5.00 | 10.0 | 20.0 | 5.00 | 0.50 (gws) | at most 1.00 of the best peer |"; lines[2] != want {
		t.Errorf("got  %s\nwant %s", lines[2], want)
	}
	for _, line := range lines {
		if strings.Count(line, "|") != strings.Count(lines[0], "|") {
			t.Errorf("another number of columns: %s", line)
		}
	}
}

func TestSummary(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().writeSummary(&b); err != nil {
		t.Fatal(err)
	}
	if want := "| case | unit | this library | lxzan/gws | gobwas/ws, by hand | plain TCP |\n" +
		"| --- | --- | ---: | ---: | ---: | ---: |\n" +
		"| echo, 64 B | us/message | 5.00 | 10.0 | 20.0 | 5.00 |\n" +
		"\nMeasured "; !strings.HasPrefix(b.String(), want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestSummaryNames: the short table's cases and libraries exist.
func TestSummaryNames(t *testing.T) {
	var caseNames, libraryNames []string
	for _, c := range cases(scope{}, 1, nil, nil) {
		caseNames = append(caseNames, c.name)
	}
	for _, l := range libraries() {
		libraryNames = append(libraryNames, l.name)
	}
	for _, row := range summaryRows {
		if !slices.Contains(caseNames, row.name) {
			t.Errorf("there is no case %s", row.name)
		}
	}
	for _, column := range summaryColumns {
		if !slices.Contains(libraryNames, column.library) {
			t.Errorf("there is no library %s", column.library)
		}
	}
}

// TestREADMETables: the short table in the project's README and the full one in this directory's are of one run.
func TestREADMETables(t *testing.T) {
	full, short := tableOf(t, "README.md", "| case | unit | ours |"), tableOf(t, "../../README.md", "| case | unit | this library |")
	titles := map[string]string{}
	for _, c := range cases(scope{}, 1, nil, nil) {
		titles[c.name] = c.title
	}
	if len(short) != len(summaryRows) {
		t.Errorf("the project's README has %d rows, not %d", len(short), len(summaryRows))
	}
	for _, row := range summaryRows {
		for _, column := range summaryColumns {
			want, ok := full[titles[row.name]][column.library]
			if got, there := short[row.title][column.title]; !ok || !there || got != want {
				t.Errorf("%s, %s: the project's README says %q, this directory's %q", row.title, column.title, got, want)
			}
		}
	}
}

// tableOf returns a Markdown table's cells by row and column. The header begins with head.
func tableOf(t *testing.T, file, head string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cells := func(line string) []string {
		row := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		return row
	}
	_, body, _ := strings.Cut("\n"+string(text), "\n"+head)
	lines := strings.Split(head+body, "\n")
	columns := cells(lines[0])
	rows := map[string]map[string]string{}
	for _, line := range lines[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		row := cells(line)
		rows[row[0]] = map[string]string{}
		for i, cell := range row[:min(len(row), len(columns))] {
			rows[row[0]][columns[i]] = cell
		}
	}
	return rows
}

func TestLatencyVerdict(t *testing.T) {
	for _, test := range []struct {
		p50, p99 float64
		want     string
	}{{0, 0, ""}, {1.05, 0.9, "pass"}, {1.2, 0.9, "falls short"}, {0.9, 1.2, "falls short"}} {
		if got := judgeLatency(test.p50, test.p99); got != test.want {
			t.Errorf("p50 %v, p99 %v: %q, want %q", test.p50, test.p99, got, test.want)
		}
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().writeSVG(&b); err != nil {
		t.Fatal(err)
	}
	marks := 0
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "circle" || e.Name.Local == "rect") {
			marks++
		}
	}
	if want := 4 + 4 + 2 + 2; marks != want { // the legend and three rows
		t.Errorf("%d marks, want %d", marks, want)
	}
}

func TestPlotX(t *testing.T) {
	if plotX(1) <= plotX(0.5) || plotX(1) >= plotX(2) {
		t.Error("a lower cost must lie further left")
	}
	if plotX(0) != plotLeft || plotX(1000) != plotRight {
		t.Errorf("beyond the axis: %v and %v, want %d and %d", plotX(0), plotX(1000), plotLeft, plotRight)
	}
}
