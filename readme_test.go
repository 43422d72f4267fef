package websocket_test

import (
	"context"
	"errors"
	"go/format"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// readmeServer and readmeClient are the README's first screen.
func readmeServer() {
	// A server that echoes.
	http.Handle("/echo", websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				log.Print(err)
				return
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return
			}
		}
	}))
}

func readmeClient(ctx context.Context) error {
	// A client.
	c, _, err := websocket.Dial(ctx, "ws://localhost:8080/echo", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err
	}
	_, reply, err := c.Read(ctx)
	if err != nil {
		return err
	}
	log.Printf("%s", reply)
	return c.Close(websocket.StatusNormalClosure, "")
}

func readmeGroup(ctx context.Context, listener net.Listener, stop chan struct{}) {
	// A server that broadcasts, and closes all connections well when it shuts down.
	server := &http.Server{}
	everybody := websocket.ServerGroup(server) // all WebSockets of the server
	var room websocket.Group                   // and as many other groups as you like
	server.Handler = websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if err := room.Add(c); err != nil { // it leaves when it ends
			return
		}
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			room.Broadcast(m.Type, m.Data) // never waits for a member
		}
	})
	go server.Serve(listener)

	<-stop                      // a signal, say
	err := server.Shutdown(ctx) // all get a Close frame with 1001
	closed, err2 := everybody.Shutdown(ctx)
	log.Printf("%d were closed well: %v", closed, errors.Join(err, err2))
}

// TestReadme: the README's code is the code above, and it works.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) < 3 {
		t.Fatalf("%d blocks of code", len(blocks))
	}
	for i, name := range []string{"readmeServer", "readmeClient", "readmeGroup"} {
		block, _, _ := strings.Cut(blocks[i], "```")
		if lines := strings.Count(block, "\n"); lines > 25 {
			t.Errorf("block %d has %d lines", i, lines)
		}
		if body := bodyOf(t, string(source), name); normal(t, body) != normal(t, block) {
			t.Errorf("the README says\n%s\nbut %s is\n%s", block, name, body)
		}
	}

	mux := http.DefaultServeMux
	http.DefaultServeMux = http.NewServeMux()
	defer func() { http.DefaultServeMux = mux }()
	readmeServer()
	ln := httptest.NewServer(http.DefaultServeMux)
	defer ln.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Listener.Addr().String())
	}
	saved := http.DefaultClient.Transport
	http.DefaultClient.Transport = transport
	defer func() { http.DefaultClient.Transport = saved }()
	if err := readmeClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	tryReadmeGroup(t)
}

// tryReadmeGroup runs readmeGroup with one client, which gets what it has sent, and then its Close.
func tryReadmeGroup(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		readmeGroup(t.Context(), l, stop)
	}()
	c, _, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String(), &websocket.DialOptions{HTTPClient: new(http.Client)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("to all")); err != nil {
		t.Fatal(err)
	}
	if _, p, err := c.Read(t.Context()); err != nil || string(p) != "to all" {
		t.Errorf("the client got %q, %v", p, err)
	}
	close(stop)
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client got %v", err)
	}
	<-stopped
}

// bodyOf returns the source between a function's braces.
func bodyOf(t *testing.T, source, name string) string {
	t.Helper()
	start := strings.Index(source, "func "+name+"(")
	open := start + strings.Index(source[start:], "{\n") + 2
	body := source[open : open+strings.Index(source[open:], "\n}\n")+1]
	return strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n")
}

// normal formats a block of statements.
func normal(t *testing.T, s string) string {
	t.Helper()
	p, err := format.Source([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(p))
}
