package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// An internet is a network in memory: its hosts by address. In a bubble it shows what leaks.
type internet map[string]*memconn.Listener

func (i internet) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	ln := i[addr]
	if ln == nil {
		return nil, fmt.Errorf("no such host: %s", addr)
	}
	return ln.DialContext(ctx, network, addr)
}

// serve runs an http.Server at addr.
func (i internet) serve(t *testing.T, addr string, h http.Handler) {
	i[addr] = serveInMemory(t, h)
}

// serveTLS runs an http.Server with TLS at addr, and returns what a client needs to trust it.
func (i internet) serveTLS(t *testing.T, addr string, h http.Handler, protocols ...string) *tls.Config {
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)} // of clients that do not trust it
	config := testTLS()
	server.TLSConfig = config.Clone()
	server.TLSConfig.NextProtos = protocols
	ln := memconn.Listen()
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.ServeTLS(ln, "", "")
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	i[addr] = ln
	return &tls.Config{RootCAs: config.RootCAs}
}

// listen returns a listener at addr for a server that the test plays itself.
func (i internet) listen(t *testing.T, addr string) *memconn.Listener {
	ln := memconn.Listen()
	t.Cleanup(func() { ln.Close() })
	i[addr] = ln
	return ln
}

// transport returns a transport in this network.
func (i internet) transport(t *testing.T) *http.Transport {
	transport := &http.Transport{DialContext: i.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// options returns options to dial in this network.
func (i internet) options(t *testing.T) *websocket.DialOptions {
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: i.transport(t)}}
}

// testTLS is the configuration of a server for example.com, with the roots that its clients need.
func testTLS() *tls.Config {
	srv := httptest.NewUnstartedServer(nil)
	srv.Listener.Close()
	srv.Listener = memconn.Listen()
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates, RootCAs: roots}
}

// echoHandler echoes messages until the peer closes.
var echoHandler = websocket.Handler(&websocket.AcceptOptions{Subprotocols: []string{"echo"}}, func(ctx context.Context, c *websocket.Conn) {
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
})

// wantEcho asserts that a connection to an echoHandler works, and closes it.
func wantEcho(t *testing.T, c *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, text := range []string{"hello", "", strings.Repeat("large ", 20000)} {
		written := make(chan error, 1)
		go func() { written <- c.Write(ctx, websocket.MessageText, []byte(text)) }()
		typ, p, err := c.Read(ctx)
		if err != nil || typ != websocket.MessageText || string(p) != text {
			t.Fatalf("the echo of %d bytes is %v, %d bytes, %v", len(text), typ, len(p), err)
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// dialEcho dials an echoHandler and asserts that it works.
func dialEcho(t *testing.T, url string, opts *websocket.DialOptions) {
	t.Helper()
	c, resp, err := websocket.Dial(context.Background(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if resp.StatusCode != 101 {
		t.Errorf("the response is %s", resp.Status)
	}
	if b, err := io.ReadAll(resp.Body); len(b) != 0 || err != nil {
		t.Errorf("the response has a body: %q, %v", b, err)
	}
	wantEcho(t, c)
}

func TestDialPlain(t *testing.T) {
	for _, u := range []string{"ws://example.com", "ws://example.com:80/a?b=c", "http://example.com/"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			network.serve(t, "example.com:80", echoHandler)
			dialEcho(t, u, network.options(t))
		})
	}
}

func TestDialDefaults(t *testing.T) {
	srv := httptest.NewServer(echoHandler)
	defer srv.Close()
	for _, opts := range []*websocket.DialOptions{nil, {}} {
		dialEcho(t, "ws"+strings.TrimPrefix(srv.URL, "http"), opts)
	}
	c, _, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if c.RemoteAddr().String() != srv.Listener.Addr().String() || c.LocalAddr().Network() != "tcp" {
		t.Errorf("addresses %v and %v: the connection is not what the transport has", c.LocalAddr(), c.RemoteAddr())
	}
}

func TestDialTLS(t *testing.T) {
	for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
		for _, u := range []string{"wss://example.com/", "https://example.com/"} {
			bubble(t, func(t *testing.T) {
				network := internet{}
				trust := network.serveTLS(t, "example.com:443", echoHandler, protocols...)
				opts := network.options(t)
				transport := opts.HTTPClient.Transport.(*http.Transport)
				transport.TLSClientConfig = trust
				transport.ForceAttemptHTTP2 = true // for a WebSocket it asks for HTTP/1.1 all the same
				dialEcho(t, u, opts)

				transport.TLSClientConfig = nil
				_, resp, err := websocket.Dial(context.Background(), u, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: network.DialContext, TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}})
				var unknown x509.UnknownAuthorityError
				if !errors.As(err, &unknown) || resp != nil {
					t.Errorf("a server nobody knows: %v, %v", resp, err)
				}
			})
		}
	}
}

func TestDialUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "ws") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	srv := &http.Server{Handler: echoHandler}
	go srv.Serve(ln)
	defer srv.Close()
	dialEcho(t, "ws://unix/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}})
}

