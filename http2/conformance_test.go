package http2_test

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

var every = flag.Bool("every", false, "play the conformance suite in all modes, and its cases of megabytes against the server in two")

// TestMain plays tests that wait side by side.
func TestMain(m *testing.M) {
	if attacks.Subject(road) {
		return
	}
	flag.Set("test.parallel", "8") // -parallel has the last word
	os.Exit(m.Run())
}

// afterHandshake returns the suite's groups that are not about HTTP/1.1; without -every, a few of them.
func afterHandshake() []string {
	if !*every {
		return []string{"1", "5", "7"}
	}
	return []string{"1", "2", "3", "4", "5", "6", "7", "10", "11", "12"}
}

// TestConformance plays the suite against our server over HTTP/2. The suite speaks HTTP/1.1, so a bridge is between them. What
// comes after the handshake must be strict in every case.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, mode := range ours.Modes {
		t.Run(mode.Name, func(t *testing.T) {
			if !*every && mode.Name != "plain" {
				t.Skip("-every plays it")
			}
			s := h2test.Start(mode.Handler(), true, nil)
			defer s.Close()
			transport := h2test.Transport(s)
			defer transport.CloseIdleConnections()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go h2test.Bridge(ln, transport, s.URL)
			o := suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: light(mode), Run: afterHandshake()}
			r, err := suite.RunServer(t.Context(), "ws://"+ln.Addr().String()+"/", o)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, r)
		})
	}
}

// TestConformanceClient is the same for our client, which dials over HTTP/2. The bridge is a server of net/http's here, which a
// client that writes megabytes before it reads on brings to a standstill (TestBothBlocked), so these cases are left out.
func TestConformanceClient(t *testing.T) {
	t.Parallel()
	for _, mode := range ours.Modes {
		t.Run(mode.Name, func(t *testing.T) {
			if !*every && mode.Name != "plain" {
				t.Skip("-every plays it")
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			d := suite.NewDriver(suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: true, Run: afterHandshake()}, false)
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- d.Serve(ctx, ln) }()
			defer func() {
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			s := h2test.Start(h2test.Reverse(ln.Addr().String()), true, nil)
			defer s.Close()
			transport := h2test.Transport(s)
			defer transport.CloseIdleConnections()
			mode.HTTP2 = websocket.HTTP2Only
			if err := mode.Drive(t.Context(), strings.Replace(s.URL, "http", "ws", 1), &http.Client{Transport: transport}); err != nil {
				t.Fatal(err)
			}
			judge(t, d.Report("ours"))
		})
	}
}

// light says whether a mode leaves out the cases of megabytes: each takes seconds through a bridge.
func light(mode ours.Mode) bool {
	return !*every || mode.Name != "plain" && mode.Name != "streams-takeover"
}

// judge fails for each case that is not strict.
func judge(t *testing.T, r suite.Report) {
	t.Log(r.InShort())
	for _, fault := range r.Faults() {
		t.Error(fault)
	}
}
