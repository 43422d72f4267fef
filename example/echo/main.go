// Echo is a WebSocket server that sends back what it gets, and its client.
//
//	go run ./example/echo                       the server
//	go run ./example/echo ws://127.0.0.1:8080   the client: type lines, Ctrl-D ends it
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/closeonce/websocket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` on which the server listens")
	flag.Parse()
	log.SetFlags(0)

	var err error
	if url := flag.Arg(0); url != "" {
		err = talk(context.Background(), url, os.Stdin, os.Stdout)
	} else {
		log.Printf("echoing on ws://%s", *addr)
		err = http.ListenAndServe(*addr, websocket.Handler(nil, echo))
	}
	if err != nil {
		log.Fatal(err)
	}
}

// echo is the server: it sends every message back, until the client closes the
// connection.
func echo(ctx context.Context, c *websocket.Conn) {
	for m, err := range c.Messages(ctx) {
		if err == nil {
			err = c.Write(ctx, m.Type, m.Data)
		}
		if err != nil {
			log.Print(err)
			return
		}
	}
}

// talk is the client: it sends every line of in and prints what comes back.
func talk(ctx context.Context, url string, in io.Reader, out io.Writer) error {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()

	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := c.Write(ctx, websocket.MessageText, lines.Bytes()); err != nil {
			return err
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", answer)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}
