package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/closeonce/websocket"
)

// proxy connects each client with the backend.
func proxy(backend string) http.Handler {
	return websocket.Handler(nil, func(ctx context.Context, front *websocket.Conn) {
		back, _, err := websocket.Dial(ctx, backend, nil)
		if err != nil {
			log.Print(err)
			front.Close(websocket.StatusBadGateway, "the backend does not answer")
			return
		}
		defer back.CloseNow()
		done := make(chan struct{})
		go func() {
			defer close(done)
			forward(ctx, front, back)
		}()
		forward(ctx, back, front)
		<-done
	})
}

// forward sends what comes from src to dst, messages of any size in a few KiB of memory. When src ends, it closes dst for the
// same reason.
func forward(ctx context.Context, dst, src *websocket.Conn) {
	src.SetReadLimit(-1)
	for {
		if err := forwardMessage(ctx, dst, src); err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				dst.Close(closed.Code, closed.Reason)
			} else {
				dst.Close(websocket.StatusBadGateway, "the connection behind the proxy was lost")
			}
			return
		}
	}
}

func forwardMessage(ctx context.Context, dst, src *websocket.Conn) error {
	typ, r, err := src.Reader(ctx)
	if err != nil {
		return err
	}
	w, err := dst.Writer(ctx, typ)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return err // without w.Close: half a message would look whole
	}
	return w.Close()
}

// A proxy of two connections that passes on messages and the Close code.
func Example_proxy() {
	backend := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Print(err)
			return
		}
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "the backend got %q", p)); err != nil {
			log.Print(err)
			return
		}
		c.Close(4003, "that is all")
	}))
	defer backend.Close()
	server := httptest.NewServer(proxy(backend.URL))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	_, _, err = c.Read(ctx)
	fmt.Println(err)
	// Output:
	// the backend got "hello"
	// websocket: received close frame: status = StatusCode(4003) and reason = "that is all"
}
