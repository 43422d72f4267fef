package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// verdictsGolden lists the cases that are not strict. Each line begins with the
// name of a run. Its first line says how many cases the run has, and the others
// each give a group, a section or a case, and the verdict of all its cases.
// What no line names is strict.
const verdictsGolden = "testdata/verdicts.golden"

// expectation is what the golden file says of one run.
type expectation struct {
	cases    int
	verdicts map[string]suite.Verdict // by group, section or case
}

// of returns the expected verdict of a case, and the entry that says so.
func (e expectation) of(number string) (v suite.Verdict, entry string) {
	for p := number; ; {
		if v, ok := e.verdicts[p]; ok {
			return v, p
		}
		dot := strings.LastIndexByte(p, '.')
		if dot < 0 {
			return suite.Strict, ""
		}
		p = p[:dot]
	}
}

// differences returns what is not as expected. all are the numbers of the run's
// cases, chosen those that were to be played now.
func (e expectation) differences(all, chosen []string, results []suite.Result) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if len(all) != e.cases {
		say("the run has %d cases, want %d", len(all), e.cases)
	}
	unused := maps.Clone(e.verdicts)
	for _, number := range all {
		_, entry := e.of(number)
		delete(unused, entry)
	}
	for _, entry := range slices.Sorted(maps.Keys(unused)) {
		say("%s is listed, and there is no such case", entry)
	}
	played := map[string]bool{}
	for _, res := range results {
		if played[res.Number] || !slices.Contains(chosen, res.Number) {
			say("%s was played, and was not to be", res.Number)
		}
		played[res.Number] = true
		if want, _ := e.of(res.Number); res.Verdict != want {
			say("%s is %s, want %s: %s", res.Number, res.Verdict, want, res.Reason)
		}
	}
	for _, number := range chosen {
		if !played[number] {
			say("%s was not played", number)
		}
	}
	return found
}

// expected makes an expectation of a whole run's results.
func expected(results []suite.Result) expectation {
	e := expectation{cases: len(results), verdicts: map[string]suite.Verdict{}}
	uniform := map[string]suite.Verdict{} // "" where verdicts differ
	for _, res := range results {
		for _, p := range prefixes(res.Number) {
			if v, ok := uniform[p]; ok && v != res.Verdict {
				uniform[p] = ""
			} else if !ok {
				uniform[p] = res.Verdict
			}
		}
	}
	for _, res := range results {
		for _, p := range prefixes(res.Number) {
			if v := uniform[p]; v == suite.Strict {
				break
			} else if v != "" {
				e.verdicts[p] = v
				break
			}
		}
	}
	return e
}

// prefixes returns the group, the section and the number of a case.
func prefixes(number string) []string {
	var all []string
	for i, c := range number {
		if c == '.' {
			all = append(all, number[:i])
		}
	}
	return append(all, number)
}

// readVerdicts reads the golden file.
func readVerdicts() (map[string]expectation, error) {
	b, err := os.ReadFile(verdictsGolden)
	if err != nil {
		return nil, err
	}
	runs := map[string]expectation{}
	for line := range strings.Lines(string(b)) {
		run, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		what, verdict, _ := strings.Cut(rest, " ")
		e, known := runs[run]
		if n, err := strconv.Atoi(what); verdict == "cases" && err == nil && !known {
			runs[run] = expectation{n, map[string]suite.Verdict{}}
			continue
		}
		v := suite.Verdict(verdict)
		if _, twice := e.verdicts[what]; !known || twice || v == suite.Strict || !slices.Contains(suite.Verdicts, v) {
			return nil, fmt.Errorf("%s: the line %q", verdictsGolden, line)
		}
		e.verdicts[what] = v
	}
	return runs, nil
}

