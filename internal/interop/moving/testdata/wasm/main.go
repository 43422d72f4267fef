// Command wasm uses all that github.com/coder/websocket has in a browser.
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

func main() {
	if err := run(context.Background(), "ws://localhost:8080/"); err != nil {
		fmt.Println(websocket.CloseStatus(err), err)
	}
}

func run(ctx context.Context, url string) error {
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	fmt.Println(resp.StatusCode, c.Subprotocol())
	c.SetReadLimit(1 << 20)
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err
	}
	typ, p, err := c.Read(ctx)
	if err != nil {
		return err
	}
	fmt.Println(typ, p)
	w, err := c.Writer(ctx, websocket.MessageBinary)
	if err != nil {
		return err
	}
	io.WriteString(w, "streamed")
	if err := w.Close(); err != nil {
		return err
	}
	_, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	io.Copy(io.Discard, r)
	if err := wsjson.Write(ctx, c, 42); err != nil {
		return err
	}
	var v int
	if err := wsjson.Read(ctx, c, &v); err != nil {
		return err
	}
	if err := c.Ping(ctx); err != nil {
		return err
	}
	nc := websocket.NetConn(ctx, c, websocket.MessageBinary)
	nc.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(nc, "bytes")
	ctx = c.CloseRead(ctx)
	<-ctx.Done()
	return c.Close(websocket.StatusNormalClosure, "")
}
