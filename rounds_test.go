package websocket

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

// runRounds runs a test again and again on fresh connections, over TCP and over TLS on TCP, in turn as client and as
// server: it is for what depends on which of two things comes first. On a slow machine there are fewer rounds, so that
// it takes a second at most for each kind of connection.
func runRounds(t *testing.T, cfg config, rounds int, f func(t *connTest)) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			enough := time.Now().Add(time.Second)
			for i := 0; i < rounds && time.Now().Before(enough); i++ {
				client := i%2 == 0
				ours, theirs := tcpPair(t)
				if kind == "tls" {
					ours, theirs = secure(t, client, ours, theirs)
				}
				runOne(t, client, cfg, ours, theirs, true, f)
				theirs.Close()
			}
		})
	}
}

// secure returns TLS over the two ends of a connection; the first is the client's if client is set.
func secure(t *testing.T, client bool, ours, theirs net.Conn) (net.Conn, net.Conn) {
	server := &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	a, b := tls.Server(ours, server), tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	if client {
		a, b = tls.Client(ours, &tls.Config{InsecureSkipVerify: true}), tls.Server(theirs, server)
	}
	done := start(a.Handshake)
	if err := b.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return a, b
}

// A tripped net.Conn calls f, in a goroutine of its own, when it has read the next n bytes.
type tripped struct {
	net.Conn
	n int
	f func()
}

func (c *tripped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.n > 0 {
		if c.n -= n; c.n <= 0 {
			go c.f()
		}
	}
	return n, err
}
