// Command wasm is a client in a browser or in Node.js. It checks what a Conn promises there, with the server of package wasmserver,
// and prints a line for each check. Tests in peers (Node.js) and browser (Chromium) run it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall/js"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/wsjson"
)

// A check is given the URL of the server.
type check struct {
	name string
	run  func(ctx context.Context, url string) error
}

var checks = []check{
	{"echo", echo},
	{"large", large},
	{"writer", writer},
	{"json", json},
	{"netconn", netConn},
	{"subprotocol", subprotocol},
	{"we close", weClose},
	{"codes of the protocol", protocolCode},
	{"the server closes", serverCloses},
	{"the server closes without a code", serverClosesBare},
	{"lost", lost},
	{"cancel", cancel},
	{"read limit", readLimit},
	{"closeRead", closeRead},
	{"slow server", slowServer},
	{"slow reader", slowReader},
	{"ping", ping},
	{"many", many},
	{"refused", refused},
	{"handshake cancelled", handshakeCancelled},
	{"options", options},
	{"bad URL", badURL},
}

func main() {
	url := os.Args[1]
	failed := 0
	for _, c := range checks {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := c.run(ctx, url)
		cancel()
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %v\n", c.name, err)
			continue
		}
		fmt.Printf("ok %s\n", c.name)
	}
	fmt.Printf("done, %d of %d failed\n", failed, len(checks))
	js.Global().Set("checksFailed", failed)
}

// dial opens the WebSocket at a path of the server's.
func dial(ctx context.Context, url, path string, opts *websocket.DialOptions) (*websocket.Conn, error) {
	c, resp, err := websocket.Dial(ctx, url+path, opts)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return c, err
}

// bounce sends a message and wants it back.
func bounce(ctx context.Context, c *websocket.Conn, typ websocket.MessageType, p []byte) error {
	if err := c.Write(ctx, typ, p); err != nil {
		return err
	}
	gotType, got, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if gotType != typ || !bytes.Equal(got, p) {
		return fmt.Errorf("%v %.50q (%d bytes) came back for %v %.50q (%d bytes)", gotType, got, len(got), typ, p, len(p))
	}
	return nil
}

func echo(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for _, text := range []string{"hello", "", "\u00e9\U0001f600", strings.Repeat("x", 70_000)} {
		if err := bounce(ctx, c, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
		if err := bounce(ctx, c, websocket.MessageBinary, []byte(text+"\xff\x00")); err != nil {
			return err
		}
	}
	return c.Close(websocket.StatusNormalClosure, "done")
}

func large(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", &websocket.DialOptions{ReadLimit: -1})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	return bounce(ctx, c, websocket.MessageBinary, bytes.Repeat([]byte("0123456789abcdef"), 192<<10)) // 3 MiB: Node.js unpacks no more than 4
}

func writer(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for range 100 {
		if _, err := io.WriteString(w, "piece after piece "); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	typ, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err != nil || typ != websocket.MessageText || string(got) != strings.Repeat("piece after piece ", 100) {
		return fmt.Errorf("%v %q, %v", typ, got, err)
	}
	go func() {
		for i := range 3 {
			c.Write(ctx, websocket.MessageText, fmt.Append(nil, i))
		}
	}()
	n := 0
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if string(m.Data) != fmt.Sprint(n) {
			return fmt.Errorf("message %d is %q", n, m.Data)
		}
		if n++; n == 3 {
			break
		}
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func json(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	type point struct{ X, Y int }
	var got point
	if err := wsjson.Write(ctx, c, point{1, 2}); err != nil {
		return err
	}
	if err := wsjson.Read(ctx, c, &got); err != nil || got != (point{1, 2}) {
		return fmt.Errorf("%+v, %v", got, err)
	}
	return nil
}

func netConn(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	nc := websocket.NetConn(ctx, c, websocket.MessageBinary)
	defer nc.Close()
	if _, err := nc.Write([]byte("over a net.Conn")); err != nil {
		return err
	}
	got := make([]byte, len("over a net.Conn"))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != "over a net.Conn" {
		return fmt.Errorf("%q, %v", got, err)
	}
	nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := nc.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("at the deadline Read gave %v", err)
	}
	return nc.Close()
}

func subprotocol(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", &websocket.DialOptions{
		Subprotocols: []string{"other", "chat"},
		HTTPHeader:   http.Header{"Sec-WebSocket-Protocol": {"third"}},
	})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if c.Subprotocol() != "chat" {
		return fmt.Errorf("it is %q", c.Subprotocol())
	}
	return nil
}

// wantClosed wants the server to have seen the code and reason.
func wantClosed(ctx context.Context, url, id string, want string) error {
	c, err := dial(ctx, url, "/seen?id="+id, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err == nil && string(p) != want {
		err = fmt.Errorf("the server saw %q, want %q", p, want)
	}
	return err
}

func weClose(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo?id=weClose", nil)
	if err != nil {
		return err
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("before")); err != nil {
		return err
	}
	if err := c.Close(4321, "we close"); err != nil {
		return err
	}
	if err := c.Close(1000, "again"); err != nil {
		return fmt.Errorf("the second Close gave %v", err)
	}
	if err := c.Write(ctx, websocket.MessageText, nil); err == nil {
		return errors.New("Write gave no error after Close")
	}
	return wantClosed(ctx, url, "weClose", `4321 "we close"`)
}

func protocolCode(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo?id=protocolCode", nil)
	if err != nil {
		return err
	}
	if err := c.Close(websocket.StatusGoingAway, "no page may say so"); err != nil {
		return err
	}
	return wantClosed(ctx, url, "protocolCode", `1005 ""`)
}

func serverCloses(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/close?code=4001&reason=enough", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if _, p, err := c.Read(ctx); err != nil || string(p) != "before" {
		return fmt.Errorf("Read gave %q, %v", p, err)
	}
	_, _, err = c.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "enough" {
		return fmt.Errorf("Read gave %v", err)
	}
	select {
	case <-c.Context().Done():
		return nil
	case <-ctx.Done():
		return errors.New("Context does not end")
	}
}

