package http2_test

import (
	"flag"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

var every = flag.Bool("every", false, "play the conformance suite in all modes, and its cases of megabytes")

// afterHandshake are the suite's groups that are not about HTTP/1.1.
var afterHandshake = []string{"1", "2", "3", "4", "5", "6", "7", "10", "11", "12"}

// TestConformance plays the suite against our server over HTTP/2. The suite speaks HTTP/1.1, so a bridge is between them. What
// comes after the handshake must be strict in every case.
func TestConformance(t *testing.T) {
	for _, mode := range ours.Modes {
		t.Run(mode.Name, func(t *testing.T) {
			groups := afterHandshake
			if !*every {
				if mode.Name != "plain" {
					t.Skip("-every plays it")
				}
				groups = []string{"1", "5", "7"}
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
			o := suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: !*every, Run: groups}
			r, err := suite.RunServer(t.Context(), "ws://"+ln.Addr().String()+"/", o)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d cases in %.1f s: %d strict, %d not negotiated", len(r.Results), r.Seconds, r.Count(suite.Strict), r.Count(suite.NotNegotiated))
			for _, res := range r.Results {
				if res.Verdict == suite.Failed || res.Verdict == suite.NonStrict {
					t.Errorf("%s %s: %s: %s\n%s: %q\n%s\nreceived %q", res.Number, res.Verdict, res.Name, res.Reason, res.Section, res.Rule, res.Sends, res.Received)
				}
			}
		})
	}
}