func TestDialRedirected(t *testing.T) {
	for _, to := range []string{"wss://example.com/there", "https://example.com/there", "ws://other.example/there", "/there"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			bubble(t, func(t *testing.T) {
				network := internet{}
				there := http.NewServeMux()
				there.Handle("/there", echoHandler)
				there.Handle("/", http.RedirectHandler(to, status))
				trust := network.serveTLS(t, "example.com:443", there)
				network.serve(t, "example.com:80", there)
				network.serve(t, "other.example:80", there)
				opts := network.options(t)
				opts.HTTPClient.Transport.(*http.Transport).TLSClientConfig = trust
				seen := ""
				opts.HTTPClient.CheckRedirect = func(req *http.Request, via []*http.Request) error {
					seen = req.URL.String()
					return nil
				}
				dialEcho(t, "ws://example.com/", opts)
				if !strings.HasSuffix(seen, "/there") {
					t.Errorf("the client's CheckRedirect saw %q", seen)
				}
			})
		}
	}
}

// TestDialDowngraded: what was to be sent over TLS is not sent without, unless the client says so.
func TestDialDowngraded(t *testing.T) {
	for _, to := range []string{"ws://example.com/there", "http://example.com/there", "ws://other.example/there"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			asked := make(chan *http.Request, 1)
			there := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r
				echoHandler.ServeHTTP(w, r)
			})
			network.serve(t, "example.com:80", there)
			network.serve(t, "other.example:80", there)
			trust := network.serveTLS(t, "example.com:443", http.RedirectHandler(to, http.StatusFound))
			opts := network.options(t)
			opts.HTTPClient.Transport.(*http.Transport).TLSClientConfig = trust
			opts.HTTPHeader = http.Header{"Cookie": {"a=b"}}
			c, resp, err := websocket.Dial(context.Background(), "wss://user:secret@example.com/", opts)
			if c != nil || resp != nil || err == nil || !strings.Contains(err.Error(), "CheckRedirect") {
				t.Errorf("%s: %v, %v, %v", to, c, resp, err)
			}
			if len(asked) > 0 {
				t.Errorf("%s: the server was asked with %v", to, (<-asked).Header)
			}
			opts.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
			dialEcho(t, "wss://user:secret@example.com/", opts)
			<-asked
		})
	}
}

func TestDialRedirectedForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		requests := 0
		network.serve(t, "example.com:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("Location", "ws://example.com/")
			w.WriteHeader(302)
		}))
		opts := network.options(t)
		if c, _, err := websocket.Dial(context.Background(), "ws://example.com/", opts); c != nil || err == nil || requests != 10 {
			t.Errorf("after %d requests: %v", requests, err)
		}

		// A client that does not follow redirects gets the response.
		opts.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		var failed *websocket.HandshakeError
		_, resp, err := websocket.Dial(context.Background(), "ws://example.com/", opts)
		if !errors.As(err, &failed) || resp.StatusCode != 302 || failed.Response != resp {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

func TestDialCookies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		sent := make(chan string, 1)
		network.serve(t, "example.com:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent <- r.Header.Get("Cookie")
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "42"})
			echoHandler.ServeHTTP(w, r)
		}))
		opts := network.options(t)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		opts.HTTPClient.Jar = jar
		for _, want := range []string{"", "session=42"} {
			dialEcho(t, "ws://example.com/", opts)
			if got := <-sent; got != want {
				t.Errorf("the cookies are %q, want %q", got, want)
			}
		}
	})
}

// acceptRaw plays a server: it takes the next connection.
func acceptRaw(t *testing.T, ln *memconn.Listener) *wiretest.Peer {
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return wiretest.NewPeer(t, conn, wiretest.Server)
}

// A dialed is what Dial returned.
type dialed struct {
	c    *websocket.Conn
	resp *http.Response
	err  error
}

// dialing dials in the background.
func dialing(ctx context.Context, url string, opts *websocket.DialOptions) <-chan dialed {
	done := make(chan dialed, 1)
	go func() {
		c, resp, err := websocket.Dial(ctx, url, opts)
		done <- dialed{c, resp, err}
	}()
	return done
}

func TestDialRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:8080")
		opts := network.options(t)
		opts.HTTPHeader = http.Header{
			"X-Room":                   {"blue"},
			"Origin":                   {"http://here.example"},
			"Connection":               {"close"},
			"Sec-Websocket-Key":        {"mine"},
			"Sec-Websocket-Version":    {"8"},
			"Sec-Websocket-Extensions": {"permessage-deflate"},
		}
		given := opts.HTTPHeader.Clone()
		opts.Subprotocols = []string{"chat", "superchat"}
		keys := map[string]bool{}
		for i := range 3 {
			if i == 2 {
				opts.Host = "there.example"
			}
			done := dialing(context.Background(), "ws://user:secret@example.com:8080/a%20b?c=d#e", opts)
			p := acceptRaw(t, ln)
			r := p.ServeHandshake(http.Header{"Sec-Websocket-Protocol": {"superchat"}})
			if r.RequestURI != "/a%20b?c=d" {
				t.Errorf("the target is %s", r.RequestURI)
			}
			if want := map[bool]string{false: "example.com:8080", true: "there.example"}[i == 2]; r.Host != want {
				t.Errorf("Host is %s, want %s", r.Host, want)
			}
			for name, want := range map[string][]string{
				"X-Room":                   {"blue"},
				"Origin":                   {"http://here.example"},
				"Connection":               {"Upgrade"},
				"Upgrade":                  {"websocket"},
				"Sec-Websocket-Version":    {"13"},
				"Sec-Websocket-Extensions": nil,
				"Sec-Websocket-Protocol":   {"chat, superchat"},
				"Authorization":            {"Basic " + base64.StdEncoding.EncodeToString([]byte("user:secret"))},
			} {
				if got := r.Header[name]; !slices.Equal(got, want) {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			keys[r.Header.Get("Sec-WebSocket-Key")] = true
			d := <-done
			if d.err != nil {
				t.Fatal(d.err)
			}
			if d.c.Subprotocol() != "superchat" {
				t.Errorf("Subprotocol is %q", d.c.Subprotocol())
			}
			d.c.CloseNow()
		}
		if len(keys) != 3 || keys["mine"] {
			t.Errorf("keys %v: each handshake has one of its own", keys)
		}
		if fmt.Sprint(opts.HTTPHeader) != fmt.Sprint(given) {
			t.Errorf("the caller's header was changed to %v", opts.HTTPHeader)
		}
	})
}

// TestDialRequestOnTheWire: names leave in the RFC's spelling, since some servers know no other, each once, whatever
// the options have.
func TestDialRequestOnTheWire(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:80")
		opts := network.options(t)
		opts.Subprotocols = []string{"", "chat", "", "base64.YWJj/+0="}
		opts.CompressionMode = websocket.CompressionContextTakeover
		opts.HTTPHeader = http.Header{
			"sec-websocket-key": {"mine"}, "SEC-WEBSOCKET-VERSION": {"8"}, "Sec-WebSocket-Extensions": {"x"},
			"sec-websocket-protocol": {"superchat, chat"}, "host": {"there.example"}, "upgrade": {"h2c"}, "connection": {"close"},
			"content-length": {"5"}, "transfer-encoding": {"chunked"}, "Trailer": {"X"}, "x-Room": {"blue"}, "User-Agent": {"ours"},
		}
		done := dialing(context.Background(), "ws://example.com/", opts)
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		head := readHead(t, conn)
		lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "Sec-WebSocket-Key: ") && len(line) == len("Sec-WebSocket-Key: ")+24 {
				lines[i] = "Sec-WebSocket-Key: KEY"
			}
		}
		want := []string{
			"GET / HTTP/1.1", "Host: there.example", "User-Agent: ours", "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: KEY", "Sec-WebSocket-Protocol: chat, base64.YWJj/+0=, superchat",
			"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "x-Room: blue",
			"Accept-Encoding: gzip", // net/http's own
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("the request is\n%q, want\n%q", lines, want)
		}
		conn.Close()
		if d := <-done; d.err == nil {
			t.Error("there is a Conn")
		}
	})
}

// TestDialHost: the option wins over the header field.
func TestDialHost(t *testing.T) {
	for _, tt := range []struct{ option, field, want string }{{"", "", "example.com"}, {"", "a.example", "a.example"}, {"b.example", "a.example", "b.example"}} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			ln := network.listen(t, "example.com:80")
			opts := network.options(t)
			opts.Host = tt.option
			opts.HTTPHeader = http.Header{"Host": {tt.field}}
			done := dialing(context.Background(), "ws://example.com/", opts)
			if r := acceptRaw(t, ln).ServeHandshake(nil); r.Host != tt.want {
				t.Errorf("%+v: Host is %s", tt, r.Host)
			}
			(<-done).c.CloseNow()
		})
	}
}

// TestDialSubprotocol: what is offered by either option can be chosen.
func TestDialSubprotocol(t *testing.T) {
	for _, tt := range []struct {
		options, header []string
		chosen          string
		want            string
	}{
		{[]string{"chat"}, nil, "chat", "chat"},
		{[]string{"chat"}, nil, "CHAT", "CHAT"},
		{nil, []string{"chat, superchat"}, "superchat", "superchat"},
		{[]string{"a"}, []string{"b", "c"}, "c", "c"},
		{[]string{"base64.YWJj/+0="}, nil, "base64.YWJj/+0=", "base64.YWJj/+0="},
		{[]string{"chat"}, nil, "", ""}, // an empty field is none
		{[]string{""}, nil, "", ""},
		{nil, nil, "", ""},
	} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			ln := network.listen(t, "example.com:80")
			opts := network.options(t)
			opts.Subprotocols = tt.options
			opts.HTTPHeader = http.Header{"Sec-Websocket-Protocol": tt.header}
			done := dialing(context.Background(), "ws://example.com/", opts)
			acceptRaw(t, ln).ServeHandshake(http.Header{"Sec-Websocket-Protocol": {tt.chosen}})
			d := <-done
			if d.err != nil {
				t.Fatal(d.err)
			}
			if got := d.c.Subprotocol(); got != tt.want {
				t.Errorf("%+v: Subprotocol is %q", tt, got)
			}
			d.c.CloseNow()
		})
	}
}

