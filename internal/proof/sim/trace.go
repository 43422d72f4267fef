package sim

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxEvents bounds a trace; floods are cut.
const maxEvents = 4000

// A trace is what happened in a run, in order, with the virtual time since its
// start. It holds nothing that differs between two runs of the same seed, such
// as masking keys.
type trace struct {
	mu       sync.Mutex
	start    time.Time
	events   []string
	cut      int
	progress atomic.Int64 // counts events, and reads of the link: who watches for a hang looks at it
	failed   []string
}

func (t *trace) since() time.Duration { return time.Since(t.start) }

// event notes what happened now.
func (t *trace) event(format string, args ...any) {
	t.progress.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) >= maxEvents {
		t.cut++
		return
	}
	t.events = append(t.events, fmt.Sprintf("%14v  ", t.since())+fmt.Sprintf(format, args...))
}

// fail notes that a promise was broken, and goes on: what follows may explain it.
func (t *trace) fail(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	t.event("FAIL  %s", msg)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failed) < 20 {
		t.failed = append(t.failed, fmt.Sprintf("%v: %s", t.since(), msg))
	}
}

// failures returns what fail was told.
func (t *trace) failures() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// String returns all events, one a line.
func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := strings.Join(t.events, "\n")
	if t.cut > 0 {
		s += fmt.Sprintf("\n(and %d more)", t.cut)
	}
	return s
}
