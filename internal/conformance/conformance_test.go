package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/conformance/suite"
)

var update = flag.Bool("update", false, "write the golden files")

// Generous: only an endpoint that fails makes the suite wait so long.
var patient = suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: underRace}

const readLimit = 32 << 20

// echo sends every message back until the connection ends.
func echo(ctx context.Context, c *websocket.Conn) {
	for {
		typ, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if c.Write(ctx, typ, p) != nil {
			return
		}
	}
}

// listen returns a listener on the loopback, with TLS if asked, and what a
// client needs to trust it.
func listen(t *testing.T, overTLS bool) (net.Listener, *tls.Config) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if !overTLS {
		return ln, nil
	}
	config, err := selfMade()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.NewListener(ln, config), &tls.Config{RootCAs: roots}
}

// checkReport compares a report's verdicts with a golden file and fails for
// each case that is failed or non-strict, golden or not.
func checkReport(t *testing.T, r *suite.Report, golden string) {
	t.Helper()
	t.Logf("%d cases in %.1f s: %d strict, %d not negotiated", len(r.Results), r.Seconds, r.Count(suite.Strict), r.Count(suite.NotNegotiated))
	for _, res := range r.Results {
		if res.Verdict == suite.Failed || res.Verdict == suite.NonStrict {
			t.Errorf("%s %s: %s: %s\n%s: %q\n%s\nreceived %q", res.Number, res.Verdict, res.Name, res.Reason, res.Section, res.Rule, res.Sends, res.Received)
		}
	}
	path := filepath.Join("testdata", golden)
	if *update && !t.Failed() && !underRace {
		if err := os.WriteFile(path, []byte(r.Verdicts()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]string{}
	for line := range strings.Lines(string(want)) {
		number, verdict, _ := strings.Cut(strings.TrimSpace(line), " ")
		verdicts[number] = verdict
	}
	for _, res := range r.Results {
		if verdicts[res.Number] != string(res.Verdict) {
			t.Errorf("%s is %s, in %s %q: %s", res.Number, res.Verdict, golden, verdicts[res.Number], res.Reason)
		}
		delete(verdicts, res.Number)
	}
	if len(verdicts) > 0 && !underRace {
		t.Errorf("%s has %d cases that did not run", golden, len(verdicts))
	}
}

// runServer tests our server under opts.
func runServer(t *testing.T, opts websocket.AcceptOptions, overTLS bool, only []string, golden string) {
	ln, trust := listen(t, overTLS)
	opts.ReadLimit = readLimit
	srv := &http.Server{
		Handler:  websocket.Handler(&opts, echo),
		ErrorLog: log.New(discard{}, "", 0), // broken requests are part of the suite
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() {
		srv.Close()
		<-served
	}()
	o := patient
	o.TLS, o.Run = trust, only
	scheme := "ws"
	if overTLS {
		scheme = "wss"
	}
	r, err := suite.RunServer(t.Context(), fmt.Sprintf("%s://%s/", scheme, ln.Addr()), o)
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, &r, golden)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// runClient tests our client under opts.
func runClient(t *testing.T, opts websocket.DialOptions, overTLS bool, only []string, golden string) {
	ln, trust := listen(t, overTLS)
	o := patient
	o.Run = only
	d := suite.NewDriver(o, overTLS)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	scheme := "ws"
	if overTLS {
		scheme = "wss"
	}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	opts.HTTPClient = &http.Client{Transport: transport}
	opts.ReadLimit = readLimit
	base := fmt.Sprintf("%s://%s", scheme, ln.Addr())
	driven(t, base, &opts)
	r := d.Report("ours")
	checkReport(t, &r, golden)
}

// driven is the client under test: it comes for every case and echoes.
func driven(t *testing.T, base string, opts *websocket.DialOptions) {
	ctx := t.Context()
	c, _, err := websocket.Dial(ctx, base+"/count", opts)
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.Close(websocket.StatusNormalClosure, "")
	count, err := strconv.Atoi(string(p))
	if err != nil || count == 0 {
		t.Fatalf("count %q: %v", p, err)
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 16)
	for n := 1; n <= count; n++ {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			c, _, err := websocket.Dial(ctx, fmt.Sprintf("%s/case?n=%d&agent=ours", base, n), opts)
			if err != nil {
				return // a handshake that must be refused; the report tells
			}
			echo(ctx, c)
			c.CloseNow()
		})
	}
	wg.Wait()
	c, _, err = websocket.Dial(ctx, base+"/report?agent=ours", opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err = c.Read(ctx); err != nil || !bytes.HasPrefix(p, []byte(`{"role":"client"`)) {
		t.Fatalf("report %.40q: %v", p, err)
	}
	c.CloseNow()
}

// modes are the settings of compression, each with golden files of its own.
var modes = []struct {
	name, suffix string
	mode         websocket.CompressionMode
}{
	{"plain", "", websocket.CompressionDisabled},
	{"takeover", "-takeover", websocket.CompressionContextTakeover},
	{"no takeover", "-no-takeover", websocket.CompressionNoContextTakeover},
}

// inModes runs test in each mode. Which cases of compression are negotiated, the
// golden files say.
func inModes(t *testing.T, test func(t *testing.T, mode websocket.CompressionMode, suffix string)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			test(t, m.mode, m.suffix)
		})
	}
}

func TestServer(t *testing.T) {
	inModes(t, func(t *testing.T, mode websocket.CompressionMode, suffix string) {
		opts := websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1}
		runServer(t, opts, false, nil, "server"+suffix+".golden")
	})
}

func TestClient(t *testing.T) {
	inModes(t, func(t *testing.T, mode websocket.CompressionMode, suffix string) {
		opts := websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1}
		runClient(t, opts, false, nil, "client"+suffix+".golden")
	})
}

func TestServerTLS(t *testing.T) {
	inModes(t, func(t *testing.T, mode websocket.CompressionMode, suffix string) {
		opts := websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1}
		runServer(t, opts, true, []string{"13"}, "server-tls"+suffix+".golden")
	})
}

func TestClientTLS(t *testing.T) {
	inModes(t, func(t *testing.T, mode websocket.CompressionMode, suffix string) {
		opts := websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1}
		runClient(t, opts, true, []string{"13"}, "client-tls"+suffix+".golden")
	})
}
