// Package prove has the tests that both adapters have to pass.
package prove

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
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

// TLS returns a configuration for a server on the loopback, and one for its clients.
func TLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
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
					config, o.TLS = TLS(t)
				}
				ln := Listen(t, config)
				start(t, ln, &websocket.AcceptOptions{
					CompressionMode: mode.Compression, CompressionThreshold: 1, ReadLimit: ours.ReadLimit, CloseTimeout: time.Minute,
				}, func(c *websocket.Conn) { mode.Echo(c.Context(), c) })
				r, err := suite.RunServer(t.Context(), scheme+"://"+ln.Addr().String()+"/", o)
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
}
