// Package attacks has the attacks of hostile peers: what they do, and what must come
// of it.
package attacks

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Attack is what hostile peers do, and what must come of it.
type Attack struct {
	name    string
	http1   string   // why it makes sense over HTTP/1.1 only; none: it does not depend on the handshake
	subject settings // the endpoint under attack
	conns   int      // how many connections the program makes
	few     int      // how many a test makes
	want    []string // the answers that the attackers may get; none: they do not listen
	ends    string   // what ends it, if the endpoint keeps the attackers: until …
	wait    bool     // a test waits until the endpoint is rid of them, too
	silent  bool     // the attackers send nothing, or nothing but a handshake
	queue   int      // the queue's limit over a road; 0: that of the settings
	run     func(f *field) error
}

// scale is how much of an attack there is.
type scale struct {
	unit  time.Duration // what the settings and attacks call a second
	conns int
	brief bool // don't wait until the endpoint is rid of the attackers, and have an honest peer beside them
}

// Result is what was measured. Memory and goroutines are those that the attack
// added to the endpoint's process.
type Result struct {
	Attack      string         `json:"attack"`
	Connections int            `json:"connections"`
	Sent        int64          `json:"sent_bytes"`
	Answers     map[string]int `json:"answers"`
	Bound       int            `json:"bound_bytes_per_connection"`
	Heap        int            `json:"heap_bytes_per_connection"` // live at the worst moment
	Stacks      int            `json:"stack_bytes_per_connection"`
	HeapPeak    int            `json:"heap_peak_bytes_per_connection"` // garbage included
	RSSPeak     int            `json:"rss_peak_bytes_per_connection"`
	Goroutines  float64        `json:"goroutines_per_connection"`
	Left        int            `json:"goroutines_left"`
	Rid         time.Duration  `json:"rid_after_ns"` // since the attack began; 0: the endpoint keeps them
	Ends        string         `json:"ends,omitempty"`
	CPU         time.Duration  `json:"cpu_ns"`
	Waited      time.Duration  `json:"-"` // how long an honest peer waited for its echo at most; 0: there was none
}

// field is where one attack takes place.
type field struct {
	scale
	wait    bool
	road    *Road // nil: HTTP/1.1
	subject *subject
	addr    string    // of the server under attack
	streams Attackers // its clients; unused over HTTP/1.1
	traps   []Trap
	waited  time.Duration // how long the honest server waited
	before  sample
	began   time.Time
	sent    atomic.Int64

	mu      sync.Mutex
	open    []net.Conn
	answers map[string]int
	live    sample
	rid     time.Duration
}

// patience bounds everything that an attacker waits for.
const patience = 30 * time.Second

// Name is what the attack is called in the table.
func (a Attack) Name() string { return a.name }

// Measure carries the attack out over HTTP/1.1, in full.
func (a Attack) Measure() (Result, error) {
	return a.measure(nil, scale{unit: time.Second, conns: a.conns})
}

func (a Attack) measure(road *Road, s scale) (Result, error) {
	if road != nil {
		a.subject = a.subject.over(a)
	}
	r := Result{Attack: a.name, Connections: s.conns, Bound: a.subject.bound() + road.holds(strings.HasPrefix(a.name, "client: ")), Ends: a.ends}
	if s.brief {
		r.Bound += borrowed
	}
	subject, err := startSubject()
	if err != nil {
		return r, err
	}
	defer subject.stop()
	f := &field{scale: s, wait: a.wait, road: road, subject: subject, answers: map[string]int{}}
	served, err := subject.ask(order{Do: "serve", Settings: a.subject.scaled(s.unit)})
	if err != nil {
		return r, err
	}
	f.addr = served.Addr
	if road != nil {
		if f.streams, err = road.Attack(f.addr); err != nil {
			return r, err
		}
		defer f.streams.Close()
		defer f.closeTraps()
	}
	if err := f.warm(); err != nil {
		return r, err
	}
	beside, err := f.beginHonest()
	if err != nil {
		return r, err
	}
	if err := f.begin(); err != nil {
		return r, err
	}
	beside.begin()

	runErr := a.run(f)
	peaks, err := subject.ask(order{Do: "peaks"})
	waited, honestErr := beside.end()
	f.hangUp()
	if err = errors.Join(runErr, err, honestErr); err != nil {
		return r, fmt.Errorf("%s: %w", a.name, err)
	}
	after, err := subject.ask(order{Do: "quiet", Count: f.before.Goroutines, Within: patience})
	if err != nil {
		return r, err
	}

	per := func(n int64) int { return int(max(n, 0)) / s.conns }
	r.Sent, r.Answers, r.Rid, r.Waited = f.sent.Load(), f.answers, f.rid, max(waited, f.waited)
	r.Heap = per(f.live.Heap - f.before.Heap)
	r.Stacks = per(f.live.Stacks - f.before.Stacks)
	r.HeapPeak = per(peaks.Sample.Heap - f.before.Heap)
	r.RSSPeak = per(peaks.Sample.RSS - f.before.RSS)
	r.Goroutines = float64(peaks.Sample.Goroutines-f.before.Goroutines) / float64(s.conns)
	r.Left = after.Sample.Goroutines - f.before.Goroutines
	r.CPU = after.Sample.CPU - f.before.CPU
	return r, a.judge(r, road)
}

