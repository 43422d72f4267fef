// Package prove has the tests that both adapters have to pass.
package prove

import (
	"crypto/tls"
	"flag"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

var every = flag.Bool("every", false, "play the conformance suite in all modes, and its cases of megabytes")

// A Start starts a server whose handler accepts every WebSocket with opts and runs serve. It ends with the test.
type Start func(t *testing.T, ln net.Listener, opts *websocket.AcceptOptions, serve func(c *websocket.Conn))

// Listen returns a listener on the loopback, with TLS if config is not nil.
func Listen(t *testing.T, config *tls.Config) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	return ln
}

// Conformance plays the suite against a server, in each mode of compression and over TLS. Every verdict has to be strict.
func Conformance(t *testing.T, start Start) {
	for _, mode := range ours.Modes {
		for _, secure := range []bool{false, true} {
			name, scheme := mode.Name, "ws"
			if secure {
				name, scheme = name+"/tls", "wss"
				if mode.Streams {
					continue
				}
			}
			if !*every && (secure || mode.Name != "plain" && (mode.Name != "takeover" || underRace)) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: !*every}
				var config *tls.Config
				if secure {
					config, o.TLS = selfsigned.Pair("127.0.0.1")
				}
				ln := Listen(t, config)
				start(t, ln, &websocket.AcceptOptions{
					CompressionMode: mode.Compression, CompressionThreshold: 1, ReadLimit: ours.ReadLimit, CloseTimeout: time.Minute,
				}, func(c *websocket.Conn) { mode.Echo(c.Context(), c) })
				r, err := suite.RunServer(t.Context(), scheme+"://"+ln.Addr().String()+"/", o)
				if err != nil {
					t.Fatal(err)
				}
				t.Log(r.InShort())
				for _, fault := range r.Faults() {
					t.Error(fault)
				}
			})
		}
	}
}