func serverClosesBare(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/close?code=1005", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	c.Read(ctx)
	if _, _, err = c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNoStatusRcvd {
		return fmt.Errorf("Read gave %v", err)
	}
	return nil
}

func lost(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/lost", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if _, _, err = c.Read(ctx); err == nil || websocket.CloseStatus(err) != -1 || ctx.Err() != nil {
		return fmt.Errorf("Read gave %v", err)
	}
	return nil
}

func cancel(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, _, err := c.Read(short); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("Read gave %v", err)
	}
	return bounce(ctx, c, websocket.MessageText, []byte("and on"))
}

func readLimit(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", &websocket.DialOptions{ReadLimit: 100})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := bounce(ctx, c, websocket.MessageBinary, make([]byte, 101)); !errors.Is(err, websocket.ErrMessageTooBig) {
		return fmt.Errorf("Read gave %v", err)
	}
	return nil
}

func closeRead(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/close?code=1000", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	c.Read(ctx)
	select {
	case <-c.CloseRead(ctx).Done():
		return nil
	case <-time.After(10 * time.Second):
		return errors.New("the context of CloseRead does not end")
	}
}

// slowServer: a Write waits while the server reads slowly, and what is buffered is bounded.
func slowServer(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/slow", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	const size, count = 256 << 10, 64 // 16 MiB
	message := make([]byte, size)
	waited := false
	for range count {
		err := c.TryWrite(websocket.MessageBinary, message[:min(size, 200<<10)])
		if errors.Is(err, websocket.ErrQueueFull) {
			waited = true
			err = c.Write(ctx, websocket.MessageBinary, message)
		}
		if err != nil {
			return err
		}
	}
	if !waited {
		return errors.New("no write has found a full queue")
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

// slowReader: of a server that sends more than we read, no more than the bound is kept.
func slowReader(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/flood", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("go")); err != nil {
		return err
	}
	select { // the end is seen while nobody reads, or after what is kept has been read
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
	}
	n := 0
	for err == nil {
		_, _, err = c.Read(ctx)
		n++
	}
	if n < 16 || n > 20 || !strings.Contains(err.Error(), "read faster") {
		return fmt.Errorf("%d messages of 1 MiB, then %v", n, err)
	}
	var m runtime.MemStats
	runtime.GC()
	if runtime.ReadMemStats(&m); m.HeapAlloc > 64<<20 {
		return fmt.Errorf("the heap has %d bytes", m.HeapAlloc)
	}
	return nil
}

func ping(ctx context.Context, url string) error {
	c, err := dial(ctx, url, "/echo", nil)
	if err != nil {
		return err
	}
	if err := c.Ping(ctx); err != nil {
		return err
	}
	c.CloseNow()
	if err := c.Ping(ctx); err == nil {
		return errors.New("Ping gave no error after CloseNow")
	}
	return nil
}

// many: many connections, opened, used and closed at once, leave no goroutine behind.
func many(ctx context.Context, url string) error {
	before := runtime.NumGoroutine()
	results := make(chan error)
	const n = 50
	for i := range n {
		go func() {
			c, err := dial(ctx, url, "/echo", nil)
			if err == nil {
				defer c.CloseNow()
				err = bounce(ctx, c, websocket.MessageText, fmt.Append(nil, i))
			}
			if err == nil && i%2 == 0 {
				err = c.Close(websocket.StatusNormalClosure, "")
			}
			results <- err
		}()
	}
	var errs []error
	for range n {
		errs = append(errs, <-results)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		<-time.After(10 * time.Millisecond)
	}
	return nil
}

func refused(ctx context.Context, url string) error {
	c, resp, err := websocket.Dial(ctx, url+"/refuse", nil)
	if err == nil || c != nil || resp != nil || !strings.Contains(err.Error(), "console") {
		return fmt.Errorf("Dial gave %v, %v, %v", c, resp, err)
	}
	return nil
}

func handshakeCancelled(ctx context.Context, url string) error {
	for _, opts := range []*websocket.DialOptions{nil, {HTTPClient: &http.Client{Timeout: 50 * time.Millisecond}}} {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if _, err := dial(short, url, "/late", opts); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Dial gave %v", err)
		}
	}
	return nil
}

func options(ctx context.Context, url string) error {
	if _, err := dial(ctx, url, "/echo", &websocket.DialOptions{Host: "h"}); !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("Host: %v", err)
	}
	if _, err := dial(ctx, url, "/echo", &websocket.DialOptions{HTTPHeader: http.Header{"X": {"y"}}}); !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("HTTPHeader: %v", err)
	}
	c, err := dial(ctx, url, "/echo", &websocket.DialOptions{
		CompressionMode: websocket.CompressionContextTakeover, KeepAlive: 10 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	<-time.After(50 * time.Millisecond) // an hour of keepalive
	return bounce(ctx, c, websocket.MessageText, []byte("alive"))
}

func badURL(ctx context.Context, _ string) error {
	for _, u := range []string{"ftp://h/", "ws://"} {
		if _, _, err := websocket.Dial(ctx, u, nil); err == nil {
			return fmt.Errorf("%s: no error", u)
		}
	}
	if _, _, err := websocket.Dial(ctx, "ws://localhost:1/", nil); err == nil {
		return errors.New("nobody listens there")
	}
	return nil
}
