package memconn

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen()
		accepted := make(chan net.Conn)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
			}
			accepted <- conn
		}()
		client, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		server := <-accepted
		if server.LocalAddr() != l.Addr() || client.RemoteAddr() != l.Addr() || server.RemoteAddr() != client.LocalAddr() {
			t.Errorf("addresses: listener %v, server %v to %v, client %v to %v", l.Addr(),
				server.LocalAddr(), server.RemoteAddr(), client.LocalAddr(), client.RemoteAddr())
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial that nobody accepts: %v, want context.DeadlineExceeded", err)
		}

		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept during Close: %v, want net.ErrClosed", err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close again: %v, want net.ErrClosed", err)
		}
		if conn, err := l.DialContext(t.Context(), "tcp", "example.com:80"); !errors.Is(err, syscall.ECONNREFUSED) || conn != nil {
			t.Errorf("Dial after Close: %v, %v; want nil, ECONNREFUSED", conn, err)
		}

		call(client.Write, "lives on").want(t, "an accepted connection", 8, nil)
		client.Close()
		if all, err := io.ReadAll(server); string(all) != "lives on" || err != nil {
			t.Errorf("read %q, %v", all, err)
		}
		server.Close()
	})
}

// TestHTTP runs net/http over a Listener, as tests of handshakes do, with a hijacked connection at the end.
func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hijack" {
				time.Sleep(time.Hour) // costs nothing here
				io.WriteString(w, r.RemoteAddr)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := conn.(*Conn); !ok {
				t.Errorf("hijacked a %T, want a *memconn.Conn", conn)
			}
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello")
			conn.Close()
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		transport := &http.Transport{DialContext: l.DialContext}
		client := &http.Client{Transport: transport}

		for _, tt := range []struct{ path, want string }{{"/", "client:1"}, {"/hijack", "hello"}} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://example.com"+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.path == "/hijack" {
				req.Header.Set("Connection", "Upgrade")
				req.Header.Set("Upgrade", "test")
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(body) != tt.want {
				t.Errorf("%s: %q, %v; want %q", tt.path, body, err, tt.want)
			}
		}
		transport.CloseIdleConnections()
		server.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}
