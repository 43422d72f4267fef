// Command endpoint is package ours as a program.
//
//	endpoint MODE         serve; the first line that it prints is its URL. Ends with its standard input
//	endpoint MODE URL     be the client that comes to the driver at URL
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"

	"github.com/closeonce/websocket/internal/proof/conformance/ours"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: endpoint MODE [URL]")
	}
	i := slices.IndexFunc(ours.Modes, func(m ours.Mode) bool { return m.Name == os.Args[1] })
	if i < 0 {
		log.Fatalf("there is no mode %q", os.Args[1])
	}
	mode := ours.Modes[i]
	if len(os.Args) == 3 {
		if err := mode.Drive(context.Background(), os.Args[2], nil); err != nil {
			log.Fatal(err)
		}
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ws://%s/\n", ln.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	// Broken requests are part of the suite.
	server := &http.Server{Handler: mode.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
	log.Fatal(server.Serve(ln))
}
