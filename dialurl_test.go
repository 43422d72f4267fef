package websocket_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// TestDialRequestURI: the path and query that are sent, in the first request and behind a redirect, are percent-encoded as a browser
// does it, and the path's own encoding stays. (Behind a redirect it does not if both are in one path: net/http has lost it then.)
func TestDialRequestURI(t *testing.T) {
	for uri, want := range map[string]string{
		"/?q=a b HTTP/1.1": "/?q=a%20b%20HTTP/1.1", "/?n=Zoë": "/?n=Zo%C3%AB", "/é/%2F": "/%C3%A9/%2F", "/%2f?a={%zz}": "/%2f?a={%zz}",
	} {
		for _, redirected := range []bool{false, true} {
			if redirected && uri == "/é/%2F" {
				continue
			}
			bubble(t, func(t *testing.T) {
				network := internet{}
				got := ""
				network.serve(t, "example.com:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.RequestURI == "/from" {
						w.Header().Set("Location", uri)
						w.WriteHeader(http.StatusFound)
						return
					}
					got = r.RequestURI
				}))
				u := "ws://example.com"
				if redirected {
					u += "/from"
				} else {
					u += uri
				}
				websocket.Dial(context.Background(), u, network.options(t))
				if got != want {
					t.Errorf("%s was sent as %s", u, got)
				}
			})
		}
	}
}

// TestDialReferer: behind a redirect nobody is told the URL before, in which there may be a token, but what the application says itself.
func TestDialReferer(t *testing.T) {
	for _, own := range []string{"", "http://example.com/start"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			asked := make(chan http.Header, 1)
			there := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header })
			network.serve(t, "other.example:80", there)
			trust := network.serveTLS(t, "example.com:443", http.RedirectHandler("ws://other.example/", http.StatusFound))
			opts := network.options(t)
			opts.HTTPClient.Transport.(*http.Transport).TLSClientConfig = trust
			opts.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
			opts.HTTPHeader = http.Header{"Referer": {own}}
			if own == "" {
				opts.HTTPHeader = http.Header{"Authorization": {"secret"}, "cookie": {"secret=1"}}
			}
			websocket.Dial(context.Background(), "wss://example.com/?token=secret", opts)
			if h := <-asked; h.Get("Referer") != own || strings.Contains(fmt.Sprint(h), "secret") {
				t.Errorf("the other server was sent %v", h)
			}
		})
	}
}

// TestDialFieldsOnce: of fields that net/http adds itself, it adds no second one, however the application spells them.
func TestDialFieldsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := internet{}
		ln := network.listen(t, "example.com:80")
		opts := network.options(t)
		jar, _ := cookiejar.New(nil)
		jar.SetCookies(&url.URL{Scheme: "http", Host: "example.com"}, []*http.Cookie{{Name: "b", Value: "2"}})
		opts.HTTPClient.Jar = jar
		opts.HTTPHeader = http.Header{
			"user-agent": {"mine"}, "authorization": {"Bearer x"}, "COOKIE": {"a=1"}, "cookie": {"a=1"}, "accept-encoding": {"br"}, "x-Own": {"as spelled"},
		}
		done := dialing(context.Background(), "ws://user:secret@example.com/", opts)
		p := acceptRaw(t, ln)
		head := ""
		for !strings.Contains(head, "\r\n\r\n") {
			buf := make([]byte, 4096)
			n, err := p.Conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			head += string(buf[:n])
		}
		for name, want := range map[string]string{"user-agent": "mine", "authorization": "Bearer x", "cookie": "a=1; a=1; b=2", "accept-encoding": "br"} {
			if lower := strings.ToLower(head); strings.Count(lower, "\r\n"+name+": ") != 1 || !strings.Contains(head, ": "+want+"\r\n") {
				t.Errorf("there should be one %s, %s, in\n%s", name, want, head)
			}
		}
		if !strings.Contains(head, "\r\nx-Own: as spelled\r\n") {
			t.Errorf("x-Own is missing in\n%s", head)
		}
		p.Close()
		<-done
	})
}

// TestDialAgreedOnHTTP2: if the application's own dialling of TLS agrees on HTTP/2, the error says so, whatever net/http makes of the
// server's frames.
func TestDialAgreedOnHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(echoHandler)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	_, _, err := websocket.Dial(context.Background(), "wss"+strings.TrimPrefix(s.URL, "https"), &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil || !strings.Contains(err.Error(), "NextProtos") {
		t.Errorf("Dial gave %v", err)
	}
}

// TestDialAnswerCloses: net/http shows nothing of a Connection that has close, so the error does not say that there was none.
func TestDialAnswerCloses(t *testing.T) {
	for _, connection := range []string{"close", "close, Upgrade"} {
		bubble(t, func(t *testing.T) {
			network := internet{}
			ln := network.listen(t, "example.com:80")
			done := dialing(context.Background(), "ws://example.com/", network.options(t))
			p := acceptRaw(t, ln)
			p.SendRaw(answer(p.ReadRequest(), strings.Replace(switching, "Connection: Upgrade", "Connection: "+connection, 1)+"\r\n"))
			d := <-done
			if failed := new(websocket.HandshakeError); !errors.As(d.err, &failed) || !strings.Contains(d.err.Error(), `"Connection: close"`) {
				t.Errorf("%s: %v", connection, d.err)
			}
		})
	}
}
