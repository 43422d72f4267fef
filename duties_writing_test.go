package websocket

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A doomedContext ends when it has been looked at so many times.
type doomedContext struct {
	context.Context
	end   context.CancelFunc
	looks int
}

func (c *doomedContext) Err() error {
	err := c.Context.Err()
	if c.looks--; c.looks == 0 {
		c.end()
	}
	return err
}

// TestWriterTakenBack: a Writer's context ends at any look at it. Whatever has left of the message, it ends, and the next
// one leaves behind it.
func TestWriterTakenBack(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		for looks := range 16 {
			ctx, cancel := context.WithCancel(bg)
			next := fmt.Sprint("next ", looks)
			go func() {
				defer cancel()
				w, err := t.c.Writer(&doomedContext{ctx, cancel, looks + 1}, MessageBinary)
				if err == nil {
					w.Write(make([]byte, 2*bufferSize))
				}
				t.c.TryWrite(MessageText, []byte(next))
				if err == nil {
					w.Write(make([]byte, 2*bufferSize))
					w.Write(make([]byte, 2*bufferSize))
					w.Close()
				}
			}()
			for open := false; ; {
				f := t.p.ReadFrame("the next message leaves")
				if f.Opcode == wiretest.OpText {
					if open || string(f.Payload) != next {
						t.Fatalf("looks %d: %v came, in a message: %v", looks, f, open)
					}
					break
				}
				open = !f.FIN
			}
		}
	})
}

// TestWriterAbandoned: of a compressed message that was given up, nothing has left. The peer inflates the next.
func TestWriterAbandoned(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.Write([]byte(text(20000))); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := w.Close(); err != context.Canceled {
			t.Fatal(err)
		}
		said := text(3000)
		written := start(func() error { return t.c.Write(bg, MessageText, []byte(said)) })
		f := t.p.ReadFrame("the next message")
		if f.Opcode != wiretest.OpText || !f.FIN {
			t.Fatalf("something of the first has left: %v", f)
		}
		if got := d.unpack("the next message", f); got != said {
			t.Fatalf("got %d bytes, want %d", len(got), len(said))
		}
		if err := t.want("Write", written); err != nil {
			t.Fatal(err)
		}
		another := start(func() error {
			w, err := t.c.Writer(bg, MessageText)
			if err != nil {
				return err
			}
			for range 2 {
				if _, err := io.WriteString(w, text(20000)); err != nil {
					return err
				}
			}
			return w.Close()
		})
		f = t.p.ReadFrame("another Writer's message")
		for f.RSV1 = true; !f.FIN; {
			next := t.p.ReadFrame("the rest of it")
			f.Payload, f.FIN = append(f.Payload, next.Payload...), next.FIN
		}
		if got := d.unpack("another Writer's message", f); got != text(20000)+text(20000) {
			t.Fatalf("got %d bytes, want 40000", len(got))
		}
		if err := t.want("the Writer", another); err != nil {
			t.Fatal(err)
		}
	})
}
