package peers

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

const (
	tinyproxy = "/usr/bin/tinyproxy"
	squid     = "/usr/sbin/squid"
)

// A forwardKind is a kind of proxy for clients, as companies have them. It wants a password.
type forwardKind struct {
	name    string
	command func(config, name string) *exec.Cmd
	config  string // the words in capital letters are replaced
	up      string // what it logs when it has started
	secure  bool   // TLSADDR is for clients that speak TLS to it
	plain   int    // the answer to a GET with Upgrade that it is asked to forward
}

var forwardKinds = []forwardKind{
	{
		name: "tinyproxy",
		command: func(config, _ string) *exec.Cmd {
			return exec.Command("/bin/sh", "-c", `exec "$0" -d -c "$1" >&2`, tinyproxy, config)
		},
		up: "Accepting connections",
		config: `
Listen HOST
Port PORT
Timeout 600
LogLevel Info
BasicAuth user secret
`,
		plain: http.StatusUpgradeRequired,
	},
	{
		name: "squid",
		command: func(config, name string) *exec.Cmd {
			return exec.Command(squid, "-N", "-n", name, "-d", "1", "-f", config)
		},
		up:     "Accepting HTTPS Socket connections",
		secure: true,
		config: `
http_port ADDR
https_port TLSADDR tls-cert=DIR/cert.pem tls-key=DIR/key.pem
pid_filename none
access_log none
cache_log /dev/null
cache deny all
pinger_enable off
auth_param basic program /usr/lib/squid/basic_ncsa_auth DIR/passwd
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
shutdown_lifetime 0 seconds
`,
		plain: http.StatusUpgradeRequired,
	},
}

// apr1 is the password "secret" as htpasswd writes it.
const apr1 = "user:$apr1$closeonc$0Xzd1q4Z1nil0BrCfqxyn.\n"

// startForward starts a proxy. It returns its address, and the one for TLS.
func startForward(t *testing.T, kind forwardKind, certificate tls.Certificate) (addr, tlsAddr string) {
	t.Helper()
	// squid's helpers run as another user, to whom t.TempDir is closed.
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	addr, tlsAddr = freeAddr(t), freeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("TLSADDR", tlsAddr, "ADDR", addr, "HOST", host, "PORT", port, "DIR", dir).Replace(kind.config)
	for name, content := range map[string][]byte{
		"config":   []byte(config),
		"passwd":   []byte(apr1),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	begin(t, kind.command(filepath.Join(dir, "config"), "forward"+port)).wantLog(kind.up)
	wantListening(t, addr)
	if kind.secure {
		wantListening(t, tlsAddr)
	}
	return addr, tlsAddr
}

// wantListening waits until somebody listens at addr: squid says so a moment before it does.
func wantListening(t *testing.T, addr string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Since(start) > patience {
			t.Fatal(err)
		}
	}
}

// echoServers starts a server with TLS and one without.
func echoServers(t *testing.T) (plain, secure *httptest.Server) {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for m, err := range c.Messages(r.Context()) {
			if err != nil || c.Write(r.Context(), m.Type, m.Data) != nil {
				return
			}
		}
	})
	plain, secure = httptest.NewServer(h), httptest.NewTLSServer(h)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return plain, secure
}

// forwardOptions are options to dial through a proxy.
func forwardOptions(scheme, addr, password string, secure *httptest.Server) *websocket.DialOptions {
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: scheme, Host: addr, User: url.UserPassword("user", password)}),
		TLSClientConfig: &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
	}}}
}

// TestForwardProxy: ws and wss go through each kind, which is spoken to in clear and, if it can, by TLS, with its
// password.
func TestForwardProxy(t *testing.T) {
	for _, kind := range forwardKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			plain, secure := echoServers(t)
			addr, tlsAddr := startForward(t, kind, secure.TLS.Certificates[0])
			proxies := map[string]string{"http": addr}
			if kind.secure {
				proxies["https"] = tlsAddr
			}
			for scheme, addr := range proxies {
				for _, target := range []string{plain.URL, secure.URL} {
					c, _, err := websocket.Dial(within(t), target, forwardOptions(scheme, addr, "secret", secure))
					if err != nil {
						t.Fatalf("%s through %s: %v", target, scheme, err)
					}
					defer c.CloseNow()
					if scheme == "http" && target == plain.URL && c.RemoteAddr().String() != addr {
						t.Errorf("the connection leads to %v, not to the proxy", c.RemoteAddr())
					}
					for _, text := range []string{"hello", prose(1 << 20)} {
						c.SetReadLimit(-1)
						echo(t, c, websocket.MessageText, []byte(text))
					}
					if err := c.Close(websocket.StatusNormalClosure, "through"); err != nil {
						t.Errorf("%s through %s: Close: %v", target, scheme, err)
					}
				}
			}
		})
	}
}

// TestForwardProxyRefuses: the wrong password is an error that says what the proxy answered, and not the password.
func TestForwardProxyRefuses(t *testing.T) {
	for _, kind := range forwardKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			plain, secure := echoServers(t)
			addr, _ := startForward(t, kind, secure.TLS.Certificates[0])
			for _, target := range []string{plain.URL, secure.URL} {
				c, resp, err := websocket.Dial(within(t), target, forwardOptions("http", addr, "s3cret", secure))
				if c != nil || resp != nil || err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") && !strings.Contains(err.Error(), "401") && !strings.Contains(err.Error(), "Unauthorized") || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: %v, %v, %v", target, c, resp, err)
				}
			}
		})
	}
}

// otherTransport is a RoundTripper that Dial can't look into.
type otherTransport struct{ http.RoundTripper }

// TestForwardProxyDropsUpgrade is why Dial uses CONNECT: of a request to forward these proxies drop the Upgrade.
func TestForwardProxyDropsUpgrade(t *testing.T) {
	for _, kind := range forwardKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			plain, secure := echoServers(t)
			addr, _ := startForward(t, kind, secure.TLS.Certificates[0])
			opts := forwardOptions("http", addr, "secret", secure)
			opts.HTTPClient.Transport = otherTransport{opts.HTTPClient.Transport}
			var failed *websocket.HandshakeError
			_, resp, err := websocket.Dial(within(t), plain.URL, opts)
			if !errors.As(err, &failed) || resp.StatusCode != kind.plain {
				t.Errorf("%v, %v; want %d", resp, err, kind.plain)
			}
		})
	}
}
