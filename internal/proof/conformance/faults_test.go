package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/proof/conformance/faulty"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// playServer runs the suite against the server with fault f.
func playServer(t *testing.T, f faulty.Fault, opts suite.Options) suite.Report {
	t.Helper()
	r, err := suite.RunServer(t.Context(), serveFaulty(t, f), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A lettingGo listener tells who dialled it when his connection is closed on
// this side: a client that holds on to TCP lets go after the suite, however
// long that takes, and never before.
type lettingGo struct {
	net.Listener
	dialling sync.Mutex             // so that what is accepted is what was dialled
	accepted chan (<-chan struct{}) // what is closed when the suite lets go of it
}

func (l *lettingGo) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	l.accepted <- gone
	return &letGo{TCPConn: conn.(*net.TCPConn), gone: sync.OnceFunc(func() { close(gone) })}, nil
}

func (l *lettingGo) dial() (net.Conn, <-chan struct{}, error) {
	l.dialling.Lock()
	defer l.dialling.Unlock()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	return conn, <-l.accepted, nil
}

type letGo struct {
	*net.TCPConn
	gone func()
}

func (c *letGo) Close() error {
	defer c.gone()
	return c.TCPConn.Close()
}

// playOnce plays one connection of the client with fault f.
func (l *lettingGo) playOnce(ctx context.Context, target string, compression bool, f faulty.Fault) error {
	conn, gone, err := l.dial()
	if err != nil {
		return err
	}
	held, release := context.WithCancel(ctx)
	defer release()
	go func() {
		select {
		case <-gone:
			release()
		case <-held.Done():
		}
	}()
	faulty.Play(held, conn, target, compression, f)
	return nil
}

// playClient runs the suite against the client with fault f, which offers
// compression where a case wants it.
func playClient(t *testing.T, f faulty.Fault, opts suite.Options) suite.Report {
	t.Helper()
	tcp, _ := listen(t, false)
	ln := &lettingGo{Listener: tcp, accepted: make(chan (<-chan struct{}), 1)}
	ctx, cancel := context.WithCancel(t.Context())
	d := suite.NewDriver(opts, false)
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	// The driver compares keys: one connection must have gone before.
	if err := ln.playOnce(ctx, "/count?agent=faulty", false, f); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 64)
	for i, c := range d.Cases() {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := ln.playOnce(ctx, fmt.Sprintf("/case?n=%d&agent=faulty", i+1), c.Offer != "", f); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ln.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	cancel()
	return d.Report("faulty")
}

// Without a fault the endpoint is strict throughout: what the suite catches in
// the others is the fault. Without -every it plays the cases that catch one.
func TestSound(t *testing.T) {
	t.Parallel()
	opts := patient()
	if !*every {
		opts.Run = listed(t)
	}
	for _, r := range []suite.Report{playServer(t, "", opts), playClient(t, "", opts)} {
		t.Logf("%s: %d cases in %.1f s, %d strict", r.Role, len(r.Results), r.Seconds, r.Count(suite.Strict))
		for _, res := range r.Results {
			if res.Verdict != suite.Strict {
				t.Errorf("%s %s %s: %s: %s, received %q", r.Role, res.Number, res.Verdict, res.Name, res.Reason, res.Received)
			}
		}
	}
}

// listed returns the numbers of the cases in the golden file.
func listed(t *testing.T) []string {
	b, err := os.ReadFile(faultsGolden)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		for entry := range strings.SplitSeq(line[strings.LastIndexByte(line, '\t')+1:], ", ") {
			number, _, _ := strings.Cut(entry, " ")
			all = append(all, number)
		}
	}
	return all
}

const faultsGolden = "testdata/faults.golden"

// Enough for an endpoint in the same process on a machine that is not busy; a
// hanging one costs as much. See patience.
var hurried = suite.Options{Timeout: 1500 * time.Millisecond, FailFast: 500 * time.Millisecond, Parallel: 64, Light: true}

// catches are the results that are neither strict nor about an extension that
// was declined.
func catches(r suite.Report) []suite.Result {
	var found []suite.Result
	for _, res := range r.Results {
		if res.Verdict == suite.Failed || res.Verdict == suite.NonStrict {
			found = append(found, res)
		}
	}
	return found
}

func play(t *testing.T, role faulty.Role, f faulty.Fault, opts suite.Options) suite.Report {
	if role == faulty.Server {
		return playServer(t, f, opts)
	}
	return playClient(t, f, opts)
}

var (
	roleNames  = map[faulty.Role]string{faulty.Server: "server", faulty.Client: "client"}
	suiteRoles = map[faulty.Role]suite.Role{faulty.Server: suite.Server, faulty.Client: suite.Client}
)

