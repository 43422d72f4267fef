// Chat is a chat server with its page in one binary.
//
//	go run ./example/chat -addr 127.0.0.1:8080
//
// Open the address it prints in two windows. Every URL /r/{name} is a room.
//
// It shows what most WebSocket servers need: one message to many without
// waiting for the slow (room.go), a page that comes back by itself after the
// connection was lost (page/connection.js), and an end at which nobody is cut
// off: on Ctrl-C every client gets a Close frame with 1001.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	log.SetFlags(0)

	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on http://%s", ln.Addr())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	if err := serve(ctx, ln); err != nil {
		log.Fatal(err)
	}
}

// serve serves the chat on ln until ctx ends, and then says goodbye to every
// client before it returns.
func serve(ctx context.Context, ln net.Listener) error {
	hub := newHub(ctx)
	server := &http.Server{Handler: hub.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// Shutdown does not know of WebSockets, which it counts as taken away; but
	// when it returns no new one can come, so that the hub's can be waited for.
	// Those end because ctx has ended. Shutdown would give browsers' spare
	// connections, which bring no request, five seconds: one is enough.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	hub.wait()
	return err
}
