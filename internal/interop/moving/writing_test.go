package moving

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// fill writes until the peer, which does not read, takes no more, under a context that ends.
func fill(p *play, c conn, ctx context.Context) string {
	return p.try(func() string {
		for range 100 {
			if err := c.Write(ctx, blob, make([]byte, 64<<10)); err != nil {
				return p.err(err)
			}
		}
		return "it never waits"
	})
}

var writing = []behaviour{
	{"write", func(p *play) {
		for _, role := range []func(*options) (conn, *peer){p.server, p.client} {
			c, other := role(nil)
			for _, s := range []string{"hello", "", strings.Repeat("x", 100<<10)} {
				p.saw("write", p.err(c.Write(background, text, []byte(s))))
				p.saw("wire", other.heard())
			}
			p.saw("nil", p.err(c.Write(background, blob, nil)))
			p.saw("wire", other.heard())
		}
	}},
	{"write-utf8", func(p *play) {
		c, other := p.server(nil)
		p.saw("write", p.err(c.Write(background, text, []byte("a\xff"))))
		p.saw("wire", other.heard())
	}},
	{"write-type", func(p *play) {
		c, other := p.server(nil)
		for _, typ := range []int{0, 3} {
			p.saw("write", p.err(c.Write(background, typ, []byte("x"))))
			p.saw("wire", other.heard())
		}
	}},
	{"write-cancelled-before", func(p *play) {
		c, other := p.server(nil)
		p.saw("write", p.write(cancelled(), c, "x"))
		p.afterwards(c, other)
	}},
	{"write-cancelled", func(p *play) {
		c, other := p.server(nil)
		other.stall()
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("write", fill(p, c, ctx))
		other.resume()
		p.settle()
		p.saw("the stream", streamState(p, other))
		p.saw("afterwards the connection is", p.alive(c, other))
	}},
	{"write-nil-context", func(p *play) {
		c, _ := p.server(nil)
		p.saw("write", p.write(nil, c, "x"))
	}},
	{"write-concurrent", func(p *play) {
		c, other := p.server(nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { c.Write(background, text, []byte("x")) })
		}
		wg.Wait()
		p.pass(time.Second)
		p.saw("bytes", len(other.message()))
	}},
	{"write-buffer-reused", func(p *play) {
		c, other := p.server(nil)
		b := []byte("before")
		c.Write(background, text, b)
		copy(b, "after!")
		p.saw("wire", other.heard())
	}},
	{"write-after-close", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		c.Close(1000, "")
		p.saw("write", p.write(background, c, "x"))
		p.saw("under a context that is done", p.write(cancelled(), c, "x"))
	}},
	{"write-after-closenow", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("write", p.write(background, c, "x"))
		p.saw("words", p.words(c.Write(background, text, []byte("x"))))
	}},
	{"write-after-peer-closed", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.read(background, c)
		p.saw("write", p.write(background, c, "x"))
	}},
	{"write-peer-closed-unread", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.pass(time.Second)
		p.saw("write", p.write(background, c, "x"))
		p.saw("wire", other.heard())
	}},
	{"write-eof-unread", func(p *play) {
		c, other := p.server(nil)
		other.conn.CloseWrite()
		p.pass(time.Second)
		p.saw("write", p.write(background, c, "x"))
	}},
	{"write-after-eof", func(p *play) {
		c, other := p.server(nil)
		other.conn.CloseWrite()
		p.read(background, c)
		p.saw("write", p.write(background, c, "x"))
	}},
	{"write-peer-gone", func(p *play) {
		c, other := p.server(nil)
		other.conn.Close()
		p.write(background, c, "x")
		p.pass(2 * time.Second)
		p.saw("there is an error", c.Write(background, text, []byte("x")) != nil)
	}},
	{"write-while-writer-open", func(p *play) {
		c, other := p.server(nil)
		w, _ := c.Writer(background, text)
		w.Write([]byte("part"))
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("write", p.write(ctx, c, "x"))
		p.saw("the Writer's Close", p.err(w.Close()))
		p.saw("message", other.message())
	}},
	{"writer", func(p *play) {
		c, other := p.server(nil)
		w, err := c.Writer(background, text)
		p.saw("writer", p.err(err))
		for _, s := range []string{"a", "b", ""} {
			n, err := w.Write([]byte(s))
			p.saw("write", fmt.Sprint(n, err))
		}
		p.saw("close", p.err(w.Close()))
		p.saw("message", other.message())
		p.saw("write, when it is closed", func() bool { _, err := w.Write([]byte("x")); return err != nil }())
		p.saw("close, when it is closed", w.Close() != nil)
	}},
	{"writer-frames", func(p *play) {
		c, other := p.server(nil)
		w, _ := c.Writer(background, text)
		w.Write([]byte("a"))
		w.Write([]byte("b"))
		w.Close()
		p.saw("two small writes", other.heard())
		w, _ = c.Writer(background, blob)
		w.Write(make([]byte, 10000))
		w.Write(make([]byte, 10000))
		w.Close()
		p.saw("two large writes", other.heard())
		w, _ = c.Writer(background, text)
		w.Close()
		p.saw("none", other.heard())
	}},
	{"writer-first-frame", func(p *play) {
		c, other := p.server(nil)
		w, _ := c.Writer(background, text)
		w.Write([]byte("small"))
		p.pass(time.Second)
		p.saw("before Close, of a small Write", other.heard())
		w.Close()
	}},
	{"writer-cancelled", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		w, _ := c.Writer(ctx, text)
		w.Write([]byte(strings.Repeat("x", 10000)))
		cancel()
		_, err := w.Write([]byte("y"))
		p.saw("write", p.err(err))
		p.saw("close", p.err(w.Close()))
		p.settle()
		p.saw("afterwards the connection is", p.alive(c, other))
	}},
	{"writer-abandoned", func(p *play) {
		c, _ := p.server(nil)
		c.Writer(background, text)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		_, err := c.Writer(ctx, text)
		p.saw("another Writer", p.err(err))
	}},
	{"writer-utf8", func(p *play) {
		c, other := p.server(nil)
		w, _ := c.Writer(background, text)
		_, err := w.Write([]byte("a\xff"))
		p.saw("write", p.err(err))
		p.saw("close", p.err(w.Close()))
		p.saw("message", fmt.Sprintf("%q", other.message()))
	}},
	{"writer-type", func(p *play) {
		c, _ := p.server(nil)
		_, err := c.Writer(background, 7)
		p.saw("writer", p.err(err))
	}},
}

