package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

var bg = context.Background()

// certificate returns the TLS configurations of a server at 127.0.0.1 and of its clients.
var certificate = sync.OnceValues(func() (server, client *tls.Config) {
	server, client = selfsigned.Pair("127.0.0.1")
	return http3.ConfigureTLSConfig(server), client
})

func clientTLS() *tls.Config {
	_, config := certificate()
	config = config.Clone()
	config.NextProtos = []string{http3.NextProtoH3}
	return config
}

// A site is a server with HTTP/3.
type site struct {
	url    string // begins with wss
	addr   *net.UDPAddr
	server *http3.Server
	opened atomic.Int32 // QUIC connections
}

// serve starts a server. It ends with the test.
func serve(t testing.TB, config *quic.Config, handler http.Handler, configure ...func(*http3.Server)) *site {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, _ := certificate()
	s := &site{url: "wss://" + pc.LocalAddr().String(), addr: pc.LocalAddr().(*net.UDPAddr)}
	s.server = &http3.Server{TLSConfig: tlsConfig, QUICConfig: config, Handler: handler}
	for _, f := range configure {
		f(s.server)
	}
	s.server.ConnContext = func(ctx context.Context, _ *quic.Conn) context.Context {
		s.opened.Add(1)
		return ctx
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.server.Serve(pc)
	}()
	t.Cleanup(func() {
		s.server.Close()
		pc.Close()
		<-served
	})
	return s
}

// dialer returns a Dialer that ends with the test.
func dialer(t testing.TB) *ws3.Dialer {
	_, config := certificate()
	d := &ws3.Dialer{TLSClientConfig: config}
	t.Cleanup(func() { d.Close() })
	return d
}

func dial(t testing.TB, d *ws3.Dialer, url string, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	c, resp, err := d.Dial(ctx, url, opts)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// accept returns a handler that accepts every WebSocket and gives it to f, in a goroutine: the handler returns.
func accept(opts *websocket.AcceptOptions, f func(c *websocket.Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := ws3.Accept(w, r, opts); err == nil {
			go f(c)
		}
	})
}

func echo(c *websocket.Conn) {
	defer c.CloseNow()
	for m, err := range c.Messages(bg) {
		if err != nil || c.Write(bg, m.Type, m.Data) != nil {
			return
		}
	}
}

func bounce(c *websocket.Conn, message string) error {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return err
	}
	_, p, err := c.Read(ctx)
	if err == nil && string(p) != message {
		err = fmt.Errorf("%.50q came back for %.50q", p, message)
	}
	return err
}

