package storm

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A world is one run of a program.
type world struct {
	storm   *storm
	program Program
	draw    random

	mu      sync.Mutex
	callers []*caller
	pairs   []*pair
	failed  map[string]int // violations by kind
	streams uint64         // random streams given out
	dead    chan struct{}  // closed when a call is stuck: nobody waits for it
	isDead  bool
	began   time.Time
}

func newWorld(s *storm, p Program) *world {
	return &world{
		storm: s, program: p, draw: newRandom(p.Seed^uint64(p.Number)*0x9E3779B97F4A7C15, 1),
		failed: map[string]int{}, dead: make(chan struct{}), began: time.Now(),
	}
}

// random returns a source of its own for a goroutine.
func (w *world) random() random {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams++
	return newRandom(w.program.Seed^uint64(w.program.Number)*0x9E3779B97F4A7C15, 1000+w.streams)
}

// fail notes a violation. Of each kind a program reports the first three.
func (w *world) fail(kind, format string, args ...any) {
	w.mu.Lock()
	w.failed[kind]++
	again := w.failed[kind] > 3
	w.mu.Unlock()
	if !again {
		w.storm.report(w, kind, fmt.Sprintf(format, args...))
	}
}

// hasFailed reports whether there was a violation of this kind.
func (w *world) hasFailed(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed[kind] > 0
}

// join waits for a group, and reports false if a call of the program is stuck.
func (w *world) join(group *sync.WaitGroup) bool {
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	select {
	case <-finished:
		return true
	case <-w.dead:
		return false
	}
}

// joinSoon is join for calls that nothing holds up: if no byte moves any more, those that have not
// returned are stuck.
func (w *world) joinSoon(group *sync.WaitGroup, why string) bool {
	finished := make(chan struct{})
	go func() { w.join(group); close(finished) }()
	if !w.moving(func() bool {
		select {
		case <-finished:
			return true
		default:
			return false
		}
	}) {
		w.fail("stuck-call", "not returned though %s: %s\n%s", why, w.calls(), stacks())
		w.kill()
	}
	<-finished
	return !w.gone()
}

// moving polls until ok is true. It gives up when no byte was written for a while.
func (w *world) moving(ok func() bool) bool {
	for last := int64(-1); ; {
		now := w.written()
		if now == last || w.gone() {
			return false
		}
		last = now
		if poll(w.storm.config.Patience, w.dead, ok) {
			return true
		}
	}
}

// written returns how many bytes the ends have written.
func (w *world) written() int64 {
	w.mu.Lock()
	pairs := w.pairs
	w.mu.Unlock() // an observer that reports a violation takes it under its own lock
	var n int64
	for _, p := range pairs {
		n += p.relay.up.seen.view().bytes + p.relay.down.seen.view().bytes
	}
	return n
}

// calls lists the calls that have not returned.
func (w *world) calls() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, c := range w.callers {
		c.mu.Lock()
		if c.what != "" {
			all = append(all, fmt.Sprintf("%s of %s since %v", c.what, c.name, time.Since(c.began).Round(time.Millisecond)))
		}
		c.mu.Unlock()
	}
	return strings.Join(all, ", ")
}

// kill gives the program up: what belongs to it stays behind.
func (w *world) kill() {
	w.mu.Lock()
	first := !w.isDead
	w.isDead = true
	pairs := w.pairs
	w.mu.Unlock()
	if !first {
		return
	}
	close(w.dead)
	for _, p := range pairs {
		p.relay.cut(true)
	}
}

// watch looks for calls that stay, and reports the first.
func (w *world) watch(now time.Time, patience time.Duration) {
	w.mu.Lock()
	callers, dead := w.callers, w.isDead
	w.mu.Unlock()
	if dead {
		return
	}
	for _, c := range callers {
		if why := c.late(now, patience); why != "" {
			w.fail("stuck-call", "%s: %s\n%s", c, why, stacks())
			w.kill()
			return
		}
	}
	if limit := 3*time.Minute + patience; now.Sub(w.began) > limit {
		w.fail("stuck-scene", "the program has not ended after %v\n%s", limit, stacks())
		w.kill()
	}
}

// stacks returns the goroutines that are inside the library. Those that are at the same place are shown once: with dozens
// of writers that wait, the one that matters would be cut off.
func stacks() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var some []string
	more := map[string]int{}
	size := 0
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		place := arguments.ReplaceAllString(g, "")
		if !strings.Contains(g, "closeonce/websocket.") || size >= 48<<10 {
			continue
		}
		if more[place]++; more[place] == 1 {
			some = append(some, g)
			size += len(g)
		}
	}
	for i, g := range some {
		if n := more[arguments.ReplaceAllString(g, "")]; n > 1 {
			some[i] = fmt.Sprintf("%d at this place:\n%s", n, g)
		}
	}
	return strings.Join(some, "\n\n")
}

// arguments is what differs between goroutines that are at the same place.
var arguments = regexp.MustCompile(`^goroutine \d+ .*|0x[0-9a-f]+\??|in goroutine \d+`)

// gone reports whether the program was given up.
func (w *world) gone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isDead
}
