package http3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
)

// answers returns a handler that answers each handshake with one field more than it should.
func answers(name, value string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		if r.ProtoMajor == 1 {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Sec-WebSocket-Accept", websocket.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
}

// TestEncodedAnswer: an answer with a Content-Encoding or a Content-Length is refused, in the words of HTTP/2.
func TestEncodedAnswer(t *testing.T) {
	for name, want := range map[string]string{
		"Content-Encoding": `the answer has Content-Encoding: "10", which must not be there`,
		"Content-Length":   `the answer to the CONNECT has Content-Length: "10", which must not be there (RFC 9110, section 9.3.6): quic-go reads no more than that`,
	} {
		s := serve(t, nil, answers(name, "10"))
		c, resp, err := dialer(t).Dial(soon(t), s.url, nil)
		if err == nil {
			c.CloseNow()
			t.Errorf("it is accepted with %s", name)
			continue
		}
		want = "websocket: the handshake failed: " + want
		if _, ok := errors.AsType[*websocket.HandshakeError](err); !ok || err.Error() != want || resp == nil {
			t.Errorf("Dial gave %v, %v; want %s", resp, err, want)
		}
	}
}

// TestRequestURI: the path and query that are sent are percent-encoded, and the path's own encoding stays.
func TestRequestURI(t *testing.T) {
	asked := make(chan string, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	for uri, want := range map[string]string{
		"/é/%2F|": "/%C3%A9/%2F%7C", "/?q=a b&n=Zoë\"": "/?q=a%20b&n=Zo%C3%AB%22", "/%2f?a={%zz}": "/%2f?a={%zz}",
	} {
		dialer(t).Dial(soon(t), s.url+uri, nil)
		if got := <-asked; got != want {
			t.Errorf("%s was sent as %s", uri, got)
		}
	}
}

// TestBadExtensions: an answer whose extensions were not offered, or are malformed, is refused in the words of HTTP/1.1.
func TestBadExtensions(t *testing.T) {
	opts := &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover}
	for _, value := range []string{
		"permessage-deflate; nonsense", "permessage-deflate; server_max_window_bits=99", "permessage-deflate, permessage-deflate", "other", ";",
		"permessage-deflate; server_max_window_bits",
	} {
		plain := httptest.NewServer(answers("Sec-WebSocket-Extensions", value))
		_, _, want := websocket.Dial(soon(t), plain.URL, opts)
		plain.Close()
		c, _, err := dialer(t).Dial(soon(t), serve(t, nil, answers("Sec-WebSocket-Extensions", value)).url, opts)
		if c != nil {
			c.CloseNow()
		}
		if want == nil || fmt.Sprint(err) != want.Error() {
			t.Errorf("%q: Dial gave %v, over HTTP/1.1 %v", value, err, want)
		}
	}
	c, _, err := dialer(t).Dial(soon(t), serve(t, nil, answers("Sec-WebSocket-Extensions", strings.Repeat("x", 5000))).url, nil)
	if c != nil {
		c.CloseNow()
	}
	if err == nil || !strings.Contains(err.Error(), "the answer has the extension") || len(err.Error()) > 300 {
		t.Errorf("not offered: Dial gave %v", err)
	}
}

// TestResponseHasRequest: the response knows its request and the TLS that it came over, whether the handshake succeeds or fails.
func TestResponseHasRequest(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/ws", accept(nil, echo))
	mux.Handle("/moved", http.RedirectHandler("/ws", http.StatusTemporaryRedirect))
	s := serve(t, nil, mux)
	d := dialer(t)
	for path, status := range map[string]int{"/ws": http.StatusOK, "/moved": http.StatusTemporaryRedirect} {
		c, resp, err := d.Dial(soon(t), s.url+path, nil)
		if c != nil {
			c.CloseNow()
		}
		if resp == nil || resp.StatusCode != status {
			t.Fatalf("%s: Dial gave %v, %v", path, resp, err)
		}
		if resp.Request == nil || resp.Request.URL.Path != path {
			t.Errorf("%s: the request is %v", path, resp.Request)
		}
		if resp.TLS == nil || !resp.TLS.HandshakeComplete || len(resp.TLS.PeerCertificates) == 0 {
			t.Errorf("%s: the TLS is %+v", path, resp.TLS)
		}
		if status == http.StatusOK {
			continue
		}
		to, err := resp.Location()
		if want := "https" + strings.TrimPrefix(s.url, "wss") + "/ws"; err != nil || to.String() != want {
			t.Errorf("it has moved to %v, %v; want %s", to, err, want)
		}
	}
}

// TestDefaultClient: without the option HTTPClient, the Jar and the Timeout are those of http.DefaultClient.
func TestDefaultClient(t *testing.T) {
	before := *http.DefaultClient
	t.Cleanup(func() { *http.DefaultClient = before })
	got := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		accept(nil, echo).ServeHTTP(w, r)
	})
	mux.HandleFunc("/stuck", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := serve(t, nil, mux)
	d := dialer(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := &url.URL{Scheme: "https", Host: s.addr.String(), Path: "/"}
	jar.SetCookies(at, []*http.Cookie{{Name: "a", Value: "1"}})
	http.DefaultClient.Jar = jar
	dial(t, d, s.url+"/ws", nil)
	if cookies := <-got; cookies != "a=1" || len(jar.Cookies(&url.URL{Scheme: "https", Host: at.Host, Path: "/ws"})) != 2 {
		t.Errorf("the server got the cookies %q, and the jar has %v", cookies, jar.Cookies(at))
	}

	http.DefaultClient.Timeout = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	defer time.AfterFunc(10*time.Second, cancel).Stop()
	if _, _, err := d.Dial(ctx, s.url+"/stuck", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind the Timeout, Dial gave %v", err)
	}
}

// A bare is a middleware's ResponseWriter that has no Unwrap method.
type bare struct{ w http.ResponseWriter }

func (b bare) Header() http.Header         { return b.w.Header() }
func (b bare) Write(p []byte) (int, error) { return b.w.Write(p) }
func (b bare) WriteHeader(status int)      { b.w.WriteHeader(status) }

// TestWithoutUnwrap: behind a wrapper that hides the stream, a request is refused as over HTTP/1.1.
func TestWithoutUnwrap(t *testing.T) {
	type refusal struct {
		status int
		err    error
	}
	refused := make(chan refusal, 1)
	opts := &websocket.AcceptOptions{OnRefuse: func(w http.ResponseWriter, _ *http.Request, status int, err error) {
		http.Error(w, err.Error(), status)
		refused <- refusal{status, err}
	}}
	accepted := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := ws3.Accept(bare{w}, r, opts)
		accepted <- err
	})
	plain := httptest.NewServer(h)
	defer plain.Close()
	_, over1, _ := websocket.Dial(soon(t), plain.URL, nil)
	told1, err1 := <-refused, <-accepted
	_, over3, _ := dialer(t).Dial(soon(t), serve(t, nil, h).url, nil)
	told3, err3 := <-refused, <-accepted
	if over1 == nil || over3 == nil || over1.StatusCode != http.StatusNotImplemented || over3.StatusCode != over1.StatusCode || told3.status != told1.status {
		t.Errorf("HTTP/3 gives %v, %d; HTTP/1.1 %v, %d", over3, told3.status, over1, told1.status)
	}
	for version, err := range map[string]error{"HTTP/1.1": err1, "HTTP/3": err3} {
		if !errors.Is(err, http.ErrNotSupported) || !strings.Contains(err.Error(), "refused with 501") || !strings.Contains(err.Error(), "Unwrap") {
			t.Errorf("%s: Accept gave %v", version, err)
		}
	}
	if !errors.Is(err3, told3.err) {
		t.Errorf("Accept gave %v, which does not wrap OnRefuse's %v", err3, told3.err)
	}
}

