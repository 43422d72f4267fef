// Command chat runs the chat example of github.com/gorilla/websocket, unchanged, with this library in its place.
package main

import (
	"flag"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/closeonce/websocket/internal/interop/gorilla/stand"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	if err := run(*addr); err != nil {
		log.Fatal(err)
	}
}

// run ends with the input, or when it is interrupted.
func run(addr string) error {
	dir, err := os.MkdirTemp("", "chat")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := stand.Examples(dir); err != nil {
		return err
	}
	cmd := exec.Command("./program", "-addr", addr)
	cmd.Dir = filepath.Join(dir, "examples", "chat")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() {
		os.Stdin.Read(make([]byte, 1))
		stop <- os.Interrupt
	}()
	<-stop
	cmd.Process.Kill()
	cmd.Wait()
	return nil
}