// TestDialOmitsClientWindowBits: a server that refuses, or fails at, client_max_window_bits can be reached.
func TestDialOmitsClientWindowBits(t *testing.T) {
	for _, bits := range []int{0, 9} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			refused := 0
			network.serve(t, "example.com:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.Header.Get("Sec-Websocket-Extensions"), "client_max_window_bits") {
					refused++
					http.Error(w, "window bits?", 400)
					return
				}
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
				if err != nil {
					t.Error(err)
					return
				}
				go func() {
					for m, err := range c.Messages(context.Background()) {
						if err != nil || c.Write(context.Background(), m.Type, m.Data) != nil {
							return
						}
					}
				}()
			}))
			opts := network.options(t)
			opts.CompressionMode = websocket.CompressionContextTakeover
			opts.CompressionTuning.ClientWindowBits = bits
			if _, _, err := websocket.Dial(context.Background(), "ws://example.com/", opts); err == nil || refused != 1 {
				t.Errorf("the server does not refuse: %v", err)
			}
			opts.CompressionTuning.OmitClientWindowBits = true
			c, resp, err := websocket.Dial(context.Background(), "ws://example.com/", opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "permessage-deflate" {
				t.Errorf("the server agrees on %q", got)
			}
			wantEcho(t, c)
		})
	}
}

func TestDialOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:80")
		opts := network.options(t)
		opts.CompressionMode = websocket.CompressionContextTakeover
		opts.ReadLimit = 10
		opts.KeepAlive = time.Minute
		opts.QueueLimit = -1
		var heard []string
		opts.OnPingReceived = func(ctx context.Context, p []byte) bool {
			heard = append(heard, "ping "+string(p))
			return string(p) != "no"
		}
		opts.OnPongReceived = func(ctx context.Context, p []byte) { heard = append(heard, "pong "+string(p)) }
		type key struct{}
		done := dialing(context.WithValue(context.Background(), key{}, "value"), "ws://example.com/", opts)
		p := acceptRaw(t, ln)
		p.ServeHandshake(nil)
		d := <-done
		if d.err != nil {
			t.Fatal(d.err)
		}
		if d.c.Context().Value(key{}) != "value" {
			t.Error("the context has not the values of Dial's")
		}
		if err := d.c.TryWrite(websocket.MessageText, nil); err != websocket.ErrQueueFull {
			t.Errorf("TryWrite without a queue returned %v", err)
		}
		p.SendPing("no")
		p.SendPing("yes")
		p.WantPong("OnPingReceived decides", "yes")
		p.SendPong("unasked")
		p.WantIdle("the keepalive is an option", time.Minute*3/4-time.Second)
		asked := time.Now()
		if f := p.ReadFrame("after that it pings"); f.Opcode != wiretest.OpPing {
			t.Errorf("got %v", f)
		}
		if took := time.Since(asked); took > time.Minute/4+time.Second {
			t.Errorf("it pings after another %v", took)
		}
		read := make(chan error, 1)
		go func() {
			_, _, err := d.c.Read(context.Background())
			read <- err
		}()
		p.SendText("eleven byte")
		p.WantClose("the read limit is an option", 1009)
		p.Close()
		if err := <-read; !errors.Is(err, websocket.ErrMessageTooBig) {
			t.Errorf("Read returned %v", err)
		}
		if want := []string{"ping no", "ping yes", "pong unasked"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

// switching is a proper answer up to its end, with the key's accept to fill in.
const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

// answer fills in the accept for a request.
func answer(r *http.Request, text string) []byte {
	return []byte(strings.ReplaceAll(text, "ACCEPT", wiretest.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))))
}

// TestDialKeepsEarlyFrames: frames may come in the same packet as the answer.
func TestDialKeepsEarlyFrames(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		for _, size := range []int{0, 5, 3000, 4096, 20000} {
			t.Run(fmt.Sprintf("hidden=%t/%d", hidden, size), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					network := internet{}
					ln := network.listen(t, "example.com:80")
					opts := network.options(t)
					if hidden {
						opts.HTTPClient.Transport = hidingTransport{opts.HTTPClient.Transport}
					}
					done := dialing(context.Background(), "ws://example.com/", opts)
					p := acceptRaw(t, ln)
					text := strings.Repeat("x", size)
					p.SendRaw(append(answer(p.ReadRequest(), switching+"\r\n"), p.Encode(wiretest.Text(text), wiretest.Text("second"), wiretest.Ping("third"))...))
					d := <-done
					if d.err != nil {
						t.Fatal(d.err)
					}
					for _, want := range []string{text, "second"} {
						if _, got, err := d.c.Read(context.Background()); err != nil || string(got) != want {
							t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(want))
						}
					}
					p.WantPong("a ping may come so, too", "third")
					d.c.CloseNow()
				})
			})
		}
	}
}

