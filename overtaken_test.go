package websocket

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// A leisurely net.Conn takes its time for each Write.
type leisurely struct{ net.Conn }

func (c leisurely) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return c.Conn.Write(p)
}

// TestOvertakenWriters: others send so much with TryWrite that something is always pending. A call that waits for the write turn gets
// it all the same, and Flush waits only for what came before it.
func TestOvertakenWriters(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *Conn) error{
		"Flush": func(ctx context.Context, c *Conn) error { return c.Flush(ctx) },
		"Write": func(ctx context.Context, c *Conn) error { return c.Write(ctx, MessageText, make([]byte, 300<<10)) },
		"Writer": func(ctx context.Context, c *Conn) error {
			w, err := c.Writer(ctx, MessageText)
			if err == nil {
				err = w.Close()
			}
			return err
		},
	}
	for name, call := range calls {
		for _, client := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := memconn.Pipe(64 << 10)
					runOne(t, client, config{}, leisurely{ours}, theirs, false, func(t *connTest) {
						go io.Copy(io.Discard, theirs)
						ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
						defer cancel()
						go func() {
							for t.c.TryWrite(MessageText, []byte("one more")) == nil {
								time.Sleep(100 * time.Microsecond)
							}
						}()
						time.Sleep(10 * time.Millisecond)
						if err := call(ctx, t.c); err != nil {
							t.Error(err)
						}
						t.c.CloseNow()
						theirs.Close()
						time.Sleep(5 * time.Second) // for those that sleep
					})
				})
			})
		}
	}
}

// TestFlushBroadcast: a group's messages are flushed, too.
func TestFlushBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		m := joinedMember(t, &g, config{}, 8<<20)
		for i := range 100 {
			if err := g.Broadcast(MessageText, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := m.c.Flush(bg); err != nil {
				t.Fatal(err)
			}
			if n := m.c.Stats().Written.Messages; n != int64(i+1) {
				t.Fatalf("%d messages have left of %d", n, i+1)
			}
			m.p.WantText("flushed", "x")
		}
	})
}