// writeVerdicts puts what a run found into the golden file.
func writeVerdicts(run string, e expectation) error {
	runs, err := readVerdicts()
	if os.IsNotExist(err) {
		runs = map[string]expectation{}
	} else if err != nil {
		return err
	}
	runs[run] = e
	var b strings.Builder
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		fmt.Fprintf(&b, "%s %d cases\n", run, runs[run].cases)
		for _, what := range slices.Sorted(maps.Keys(runs[run].verdicts)) {
			fmt.Fprintf(&b, "%s %s %s\n", run, what, runs[run].verdicts[what])
		}
	}
	return os.WriteFile(verdictsGolden, []byte(b.String()), 0o644)
}

// numbers returns the numbers of cases.
func numbers(cases []*suite.Case) []string {
	var all []string
	for _, c := range cases {
		all = append(all, c.Number)
	}
	return all
}

// TestDifferences: whatever changes in a run is a difference.
func TestDifferences(t *testing.T) {
	golden := expectation{4, map[string]suite.Verdict{"2": suite.NotNegotiated, "1.1.2": suite.NonStrict}}
	sound := func() []suite.Result {
		return []suite.Result{
			{Number: "1.1.1", Verdict: suite.Strict}, {Number: "1.1.2", Verdict: suite.NonStrict},
			{Number: "2.1.1", Verdict: suite.NotNegotiated}, {Number: "2.2.1", Verdict: suite.NotNegotiated},
		}
	}
	all := []string{"1.1.1", "1.1.2", "2.1.1", "2.2.1"}
	for _, c := range []struct {
		name   string
		golden expectation
		all    []string
		chosen []string
		change func(r []suite.Result) []suite.Result
		want   string // "": none
	}{
		{"nothing changes", golden, all, all, nil, ""},
		{"fewer are chosen", golden, all, all[:2], func(r []suite.Result) []suite.Result { return r[:2] }, ""},
		{"a case is gone from the suite", golden, all[1:], all[1:], func(r []suite.Result) []suite.Result { return r[1:] },
			"the run has 3 cases, want 4"},
		{"a case is new", golden, append(all[:4:4], "3.1.1"), all, nil, "the run has 5 cases, want 4"},
		{"a case is not played", golden, all, all, func(r []suite.Result) []suite.Result { return r[:3] }, "2.2.1 was not played"},
		{"a case is played twice", golden, all, all, func(r []suite.Result) []suite.Result { return append(r, r[0]) }, "1.1.1 was played, and was not to be"},
		{"a case is played in place of another", golden, all, all[:3], func(r []suite.Result) []suite.Result { return append(r[:2], r[3]) },
			"2.2.1 was played, and was not to be; 2.1.1 was not played"},
		{"what is not listed fails", golden, all, all, func(r []suite.Result) []suite.Result { r[0].Verdict = suite.Failed; return r },
			"1.1.1 is failed, want strict: "},
		{"what is not listed is not negotiated", golden, all, all, func(r []suite.Result) []suite.Result { r[0].Verdict = suite.NotNegotiated; return r },
			"1.1.1 is not negotiated, want strict: "},
		{"what is listed becomes strict", golden, all, all, func(r []suite.Result) []suite.Result { r[1].Verdict = suite.Strict; return r },
			"1.1.2 is strict, want non-strict: "},
		{"one case of a listed group becomes strict", golden, all, all, func(r []suite.Result) []suite.Result { r[3].Verdict = suite.Strict; return r },
			"2.2.1 is strict, want not negotiated: "},
		{"a case has no verdict", golden, all, all, func(r []suite.Result) []suite.Result { r[0].Verdict = ""; return r }, "1.1.1 is , want strict: "},
		{"a listed case does not exist", expectation{4, map[string]suite.Verdict{"2": suite.NotNegotiated, "1.1.2": suite.NonStrict, "1.1.9": suite.Failed}},
			all, all, nil, "1.1.9 is listed, and there is no such case"},
	} {
		results := sound()
		if c.change != nil {
			results = c.change(results)
		}
		if got := strings.Join(c.golden.differences(c.all, c.chosen, results), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := expected(sound()); got.cases != golden.cases || !maps.Equal(got.verdicts, golden.verdicts) {
		t.Errorf("the results give %v, want %v", got, golden)
	}
}
