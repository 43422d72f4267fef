package suite

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options of a run. The zero value of each field is its default.
type Options struct {
	Run      []string      // prefixes of case numbers; none: all
	Light    bool          // leave out the cases of megabytes
	Parallel int           // cases under way at once against a server, default 16
	Timeout  time.Duration // for each thing an endpoint owes, default 5 s
	FailFast time.Duration // within which an endpoint must fail early, default 1 s
	TLS      *tls.Config   // for wss

	Agent string // the name of the client under test

	keys *nonces
}

// heavyAtOnce is how many cases of megabytes run at a time.
const heavyAtOnce = 2

func (o Options) withDefaults() Options {
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.FailFast <= 0 {
		o.FailFast = time.Second
	}
	if o.keys == nil {
		o.keys = &nonces{seen: map[string]int{}}
	}
	return o
}

// nonces counts how often a client has sent each Sec-WebSocket-Key.
type nonces struct {
	mu   sync.Mutex
	seen map[string]int
}

func (n *nonces) add(agent, key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[agent+" "+key]++
}

func (o *Options) seenKeys(agent, key string) int {
	o.keys.mu.Lock()
	defer o.keys.mu.Unlock()
	return o.keys.seen[agent+" "+key]
}

// Select returns the cases for an endpoint of this role, over TLS or not.
func (o Options) Select(role Role, overTLS bool) []*Case {
	var chosen []*Case
	for _, c := range Cases() {
		if c.Roles&role == 0 || c.TLS && !overTLS || c.heavy && o.Light {
			continue
		}
		if len(o.Run) == 0 || slices.ContainsFunc(o.Run, func(p string) bool { return under(c.Number, p) }) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// under says whether a case's number is p or below it.
func under(number, p string) bool {
	return number == p || strings.HasPrefix(number, strings.TrimSuffix(p, ".")+".")
}

// heavyPatience is how much longer an endpoint may take where megabytes move.
const heavyPatience = 4

// forCase is o with the patience that a case needs.
func (o Options) forCase(c *Case) *Options {
	if c.heavy {
		o.Timeout *= heavyPatience
	}
	return &o
}

// caseTime bounds a case as a whole: whatever an endpoint does, a run ends.
func (o *Options) caseTime() time.Duration { return 4 * o.Timeout }

// RunServer plays the cases against the server at target, a ws or wss URL. The
// server must echo every message, and read messages of at least 16 MiB.
func RunServer(ctx context.Context, target string, opts Options) (Report, error) {
	opts = opts.withDefaults()
	u, err := url.Parse(target)
	if err != nil {
		return Report{}, err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return Report{}, fmt.Errorf("%q is no ws or wss URL", target)
	}
	cases := opts.Select(Server, u.Scheme == "wss")
	r := Report{Role: Server.String(), Target: target, Started: time.Now(), Results: make([]Result, len(cases))}

	offers := declinesDeflate(ctx, target, &opts)
	var wg sync.WaitGroup
	turns, heavy := make(chan struct{}, opts.Parallel), make(chan struct{}, heavyAtOnce)
	for i, c := range cases {
		lane := turns
		if c.heavy {
			lane = heavy
		}
		wg.Go(func() {
			lane <- struct{}{}
			defer func() { <-lane }()
			if c.open.deflate != nil && offers {
				s := newSession(ctx, &opts, c, Server)
				r.Results[i] = s.result(NotNegotiated, "the server declines permessage-deflate", 0)
				return
			}
			r.Results[i] = runServerCase(ctx, target, &opts, c)
		})
	}
	wg.Wait()
	r.Seconds = time.Since(r.Started).Seconds()
	return r, ctx.Err()
}

func newSession(ctx context.Context, opts *Options, c *Case, role Role) *session {
	return &session{ctx: ctx, opts: opts, c: c, role: role, record: newRecord()}
}

func runServerCase(ctx context.Context, target string, opts *Options, c *Case) Result {
	opts = opts.forCase(c)
	ctx, cancel := context.WithTimeout(ctx, opts.caseTime())
	defer cancel()
	s := newSession(ctx, opts, c, Server)
	start := time.Now()
	v, why := s.againstServer(target)
	return s.result(v, why, time.Since(start))
}

// declinesDeflate says whether the server declines the plainest offer.
func declinesDeflate(ctx context.Context, target string, opts *Options) bool {
	probe := &Case{Number: "probe", Roles: Server, open: opening{deflate: &deflateOpening{offer: plainOffer}}}
	return runServerCase(ctx, target, opts, probe).Verdict == NotNegotiated
}