// corked is a net.Conn that sends what was written only when it is closed.
type corked struct {
	net.Conn
	buf bytes.Buffer
}

func (c *corked) Close() error {
	c.SetWriteDeadline(time.Time{}) // crypto/tls has set one that has passed
	c.Conn.Write(c.buf.Bytes())
	return c.Conn.Close()
}

// TestDialGreetedByClose: over TLS even the end of the stream may come in the same packet as the answer.
func TestDialGreetedByClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:443")
		config := testTLS()
		opts := network.options(t)
		opts.HTTPClient.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: config.RootCAs}
		done := dialing(context.Background(), "wss://example.com/", opts)
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		cork := &uncorking{corked: &corked{Conn: conn}}
		server := tls.Server(cork, config)
		r, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			t.Fatal(err)
		}
		cork.cork = true
		server.Write(answer(r, switching+"\r\n"))
		server.Write(wiretest.Close(1013, "try again later").Append(nil))
		server.Close()
		d := <-done
		if d.err != nil {
			t.Fatal(d.err)
		}
		_, _, err = d.c.Read(context.Background())
		if got := (websocket.CloseError{}); !errors.As(err, &got) || got != (websocket.CloseError{Code: 1013, Reason: "try again later"}) {
			t.Errorf("Read returned %v", err)
		}
		d.c.CloseNow()
	})
}

// uncorking is corked once cork is set.
type uncorking struct {
	*corked
	cork bool
}

func (c *uncorking) Write(p []byte) (int, error) {
	if c.cork {
		return c.buf.Write(p)
	}
	return c.Conn.Write(p)
}

