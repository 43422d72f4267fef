package suite

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Driver serves the cases to clients under test. A client makes one WebSocket
// connection per request, in any order, several at a time if it likes:
//
//	/count            one text message: how many cases there are, a decimal number
//	/case?n=N&agent=A case N (from 1): echo every message until the connection ends.
//	                  Where a handshake must be refused, it never opens.
//	/offer?n=N        one text message: the Sec-WebSocket-Extensions that case N asks
//	                  the client to offer, empty for none. A client may ignore it.
//	/name?n=N         one text message: case N's number and name
//	/report?agent=A   one text message: the report on A as JSON. It ends the run.
//
// All but /case are ended by the driver with Close 1000.
type Driver struct {
	opts  Options
	cases []*Case

	mu      sync.Mutex
	results map[string]map[int]Result
	started map[string]time.Time
	playing map[string]*sync.WaitGroup
	done    chan string
	heavy   chan struct{} // turns of the cases of megabytes
}

// NewDriver returns a driver for the cases that opts selects; overTLS adds
// those that need TLS: its listener is then one of crypto/tls.
func NewDriver(opts Options, overTLS bool) *Driver {
	opts = opts.withDefaults()
	return &Driver{
		opts: opts, cases: opts.Select(Client, overTLS),
		results: map[string]map[int]Result{}, started: map[string]time.Time{},
		playing: map[string]*sync.WaitGroup{}, done: make(chan string, 16),
		heavy: make(chan struct{}, heavyAtOnce),
	}
}

// Cases returns the cases in the order of their index, which starts at 1.
func (d *Driver) Cases() []*Case { return d.cases }

// Done delivers the agents that have asked for their report.
func (d *Driver) Done() <-chan string { return d.done }

// Serve accepts connections until ln is closed or ctx ends, and returns after
// the last one is over.
func (d *Driver) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() { d.serve(ctx, conn) })
	}
}

func (d *Driver) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(d.opts.Timeout))
	br := bufio.NewReaderSize(conn, 32<<10)
	h, err := readHead(br)
	if err != nil {
		return
	}
	_, rest, _ := strings.Cut(h.line, " ")
	target, _, _ := strings.Cut(rest, " ")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return
	}
	agent := u.Query().Get("agent")
	d.opts.keys.add(agent, h.get("Sec-WebSocket-Key"))
	n, _ := strconv.Atoi(u.Query().Get("n"))
	var c *Case
	if n >= 1 && n <= len(d.cases) {
		c = d.cases[n-1]
	}
	opts := d.opts
	opts.Agent = agent
	switch {
	case u.Path == "/count":
		d.tell(ctx, &opts, conn, br, h, strconv.Itoa(len(d.cases)))
	case u.Path == "/report":
		d.of(agent).Wait() // the last case's end is seen by the client first
		b, _ := json.Marshal(d.Report(agent))
		d.tell(ctx, &opts, conn, br, h, string(b))
		select {
		case d.done <- agent:
		default:
		}
	case u.Path == "/offer" && c != nil:
		d.tell(ctx, &opts, conn, br, h, c.Offer)
	case u.Path == "/name" && c != nil:
		d.tell(ctx, &opts, conn, br, h, c.Number+" "+c.Name)
	case u.Path == "/case" && c != nil:
		playing := d.of(agent)
		playing.Add(1)
		d.play(ctx, &opts, conn, br, h, n)
		playing.Done()
	default:
		conn.Write([]byte("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	}
}

// of counts the cases that an agent is playing.
func (d *Driver) of(agent string) *sync.WaitGroup {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.playing[agent] == nil {
		d.playing[agent] = new(sync.WaitGroup)
	}
	return d.playing[agent]
}

// tell sends one text message and closes.
func (d *Driver) tell(ctx context.Context, opts *Options, conn net.Conn, br *bufio.Reader, h head, answer string) {
	ctx, cancel := context.WithTimeout(ctx, 4*opts.Timeout)
	defer cancel()
	s := newSession(ctx, opts, &Case{}, Client)
	s.br = br
	s.take(conn)
	s.write(newResponse(acceptOf(h.get("Sec-WebSocket-Key"))).bytes())
	s.start()
	s.write(appendFrame(nil, text(answer), false, [4]byte{}))
	s.sendClose()
	s.end()
	conn.Close()
	<-s.reading
}

func (d *Driver) play(ctx context.Context, opts *Options, conn net.Conn, br *bufio.Reader, h head, n int) {
	c := d.cases[n-1]
	if c.heavy { // the client waits for its handshake
		d.heavy <- struct{}{}
		defer func() { <-d.heavy }()
	}
	opts = opts.forCase(c)
	ctx, cancel := context.WithTimeout(ctx, opts.caseTime())
	defer cancel()
	s := newSession(ctx, opts, c, Client)
	s.br = br
	_, s.tls = conn.(*tls.Conn)
	s.take(conn)
	start := time.Now()
	v, why := s.againstClient(h)
	res := s.result(v, why, time.Since(start))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.results[opts.Agent] == nil {
		d.results[opts.Agent], d.started[opts.Agent] = map[int]Result{}, start
	}
	d.results[opts.Agent][n] = res
}

// Report is what is known of an agent. A case it never came for has failed.
func (d *Driver) Report(agent string) Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := Report{Role: Client.String(), Target: agent, Started: d.started[agent]}
	if !r.Started.IsZero() {
		r.Seconds = time.Since(r.Started).Seconds()
	}
	for i, c := range d.cases {
		res, ok := d.results[agent][i+1]
		if !ok {
			res = newSession(context.Background(), &d.opts, c, Client).result(Failed, "the client never came for this case", 0)
		}
		r.Results = append(r.Results, res)
	}
	return r
}

// Agents lists the agents that have played a case.
func (d *Driver) Agents() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for a := range d.results {
		names = append(names, a)
	}
	slices.Sort(names)
	return names
}

// String says where a client begins.
func (d *Driver) String() string {
	return fmt.Sprintf("%d cases: connect to /count, /case?n=1..%d&agent=NAME, /report?agent=NAME", len(d.cases), len(d.cases))
}
