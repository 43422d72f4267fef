package browser

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/closeonce/websocket"
)

// 16 MiB each way, as text and as binary: the page sends what it made, the
// server checks it and sends it back, the page checks that.
func TestLargeMessagesBothWays(t *testing.T) {
	const size = 16 << 20
	want := make([]byte, size)
	for i := range want {
		want[i] = byte('a' + i%23)
	}
	url := serve(t, accept(func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				t.Errorf("the server: %v", err)
				return
			}
			if !bytes.Equal(m.Data, want) {
				t.Errorf("the page's %d bytes did not come as they were", len(m.Data))
				return
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				t.Errorf("the server: %v", err)
				return
			}
		}
	}))
	p := newPage(t, url)
	var got struct {
		Same    []bool
		Closing closing
	}
	p.run(fmt.Sprintf(`(async () => {
		const bytes = new Uint8Array(%d);
		for (let i = 0; i < bytes.length; i++) bytes[i] = 97 + i %% 23;
		const text = new TextDecoder().decode(bytes);
		const ws = new WebSocket("/ws");
		ws.binaryType = "arraybuffer";
		const closing = %s;
		await new Promise((done) => ws.onopen = done);
		const same = [];
		for (const m of [bytes, text]) {
			ws.send(m);
			const { data } = await Promise.race([
				new Promise((done) => ws.onmessage = done),
				closing.then((c) => { throw new Error(JSON.stringify(c)); }),
			]);
			const back = typeof m === "string" ? data : new Uint8Array(data);
			same.push(typeof m === "string" ? back === m : back.length === m.length && back.every((b, i) => b === m[i]));
		}
		ws.close(1000);
		return { same, closing: await closing };
	})()`, size, closed), &got)
	if fmt.Sprint(got.Same) != "[true true]" {
		t.Errorf("what came back is the same: %v, want twice true", got.Same)
	}
	p.wantClean(got.Closing, 1000)
	p.wantQuiet()
}

// The page sends 1000 messages at once, and the server sends 1000 of its own at
// the same time. All come, in order.
func TestABurstInOrder(t *testing.T) {
	const count = 1000
	url := serve(t, websocket.Handler(&websocket.AcceptOptions{QueueLimit: 1 << 20}, func(ctx context.Context, c *websocket.Conn) {
		go func() {
			for i := range count {
				if err := c.TryWrite(websocket.MessageText, fmt.Append(nil, "server ", i)); err != nil {
					t.Errorf("message %d to the page: %v", i, err)
					return
				}
			}
		}()
		for i := range count {
			_, p, err := c.Read(ctx)
			if want := fmt.Append(nil, "page ", i); err != nil || !bytes.Equal(p, want) {
				t.Errorf("message %d from the page: %q, %v", i, p, err)
				return
			}
			if err := c.Write(ctx, websocket.MessageText, p); err != nil {
				t.Errorf("the answer to message %d: %v", i, err)
				return
			}
		}
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("after the burst: %v", err)
		}
	}))
	p := newPage(t, url)
	var got struct {
		Messages []string
		Closing  closing
	}
	p.run(fmt.Sprintf(`(async () => {
		const count = %d, messages = [];
		const ws = new WebSocket("/ws");
		const closing = %s;
		ws.onopen = () => { for (let i = 0; i < count; i++) ws.send("page " + i); };
		ws.onmessage = ({ data }) => { if (messages.push(data) === 2 * count) ws.close(1000); };
		return { closing: await closing, messages };
	})()`, count, closed), &got)

	next := map[string]int{}
	for _, m := range got.Messages {
		var from string
		var i int
		if _, err := fmt.Sscan(m, &from, &i); err != nil || i != next[from] {
			t.Fatalf("the page got %q, want number %d", m, next[from])
		}
		next[from]++
	}
	if next["page"] != count || next["server"] != count {
		t.Errorf("the page got %v messages, want %d of each", next, count)
	}
	p.wantClean(got.Closing, 1000)
	p.wantQuiet()
}
