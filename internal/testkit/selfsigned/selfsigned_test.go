package selfsigned

import (
	"crypto/tls"
	"testing"
	"testing/synctest"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestPair: clients accept the server by its names, now and in a bubble, and by no other.
func TestPair(t *testing.T) {
	play := func(t *testing.T) {
		server, client := Pair("test.example", "127.0.0.1")
		for name, valid := range map[string]bool{"test.example": true, "127.0.0.1": true, "other.example": false, "127.0.0.2": false} {
			a, b := memconn.Pipe(64 << 10)
			shaken := make(chan error, 1)
			go func() { shaken <- tls.Server(a, server).Handshake() }()
			config := client.Clone()
			config.ServerName = name
			err := tls.Client(b, config).Handshake()
			b.Close()
			<-shaken
			a.Close()
			if (err == nil) != valid {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	play(t)
	synctest.Test(t, play)
}