// TestUnusedTuning: without compression, CompressionTuning is not looked at, as over HTTP/1.1.
func TestUnusedTuning(t *testing.T) {
	invalid := websocket.CompressionTuning{Effort: 9, ServerWindowBits: 99}
	h := ws3.Handler(&websocket.AcceptOptions{CompressionTuning: invalid}, func(_ context.Context, c *websocket.Conn) { echo(c) })
	opts := &websocket.DialOptions{CompressionTuning: invalid}
	plain := httptest.NewServer(h)
	defer plain.Close()
	over1, _, err := websocket.Dial(soon(t), plain.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer over1.CloseNow()
	s := serve(t, nil, h)
	for name, c := range map[string]*websocket.Conn{
		"HTTP/1.1":                  over1,
		"HTTP/3, the server's":      dial(t, dialer(t), s.url, nil),
		"HTTP/3, the client's, too": dial(t, dialer(t), s.url, opts),
	} {
		if err := bounce(c, "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHandshakeErrorText: the HandshakeError that errors.As finds says all that there is to say, and twice the same.
func TestHandshakeErrorText(t *testing.T) {
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			t.Error("IsWebSocketUpgrade says that it asks for no WebSocket")
		}
		http.Error(w, "not for you\nnor for others", http.StatusForbidden)
	}))
	_, resp, err := dialer(t).Dial(bg, s.url, nil)
	failed, ok := errors.AsType[*websocket.HandshakeError](err)
	if !ok || failed.Response != resp {
		t.Fatalf("Dial gave %v", err)
	}
	for range 2 {
		const want = `websocket: the handshake failed: expected handshake response status code 200 but got 403: "not for you"`
		if failed.Error() != want || err.Error() != want {
			t.Errorf("the error is %v", failed)
		}
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "not for you\nnor for others\n" {
		t.Errorf("the body is %q, %v", body, err)
	}
}
