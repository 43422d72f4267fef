package gorilla

import (
	"context"
	"fmt"
	"go/format"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	gorilla "github.com/closeonce/websocket/gorilla"
)

// What follows is MIGRATING.md's code for programs as they become.

var logf = log.Printf

func serveModern(ctx context.Context, c *websocket.Conn) {}

func afterHub() (http.Handler, *websocket.Group) {
	group := &websocket.Group{MaxQueued: 256}
	handler := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if err := group.Add(c); err != nil { // it leaves by itself
			return
		}
		for m, err := range c.Messages(ctx) {
			if err != nil {
				logf("lost: %v", err)
				return
			}
			group.Broadcast(m.Type, m.Data)
		}
	})
	return handler, group
}

var keepAlive = &websocket.AcceptOptions{KeepAlive: 30 * time.Second} // the default

func afterMutex(ctx context.Context, c *websocket.Conn, message []byte) error {
	return c.Write(ctx, websocket.MessageText, message)
}

func afterDeadline(ctx context.Context, c *websocket.Conn) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, answer, err := c.Read(ctx) // after a time-out the connection lives on
	return answer, err
}

func afterClose(c *websocket.Conn) error {
	return c.Close(websocket.StatusNormalClosure, "done") // waits for the peer's answer; CloseNow does not
}

func afterBoth(c *websocket.Conn) {
	conn := gorilla.From(c) // for code that is not moved yet
	conn.WriteJSON(map[string]int{"answer": 42})
}

var _, _, _, _, _, _ = afterHub, keepAlive, afterMutex, afterDeadline, afterClose, afterBoth

// TestMigrating: the code in MIGRATING.md's part about gorilla/websocket is in these two files, and so compiles.
func TestMigrating(t *testing.T) {
	var code strings.Builder
	for _, name := range []string{"idioms_before_test.go", "idioms_after_test.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&code, "%s\n%s\n", source, strings.ReplaceAll(string(source), "\n\t", "\n"))
	}
	page, err := os.ReadFile("../../../MIGRATING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n## From gorilla/websocket\n")
	blocks := strings.Split(part, "```go\n")[1:]
	if len(blocks) < 8 {
		t.Errorf("%d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		formatted, err := format.Source([]byte(block))
		if err != nil {
			t.Errorf("%v in\n%s", err, block)
		} else if !strings.Contains(code.String(), block) {
			t.Errorf("in neither file:\n%s", block)
		} else if string(formatted) != block {
			t.Errorf("not formatted:\n%s", block)
		}
	}
}
