package gorilla

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	theirs "github.com/gorilla/websocket"
)

// TestJar: the jar's cookies are sent, unless the application sends its own, and those of an answer are kept, of a refusal too.
func TestJar(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		reply  reply
	}{
		{"accepted", nil, accepts("Set-Cookie: b=2")},
		{"refused", nil, text("HTTP/1.1 403 Forbidden\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")},
		{"redirected", nil, text("HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")},
		{"with cookies of its own", http.Header{"Cookie": {"c=3"}}, accepts("Set-Cookie: b=2")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t, "", func(t *testing.T, s side) (said string) {
				addr, requests := replies(t, tt.reply)
				jar, _ := cookiejar.New(nil)
				site := &url.URL{Scheme: "http", Host: addr, Path: "/"}
				jar.SetCookies(site, []*http.Cookie{{Name: "a", Value: "1"}})
				for range 2 {
					said += dialled(s.dial(theirs.Dialer{Jar: jar}, "ws://"+addr+"/", tt.header))
					said += fmt.Sprintf("; Cookie=%q; %v\n", (<-requests).Header["Cookie"], jar.Cookies(site))
				}
				return said
			})
		})
	}
}

// TestNetDialTLSContext: it dials for wss alone, what it returns is not secured again, and the connection is what it returned.
func TestNetDialTLSContext(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			beside(t, "", func(t *testing.T, s side) (said string) {
				server, addr := echoes(t, s, theirs.Upgrader{}, scheme == "wss")
				var secured net.Conn
				d := theirs.Dialer{
					NetDialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
						said += fmt.Sprint("plain ", network, to == addr, "\n")
						return new(net.Dialer).DialContext(ctx, network, to)
					},
					NetDialTLSContext: func(_ context.Context, network, to string) (_ net.Conn, err error) {
						said += fmt.Sprint("secured ", network, to == addr, "\n")
						secured, err = tls.Dial(network, to, server.Client().Transport.(*http.Transport).TLSClientConfig)
						return secured, err
					},
				}
				c, _, err := s.dial(d, scheme+"://"+addr, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				return said + fmt.Sprint(echo(t, c, "hello"), secured == nil || c.NetConn() == secured)
			})
		})
	}
}

// TestProxy: a proxy is asked for a tunnel the same way, with its password. What it says when it refuses is in the error.
func TestProxy(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		for status, differs := range map[string]string{"200 OK": "", "407 Proxy Authentication Required": "Proxy Authentication Required"} {
			t.Run(scheme+"/"+status, func(t *testing.T) {
				outcome := func(t *testing.T, s side) string {
					server, addr := echoes(t, s, theirs.Upgrader{}, scheme == "wss")
					proxy, asked := tunnels(t, status)
					d := theirs.Dialer{Proxy: func(r *http.Request) (*url.URL, error) { return url.Parse("http://user:secret@" + proxy) }}
					if transport, ok := server.Client().Transport.(*http.Transport); ok {
						d.TLSClientConfig = transport.TLSClientConfig
					}
					c, resp, err := s.dial(d, scheme+"://"+addr, nil)
					r := <-asked
					said := fmt.Sprint(r.Method, r.RequestURI == addr, fields(r.Header), resp != nil)
					if err != nil {
						if !strings.Contains(err.Error(), differs) {
							t.Errorf("%v does not say %s", err, differs)
						}
						return said + " refused"
					}
					defer c.Close()
					return said + echo(t, c, "hello")
				}
				beside(t, "", outcome)
			})
		}
	}
}

// tunnels runs a proxy that answers with a status, and makes a tunnel if that is 200.
func tunnels(t *testing.T, status string) (addr string, asked <-chan *http.Request) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	got := make(chan *http.Request, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		br := bufio.NewReader(nc)
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		got <- r
		io.WriteString(nc, "HTTP/1.1 "+status+"\r\n\r\n")
		if !strings.HasPrefix(status, "200") {
			return
		}
		up, err := net.Dial("tcp", r.RequestURI)
		if err != nil {
			return
		}
		defer up.Close()
		go io.Copy(up, br)
		io.Copy(nc, up)
	}()
	return ln.Addr().String(), got
}

// TestWriteBufferPool: messages of all sizes arrive whole with a pool of write buffers at both ends.
func TestWriteBufferPool(t *testing.T) {
	beside(t, "", func(t *testing.T, s side) (said string) {
		pool := new(sync.Pool)
		_, addr := echoes(t, s, theirs.Upgrader{WriteBufferPool: pool, WriteBufferSize: 256}, false)
		for range 2 { // the second takes what the first has put back
			c, _, err := s.dial(theirs.Dialer{WriteBufferPool: pool, WriteBufferSize: 300}, "ws://"+addr, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, 125, 126, 255, 256, 257, 5000, 70000} {
				said += echo(t, c, strings.Repeat("x", n))
			}
			c.Close()
		}
		return said
	})
}

// echoes runs a server that sends messages back.
func echoes(t *testing.T, s side, u theirs.Upgrader, secure bool) (server *httptest.Server, addr string) {
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.upgrade(u, w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for {
			typ, p, err := c.ReadMessage()
			if err != nil || c.WriteMessage(typ, p) != nil {
				return
			}
		}
	}))
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, server.Listener.Addr().String()
}

// echo sends a message and returns what comes back.
func echo(t *testing.T, c end, text string) string {
	if err := c.WriteMessage(theirs.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
	typ, p, err := c.ReadMessage()
	return fmt.Sprint(typ, string(p), err)
}
