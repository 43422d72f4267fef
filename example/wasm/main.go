//go:build !js

// Command wasm is a chat whose client is one piece of Go code (talk.go), compiled for the browser and for the terminal:
//
//	go run ./example/wasm                               the server, with a page at http://127.0.0.1:8080
//	go run ./example/wasm -join ws://127.0.0.1:8080/ws the client in a terminal
//
// The server compiles the page's program when it starts, so it needs Go.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/closeonce/websocket"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	join := flag.String("join", "", "`URL` of a server to join from this terminal")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *join != "" {
		err = chat(ctx, *join)
	} else {
		err = compileAndServe(ctx, *addr)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// chat joins from the terminal.
func chat(ctx context.Context, url string) error {
	said := make(chan string)
	ctx, end := context.WithCancel(ctx)
	go func() {
		defer end() // Ctrl-D
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			said <- in.Text()
		}
	}()
	return talk(ctx, url, said, func(line string) { fmt.Println(line) })
}

func compileAndServe(ctx context.Context, addr string) error {
	dir, err := os.MkdirTemp("", "wasm")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println("compiling the page's program, which takes a minute at first")
	files, err := compile(ctx, dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s", l.Addr())
	return serve(ctx, l, files)
}

// serve serves the page, the files for it, and the WebSockets, until ctx ends.
func serve(ctx context.Context, l net.Listener, files pageFiles) error {
	mux := http.NewServeMux()
	server := &http.Server{Handler: mux}
	everybody := websocket.ServerGroup(server)
	mux.Handle("/ws", websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			everybody.Broadcast(m.Type, m.Data)
		}
	}))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write(page) })
	mux.HandleFunc("/talk.wasm", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, files.program) })
	mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, files.script) })

	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ctx)
		everybody.Shutdown(ctx)
	})
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	<-done
	return nil
}

// pageFiles are the files that the page needs: its program, compiled, and Go's script that runs it.
type pageFiles struct{ program, script string }

// compile compiles this package for the browser.
func compile(ctx context.Context, dir string) (pageFiles, error) {
	program := filepath.Join(dir, "talk.wasm")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/closeonce/websocket/example/wasm")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return pageFiles{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return pageFiles{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	return pageFiles{program, filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")}, nil
}
