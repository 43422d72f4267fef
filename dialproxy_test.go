package websocket_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// connectProxy is an HTTP proxy that knows one user and only CONNECT. It tells what it was asked, with the field
// X-Tenant.
func connectProxy(t *testing.T, network internet, asked chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host + " " + r.Header.Get("X-Tenant")
		if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("user:secret")) {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		target, err := network.DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		relay(conn, target)
	})
}

// relay moves bytes both ways until either side is done.
func relay(a, b net.Conn) {
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			io.Copy(way[0], way[1])
			done <- struct{}{}
		}()
	}
	<-done
	a.Close()
	b.Close()
	<-done
}

// proxyURL is the URL of a proxy that wants a password.
func proxyURL(scheme, host, password string) *url.URL {
	return &url.URL{Scheme: scheme, Host: host, User: url.UserPassword("user", password)}
}

// proxied is a network with an echo server and a proxy, with and without TLS, and options to dial through it.
func proxied(t *testing.T, scheme string, asked chan<- string) (internet, *websocket.DialOptions) {
	network := internet{}
	network.serve(t, "example.com:80", echoHandler)
	trust := network.serveTLS(t, "example.com:443", echoHandler)
	proxy := connectProxy(t, network, asked)
	host := "proxy.example:3128"
	if scheme == "https" {
		host = "example.com:8443" // the name of the certificate
		network.serveTLS(t, host, proxy)
	} else {
		network.serve(t, host, proxy)
	}
	opts := network.options(t)
	transport := opts.HTTPClient.Transport.(*http.Transport)
	transport.TLSClientConfig = trust
	transport.Proxy = http.ProxyURL(proxyURL(scheme, host, "secret"))
	return network, opts
}

// TestDialThroughProxy: a proxy is asked to CONNECT, for ws as for wss, with what the Transport has to say to it.
func TestDialThroughProxy(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		for _, proxy := range []string{"http", "https"} {
			t.Run(scheme+" through "+proxy, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					asked := make(chan string, 3)
					_, opts := proxied(t, proxy, asked)
					transport := opts.HTTPClient.Transport.(*http.Transport)
					addr := map[string]string{"ws": "example.com:80", "wss": "example.com:443"}[scheme]
					want := func(what string) {
						t.Helper()
						if got := <-asked; got != what {
							t.Errorf("the proxy was asked to %q, want %q", got, what)
						}
					}
					dialEcho(t, scheme+"://example.com/", opts)
					want("CONNECT " + addr + " ")

					transport.ProxyConnectHeader = http.Header{"X-Tenant": {"blue"}}
					dialEcho(t, scheme+"://example.com/", opts)
					want("CONNECT " + addr + " blue")
					if len(transport.ProxyConnectHeader) != 1 {
						t.Errorf("the caller's header was changed to %v", transport.ProxyConnectHeader)
					}

					transport.GetProxyConnectHeader = func(_ context.Context, proxy *url.URL, target string) (http.Header, error) {
						return http.Header{"X-Tenant": {proxy.Scheme + " to " + target}}, nil
					}
					seen := ""
					transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
						seen = resp.Status
						return nil
					}
					dialEcho(t, scheme+"://example.com/", opts)
					want("CONNECT " + addr + " " + proxy + " to " + addr)
					if seen != "200 OK" {
						t.Errorf("OnProxyConnectResponse saw %q", seen)
					}
					transport.CloseIdleConnections()
				})
			})
		}
	}
}

// TestDialProxyFails: what goes wrong at the proxy is an error that says so, without its password, and leaves nothing
// behind.
func TestDialProxyFails(t *testing.T) {
	stop := errors.New("stop here")
	for _, scheme := range []string{"ws", "wss"} {
		for _, tt := range []struct {
			name  string
			spoil func(*http.Transport)
			url   string
			says  string
		}{
			{"the wrong password", func(tr *http.Transport) {
				tr.Proxy = http.ProxyURL(proxyURL("http", "proxy.example:3128", "s3cret"))
			}, "example.com", "Proxy Authentication Required"},
			{"no such server", func(*http.Transport) {}, "nobody.example", "Bad Gateway"},
			{"no such proxy", func(tr *http.Transport) { tr.Proxy = http.ProxyURL(proxyURL("http", "none.example", "s3cret")) }, "example.com", "no such host: none.example:80"},
			{"no such proxy with TLS", func(tr *http.Transport) { tr.Proxy = http.ProxyURL(proxyURL("https", "none.example", "s3cret")) }, "example.com", "no such host: none.example:443"},
			{"a proxy without TLS", func(tr *http.Transport) {
				tr.Proxy = http.ProxyURL(proxyURL("https", "proxy.example:3128", "s3cret"))
			}, "example.com", "tls: "},
			{"no proxy for this", func(tr *http.Transport) { tr.Proxy = func(*http.Request) (*url.URL, error) { return nil, stop } }, "example.com", stop.Error()},
			{"no header", func(tr *http.Transport) {
				tr.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) { return nil, stop }
			}, "example.com", stop.Error()},
			{"an answer that is not liked", func(tr *http.Transport) {
				tr.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error { return stop }
			}, "example.com", stop.Error()},
		} {
			t.Run(scheme+"/"+tt.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					_, opts := proxied(t, "http", make(chan string, 1))
					tt.spoil(opts.HTTPClient.Transport.(*http.Transport))
					c, resp, err := websocket.Dial(context.Background(), scheme+"://"+tt.url+"/", opts)
					if c != nil || resp != nil || err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
						t.Errorf("%v, %v, %v; want an error with %q", c, resp, err, tt.says)
					}
				})
			})
		}
	}
}