func TestDialRefused(t *testing.T) {
	long := strings.Repeat("0123456789", 200)
	for _, tt := range []struct {
		name   string
		answer string
		status int
		body   string
		says   string
	}{
		{"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n", 404, "not here\n", `expected handshake response status code 101 but got 404: "not here"`},
		{"a body in two lines", "HTTP/1.1 500 Oops\r\nContent-Length: 7\r\n\r\none\ntwo", 500, "one\ntwo", `"one"`},
		{"a body that is too long", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2000\r\n\r\n" + long, 403, long[:1024], "but got 403"},
		{"a body of 1024 bytes", "HTTP/1.1 403 Forbidden\r\nContent-Length: 1024\r\n\r\n" + long[:1024], 403, long[:1024], "but got 403"},
		{"a body that ends early", "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno", 403, "no", `"no"`},
		{"a body in chunks", "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 403, "no", `"no"`},
		{"a body to the end of the stream", "HTTP/1.0 403 Forbidden\r\n\r\nno", 403, "no", `"no"`},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", "but got 204"},
		{"200, though it has all the fields", strings.Replace(switching, "101 Switching Protocols", "200 OK", 1) + "Content-Length: 0\r\n\r\n", 200, "", "but got 200"},
		{"401", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", 401, "", "401"},
		{"no Upgrade", strings.Replace(switching, "Upgrade: websocket\r\n", "", 1) + "\r\n", 101, "", "Upgrade"},
		{"another Upgrade", strings.Replace(switching, "websocket", "h2c", 1) + "\r\n", 101, "", `"h2c"`},
		{"no Connection", strings.Replace(switching, "Connection: Upgrade\r\n", "", 1) + "\r\n", 101, "", "Connection"},
		{"another Connection", strings.Replace(switching, "Connection: Upgrade", "Connection: keep-alive", 1) + "\r\n", 101, "", `"keep-alive"`},
		{"no Accept", strings.Replace(switching, "Sec-WebSocket-Accept: ACCEPT\r\n", "", 1) + "\r\n", 101, "", "Sec-WebSocket-Accept"},
		{"the Accept of another key", strings.Replace(switching, "ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1) + "\r\n", 101, "", "does not belong"},
		{"two Accepts", switching + "Sec-WebSocket-Accept: ACCEPT\r\n\r\n", 101, "", "Sec-WebSocket-Accept"},
		{"an Accept in capitals", strings.Replace(switching, "ACCEPT", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", 1) + "\r\n", 101, "", "does not belong"},
		{"an extension", switching + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 101, "", "offered"},
		{"a subprotocol", switching + "Sec-WebSocket-Protocol: soap\r\n\r\n", 101, "", `"soap", which was not offered`},
		{"two subprotocols", switching + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat\r\n\r\n", 101, "", "2 subprotocols"},
		{"a list of subprotocols", switching + "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", 101, "", "not offered"},
		{"two subprotocols and an empty one", switching + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: superchat\r\n\r\n", 101, "", "2 subprotocols"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := internet{}
				ln := network.listen(t, "example.com:80")
				opts := network.options(t)
				opts.Subprotocols = []string{"chat", "superchat"}
				done := dialing(context.Background(), "ws://example.com/", opts)
				p := acceptRaw(t, ln)
				p.SendRaw(answer(p.ReadRequest(), tt.answer))
				if strings.Contains(tt.name, "end") {
					p.Conn.(*memconn.Conn).CloseWrite()
				}
				d := <-done
				var failed *websocket.HandshakeError
				if d.c != nil || !errors.As(d.err, &failed) {
					t.Fatalf("got %v, %v; want a HandshakeError", d.c, d.err)
				}
				if failed.Response != d.resp || d.resp.StatusCode != tt.status {
					t.Errorf("the response is %v, want %d", d.resp, tt.status)
				}
				if body, err := io.ReadAll(d.resp.Body); string(body) != tt.body || err != nil {
					t.Errorf("the body is %q, %v; want %q", body, err, tt.body)
				}
				if err := d.resp.Body.Close(); err != nil {
					t.Error(err)
				}
				if says := d.err.Error(); !strings.HasPrefix(says, "websocket: ") || !strings.Contains(says, tt.says) || len(says) > 500 {
					t.Errorf("it says %q, want something of %q", says, tt.says)
				}
				if tt.status != 101 {
					opts.HTTPClient.CloseIdleConnections() // it may be used for another request
				}
				p.WantGone("the connection is not kept")
			})
		})
	}
}

func TestDialNoHTTP(t *testing.T) {
	for _, text := range []string{"", "\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "\x81\x02hi"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			ln := network.listen(t, "example.com:80")
			done := dialing(context.Background(), "ws://example.com/", network.options(t))
			p := acceptRaw(t, ln)
			p.ReadRequest()
			p.SendRaw([]byte(text))
			p.Conn.(*memconn.Conn).CloseWrite()
			d := <-done
			var failed *websocket.HandshakeError
			if d.c != nil || d.resp != nil || d.err == nil || errors.As(d.err, &failed) || !strings.HasPrefix(d.err.Error(), "websocket: ") {
				t.Errorf("%q: %v, %v, %v", text, d.c, d.resp, d.err)
			}
			p.WantGone("the connection is not kept")
		})
	}
}

func TestDialCancelled(t *testing.T) {
	causes := map[string]struct {
		context func() (context.Context, context.CancelFunc)
		timeout time.Duration // of the http.Client
		want    error
	}{
		"cancelled": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, 0, context.Canceled},
		"deadline": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Second)
		}, 0, context.DeadlineExceeded},
		"client's time-out": {func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.Background())
		}, time.Second, context.DeadlineExceeded},
	}
	for name, cause := range causes {
		for _, where := range []string{"before", "while connecting", "while waiting", "inside the answer"} {
			if where == "before" && name == "client's time-out" {
				continue
			}
			t.Run(name+"/"+where, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					network := internet{}
					ln := network.listen(t, "example.com:80")
					opts := network.options(t)
					opts.HTTPClient.Timeout = cause.timeout
					ctx, cancel := cause.context()
					defer cancel()
					if where == "before" {
						<-ctx.Done()
					}
					began := time.Now()
					done := dialing(ctx, "ws://example.com/", opts)
					var p *wiretest.Peer
					if where == "while waiting" || where == "inside the answer" {
						p = acceptRaw(t, ln)
						p.ReadRequest()
						if where == "inside the answer" {
							p.SendRaw([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgr"))
						}
					}
					d := <-done
					if d.c != nil || d.resp != nil || !errors.Is(d.err, cause.want) {
						t.Errorf("%v, %v, %v; want %v", d.c, d.resp, d.err, cause.want)
					}
					if took := time.Since(began); where == "before" && took != 0 || took > time.Second {
						t.Errorf("it took %v", took)
					}
					if p != nil {
						p.WantGone("the connection is not kept")
					}
				})
			})
		}
	}
}

// TestDialSlowBody: a refusal whose body does not come holds nobody up for long. It runs in real time: closing a
// body waits for a mutex that a Read of it holds, and a bubble's clock stands still while a goroutine waits for a mutex.
func TestDialSlowBody(t *testing.T) {
	t.Parallel()
	network := internet{}
	ln := network.listen(t, "example.com:80")
	began := time.Now()
	done := dialing(context.Background(), "ws://example.com/", network.options(t))
	p := acceptRaw(t, ln)
	p.ReadRequest()
	p.SendRaw([]byte("HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\nbusy"))
	d := <-done
	body, err := io.ReadAll(d.resp.Body)
	if d.resp.StatusCode != 503 || string(body) != "busy" || err != nil {
		t.Errorf("%v %q, %v", d.resp, body, err)
	}
	if took := time.Since(began); took > 20*time.Second { // 3 s, and what a busy machine adds
		t.Errorf("it took %v", took)
	}
	p.WantGone("the connection is not kept")
}

