package moving

import (
	"context"
	"errors"
	"fmt"
	"go/format"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	websocket "github.com/closeonce/websocket"
)

// What follows is MIGRATING.md's code.

func exampleContext(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow() // also when ctx is done
	for {
		typ, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, typ, p); err != nil {
			return
		}
	}
}

func exampleReason(ctx context.Context, c *websocket.Conn, p []byte) error {
	err := c.Write(ctx, websocket.MessageText, p)
	switch {
	case err == nil:
	case websocket.CloseStatus(err) != -1:
		log.Printf("the peer left with %v", websocket.CloseStatus(err))
	case errors.Is(err, net.ErrClosed):
		log.Print("we have closed the connection")
	default:
		return err
	}
	return nil
}

func exampleOwnClose(ctx context.Context, c *websocket.Conn) error {
	_, _, err := c.Read(ctx)
	if websocket.CloseStatus(err) == websocket.StatusNormalClosure || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func exampleLost(ctx context.Context, c *websocket.Conn) error {
	_, _, err := c.Read(ctx)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the peer is gone: %w", err)
	}
	return nil
}

func keyOf(req *http.Request) string {
	for name, values := range req.Header {
		if strings.EqualFold(name, "Sec-WebSocket-Key") {
			return values[0]
		}
	}
	return ""
}

// TestExamples: all code in MIGRATING.md is in this file, and so compiles.
func TestExamples(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := strings.ReplaceAll(string(source), "\n\t", "\n")
	blocks := strings.Split(aboutCoder(t), "```go\n")[1:]
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		formatted, err := format.Source([]byte(block))
		if err != nil {
			t.Errorf("%v in\n%s", err, block)
		} else if !strings.Contains(string(source), block) && !strings.Contains(code, block) {
			t.Errorf("not in example_test.go:\n%s", block)
		} else if string(formatted) != block {
			t.Errorf("not formatted:\n%s", block)
		}
	}
	if len(blocks) == 0 {
		t.Error("there is no code")
	}
	_, _, _, _, _ = exampleContext, exampleReason, exampleOwnClose, exampleLost, keyOf
}