// TestDialProxyPlayed: a proxy that answers what it likes, or nothing.
func TestDialProxyPlayed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		says   string
	}{
		{"nothing", "", "context deadline exceeded"},
		{"half an answer", "HTTP/1.1 200 OK\r\nX", "context deadline exceeded"},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n", "malformed HTTP"},
		{"another status", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content"},
		{"more than an answer", "HTTP/1.1 200 OK\r\n\r\n" + switching + "\r\n", "more than its answer"},
		{"an answer without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20), "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := internet{}
				ln := network.listen(t, "proxy.example:80")
				opts := network.options(t)
				opts.HTTPClient.Transport.(*http.Transport).Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example"})
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				began := time.Now()
				done := dialing(ctx, "ws://example.com/a", opts)
				p := acceptRaw(t, ln)
				if r := p.ReadRequest(); r.Method != "CONNECT" || r.RequestURI != "example.com:80" || r.Host != "example.com:80" {
					t.Errorf("the proxy was asked for %s %s at %s", r.Method, r.RequestURI, r.Host)
				}
				go p.Conn.Write([]byte(tt.answer)) // until the other end is closed
				d := <-done
				if d.c != nil || d.resp != nil || d.err == nil || !strings.Contains(d.err.Error(), tt.says) {
					t.Errorf("%v, %v, %v; want an error with %q", d.c, d.resp, d.err, tt.says)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				p.WantGone("the connection is not kept")
			})
		})
	}
}

// TestDialProxyRefusedBehind: what the server answers through the tunnel is not the proxy's, and leaves nothing behind.
func TestDialProxyRefusedBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := make(chan string, 1)
		network, opts := proxied(t, "http", asked)
		network.serve(t, "example.com:80", http.NotFoundHandler())
		var failed *websocket.HandshakeError
		if _, resp, err := websocket.Dial(context.Background(), "ws://example.com/", opts); !errors.As(err, &failed) || resp.StatusCode != 404 {
			t.Errorf("%v, %v", resp, err)
		}
		// The bubble ends only when the connections have: nothing is closed here.
	})
}

// TestDialProxyRedirected: each URL of a redirect goes its own way.
func TestDialProxyRedirected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := make(chan string, 4)
		network, opts := proxied(t, "http", asked)
		network.serve(t, "first.example:80", http.RedirectHandler("ws://direct.example/", http.StatusFound))
		network.serve(t, "direct.example:80", http.RedirectHandler("wss://example.com/", http.StatusFound))
		transport := opts.HTTPClient.Transport.(*http.Transport)
		proxy := transport.Proxy
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.URL.Host == "direct.example" {
				return nil, nil
			}
			return proxy(r)
		}
		dialEcho(t, "ws://first.example/", opts)
		close(asked)
		var all []string
		for what := range asked {
			all = append(all, what)
		}
		if want := []string{"CONNECT first.example:80 ", "CONNECT example.com:443 "}; !slices.Equal(all, want) {
			t.Errorf("the proxy was asked to %q, want %q", all, want)
		}
	})
}

// TestDialProxyDialers: the Transport's own ways to dial lead to the proxy, and the connection is the one they gave.
func TestDialProxyDialers(t *testing.T) {
	for _, name := range []string{"DialContext", "Dial", "DialTLSContext", "DialTLS"} {
		bubble(t, func(t *testing.T) {
			asked := make(chan string, 1)
			network, opts := proxied(t, "http", asked)
			transport := opts.HTTPClient.Transport.(*http.Transport)
			transport.DialContext = nil
			var dialed []string
			dial := func(network_, addr string) (net.Conn, error) {
				dialed = append(dialed, network_+" "+addr)
				return network.DialContext(context.Background(), network_, addr)
			}
			dialContext := func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }
			scheme := "http"
			switch name {
			case "DialContext":
				transport.DialContext = dialContext
			case "Dial":
				//lint:ignore SA1019 programs use it still
				transport.Dial = dial
			case "DialTLSContext":
				scheme, transport.DialTLSContext = "https", dialContext
			case "DialTLS":
				//lint:ignore SA1019 the same
				scheme, transport.DialTLS = "https", dial
			}
			transport.Proxy = http.ProxyURL(proxyURL(scheme, "proxy.example:3128", "secret"))
			c, _, err := websocket.Dial(context.Background(), "ws://example.com/", opts)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want := []string{"tcp proxy.example:3128"}; !slices.Equal(dialed, want) {
				t.Errorf("%s was asked for %q, want %q", name, dialed, want)
			}
			if c.RemoteAddr() != network["proxy.example:3128"].Addr() {
				t.Errorf("%s: the connection leads to %v", name, c.RemoteAddr())
			}
			wantEcho(t, c)
		})
	}
}

