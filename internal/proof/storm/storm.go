package storm

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Config says what a storm does. The zero value of a field is its default.
type Config struct {
	Seed         uint64
	For          time.Duration // how long programs are begun. Default: 5 s
	Program      int           // run only this one, again and again. Default: 0, all from 1 on
	Transports   []string      // default: all
	Scenes       []string      // default: all
	Procs        []int         // values of GOMAXPROCS. Default: 1, 2, 16
	Parallel     int           // programs at once. Default: 3
	Dir          string        // for the Unix socket
	CloseTimeout time.Duration // of the connections. Default: 5 s
	Patience     time.Duration // after which a call is stuck. Default: 10 s
	Hearing      time.Duration // within which a Ping is answered. Default: 3 s
	Stop         bool          // stop at the first violation
	Found        func(v Violation)

	// Pair makes the connections of the transport "given": an end for the library, as server or client, and one for the relay.
	Pair func(server bool) (near, far net.Conn, err error)
}

// A Program is drawn from the seed and its number.
type Program struct {
	Seed      uint64
	Number    int
	Scene     string
	Transport string
	Procs     int
}

func (p Program) String() string {
	return fmt.Sprintf("seed %d, program %d (%s over %s, GOMAXPROCS %d)", p.Seed, p.Number, p.Scene, p.Transport, p.Procs)
}

// A Violation is something that does not hold.
type Violation struct {
	Kind    string // see the package's comment
	Detail  string
	Program Program
	After   time.Duration // since the storm began
}

// A Report is what a storm did.
type Report struct {
	Programs                int
	Messages, Frames, Bytes int64
	Violations              []Violation
	Kinds                   map[string]int // violations of each kind
}

var scenes = map[string]func(*world){
	"crowd": (*world).crowd, "pause": (*world).pause, "proxy": (*world).proxy,
	"flood": (*world).flood, "ends": (*world).ends, "tunnel": (*world).tunnel, "group": (*world).group,
}

// Scenes are all scenes.
func Scenes() []string {
	var names []string
	for name := range scenes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// A storm is what the programs of one Run share.
type storm struct {
	config     Config
	transports *transports
	server     *server
	began      time.Time

	pings, messages, frames, bytes atomic.Int64

	mu       sync.Mutex
	running  map[*world]bool
	programs int
	found    []Violation
	kinds    map[string]int
	spoiled  bool // something stays behind for sure
}

func (c *Config) defaults() {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&c.For, 5*time.Second)
	set(&c.CloseTimeout, 5*time.Second)
	set(&c.Patience, 10*time.Second)
	set(&c.Hearing, 3*time.Second)
	if c.Parallel == 0 {
		c.Parallel = 3
	}
	if len(c.Transports) == 0 {
		c.Transports = Transports
	}
	if len(c.Scenes) == 0 {
		c.Scenes = Scenes()
	}
	if len(c.Procs) == 0 {
		c.Procs = []int{1, 2, 16}
	}
}

// Run runs programs until the time is over, and reports what does not hold. An error says that
// the storm itself could not be run. It changes GOMAXPROCS meanwhile.
func Run(config Config) (*Report, error) {
	config.defaults()
	for _, name := range config.Scenes {
		if scenes[name] == nil {
			return nil, fmt.Errorf("storm: no scene is called %q", name)
		}
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // with the first socket come two descriptors of the runtime's, which stay
		l.Close()
	}
	before := takeStock()
	s := &storm{config: config, began: time.Now(), running: map[*world]bool{}, kinds: map[string]int{}}
	var err error
	if s.transports, err = newTransports(config.Dir); err != nil {
		return nil, err
	}
	s.transports.given = config.Pair
	s.server = newServer()
	watching := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(watching)
	}()

	procs := runtime.GOMAXPROCS(0)
	s.blocks()
	runtime.GOMAXPROCS(procs)
	close(watching)
	<-watched
	s.server.http.Close()
	s.transports.close()
	if !s.spoiled {
		if left := before.compare(config.Patience); left != "" {
			s.enter(Violation{Kind: "left-behind", Detail: left})
		}
	}
	return &Report{
		Programs: s.programs, Messages: s.messages.Load(), Frames: s.frames.Load(), Bytes: s.bytes.Load(),
		Violations: s.found, Kinds: s.kinds,
	}, nil
}

