package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/proof/conformance/faulty"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// The tests wait far more than they compute, so more of them run at once than
// there are processors.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "32")
	os.Exit(m.Run())
}

// serveFaulty serves the endpoint with fault f until the test ends.
func serveFaulty(t *testing.T, f faulty.Fault) string {
	ln, _ := listen(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { faulty.Serve(ctx, conn, f) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		cancel()
		wg.Wait()
	})
	return "ws://" + ln.Addr().String() + "/echo?a=b"
}

// The exit status and the reports of "conformance server".
func TestCommandServer(t *testing.T) {
	dir := t.TempDir()
	jsonTo, htmlTo := filepath.Join(dir, "report.json"), filepath.Join(dir, "report.html")
	for _, c := range []struct {
		fault  faulty.Fault // one that is seen at once: no time-out passes
		status int
	}{{"", 0}, {"echoes text as binary", 1}} {
		args := []string{"server", "-run", "3.1,1.1", serveFaulty(t, c.fault), "-timeout", "1m", "-json", jsonTo, "-html", htmlTo}
		status, err := run(t.Context(), args)
		if status != c.status || err != nil {
			t.Fatalf("fault %q: status %d, %v; want %d", c.fault, status, err, c.status)
		}
		b, err := os.ReadFile(jsonTo)
		if err != nil {
			t.Fatal(err)
		}
		var r suite.Report
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		if r.Role != "server" || len(r.Results) != len(suite.Options{Run: []string{"3.1", "1.1"}}.Select(suite.Server, false)) || r.Failed() != (c.status == 1) {
			t.Errorf("fault %q: report on %s with %d results, failed %v", c.fault, r.Role, len(r.Results), r.Failed())
		}
		page, err := os.ReadFile(htmlTo)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"<!doctype html>", "Reserved bits and opcodes", "3.1.7", "MUST _Fail the WebSocket Connection_", "Close 1002"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("fault %q: the page lacks %q", c.fault, want)
			}
		}
		if strings.Contains(string(page), "http://") || strings.Contains(string(page), "https://") {
			t.Error("the page needs something from elsewhere")
		}
	}
}

// "conformance client" ends with the first report that a client asks for.
func TestCommandClient(t *testing.T) {
	for _, c := range []struct {
		fault  faulty.Fault // one that is seen at once: no time-out passes
		status int
	}{{"", 0}, {"answers Pings without their payload", 1}} {
		ln, _ := listen(t, false)
		addr := ln.Addr().String()
		ln.Close()
		type outcome struct {
			status int
			err    error
		}
		ended := make(chan outcome, 1)
		go func() {
			status, err := run(t.Context(), []string{"client", "-addr", addr, "-run", "2.1.1,2.1.2", "-timeout", "1m"})
			ended <- outcome{status, err}
		}()
		n := len(suite.Options{Run: []string{"2.1.1", "2.1.2"}}.Select(suite.Client, false))
		targets := []string{"/count"}
		for i := range n {
			targets = append(targets, fmt.Sprintf("/offer?n=%d", i+1), fmt.Sprintf("/name?n=%d", i+1), fmt.Sprintf("/case?n=%d&agent=a", i+1))
		}
		for _, target := range append(targets, "/report?agent=a") {
			faulty.Play(t.Context(), dialOnce(t, addr), target, false, c.fault)
		}
		if got := <-ended; got.status != c.status || got.err != nil {
			t.Errorf("fault %q: status %d, %v; want %d", c.fault, got.status, got.err, c.status)
		}
	}
}

// dialOnce connects as soon as the command listens.
func dialOnce(t *testing.T, addr string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestCommandMisuse(t *testing.T) {
	for _, args := range [][]string{{}, {"serve"}, {"server"}, {"server", "http://x/"}, {"server", "ws://"}, {"client", "x"}, {"-nonsense"}, {"client", "-addr", "nonsense"}} {
		if status, _ := run(t.Context(), args); status != 2 {
			t.Errorf("%q: status %d, want 2", args, status)
		}
	}
}

func TestCommandList(t *testing.T) {
	if status, err := run(t.Context(), []string{"list", "-v", "-run", "5.1"}); status != 0 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}
