// Package wasmserver is what command wasm talks to.
package wasmserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// Build builds command wasm in dir, and returns the path of the program and of the script that runs such programs.
func Build(root, dir string) (program, script string, err error) {
	program = filepath.Join(dir, "check.wasm")
	cmd := exec.Command("go", "build", "-o", program, "./internal/interop/wasm")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", "", err
	}
	return program, filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"), nil
}

// New returns a handler of the paths that the program dials.
func New() http.Handler {
	s := &server{seen: make(map[string]chan string)}
	mux := http.NewServeMux()
	handle := func(path string, f func(ctx context.Context, c *websocket.Conn, r *http.Request)) {
		opts := &websocket.AcceptOptions{
			InsecureSkipVerify: true, // Node.js has no Origin of its own
			ReadLimit:          -1,
			Subprotocols:       []string{"chat"},
			CompressionMode:    websocket.CompressionContextTakeover,
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, opts)
			if err != nil {
				return
			}
			defer c.CloseNow()
			f(r.Context(), c, r)
		})
	}
	handle("/echo", s.echo)
	handle("/seen", s.tell)
	handle("/close", func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		c.Write(ctx, websocket.MessageText, []byte("before"))
		code, _ := strconv.Atoi(r.FormValue("code"))
		c.Close(websocket.StatusCode(code), r.FormValue("reason"))
	})
	handle("/lost", func(_ context.Context, c *websocket.Conn, _ *http.Request) { c.CloseNow() })
	handle("/slow", func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		for { // 64 KiB each time, and 16 MiB/s
			_, r, err := c.Reader(ctx)
			for err == nil {
				_, err = io.CopyN(io.Discard, r, 64<<10)
				<-time.After(4 * time.Millisecond)
			}
			if err != io.EOF {
				return
			}
		}
	})
	handle("/flood", func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		if _, _, err := c.Read(ctx); err != nil {
			return
		}
		message := make([]byte, 1<<20)
		for range 100 {
			if c.Write(ctx, websocket.MessageBinary, message) != nil {
				return
			}
		}
		c.Read(ctx)
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	return mux
}

type server struct {
	mu   sync.Mutex
	seen map[string]chan string // how connections were closed, by their id
}

func (s *server) of(id string) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[id] == nil {
		s.seen[id] = make(chan string, 1)
	}
	return s.seen[id]
}

// echo echoes until the end, and keeps how the client closed if it has given an id.
func (s *server) echo(ctx context.Context, c *websocket.Conn, r *http.Request) {
	for {
		typ, p, err := c.Read(ctx)
		if err == nil {
			err = c.Write(ctx, typ, p)
		}
		if err == nil {
			continue
		}
		if id := r.FormValue("id"); id != "" {
			reason := ""
			if closed := (websocket.CloseError{}); errors.As(err, &closed) {
				reason = closed.Reason
			}
			s.of(id) <- fmt.Sprintf("%d %q", websocket.CloseStatus(err), reason)
		}
		return
	}
}

// tell sends how the connection with an id was closed.
func (s *server) tell(ctx context.Context, c *websocket.Conn, r *http.Request) {
	select {
	case how := <-s.of(r.FormValue("id")):
		c.Write(ctx, websocket.MessageText, []byte(how))
		c.Read(ctx)
	case <-ctx.Done():
	}
}