// TestDialProxyFromEnvironment: HTTP_PROXY and NO_PROXY are obeyed. net/http reads them once, so another process does.
func TestDialProxyFromEnvironment(t *testing.T) {
	const child = "WEBSOCKET_TEST_PROXY_CHILD"
	if os.Getenv(child) != "" {
		asked := make(chan string, 2)
		network, opts := proxied(t, "http", asked)
		network.serve(t, "direct.example:80", echoHandler)
		opts.HTTPClient.Transport.(*http.Transport).Proxy = http.ProxyFromEnvironment
		dialEcho(t, "ws://direct.example/", opts)
		dialEcho(t, "ws://example.com/", opts)
		if got := <-asked; got != "CONNECT example.com:80 " || len(asked) > 0 {
			t.Errorf("the proxy was asked to %q, and %d times more", got, len(asked))
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDialProxyFromEnvironment$")
	// On Windows http_proxy and HTTP_PROXY are the same, and the last counts.
	cmd.Env = append(os.Environ(), child+"=1", "http_proxy=", "HTTP_PROXY=http://user:secret@proxy.example:3128", "no_proxy=", "NO_PROXY=direct.example", "REQUEST_METHOD=")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skipf("this program runs under an emulator: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// FuzzDialProxy answers CONNECT with whatever: Dial comes to an end and lets go of the connection.
func FuzzDialProxy(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ln := memconn.Listen()
		defer ln.Close()
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				conn.Write(text)
			}
			conn.(*memconn.Conn).CloseWrite()
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q: the connection is kept", text)
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, resp, err := websocket.Dial(ctx, "ws://example.com/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: ln.DialContext, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example"}),
		}}})
		if c != nil || resp != nil || err == nil || ctx.Err() != nil {
			t.Errorf("%q: %v, %v, %v", text, c, resp, err)
		}
		ln.Close()
		<-served
	})
}

// serveSOCKS5 answers one client as RFC 1928 and, for its password, RFC 1929 say.
func serveSOCKS5(network internet, conn net.Conn) (asked string, err error) {
	defer conn.Close()
	take := func(n byte) []byte {
		b := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(conn, b)
		}
		return b
	}
	give := func(b ...byte) {
		if err == nil {
			_, err = conn.Write(b)
		}
	}
	take(1) // version
	if methods := take(take(1)[0]); !slices.Contains(methods, 2) {
		give(5, 0xff)
		return "", fmt.Errorf("the client offers only %v", methods)
	}
	give(5, 2)
	take(1) // version
	user := string(take(take(1)[0]))
	password := string(take(take(1)[0]))
	if user != "user" || password != "secret" {
		give(1, 1)
		return "", fmt.Errorf("%s with %s", user, password)
	}
	give(1, 0)
	command := take(4)
	host := string(take(take(1)[0]))
	port := binary.BigEndian.Uint16(take(2))
	if err != nil || !bytes.Equal(command, []byte{5, 1, 0, 3}) {
		return "", cmp.Or(err, fmt.Errorf("the client asks %v", command))
	}
	asked = fmt.Sprintf("%s:%d", host, port)
	target, err := network.DialContext(context.Background(), "tcp", asked)
	if err != nil {
		return asked, err
	}
	give(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	relay(conn, target)
	return asked, nil
}

func TestDialThroughSOCKS5(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			network.serve(t, "example.com:80", echoHandler)
			trust := network.serveTLS(t, "example.com:443", echoHandler)
			ln := network.listen(t, "socks.example:1080")
			asked := make(chan string, 1)
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				what, err := serveSOCKS5(network, conn)
				if err != nil {
					t.Error(err)
				}
				asked <- what
			}()
			opts := network.options(t)
			transport := opts.HTTPClient.Transport.(*http.Transport)
			transport.TLSClientConfig = trust
			transport.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: "socks.example:1080", User: url.UserPassword("user", "secret")})
			dialEcho(t, scheme+"://example.com/", opts)
			if got, want := <-asked, map[string]string{"ws": "example.com:80", "wss": "example.com:443"}[scheme]; got != want {
				t.Errorf("the proxy was asked for %s, want %s", got, want)
			}
		})
	}
}