// TestDialContextEndsWithDial: the context and the client's time-out are for the handshake.
func TestDialContextEndsWithDial(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			network.serve(t, "example.com:80", echoHandler)
			opts := network.options(t)
			opts.HTTPClient.Timeout = time.Second
			if hidden {
				opts.HTTPClient.Transport = hidingTransport{opts.HTTPClient.Transport}
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			c, _, err := websocket.Dial(ctx, "ws://example.com/", opts)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(time.Hour)
			if err := c.Context().Err(); err != nil {
				t.Errorf("the connection has ended: %v", context.Cause(c.Context()))
			}
			wantEcho(t, c)
			if opts.HTTPClient.Timeout != time.Second || opts.HTTPClient.CheckRedirect != nil {
				t.Error("the caller's client was changed")
			}
		})
	}
}

// hidingTransport is a RoundTripper as tracing libraries have: it wraps the response's body.
type hidingTransport struct{ http.RoundTripper }

type hiddenBody struct{ io.ReadWriteCloser }

func (h hidingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode == 101 {
		resp.Body = hiddenBody{resp.Body.(io.ReadWriteCloser)}
	}
	return resp, err
}

func TestDialHiddenConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		network.serve(t, "example.com:80", echoHandler)
		opts := network.options(t)
		opts.HTTPClient.Transport = hidingTransport{opts.HTTPClient.Transport}
		dialEcho(t, "ws://example.com/", opts)

		c, _, err := websocket.Dial(context.Background(), "ws://example.com/", opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read under a context that ends returned %v", err)
		}
		wantEcho(t, c) // the connection lives
	})
}

// readOnlyTransport gives a body that can't be written to, as a transport that knows no upgrades would.
type readOnlyTransport struct{ http.RoundTripper }

func (h readOnlyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct{ io.ReadCloser }{resp.Body}
	}
	return resp, err
}

func TestDialReadOnlyBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:80")
		opts := network.options(t)
		opts.HTTPClient.Transport = readOnlyTransport{opts.HTTPClient.Transport}
		done := dialing(context.Background(), "ws://example.com/", opts)
		p := acceptRaw(t, ln)
		p.ServeHandshake(nil)
		d := <-done
		var failed *websocket.HandshakeError
		if !errors.As(d.err, &failed) || !strings.Contains(d.err.Error(), "can't be written to") || d.resp.StatusCode != 101 {
			t.Errorf("%v, %v", d.resp, d.err)
		}
		p.WantGone("the connection is not kept")
	})
}

func TestDialBadArguments(t *testing.T) {
	for _, tt := range []struct {
		url  string
		opts *websocket.DialOptions
		says string
	}{
		{"", nil, `scheme ""`},
		{"example.com/path", nil, `scheme ""`},
		{"ftp://example.com", nil, `scheme "ftp"`},
		{"file:///etc/passwd", nil, `scheme "file"`},
		{"://example.com", nil, "missing protocol scheme"},
		{"ws://[::1", nil, "]"},
		{"ws://a b/", nil, "invalid character"},
		{"ws://example.com/%zz", nil, "invalid URL escape"},
		{"ws://", nil, "no Host"},
		{"ws:///path", nil, "no Host"},
		{"ws:example.com", nil, "no Host"},
		{"ws://example.com:port/", nil, "invalid port"},
		{"ws://example.com/", &websocket.DialOptions{Subprotocols: []string{"a b"}}, `"a b" has a comma, a space`},
		{"ws://example.com/", &websocket.DialOptions{Subprotocols: []string{"a,b"}}, `"a,b" has a comma`},
		{"ws://example.com/", &websocket.DialOptions{Subprotocols: []string{"a\r\nX: y"}}, "has a comma, a space"},
		{"ws://example.com/", &websocket.DialOptions{HTTPHeader: http.Header{"Sec-Websocket-Protocol": {"chat, a b"}}}, "HTTPHeader's Sec-WebSocket-Protocol"},
		{"ws://example.com/", &websocket.DialOptions{HTTPHeader: http.Header{"Sec-WebSocket-Protocol": {"a\r\nX: y"}}}, "HTTPHeader's Sec-WebSocket-Protocol"},
		{"ws://example.com/", &websocket.DialOptions{Host: "a\r\nX: y"}, "websocket: Host"},
		{"ws://example.com/", &websocket.DialOptions{HTTPHeader: http.Header{"Host": {"a b"}}}, "websocket: Host"},
		{"ws://example.com/", &websocket.DialOptions{HTTPHeader: http.Header{"Bad Name": {"x"}}}, "invalid header field"},
		{"ws://example.com/", &websocket.DialOptions{HTTPHeader: http.Header{"X": {"a\r\nb"}}}, "invalid header field"},
	} {
		c, resp, err := websocket.Dial(context.Background(), tt.url, tt.opts)
		if c != nil || resp != nil || err == nil || !strings.HasPrefix(err.Error(), "websocket: ") || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, %v, %v; want something of %q", tt.url, c, resp, err, tt.says)
		}
	}
}

