package websocket

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestDeflateEndToEnd: both ends ours, over TCP, with each window: messages of
// several goroutines, by Write, TryWrite and Writer, come back as they were.
func TestDeflateEndToEnd(t *testing.T) {
	for _, mode := range []CompressionMode{CompressionContextTakeover, CompressionNoContextTakeover} {
		for bits := minWindowBits; bits <= maxWindowBits; bits++ {
			t.Run(fmt.Sprintf("mode %d, window %d", mode, bits), func(t *testing.T) {
				tuning := CompressionTuning{ServerWindowBits: bits, ClientWindowBits: maxWindowBits + minWindowBits - bits}
				srv := httptest.NewServer(Handler(&AcceptOptions{CompressionMode: mode, CompressionTuning: tuning}, func(ctx context.Context, c *Conn) {
					for m, err := range c.Messages(ctx) {
						if err != nil {
							t.Error(err)
							return
						}
						if err := c.Write(ctx, m.Type, m.Data); err != nil {
							t.Error(err)
							return
						}
					}
				}))
				defer srv.Close()
				c, resp, err := Dial(bg, srv.URL, &DialOptions{CompressionMode: mode})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if resp.Header.Get("Sec-WebSocket-Extensions") == "" || c.deflate == nil {
					t.Fatal("nothing was agreed on")
				}

				const writers, each = 4, 30
				want := make(chan string, writers*each)
				var wg sync.WaitGroup
				for w := range writers {
					wg.Add(1)
					go func() {
						defer wg.Done()
						for i := range each {
							s := fmt.Sprintf("%d/%d: %s", w, i, text(i*i*(w+1)*3))
							want <- s
							if err := writeSomehow(c, i, s); err != nil {
								t.Error(err)
							}
						}
					}()
				}
				got := map[string]int{}
				for range writers * each {
					_, p, err := c.Read(bg)
					if err != nil {
						t.Fatal(err)
					}
					got[string(p)]++
				}
				wg.Wait()
				for range writers * each {
					if s := <-want; got[s] != 1 {
						t.Fatalf("a message of %d bytes came %d times", len(s), got[s])
					}
				}
				if err := c.Close(StatusNormalClosure, ""); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// writeSomehow writes a message in one of the ways there are.
func writeSomehow(c *Conn, i int, s string) error {
	switch i % 3 {
	case 1:
		if err := c.TryWrite(MessageText, []byte(s)); err != ErrQueueFull {
			return err
		}
	case 2:
		w, err := c.Writer(bg, MessageText)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, s[:len(s)/2]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, s[len(s)/2:]); err != nil {
			return err
		}
		return w.Close()
	}
	return c.Write(bg, MessageText, []byte(s))
}

// TestDeflateDeclined: one end does not want it.
func TestDeflateDeclined(t *testing.T) {
	for _, modes := range [][2]CompressionMode{
		{CompressionDisabled, CompressionContextTakeover},
		{CompressionContextTakeover, CompressionDisabled},
	} {
		srv := httptest.NewServer(Handler(&AcceptOptions{CompressionMode: modes[0]}, func(ctx context.Context, c *Conn) {
			c.Read(ctx)
		}))
		c, resp, err := Dial(bg, srv.URL, &DialOptions{CompressionMode: modes[1]})
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Sec-WebSocket-Extensions") != "" || c.deflate != nil {
			t.Error("something was agreed on")
		}
		if err := c.Close(StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		srv.Close()
	}
}

// TestAcceptBadTuning: the server's own mistake is no refusal of the client's.
func TestAcceptBadTuning(t *testing.T) {
	srv := httptest.NewServer(Handler(&AcceptOptions{CompressionMode: 9}, func(ctx context.Context, c *Conn) {}))
	defer srv.Close()
	_, resp, err := Dial(bg, srv.URL, nil)
	if err == nil || resp == nil || resp.StatusCode != 500 {
		t.Fatal(resp, err)
	}
}

// TestDeflateAllocations: none per message, in either direction, with and
// without takeover.
func TestDeflateAllocations(t *testing.T) { testAllocations(t, true) }

// TestAllocations: none per message.
func TestAllocations(t *testing.T) { testAllocations(t, false) }

func testAllocations(t *testing.T, compressed bool) {
	if raceEnabled {
		t.Skip("the race detector allocates, and sync.Pool drops at random under it")
	}
	for _, mode := range []CompressionMode{CompressionContextTakeover, CompressionNoContextTakeover} {
		srvOpts, opts := &AcceptOptions{}, &DialOptions{}
		if compressed {
			srvOpts.CompressionMode, opts.CompressionMode = mode, mode
		}
		srv := httptest.NewServer(Handler(srvOpts, func(ctx context.Context, c *Conn) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if c.Subprotocol() == "messages" {
				for m, err := range c.Messages(ctx) {
					if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
						return
					}
				}
				return
			}
			var buf []byte
			for {
				typ, p, err := c.AppendRead(ctx, buf[:0])
				if err != nil || c.Write(ctx, typ, p) != nil {
					return
				}
				buf = p
			}
		}))
		for _, way := range []string{"", "messages"} {
			opts.Subprotocols, srvOpts.Subprotocols = []string{way}, []string{"messages"}
			if way == "" {
				opts.Subprotocols = nil
			}
			countAllocations(t, srv.URL, opts)
		}
		srv.Close()
	}
}

// countAllocations counts those of an echo, of both ends.
func countAllocations(t *testing.T, url string, opts *DialOptions) {
	c, _, err := Dial(bg, url, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	message := []byte(text(1000))
	var buf []byte
	echo := func() {
		if err := c.Write(ctx, MessageText, message); err != nil {
			t.Fatal(err)
		}
		_, p, err := c.AppendRead(ctx, buf[:0])
		if err != nil || len(p) != len(message) {
			t.Fatal(len(p), err)
		}
		buf = p
	}
	for range 100 {
		echo()
	}
	// A collection in between may cost a pool's content.
	if n := testing.AllocsPerRun(2000, echo); n >= 1 {
		t.Errorf("%v allocations for an echo, options %+v", n, *opts)
	}
}
