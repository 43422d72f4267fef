package suite

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Result is what one case found.
type Result struct {
	Number  string  `json:"number"`
	Group   string  `json:"group"`
	Name    string  `json:"name"`
	Section string  `json:"section"`
	Rule    string  `json:"rule"`
	Accepts string  `json:"accepts"`
	Role    string  `json:"role"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`

	Sends     string   `json:"sends"`     // the case's steps, with their bytes
	Sent      string   `json:"sent"`      // the first bytes that went out, handshake included, in hex
	SentBytes int      `json:"sentBytes"` // how many went out
	Received  []string `json:"received"`  // the first frames that came
	Frames    int      `json:"frames"`    // how many came

	Compressed int     `json:"compressed,omitempty"` // messages that came compressed
	Window     int     `json:"window,omitempty"`     // the largest distance measured in them
	Agreed     int     `json:"agreed,omitempty"`     // the window that was agreed
	Millis     float64 `json:"millis"`
}

// Report is what a run found.
type Report struct {
	Role    string    `json:"role"` // of the endpoint under test
	Target  string    `json:"target"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Results []Result  `json:"results"`
}

// Count is how many results have the verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, res := range r.Results {
		if res.Verdict == v {
			n++
		}
	}
	return n
}

// Failed says whether any case failed.
func (r *Report) Failed() bool { return r.Count(Failed) > 0 }

// InShort says how many cases there were, with their verdicts, and how long they took.
func (r *Report) InShort() string {
	return fmt.Sprintf("%d cases in %.1f s: %d strict, %d not negotiated", len(r.Results), r.Seconds, r.Count(Strict), r.Count(NotNegotiated))
}

// Faults describes each case that failed or is not strict.
func (r *Report) Faults() (faults []string) {
	for _, res := range r.Results {
		if res.Verdict == Failed || res.Verdict == NonStrict {
			faults = append(faults, fmt.Sprintf("%s %s: %s: %s\n%s: %q\n%s\nreceived %q",
				res.Number, res.Verdict, res.Name, res.Reason, res.Section, res.Rule, res.Sends, res.Received))
		}
	}
	return faults
}

// row is one group's line in the summary matrix.
type row struct {
	Group  string
	Counts []int // as in Verdicts
	Total  int
}

func (r *Report) rows() []row {
	var rows []row
	for _, g := range groups[1:] {
		one := row{Group: g, Counts: make([]int, len(Verdicts))}
		for _, res := range r.Results {
			if res.Group == g {
				one.Counts[slices.Index(Verdicts, res.Verdict)]++
				one.Total++
			}
		}
		if one.Total > 0 {
			rows = append(rows, one)
		}
	}
	return rows
}

// Summary is the matrix of groups and verdicts, and a line for each case that
// is not strict.
func (r *Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s", r.Role+" "+r.Target)
	for _, v := range Verdicts {
		fmt.Fprintf(&b, "%16s", v)
	}
	b.WriteString("\n")
	for _, row := range append(r.rows(), r.total()) {
		fmt.Fprintf(&b, "%-32s", row.Group)
		for _, n := range row.Counts {
			fmt.Fprintf(&b, "%16d", n)
		}
		b.WriteString("\n")
	}
	for _, res := range r.Results {
		if res.Verdict == Failed || res.Verdict == NonStrict {
			fmt.Fprintf(&b, "%s %s: %s: %s\n", res.Number, res.Verdict, res.Name, res.Reason)
		}
	}
	fmt.Fprintf(&b, "%.1f s\n", r.Seconds)
	return b.String()
}

func (r *Report) total() row {
	t := row{Group: "All", Total: len(r.Results)}
	for _, v := range Verdicts {
		t.Counts = append(t.Counts, r.Count(v))
	}
	return t
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(r)
}

// result makes the session's findings a Result.
func (s *session) result(v Verdict, why string, took time.Duration) Result {
	c, r := s.c, s.record
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{
		Number: c.Number, Group: c.Group, Name: c.Name, Section: c.Section, Rule: c.Rule, Accepts: c.Accepts(),
		Role: s.role.String(), Verdict: v, Reason: why,
		Sends: c.Sends(s.role), Sent: show(s.sent.first), SentBytes: s.sent.total,
		Received: append([]string(nil), r.notes...), Frames: r.frames, Compressed: r.compressed,
		Millis: float64(took.Microseconds()) / 1000,
	}
	switch {
	case !r.gone():
	case r.endErr != nil:
		res.Received = append(res.Received, "end: "+r.endErr.Error())
	default:
		res.Received = append(res.Received, "end: FIN")
	}
	if s.deflate != nil {
		res.Window, res.Agreed = s.deflate.in.largest, s.deflate.in.window
	}
	return res
}