// TestDialKeepsSecrets: whatever is wrong with a URL, its password stands in no error.
func TestDialKeepsSecrets(t *testing.T) {
	for _, url := range []string{
		"ws://user:s3cret@a b/", "ws://user:s3cret@[::1", "ws://user:s3cret@example.com:port/", "ws://user:s3cret@example.com/%zz", "ws://user:%zzs3cret@example.com/",
		"ws://user:s3cret@", "ws:///user:s3cret@host", "ws:user:s3cret@host", "ftp://user:s3cret@example.com", "user:s3cret@example.com", "://user:s3cret@example.com",
		"ws://user:s3cret/x@example.com", "ws://user:s3 cret@example.com", "ws://user:s3cret@example.com\x00/", "ws://user:s3cret\x7f@example.com/",
		"ws://user:s3cret@nobody.example/", "wss://user:s3cret@nobody.example/",
	} {
		bubble(t, func(t *testing.T) {
			c, resp, err := websocket.Dial(context.Background(), url, internet{}.options(t))
			if c != nil || resp != nil || err == nil || !strings.HasPrefix(err.Error(), "websocket: ") {
				t.Fatalf("%q: %v, %v, %v", url, c, resp, err)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if says := fmt.Sprintf("%v %+v %q", e, e, e); strings.Contains(says, "3cre") {
					t.Errorf("%q: the error is %s", url, says)
				}
			}
		})
	}
}

// TestDialNilContext: a mistake of the caller's is an error, not a panic.
func TestDialNilContext(t *testing.T) {
	var none context.Context
	c, resp, err := websocket.Dial(none, "ws://example.com/", nil)
	if c != nil || resp != nil || err == nil || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("%v, %v, %v", c, resp, err)
	}
}

func TestDialNobodyThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		c, resp, err := websocket.Dial(context.Background(), "ws://nobody.example/", network.options(t))
		if c != nil || resp != nil || err == nil || !strings.Contains(err.Error(), "no such host: nobody.example:80") {
			t.Errorf("%v, %v, %v", c, resp, err)
		}
	})
}

// FuzzDialResponse answers whatever: Dial returns a Conn only for what section 4.1 allows, and lets go of the
// connection otherwise.
func FuzzDialResponse(f *testing.F) {
	f.Add([]byte(switching + "\r\n"))
	f.Add([]byte(switching + "\r\n\x81\x05Hello\x88\x00"))
	f.Add([]byte(switching + "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n\r\n"))
	f.Add([]byte(switching + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
	f.Add([]byte(switching + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\n" + switching + "\r\n"))
	f.Add([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: ws://[::1/\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ln := memconn.Listen()
		defer ln.Close()
		transport := &http.Transport{DialContext: ln.DialContext}
		defer transport.CloseIdleConnections()
		served := make(chan struct{})
		go func() { // a redirect may lead here again
			defer close(served)
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err == nil {
					conn.Write(answer(r, string(text)))
				}
				conn.(*memconn.Conn).CloseWrite()
				conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%q: the connection is kept", text)
				}
				conn.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		opts := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"chat"}, CloseTimeout: -1}
		c, resp, err := websocket.Dial(ctx, "ws://example.com/", opts)
		var failed *websocket.HandshakeError
		switch {
		case err == nil:
			if resp.StatusCode != 101 || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") && !strings.Contains(resp.Header.Get("Upgrade"), ",") ||
				!bytes.Contains(text, []byte("ACCEPT")) || resp.Header["Sec-Websocket-Extensions"] != nil ||
				!slices.Contains([]string{"", "chat"}, strings.ToLower(c.Subprotocol())) {
				t.Errorf("%q was taken", text)
			}
			for {
				if _, _, err := c.Read(ctx); err != nil {
					break
				}
			}
			c.CloseNow()
		case c != nil:
			t.Errorf("%q: both a Conn and %v", text, err)
		case errors.As(err, &failed):
			if body, err := io.ReadAll(resp.Body); len(body) > 1024 || err != nil {
				t.Errorf("%q: a body of %d bytes, %v", text, len(body), err)
			}
			_ = err.Error()
		case resp != nil:
			t.Errorf("%q: %v, but the response %v", text, err, resp)
		}
		transport.CloseIdleConnections()
		ln.Close()
		<-served
	})
}

// TestDialRedirectWithPassword: a redirect's malformed Location has a password. The error does not.
func TestDialRedirectWithPassword(t *testing.T) {
	for _, location := range []string{"ws://user:secret@example.com:1x/", "ws://user:se/secret@example.com:1x/?a=//b:secret@c"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}))
		_, _, err := websocket.Dial(context.Background(), srv.URL, nil)
		srv.Close()
		if err == nil || !strings.Contains(err.Error(), "Location") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Dial gave %v", err)
		}
	}
}
