package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

var (
	update = flag.Bool("update", false, "write the golden files; with -every")
	every  = flag.Bool("every", false, "all cases in all modes; without it the cases of megabytes are left out, and what differs little from mode to mode")
)

// light reports whether the cases of megabytes are left out.
func light() bool { return underRace || !*every }

// patient is generous: only an endpoint that fails makes the suite wait so long.
func patient() suite.Options {
	return suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: light()}
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
	server, client := selfsigned.Pair("127.0.0.1")
	return tls.NewListener(ln, server), client
}

// checkReport compares a report's verdicts with the golden file and fails for
// each case that is failed or non-strict, golden or not.
func checkReport(t *testing.T, r *suite.Report, run string, all, chosen []*suite.Case) {
	t.Helper()
	t.Log(r.InShort())
	for _, fault := range r.Faults() {
		t.Error(fault)
	}
	if *update && !t.Failed() && !light() {
		if err := writeVerdicts(run, expected(r.Results)); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := readVerdicts()
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range runs[run].differences(numbers(all), numbers(chosen), r.Results) {
		t.Errorf("%s: %s; %s", run, difference, verdictsGolden)
	}
}

// selected returns the cases of a run: all of them, which are below only, and those that are played now.
func selected(o suite.Options, only []string, role suite.Role, overTLS bool) (all, chosen []*suite.Case) {
	chosen = o.Select(role, overTLS)
	o.Light, o.Run = false, only
	return o.Select(role, overTLS), chosen
}

// playedNow returns what a mode plays of a run. Where the suite negotiates no extension, a mode with compression does what
// the one without does. Without -every it plays only the handshakes, the reserved bits, and the messages that are compressed.
func playedNow(m ours.Mode, only []string) []string {
	if *every || only != nil || m.Compression == websocket.CompressionDisabled {
		return only
	}
	return []string{"1", "3", "12"}
}

// runServer tests our server in a mode.
func runServer(t *testing.T, mode ours.Mode, overTLS bool, only []string, run string) {
	ln, trust := listen(t, overTLS)
	srv := &http.Server{
		Handler:  mode.Handler(),
		ErrorLog: log.New(io.Discard, "", 0), // broken requests are part of the suite
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() {
		srv.Close()
		<-served
	}()
	o := patient()
	o.TLS, o.Run = trust, playedNow(mode, only)
	scheme := "ws"
	if overTLS {
		scheme = "wss"
	}
	r, err := suite.RunServer(t.Context(), fmt.Sprintf("%s://%s/", scheme, ln.Addr()), o)
	if err != nil {
		t.Fatal(err)
	}
	all, chosen := selected(o, only, suite.Server, overTLS)
	checkReport(t, &r, run, all, chosen)
}

// runClient tests our client in a mode.
func runClient(t *testing.T, mode ours.Mode, overTLS bool, only []string, run string) {
	ln, trust := listen(t, overTLS)
	o := patient()
	o.Run = playedNow(mode, only)
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
	base := fmt.Sprintf("%s://%s", scheme, ln.Addr())
	if err := mode.Drive(t.Context(), base, &http.Client{Transport: transport}); err != nil {
		t.Fatal(err)
	}
	r := d.Report("ours")
	all, chosen := selected(o, only, suite.Client, overTLS)
	checkReport(t, &r, run, all, chosen)
}

// suffixes are those of the runs' names: which cases of compression are
// negotiated is all in which the modes may differ.
var suffixes = map[websocket.CompressionMode]string{
	websocket.CompressionDisabled:          "",
	websocket.CompressionContextTakeover:   "-takeover",
	websocket.CompressionNoContextTakeover: "-no-takeover",
}

// inModes runs test in each mode.
func inModes(t *testing.T, test func(t *testing.T, mode ours.Mode, suffix string)) {
	for _, m := range ours.Modes {
		t.Run(m.Name, func(t *testing.T) {
			if light() && (m.Compression == websocket.CompressionNoContextTakeover || m.Streams && m.Compression != websocket.CompressionDisabled) {
				t.Skip("-every plays it; most of it is in the other modes")
			}
			test(t, m, suffixes[m.Compression])
		})
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, mode ours.Mode, suffix string) {
		runServer(t, mode, false, nil, "server"+suffix)
	})
}

func TestClient(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, mode ours.Mode, suffix string) {
		runClient(t, mode, false, nil, "client"+suffix)
	})
}

func TestServerTLS(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, mode ours.Mode, suffix string) {
		runServer(t, mode, true, []string{"13"}, "server-tls"+suffix)
	})
}

func TestClientTLS(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, mode ours.Mode, suffix string) {
		runClient(t, mode, true, []string{"13"}, "client-tls"+suffix)
	})
}