// blocks runs programs, in blocks of one GOMAXPROCS, until the time is over.
func (s *storm) blocks() {
	c := s.config
	size := c.block()
	for block := 0; time.Since(s.began) < c.For && !s.done(); block++ {
		numbers := make(chan int)
		var workers sync.WaitGroup
		first := block*size + 1
		if c.Program > 0 {
			first = c.Program
		}
		runtime.GOMAXPROCS(s.program(first).Procs)
		for range c.Parallel {
			workers.Go(func() {
				for n := range numbers {
					s.play(s.program(n))
				}
			})
		}
		// A block begins with less than its share of the time only if all others had theirs.
		share := time.Now().Add(max(c.For/time.Duration(len(c.Procs)), time.Second))
		for i := 0; i < size && time.Since(s.began) < c.For && time.Now().Before(share) && !s.done(); i++ {
			if c.Program > 0 {
				numbers <- c.Program
			} else {
				numbers <- first + i
			}
		}
		close(numbers)
		workers.Wait()
	}
}

// block is how many programs are run with one GOMAXPROCS: every scene over every transport, once or more.
func (c Config) block() int {
	all := len(c.Scenes) * len(c.Transports)
	return all * max(1, 40/all)
}

// program says what a program is. Each deck has every scene over every transport.
func (s *storm) program(number int) Program {
	c := s.config
	all := len(c.Scenes) * len(c.Transports)
	deck, i := (number-1)/all, (number-1)%all
	order := newRandom(c.Seed, uint64(deck)).Perm(all)[i]
	return Program{
		Seed: c.Seed, Number: number, Procs: c.Procs[(number-1)/c.block()%len(c.Procs)],
		Scene: c.Scenes[order%len(c.Scenes)], Transport: c.Transports[order/len(c.Scenes)],
	}
}

// play runs one program.
func (s *storm) play(p Program) {
	w := newWorld(s, p)
	s.mu.Lock()
	s.running[w] = true
	s.programs++
	s.mu.Unlock()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		scenes[p.Scene](w)
	}()
	select {
	case <-finished:
	case <-w.dead:
		// What it left behind may come to an end now, or never.
		select {
		case <-finished:
		case <-time.After(2 * time.Second):
		}
	}
	s.mu.Lock()
	delete(s.running, w)
	s.spoiled = s.spoiled || w.gone()
	s.mu.Unlock()
}

// watch looks after all programs until it shall end.
func (s *storm) watch(end <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.mu.Lock()
			var all []*world
			for w := range s.running {
				all = append(all, w)
			}
			s.mu.Unlock()
			for _, w := range all {
				w.watch(now, s.config.Patience)
			}
		case <-end:
			return
		}
	}
}

// report enters a violation of a program.
func (s *storm) report(w *world, kind, detail string) {
	s.enter(Violation{Kind: kind, Detail: detail, Program: w.program, After: time.Since(s.began)})
}

func (s *storm) enter(v Violation) {
	s.mu.Lock()
	s.kinds[v.Kind]++
	keep := s.kinds[v.Kind] <= 20
	if keep {
		s.found = append(s.found, v)
	}
	s.mu.Unlock()
	if keep && s.config.Found != nil {
		s.config.Found(v)
	}
}

// done reports whether the storm shall stop before its time.
func (s *storm) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Stop && len(s.found) > 0
}

// stock is what a process has.
type stock struct{ goroutines, descriptors int }

func takeStock() stock {
	s := stock{goroutines: runtime.NumGoroutine()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.descriptors = len(entries)
	}
	return s
}

// compare says what is more than before, if that stays so.
func (before stock) compare(patience time.Duration) string {
	var now stock
	if poll(patience, nil, func() bool {
		now = takeStock()
		return now.goroutines <= before.goroutines && now.descriptors <= before.descriptors
	}) {
		return ""
	}
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	return fmt.Sprintf("%d goroutines and %d descriptors, %d and %d before\n%s", now.goroutines, now.descriptors, before.goroutines,
		before.descriptors, strings.TrimSpace(string(buf)))
}
