//go:build !js

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServe: the server serves the page and the files for it; two clients in the terminal hear each other; Ctrl-C ends all.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	files := pageFiles{filepath.Join(dir, "program"), filepath.Join(dir, "script")}
	for _, name := range []string{files.program, files.script} {
		if err := os.WriteFile(name, []byte("the "+filepath.Base(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l, files) }()

	for path, want := range map[string]string{"/": "<!doctype html>", "/talk.wasm": "the program", "/wasm_exec.js": "the script"} {
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s begins with %.20q, %v", path, body, err)
		}
	}

	type client struct {
		said, shown chan string
		ended       chan error
	}
	join := func() client {
		c := client{make(chan string), make(chan string, 10), make(chan error, 1)}
		go func() {
			c.ended <- talk(ctx, "ws://"+l.Addr().String()+"/ws", c.said, func(line string) { c.shown <- line })
		}()
		return c
	}
	hears := func(c client, line string) {
		t.Helper()
		for got := ""; got != line; {
			select {
			case got = <-c.shown:
			case <-time.After(10 * time.Second):
				t.Fatalf("%q did not come", line)
			}
		}
	}
	a, b := join(), join()
	a.said <- "first"
	hears(a, "first") // so it has joined
	b.said <- "hello"
	hears(a, "hello")
	hears(b, "hello")

	cancel()
	<-a.ended
	<-b.ended
	if err := <-served; err != nil {
		t.Error(err)
	}
}
