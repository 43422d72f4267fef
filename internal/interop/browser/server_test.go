package browser

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// serve starts a server with an empty page at / and WebSockets at /ws.
func serve(t *testing.T, ws http.Handler) string {
	t.Helper()
	return serveOn(t, nil, ws)
}

// serveOn is serve with a listener that wrap makes of the server's.
func serveOn(t *testing.T, wrap func(net.Listener) net.Listener, ws http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/ws", ws)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<!doctype html><title>test</title><link rel="icon" href="data:,">`)
	})
	server := httptest.NewUnstartedServer(mux)
	if wrap != nil {
		server.Listener = wrap(server.Listener)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// accept returns a handler that hands every connection to fn.
func accept(fn func(ctx context.Context, c *websocket.Conn)) http.Handler {
	return websocket.Handler(&websocket.AcceptOptions{ReadLimit: -1}, fn)
}

// A chat is a process of example/chat.
type chat struct {
	t    *testing.T
	url  string
	cmd  *exec.Cmd
	ends sync.Once
}

var theChat = sync.OnceValues(func() (string, error) { return buildChat("") })

// buildChat builds example/chat, with an overlay if one is given.
func buildChat(overlay string) (string, error) {
	dir, err := os.MkdirTemp(scratch, "chat")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "chat")
	cmd := exec.Command("go", "build", "-o", binary, "-overlay", overlay, "./example/chat")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./example/chat: %w\n%s", err, out)
	}
	return binary, nil
}

// startChat starts example/chat on addr.
func startChat(t *testing.T, addr string) *chat {
	t.Helper()
	binary, err := theChat()
	if err != nil {
		t.Fatal(err)
	}
	return startBinary(t, binary, addr)
}

func startBinary(t *testing.T, binary, addr string) *chat {
	t.Helper()
	return startBinaryIn(t, "", binary, addr)
}

func startBinaryIn(t *testing.T, dir, binary, addr string) *chat {
	t.Helper()
	c := &chat{t: t, cmd: exec.Command(binary, "-addr", addr)}
	c.cmd.Dir = dir
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	_, url, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("the chat says %q, %v", line, err)
	}
	c.url = url
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Printf("chat: %s", line)
		}
	}()
	return c
}

// stop ends the chat as Ctrl-C does.
func (c *chat) stop() {
	c.ends.Do(func() {
		c.cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { c.cmd.Process.Kill() })
		defer late.Stop()
		if err := c.cmd.Wait(); err != nil {
			c.t.Errorf("the chat ended with %v", err)
		}
	})
}

// ws is the address of a WebSocket of the chat.
func (c *chat) ws(path string) string { return "ws" + strings.TrimPrefix(c.url, "http") + path }

func (c *chat) addr() string { return strings.TrimPrefix(c.url, "http://") }
