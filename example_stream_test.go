//go:build !race

// The race detector makes a gibibyte take a quarter of a minute.

package websocket_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"runtime"

	"github.com/closeonce/websocket"
)

// zeros is an endless source of bytes, in place of a large file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// One message of 1 GiB passes from a Writer to a Reader in constant memory: each end needs a buffer of some 32 KiB.
func ExampleConn_Writer_stream() {
	const size = 1 << 30
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		w, err := c.Writer(ctx, websocket.MessageBinary)
		if err != nil {
			log.Print(err)
			return
		}
		if _, err := io.Copy(w, io.LimitReader(zeros{}, size)); err != nil {
			log.Print(err)
			return // without Close: a shorter message would look whole
		}
		if err := w.Close(); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{ReadLimit: size})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, r, err := c.Reader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		log.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	fmt.Println(n>>20, "MiB")
	fmt.Println("less than 4 MiB allocated:", after.TotalAlloc-before.TotalAlloc < 4<<20)
	// Output:
	// 1024 MiB
	// less than 4 MiB allocated: true
}
