package websocket

import (
	"bytes"
	"context"
	"net/http/httptest"
	"testing"
)

func TestEcho(t *testing.T) {
	srv := httptest.NewServer(Handler(nil, func(ctx context.Context, c *Conn) {
		var buf []byte
		for {
			typ, p, err := c.AppendRead(ctx, buf[:0])
			if err != nil {
				t.Log("server:", err)
				return
			}
			buf = p
			if err := c.Write(ctx, typ, p); err != nil {
				t.Log("server write:", err)
				return
			}
		}
	}))
	defer srv.Close()
	ctx := context.Background()
	c, _, err := Dial(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 125, 126, 4096, 65535, 65536, 1 << 20} {
		p := bytes.Repeat([]byte("x"), n)
		if err := c.Write(ctx, MessageText, p); err != nil {
			t.Fatal(err)
		}
		typ, q, err := c.Read(ctx)
		if err != nil || typ != MessageText || !bytes.Equal(p, q) {
			t.Fatal(n, typ, err, len(q))
		}
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(1000, "bye"); err != nil {
		t.Fatal(err)
	}
}