// streamState says whether what the peer got is whole frames.
func streamState(p *play, other *peer) string {
	p.settle()
	other.mu.Lock()
	defer other.mu.Unlock()
	switch {
	case other.end != "" && len(other.pending) > 0:
		return "ended in the middle of a frame"
	case other.end != "":
		return "ended"
	case len(other.pending) > 0:
		return "stands in the middle of a frame"
	}
	return "is whole"
}

var closing = []behaviour{
	{"close", func(p *play) {
		for _, role := range []func(*options) (conn, *peer){p.server, p.client} {
			c, other := role(nil)
			other.echo()
			p.took("time", func() { p.saw("close", p.close(c)) })
			p.saw("wire", other.heard())
		}
	}},
	{"close-twice", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		p.close(c)
		p.saw("the second", p.close(c))
	}},
	{"close-then-closenow", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		p.close(c)
		p.saw("CloseNow", p.err(c.CloseNow()))
	}},
	{"closenow", func(p *play) {
		c, other := p.server(nil)
		p.saw("CloseNow", p.err(c.CloseNow()))
		p.saw("wire", other.heard())
	}},
	{"closenow-behind-write", func(p *play) {
		c, other := p.server(nil)
		c.Write(background, text, []byte("last"))
		c.CloseNow()
		p.saw("wire", other.heard())
	}},
	{"closenow-twice", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("the second", p.err(c.CloseNow()))
	}},
	{"closenow-then-close", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("Close", p.close(c))
	}},
	{"closenow-blocked-calls", func(p *play) {
		c, _ := p.server(nil)
		read := p.begin(func() string { return p.read(background, c) })
		p.settle()
		c.CloseNow()
		p.saw("Read", <-read)
	}},
	{"close-blocked-read", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		read := p.begin(func() string { return p.read(background, c) })
		p.settle()
		p.saw("Close", p.close(c))
		p.saw("Read", <-read)
	}},
	{"close-silent-peer", func(p *play) {
		c, other := p.server(nil)
		p.took("time", func() { p.saw("Close", p.close(c)) })
		p.saw("wire", other.heard())
	}},
	{"close-other-code", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.send(wiretest.Close(1001, "you too"))
		p.saw("Close", <-closed)
	}},
	{"close-no-code-answer", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.send(wiretest.EmptyClose())
		p.saw("Close", <-closed)
	}},
	{"close-eof-answer", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.conn.CloseWrite()
		p.saw("Close", <-closed)
	}},
	{"close-reset-answer", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.conn.Reset()
		p.saw("there is an error", <-closed != "nil")
	}},
	{"close-data-before-answer", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.send(wiretest.Text("late"), wiretest.Close(1000, "done"))
		p.saw("Close", <-closed)
	}},
	{"close-unread-message", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		go other.send(wiretest.Text(strings.Repeat("x", 20000)).More(), wiretest.Continuation("x"))
		_, r, _ := c.Reader(background)
		r.Read(make([]byte, 1))
		p.saw("Close in the middle of a message", p.close(c))
	}},
	{"close-writer-open", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		w, _ := c.Writer(background, text)
		w.Write([]byte("part"))
		p.saw("Close", p.close(c))
		p.saw("the Writer's Close", p.err(w.Close()))
	}},
	{"close-blocked-write", func(p *play) {
		c, other := p.server(nil)
		other.stall()
		wrote := p.begin(func() string { return fill(p, c, background) })
		p.settle()
		p.took("time", func() { p.saw("Close has an error", p.close(c) != "nil") })
		p.saw("Write", <-wrote)
	}},
	{"close-client-waits", func(p *play) {
		c, other := p.client(nil)
		closed := p.begin(func() string { return p.close(c) })
		p.settle()
		other.send(wiretest.Close(1000, "done"))
		p.took("time, if the server leaves TCP open", func() { p.saw("Close", <-closed) })
	}},
	{"close-code-1005", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		p.saw("Close", p.try(func() string { return p.err(c.Close(1005, "")) }))
		p.saw("wire", other.heard())
	}},
	badClose("close-code-1006", 1006, ""),
	badClose("close-code-999", 999, ""),
	badClose("close-code-2000", 2000, ""),
	badClose("close-code-0", 0, ""),
	badClose("close-long-reason", 1000, strings.Repeat("x", 124)),
	badClose("close-reason-utf8", 1000, "a\xff"),
	badClose("close-longest-reason", 4000, strings.Repeat("x", 123)),
	{"close-after-peer-closed", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.read(background, c)
		p.saw("Close", p.close(c))
		p.saw("CloseNow", p.err(c.CloseNow()))
	}},
	{"close-peer-closed-unread", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.settle()
		p.saw("Close at once", p.close(c))
		p.saw("frames", len(other.come()))
	}},
	{"close-peer-closed-wire", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.pass(time.Second)
		p.saw("Close", p.close(c))
		p.saw("wire", other.heard())
	}},
	{"close-after-eof", func(p *play) {
		c, other := p.server(nil)
		other.conn.Close()
		p.read(background, c)
		p.saw("Close has an error", p.close(c) != "nil")
	}},
	{"close-after-cancelled-read", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		p.read(cancelled(), c)
		p.saw("Close", p.close(c))
		p.saw("wire", other.heard())
	}},
	{"close-concurrent", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		var results []string
		var calls []<-chan string
		for range 4 {
			calls = append(calls, p.begin(func() string { return p.close(c) }))
		}
		for _, call := range calls {
			results = append(results, <-call)
		}
		slices.Sort(results)
		p.saw("results", strings.Join(results, "; "))
		p.saw("wire", other.heard())
	}},
	{"close-crossing", func(p *play) {
		c, other := p.server(nil)
		closed := p.begin(func() string { return p.close(c) })
		other.send(wiretest.Close(1000, "done"))
		p.saw("Close", <-closed)
		p.saw("frames", len(other.come()))
	}},
}

// badClose is a behaviour: a Close with a code or a reason that can't be sent, or just can.
func badClose(id string, code int, reason string) behaviour {
	return behaviour{id, func(p *play) {
		c, other := p.server(nil)
		other.echo()
		p.saw("there is an error", p.try(func() string { return fmt.Sprint(c.Close(code, reason) != nil) }))
		p.pass(time.Second)
		p.saw("wire", other.kinds())
	}}
}