// Each fault is caught, and the golden file says by which cases: the role, the
// fault, and some of the cases that catch it, each with its verdict. At least
// one of them must catch it again.
func TestFaults(t *testing.T) {
	if len(faulty.All) < 40 {
		t.Errorf("%d faults, want at least 40", len(faulty.All))
	}
	if *update {
		writeFaults(t)
	}
	b, err := os.ReadFile(faultsGolden)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	at := 0
	for _, one := range faulty.All {
		for _, role := range []faulty.Role{faulty.Server, faulty.Client} {
			if one.Roles&role == 0 {
				continue
			}
			if at == len(lines) {
				t.Fatalf("no line for %s %q; -update writes it", roleNames[role], one.Fault)
			}
			columns := strings.Split(lines[at], "\t")
			at++
			if len(columns) != 3 || columns[0] != roleNames[role] || columns[1] != string(one.Fault) {
				t.Fatalf("line %d is %q, want one for %s %q; -update writes it", at, columns, roleNames[role], one.Fault)
			}
			t.Run(columns[0]+" "+columns[1], func(t *testing.T) {
				t.Parallel()
				var run, want []string
				for entry := range strings.SplitSeq(columns[2], ", ") {
					number, verdict, _ := strings.Cut(entry, " ")
					run = append(run, number)
					want = append(want, number+" "+verdict)
				}
				opts := hurried
				opts.Light, opts.Run = light(), run
				if len(opts.Select(suiteRoles[role], false)) == 0 {
					t.Skip("only cases of megabytes catch it: -every plays them")
				}
				var got []string
				for _, times := range patience {
					opts.Timeout, opts.FailFast = times*hurried.Timeout, times*hurried.FailFast
					got = nil
					for _, res := range catches(play(t, role, one.Fault, opts)) {
						got = append(got, res.Number+" "+string(res.Verdict))
					}
					// How TCP delivers pieces is not in the suite's hand: not each
					// listed case need find the same again.
					if slices.ContainsFunc(got, func(s string) bool { return slices.Contains(want, s) }) {
						return
					}
				}
				t.Errorf("caught by %q, want some of %q", got, want)
			})
		}
	}
	if at != len(lines) {
		t.Errorf("%d lines too many in %s", len(lines)-at, faultsGolden)
	}
}

// patience is by what hurried's times are multiplied, one after the other, until
// a fault is caught in the way that is listed. On a starved machine an endpoint
// misses them, and what is "non-strict" looks like "failed".
var patience = []time.Duration{1, 6, 40}

// mostListed is how many of the cases that catch a fault the file lists.
const mostListed = 4

// writeFaults keeps what the golden file has and still holds; for other faults
// it looks through all cases. A slow machine fails cases as well: what does not
// catch the fault again is dropped.
func writeFaults(t *testing.T) {
	known := map[string][]string{}
	if b, err := os.ReadFile(faultsGolden); err == nil {
		for line := range strings.Lines(string(b)) {
			columns := strings.Split(strings.TrimSpace(line), "\t")
			for entry := range strings.SplitSeq(columns[len(columns)-1], ", ") {
				number, _, _ := strings.Cut(entry, " ")
				known[columns[0]+columns[1]] = append(known[columns[0]+columns[1]], number)
			}
		}
	}
	var b strings.Builder
	for _, one := range faulty.All {
		for _, role := range []faulty.Role{faulty.Server, faulty.Client} {
			if one.Roles&role == 0 {
				continue
			}
			var entries []string
			t.Run("finding "+roleNames[role]+" "+string(one.Fault), func(t *testing.T) {
				entries = confirmed(t, role, one.Fault, known[roleNames[role]+string(one.Fault)])
				for _, light := range []bool{true, false} {
					if len(entries) > 0 {
						return
					}
					opts := hurried
					opts.Light = light
					var numbers []string
					for _, res := range catches(play(t, role, one.Fault, opts)) {
						numbers = append(numbers, res.Number)
					}
					entries = confirmed(t, role, one.Fault, numbers)
				}
			})
			if len(entries) == 0 {
				t.Errorf("%s %q is not caught", roleNames[role], one.Fault)
				continue
			}
			fmt.Fprintf(&b, "%s\t%s\t%s\n", roleNames[role], one.Fault, strings.Join(entries, ", "))
		}
	}
	if !t.Failed() {
		if err := os.WriteFile(faultsGolden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// confirmed plays cases of different sections again and lists those that catch
// the fault again.
func confirmed(t *testing.T, role faulty.Role, f faulty.Fault, numbers []string) []string {
	sections := map[string]bool{}
	var entries []string
	var batch []string
	for i, number := range numbers {
		if section := number[:strings.LastIndexByte(number, '.')]; !sections[section] {
			batch = append(batch, number)
		}
		if len(batch) < 8 && i < len(numbers)-1 || len(batch) == 0 {
			continue
		}
		opts := hurried
		opts.Light, opts.Run = false, batch
		for _, res := range catches(play(t, role, f, opts)) {
			section := res.Number[:strings.LastIndexByte(res.Number, '.')]
			if !sections[section] && len(entries) < mostListed {
				sections[section] = true
				entries = append(entries, res.Number+" "+string(res.Verdict))
			}
		}
		if batch = nil; len(entries) == mostListed {
			break
		}
	}
	return entries
}