// begin takes what the process uses before the attack.
func (f *field) begin() error {
	before, err := f.subject.ask(order{Do: "begin"})
	f.before, f.began = before.Sample, time.Now()
	return err
}

// judge says what should not have come of it.
func (a Attack) judge(r Result, road *Road) error {
	var errs []error
	if r.Heap > r.Bound {
		errs = append(errs, fmt.Errorf("a connection costs %d bytes, more than %d", r.Heap, r.Bound))
	}
	if r.Left > 0 {
		errs = append(errs, fmt.Errorf("%d goroutines are left", r.Left))
	}
	if len(r.Answers) == 0 && len(a.want) > 0 {
		errs = append(errs, fmt.Errorf("nobody was answered, want %q", a.want))
	}
	for answer := range r.Answers {
		// What closes a TCP connection that has nothing unread may reset a stream.
		if !slices.Contains(a.want, answer) && (road == nil || answer != "reset" || !slices.Contains(a.want, "end")) {
			errs = append(errs, fmt.Errorf("the answers were %v, want %q", r.Answers, a.want))
			break
		}
	}
	return errors.Join(errs...)
}

// warm makes the endpoint allocate what it allocates once.
func (f *field) warm() error {
	if f.road != nil { // the honest peer's stream does that
		return nil
	}
	p, err := f.dial()
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Fprint(p, "GET / HTTP/1.1\r\nHost: warm\r\nConnection: close\r\n\r\n")
	if got := p.status(); got != "426" {
		return fmt.Errorf("an ordinary request was answered with %q", got)
	}
	return nil
}

// each lets all attackers act at the same time.
func (f *field) each(act func(i int) error) error {
	errs := make(chan error)
	turns := make(chan struct{}, 500)
	for i := range f.conns {
		go func() {
			turns <- struct{}{}
			err := act(i)
			<-turns
			errs <- err
		}()
	}
	var first error
	for range f.conns {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// openAll opens a WebSocket for each attacker.
func (f *field) openAll(extensions string) ([]*peer, error) {
	peers := make([]*peer, f.conns)
	err := f.each(func(i int) (err error) {
		peers[i], err = f.openOne("/ws", extensions)
		return err
	})
	return peers, err
}

// answered counts what an attacker was told.
func (f *field) answered(what string) {
	f.mu.Lock()
	f.answers[what]++
	f.mu.Unlock()
}

// keep has a connection closed when the attack is over.
func (f *field) keep(nc net.Conn) {
	f.mu.Lock()
	f.open = append(f.open, nc)
	f.mu.Unlock()
}

func (f *field) closeTraps() {
	for _, trap := range f.traps {
		trap.Close()
	}
}

func (f *field) hangUp() {
	for _, nc := range f.open {
		nc.Close()
	}
}

// worst measures what is live, until it has stopped changing: this is the moment at
// which the attackers have got as far as they get.
func (f *field) worst() error {
	r, err := f.subject.ask(order{Do: "steady", Within: f.unit / 50})
	f.see(r.Sample)
	return err
}

// settled measures what is live when it has stopped changing: not what net/http
// needs for the handshake.
func (f *field) settled() error {
	r, err := f.subject.ask(order{Do: "steady", Within: f.unit / 50})
	f.see(r.Last)
	return err
}

func (f *field) see(s sample) {
	if s.Heap+s.Stacks > f.live.Heap+f.live.Stacks {
		f.live = s
	}
}

// await waits until the application has counted up to n.
func (f *field) await(counter string, n int) error {
	_, err := f.subject.ask(order{Do: "await", Counter: counter, Count: n, Within: patience})
	return err
}

// untilRid waits until the endpoint is rid of the attackers, whose sockets are
// open still. A test waits for that in some attacks only.
func (f *field) untilRid() error {
	if f.brief && !f.wait {
		return nil
	}
	r, err := f.subject.ask(order{Do: "quiet", Count: f.before.Goroutines, Within: patience})
	if err == nil && r.Sample.Goroutines > f.before.Goroutines {
		err = fmt.Errorf("the endpoint is not rid of the attackers after %v", patience)
	}
	f.rid = time.Since(f.began)
	return err
}

// All are all attacks, in the order of the table.
func All() []Attack {
	return slices.Concat(handshakeAttacks(), frameAttacks(), deflateAttacks(), flowAttacks(), answerAttacks(), clientAttacks())
}

// onlyHTTP1 says why attacks make sense over HTTP/1.1 only.
func onlyHTTP1(why string, list []Attack) []Attack {
	for i := range list {
		list[i].http1 = why
	}
	return list
}
