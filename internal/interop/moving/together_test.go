package moving

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestTogether: each library talks to the other, with all modes of compression at both ends.
func TestTogether(t *testing.T) {
	for _, roles := range [][2]library{{coderLibrary, oursLibrary}, {oursLibrary, coderLibrary}} {
		for modes := range 9 {
			client, server := roles[0], roles[1]
			t.Run(fmt.Sprintf("%s to %s, modes %d and %d", client.name, server.name, modes/3, modes%3), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { together(t, client, server, modes/3, modes%3) })
			})
		}
	}
}

func together(t *testing.T, client, server library, clientMode, serverMode int) {
	ln := memconn.Listen()
	closed := make(chan int, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := server.accept(w, r, &options{CompressionMode: serverMode, Subprotocols: []string{"chat"}})
		if err != nil {
			closed <- -1
			return
		}
		c.SetReadLimit(1 << 20)
		for {
			typ, b, err := c.Read(background)
			if err != nil {
				closed <- server.closeStatus(err)
				return
			}
			c.Write(background, typ, b)
		}
	})}
	go srv.Serve(ln)
	defer srv.Close()
	transport := &http.Transport{DialContext: ln.DialContext}
	defer transport.CloseIdleConnections()
	c, _, err := client.dial(background, url1, &options{
		CompressionMode: clientMode, Subprotocols: []string{"chat"}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	if c.Subprotocol() != "chat" {
		t.Errorf("the subprotocol is %q", c.Subprotocol())
	}
	for _, n := range []int{0, 1, 200, 1000, 1000} {
		message := strings.Repeat("some text, ", n)
		if err := c.Write(background, text, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if typ, b, err := c.Read(background); err != nil || typ != text || string(b) != message {
			t.Fatalf("%d of %d bytes came back, %v", len(b), len(message), err)
		}
	}
	if err := c.Close(4321, "done"); err != nil {
		t.Error(err)
	}
	if code := <-closed; code != 4321 {
		t.Errorf("the server's Close code is %d", code)
	}
}
