package moving

import (
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/seen.txt")

const (
	document = "../../../MIGRATING.md"
	seenFile = "testdata/seen.txt"
)

// behaviours are all that is compared.
var behaviours = slices.Concat(accepting1, origins, dialing, reading, frames, writing, closing, pinging, closeRead, netConns, jsons, compressing, living, values)

// TestBehaviours: the libraries differ in what MIGRATING.md says, in nothing else, and in all of it.
func TestBehaviours(t *testing.T) {
	log.SetOutput(io.Discard) // coder/websocket logs malformed patterns
	defer log.SetOutput(os.Stderr)
	rows, recorded := table(t), readSeen(t)
	texts := map[string]string{}
	same := 0
	for _, b := range behaviours {
		t.Run(b.id, func(t *testing.T) {
			text, differs := compare(run(t, b, coderLibrary), run(t, b, oursLibrary))
			if t.Failed() {
				return
			}
			if varying[b.id] && own(text) == own(recorded[b.id]) {
				text = recorded[b.id] // what is rare with coder/websocket may not have been seen this time
			}
			texts[b.id] = text
			if !differs {
				same++
			}
			switch {
			case differs && rows[b.id] == 0:
				t.Errorf("a difference of which MIGRATING.md has no row:\n%s", text)
			case !differs && rows[b.id] > 0:
				t.Errorf("MIGRATING.md has a row for a difference that is gone:\n%s", text)
			}
			if !*update && recorded[b.id] != text {
				t.Errorf("what was seen has changed (see MIGRATING.md's row, if there is one, and run go test -update). Now:\n%sBefore:\n%s", text, recorded[b.id])
			}
		})
	}
	if t.Failed() && !*update || len(texts) < len(behaviours) {
		return // some were left out, by -run, or have no result
	}
	if want := fmt.Sprintf("of %d behaviours that a test plays side by side, %d are the same", len(behaviours), same); !strings.Contains(contents(t, document), want) {
		t.Errorf("MIGRATING.md does not say that %s", want)
	}
	if *update {
		writeSeen(t, texts)
	}
}

// TestIDs: an id is that of one behaviour, and those of MIGRATING.md and of the record exist.
func TestIDs(t *testing.T) {
	known := map[string]bool{}
	for _, b := range behaviours {
		if known[b.id] {
			t.Errorf("there are two behaviours %s", b.id)
		}
		known[b.id] = true
	}
	for id := range table(t) {
		if !known[id] {
			t.Errorf("MIGRATING.md has a row for %s, which no test plays", id)
		}
	}
	for id := range readSeen(t) {
		if !known[id] && !*update {
			t.Errorf("%s has %s, which no test plays", seenFile, id)
		}
	}
}

// compare writes down what was seen with the one library and the other: " " is before what is the same, "-" before what
// is coder's, "+" before what is ours.
func compare(theirs, ours []sight) (text string, differs bool) {
	var b strings.Builder
	line := func(mark string, s sight) { fmt.Fprintf(&b, "%s %s: %s\n", mark, s.what, s.value) }
	for i := range max(len(theirs), len(ours)) {
		if i < len(theirs) && i < len(ours) && theirs[i] == ours[i] {
			line(" ", ours[i])
			continue
		}
		differs = true
		if i < len(theirs) {
			line("-", theirs[i])
		}
		if i < len(ours) {
			line("+", ours[i])
		}
	}
	return b.String(), differs
}

// own returns what was seen with this library.
func own(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line[0] != '-' {
			b.WriteString(line[1:])
		}
	}
	return b.String()
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// aboutCoder returns the part of MIGRATING.md that is about coder/websocket. The rest has tests of its own.
func aboutCoder(t *testing.T) string {
	part, _, _ := strings.Cut(contents(t, document), "\n## From gorilla/websocket\n")
	return part
}

var idsInCell = regexp.MustCompile("`([a-z0-9-]+)`")

// table returns how many rows of MIGRATING.md's tables have an id. The ids are in the last cell.
func table(t *testing.T) map[string]int {
	rows := map[string]int{}
	for line := range strings.Lines(aboutCoder(t)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		last := cells[len(cells)-1]
		found := idsInCell.FindAllStringSubmatch(last, -1)
		if len(found) == 0 && strings.Trim(last, " -:") != "" && strings.TrimSpace(last) != "test" {
			t.Errorf("a row without an id: %s", line)
		}
		for _, id := range found {
			rows[id[1]]++
		}
	}
	if len(rows) == 0 {
		t.Error("MIGRATING.md has no row with an id")
	}
	return rows
}

// readSeen reads what was seen before, by id.
func readSeen(t *testing.T) map[string]string {
	seen := map[string]string{}
	if _, err := os.Stat(seenFile); err != nil && *update {
		return seen
	}
	id := ""
	for line := range strings.Lines(contents(t, seenFile)) {
		switch {
		case strings.HasPrefix(line, "# "):
			id = strings.TrimSpace(line[2:])
			seen[id] = ""
		case strings.TrimSpace(line) != "" && id != "":
			seen[id] += line
		}
	}
	return seen
}

func writeSeen(t *testing.T, texts map[string]string) {
	var b strings.Builder
	b.WriteString("What programs see, by behaviour. \" \": with both libraries; \"-\": with coder/websocket; \"+\": with this one.\nWritten by go test -update.\n")
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&b, "\n# %s\n%s", id, texts[id])
	}
	if err := os.WriteFile(seenFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