// TestManyOverOne: many WebSockets share one QUIC connection, and do not wait for one that nobody reads.
func TestManyOverOne(t *testing.T) {
	stalled := make(chan *websocket.Conn, 1)
	mux := http.NewServeMux()
	mux.Handle("/echo", accept(nil, echo))
	mux.Handle("/stalled", accept(nil, func(c *websocket.Conn) { stalled <- c }))
	s := serve(t, nil, mux)
	d := dialer(t)

	silent := dial(t, d, s.url+"/stalled", nil)
	<-stalled
	ctx, cancel := context.WithTimeout(bg, time.Second)
	defer cancel()
	var err error
	written := 0
	for ; err == nil; written++ {
		err = silent.Write(ctx, websocket.MessageBinary, make([]byte, 64<<10))
	}
	if !errors.Is(err, context.DeadlineExceeded) || written > 200 {
		t.Errorf("after %d messages of 64 KiB: %v", written, err)
	}

	const n = 50
	errs := make(chan error, n)
	for i := range n {
		go func() {
			c, _, err := d.Dial(bg, s.url+"/echo", nil)
			for k := 0; k < 20 && err == nil; k++ {
				err = bounce(c, fmt.Sprintf("%d of %d", k, i))
			}
			if err == nil {
				err = c.Close(websocket.StatusNormalClosure, "")
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if opened := s.opened.Load(); opened != 1 {
		t.Errorf("%d QUIC connections", opened)
	}
}

// TestClose: both sides see the code and the reason of the other, and Close returns when the stream is over.
func TestClose(t *testing.T) {
	for _, byServer := range []bool{true, false} {
		ended := make(chan error, 1)
		s := serve(t, nil, accept(nil, func(c *websocket.Conn) {
			if byServer {
				ended <- c.Close(4001, "the server")
				return
			}
			_, _, err := c.Read(bg)
			ended <- err
		}))
		c := dial(t, dialer(t), s.url, nil)
		begun := time.Now()
		if byServer {
			_, _, err := c.Read(bg)
			var closed websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "the server" {
				t.Errorf("Read gave %v", err)
			}
			if err := <-ended; err != nil {
				t.Errorf("Close gave %v", err)
			}
		} else {
			if err := c.Close(4002, "the client"); err != nil {
				t.Errorf("Close gave %v", err)
			}
			if err := <-ended; websocket.CloseStatus(err) != 4002 {
				t.Errorf("Read gave %v", err)
			}
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

// TestLost: without a closing handshake the other side sees the connection lost.
func TestLost(t *testing.T) {
	for _, byServer := range []bool{true, false} {
		ended := make(chan error, 1)
		s := serve(t, nil, accept(nil, func(c *websocket.Conn) {
			if byServer {
				c.CloseNow()
				return
			}
			_, _, err := c.Read(bg)
			ended <- err
		}))
		c := dial(t, dialer(t), s.url, nil)
		var err error
		if byServer {
			_, _, err = c.Read(bg)
		} else {
			c.CloseNow()
			err = <-ended
		}
		if err == nil || websocket.CloseStatus(err) != -1 {
			t.Errorf("byServer %v: Read gave %v", byServer, err)
		}
	}
}

// TestNegotiated: subprotocols and permessage-deflate are agreed on as over HTTP/1.1.
func TestNegotiated(t *testing.T) {
	for _, mode := range []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover} {
		s := serve(t, nil, accept(&websocket.AcceptOptions{Subprotocols: []string{"b", "a"}, CompressionMode: mode}, echo))
		compressed := false
		c := dial(t, dialer(t), s.url, &websocket.DialOptions{
			Subprotocols: []string{"a"}, HTTPHeader: http.Header{"Sec-WebSocket-Protocol": {"b, c"}}, CompressionMode: mode,
			Trace: &websocket.Trace{HandshakeDone: func(_ *websocket.Conn, h websocket.HandshakeInfo) { compressed = h.Compressed }},
		})
		if c.Subprotocol() != "b" {
			t.Errorf("the subprotocol is %q", c.Subprotocol())
		}
		if compressed != (mode != websocket.CompressionDisabled) {
			t.Errorf("compressed: %v", compressed)
		}
		for i := range 20 {
			if err := bounce(c, strings.Repeat(fmt.Sprintf("message %d, and again ", i), 100)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRefused: what is no handshake gets an HTTP response, and its connection serves others.
func TestRefused(t *testing.T) {
	s := serve(t, nil, accept(&websocket.AcceptOptions{Subprotocols: []string{"x"}}, echo))
	d := dialer(t)
	_, resp, err := d.Dial(bg, s.url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example"}}})
	var failed *websocket.HandshakeError
	if !errors.As(err, &failed) || resp.StatusCode != http.StatusForbidden || failed.Response != resp || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), "evil.example") {
		t.Fatalf("Dial gave %v, %v", resp, err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "evil.example") {
		t.Errorf("the body is %q, %v", body, err)
	}

	_, config := certificate()
	client := &http3.Transport{TLSClientConfig: config}
	defer client.Close()
	get, err := (&http.Client{Transport: client}).Get("https" + strings.TrimPrefix(s.url, "wss"))
	if err != nil {
		t.Fatal(err)
	}
	get.Body.Close()
	if get.StatusCode != http.StatusNotImplemented {
		t.Errorf("GET gave %d", get.StatusCode)
	}
	for protocol, want := range map[string]int{"connect-udp": http.StatusNotImplemented, "websocket": http.StatusOK} {
		req, _ := http.NewRequest(http.MethodConnect, "https"+strings.TrimPrefix(s.url, "wss")+"/", nil)
		req.Proto = protocol
		req.Header.Set("Sec-WebSocket-Version", "13")
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("CONNECT with %s gave %d, want %d", protocol, resp.StatusCode, want)
		}
	}
	if err := bounce(dial(t, d, s.url, nil), "still there"); err != nil {
		t.Error(err)
	}
}

// TestDialFails: errors say what is wrong, and show no password.
func TestDialFails(t *testing.T) {
	d := dialer(t)
	for _, url := range []string{"ws://127.0.0.1/", "wss://", "wss://user:secret@127.0.0.1:\x00/"} {
		if _, _, err := d.Dial(bg, url, nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, _, err := d.Dial(bg, "wss://127.0.0.1/", &websocket.DialOptions{Subprotocols: []string{"a, b"}}); err == nil {
		t.Error("a subprotocol with a comma is offered")
	}
	ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
	defer cancel()
	nobody, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	if _, _, err := d.Dial(ctx, "wss://"+nobody.LocalAddr().String(), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody answers: %v", err)
	}

	s := serve(t, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel = context.WithTimeout(bg, 500*time.Millisecond)
	defer cancel()
	if _, _, err := d.Dial(ctx, s.url, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	d.Close()
	if _, _, err := d.Dial(bg, s.url, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("behind Close: %v", err)
	}
}

// TestCookies: cookies, credentials and header fields are sent, and the response's cookies are kept.
func TestCookies(t *testing.T) {
	got := make(chan *http.Request, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		if c, err := ws3.Accept(w, r, nil); err == nil {
			c.CloseNow()
		}
	}))
	jar, _ := cookiejar.New(nil)
	u, _ := http.NewRequest(http.MethodGet, "https"+strings.TrimPrefix(s.url, "wss"), nil)
	jar.SetCookies(u.URL, []*http.Cookie{{Name: "a", Value: "1"}})
	dial(t, dialer(t), strings.Replace(s.url, "wss://", "wss://user:secret@", 1)+"/path?query#fragment", &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: jar}, Host: "host.example", HTTPHeader: http.Header{"X-A": {"b"}, "Connection": {"close"}},
	})
	r := <-got
	user, password, _ := r.BasicAuth()
	cookie, err := r.Cookie("a")
	if user != "user" || password != "secret" || err != nil || cookie.Value != "1" || r.Host != "host.example" || r.Header.Get("X-A") != "b" ||
		r.URL.RequestURI() != "/path?query" || r.Header.Get("Connection") != "" {
		t.Errorf("the server got %+v", r)
	}
	if len(jar.Cookies(u.URL)) != 2 {
		t.Errorf("the cookies are %v", jar.Cookies(u.URL))
	}
}

// TestGroupShutdown: a Group closes its members over HTTP/3 with 1001, and the server's Shutdown ends.
func TestGroupShutdown(t *testing.T) {
	var group websocket.Group
	s := serve(t, nil, accept(nil, func(c *websocket.Conn) { group.Add(c) }))
	d := dialer(t)
	const n = 100
	codes := make(chan websocket.StatusCode, n)
	for range n {
		c := dial(t, d, s.url, nil)
		go func() {
			_, _, err := c.Read(bg)
			codes <- websocket.CloseStatus(err)
		}()
	}
	for deadline := time.Now().Add(10 * time.Second); group.Len() < n && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if closed, err := group.Shutdown(ctx); err != nil || closed != n {
		t.Errorf("%d were closed, %v", closed, err)
	}
	for range n {
		if code := <-codes; code != websocket.StatusGoingAway {
			t.Errorf("a client saw %v", code)
		}
	}
	d.Close()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestConnectionLost: the end of the QUIC connection ends its WebSockets, and the Dialer opens another.
func TestConnectionLost(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	var conn *quic.Conn
	d.DialQUIC = func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		var err error
		conn, err = quic.DialAddr(ctx, addr, tlsConfig, config)
		return conn, err
	}
	c := dial(t, d, s.url, nil)
	read := make(chan error, 1)
	go func() {
		_, _, err := c.Read(bg)
		read <- err
	}()
	conn.CloseWithError(0, "")
	if err := <-read; err == nil {
		t.Error("Read gave no error")
	}
	if err := bounce(dial(t, d, s.url, nil), "again"); err != nil {
		t.Error(err)
	}
	if opened := s.opened.Load(); opened != 2 {
		t.Errorf("%d QUIC connections", opened)
	}
}

// transport returns a socket of a client's, which ends with the test.
func transport(t *testing.T) *quic.Transport {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: pc}
	t.Cleanup(func() { tr.Close(); pc.Close() })
	return tr
}

// TestMigration: a QUIC connection that moves to another address takes its WebSockets with it (RFC 9000, section 9).
func TestMigration(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	here, there := transport(t), transport(t)
	var conn *quic.Conn
	d.DialQUIC = func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		var err error
		conn, err = here.Dial(ctx, s.addr, tlsConfig, config)
		return conn, err
	}
	a, b := dial(t, d, s.url, nil), dial(t, d, s.url, nil)
	for _, c := range []*websocket.Conn{a, b} {
		if err := bounce(c, "before"); err != nil {
			t.Fatal(err)
		}
	}
	before := conn.LocalAddr().String()
	path, err := conn.AddPath(there)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if err := path.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		for _, c := range []*websocket.Conn{a, b} {
			if err := bounce(c, fmt.Sprint("after ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := conn.LocalAddr().String(); after == before {
		t.Errorf("the connection is at %s as before", after)
	}
	if err := a.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// TestOptionsReachTheConn: what the options say of the connection holds over HTTP/3, too, at both ends. AnyText and Passive show it.
func TestOptionsReachTheConn(t *testing.T) {
	const notText = "\xff"
	served := make(chan error, 1)
	s := serve(t, nil, accept(&websocket.AcceptOptions{AnyText: true, Passive: true}, func(c *websocket.Conn) {
		typ, p, err := c.Read(bg)
		if err == nil {
			err = c.Write(bg, typ, p)
		}
		if err == nil {
			_, _, err = c.Read(bg)
		}
		if websocket.CloseStatus(err) != 4000 {
			served <- fmt.Errorf("the server's Read gave %w", err)
			return
		}
		served <- c.Close(4001, "the server's own answer")
	}))
	c := dial(t, dialer(t), s.url, &websocket.DialOptions{AnyText: true, Passive: true})
	if err := c.Write(bg, websocket.MessageText, []byte(notText)); err != nil {
		t.Fatal(err)
	}
	if _, p, err := c.Read(bg); err != nil || string(p) != notText {
		t.Fatalf("read %q, %v", p, err)
	}
	if err := c.CloseWrite(4000, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(bg); websocket.CloseStatus(err) != 4001 {
		t.Errorf("the client's Read gave %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
