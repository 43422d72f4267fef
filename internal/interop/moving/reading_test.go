package moving

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// limited is a behaviour: a message of n bytes under a read limit, which 0 leaves as it is.
func limited(id string, limit int64, n int) behaviour {
	return behaviour{id, func(p *play) {
		c, other := p.server(nil)
		other.echo()
		if limit != 0 {
			c.SetReadLimit(limit)
		}
		go other.send(wiretest.Binary(strings.Repeat("x", n)))
		p.saw("read", p.read(background, c))
		p.saw("wire", other.kinds())
	}}
}

// afterwards notes what became of a connection.
func (p *play) afterwards(c conn, other *peer) {
	p.saw("wire", other.heard())
	p.saw("afterwards the connection is", p.alive(c, other))
}

var reading = []behaviour{
	{"read", func(p *play) {
		for _, role := range []func(*options) (conn, *peer){p.server, p.client} {
			c, other := role(nil)
			other.send(wiretest.Text("one"), wiretest.Binary("two"), wiretest.Text("th").More(), wiretest.Ping("p"), wiretest.Continuation("ree"))
			for range 3 {
				p.saw("read", p.read(background, c))
			}
			p.saw("wire", other.heard())
		}
	}},
	{"read-empty", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text(""))
		typ, b, err := c.Read(background)
		p.saw("read", fmt.Sprintf("%d %q %v, nil %v", typ, b, err, b == nil))
	}},
	{"read-utf8", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Text("a\xff"))
		p.saw("read", p.read(background, c))
		p.saw("wire", other.kinds())
	}},
	limited("read-limit-default", 0, 32<<10+1),
	limited("read-limit", 10, 11),
	limited("read-limit-exact", 10, 10),
	limited("read-limit-off", -1, 4<<20),
	limited("read-limit-negative", -5, 4<<20),
	{"read-limit-zero", func(p *play) {
		c, other := p.server(nil)
		c.SetReadLimit(0)
		other.echo().send(wiretest.Text(""), wiretest.Text("x"))
		p.saw("an empty message", p.read(background, c))
		p.saw("one of a byte", p.read(background, c))
	}},
	{"read-limit-words", func(p *play) {
		c, other := p.server(nil)
		c.SetReadLimit(10)
		other.echo().send(wiretest.Text("more than that"))
		_, _, err := c.Read(background)
		p.saw("words", p.words(err))
	}},
	{"read-limit-reason", func(p *play) {
		c, other := p.server(nil)
		c.SetReadLimit(10)
		other.echo().send(wiretest.Text("more than that"))
		c.Read(background)
		p.saw("wire", other.heard())
	}},
	{"read-limit-during-message", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Text("0123456789").More())
		_, r, _ := c.Reader(background)
		io.ReadFull(r, make([]byte, 10))
		c.SetReadLimit(12)
		other.send(wiretest.Continuation("abcdef"))
		b, err := io.ReadAll(r)
		p.saw("the rest", fmt.Sprintf("%q %s", b, p.err(err)))
	}},
	{"read-part-of-message", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("part").More())
		p.settle()
		other.conn.CloseWrite()
		typ, b, err := c.Read(background)
		p.saw("read", fmt.Sprintf("type %d, %q, there is an error: %v", typ, b, err != nil))
	}},
	{"read-cancelled", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		read := p.begin(func() string { return p.read(ctx, c) })
		p.settle()
		cancel()
		p.saw("read", <-read)
		p.afterwards(c, other)
	}},
	{"read-deadline", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("read", p.read(ctx, c))
		p.afterwards(c, other)
	}},
	{"read-cancelled-before", func(p *play) {
		c, other := p.server(nil)
		p.saw("read", p.read(cancelled(), c))
		p.afterwards(c, other)
	}},
	{"read-cancelled-words", func(p *play) {
		c, _ := p.server(nil)
		_, _, err := c.Read(cancelled())
		p.saw("words", p.words(err))
	}},
	{"read-cancelled-in-message", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		other.send(wiretest.Text("first ").More())
		read := p.begin(func() string { return p.read(ctx, c) })
		p.settle()
		cancel()
		p.saw("read", <-read)
		p.settle()
		if other.gone() == "" {
			other.send(wiretest.Continuation("second"))
		}
		p.saw("the next", p.read(background, c))
	}},
	{"read-cause", func(p *play) {
		c, _ := p.server(nil)
		mine := errors.New("mine")
		ctx, cancel := context.WithCancelCause(background)
		cancel(mine)
		_, _, err := c.Read(ctx)
		p.saw("the error is the context's cause", errors.Is(err, mine))
	}},
	{"read-nil-context", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("x"))
		p.saw("read", p.read(nil, c))
	}},
	{"read-two-at-once", func(p *play) {
		c, other := p.server(nil)
		first := p.begin(func() string { return p.read(background, c) })
		second := p.begin(func() string { return p.read(background, c) })
		p.settle()
		other.send(wiretest.Text("one"))
		p.settle()
		other.send(wiretest.Text("two"))
		got := []string{p.now(first), p.now(second)}
		slices.Sort(got)
		p.saw("each has a message", slices.Equal(got, []string{`MessageText "one"`, `MessageText "two"`}))
	}},
	{"reader", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("hel").More(), wiretest.Continuation("lo"))
		typ, r, err := c.Reader(background)
		p.saw("reader", fmt.Sprint(typ, err))
		b, err := io.ReadAll(r)
		p.saw("all", fmt.Sprintf("%q %v", b, err))
		n, err := r.Read(make([]byte, 1))
		p.saw("again", fmt.Sprint(n, err))
	}},
	{"reader-unfinished", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("hello"), wiretest.Text("next"))
		_, r, _ := c.Reader(background)
		r.Read(make([]byte, 2))
		p.saw("another message", p.read(background, c))
		_, err := io.ReadAll(r)
		p.saw("the old reader has an error", err != nil)
	}},
	{"reader-cancelled", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		other.send(wiretest.Text("first ").More())
		_, r, _ := c.Reader(ctx)
		io.ReadFull(r, make([]byte, 6))
		cancel()
		_, err := r.Read(make([]byte, 1))
		p.saw("read", p.err(err))
		p.saw("wire", other.heard())
	}},
	{"read-peer-closed", func(p *play) {
		for _, role := range []func(*options) (conn, *peer){p.server, p.client} {
			c, other := role(nil)
			other.send(wiretest.Text("last"), wiretest.Close(1001, "bye"))
			p.saw("read", p.read(background, c))
			_, _, err := c.Read(background)
			code, reason, ok := p.lib.closeError(err)
			p.saw("CloseError", fmt.Sprintf("%d %q %v, CloseStatus %d", code, reason, ok, p.lib.closeStatus(err)))
			p.saw("wire", other.heard())
		}
	}},
	{"read-peer-closed-kinds", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.saw("read", p.read(background, c))
		p.saw("once more", p.read(background, c))
		p.saw("under a context that is done", p.read(cancelled(), c))
	}},
	{"read-peer-closed-words", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		_, _, err := c.Read(background)
		p.saw("words", p.words(err))
	}},
	{"read-peer-closed-no-code", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.EmptyClose())
		_, _, err := c.Read(background)
		p.saw("CloseStatus", p.lib.closeStatus(err))
		p.saw("wire", other.heard())
	}},
	{"read-after-peer-closed", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1000, ""), wiretest.Text("late"))
		c.Read(background)
		p.saw("read", p.lib.closeStatus(second(c.Read(background))))
	}},
	{"read-eof", func(p *play) {
		c, other := p.server(nil)
		other.conn.CloseWrite()
		p.saw("read", p.read(background, c))
		p.saw("once more", p.read(background, c))
	}},
	{"read-eof-words", func(p *play) {
		c, other := p.server(nil)
		other.conn.CloseWrite()
		_, _, err := c.Read(background)
		p.saw("words", p.words(err))
	}},
	{"read-eof-in-frame", func(p *play) {
		c, other := p.server(nil)
		other.raw(other.encode(wiretest.Text("hello"))[:8])
		p.settle()
		other.conn.CloseWrite()
		p.saw("read", p.read(background, c))
	}},
	{"read-eof-behind-message", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("last"))
		other.conn.CloseWrite()
		p.saw("read", p.read(background, c))
	}},
	{"read-reset", func(p *play) {
		c, other := p.server(nil)
		other.conn.Reset()
		p.saw("read", p.read(background, c))
	}},
	{"read-after-close", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		c.Close(1000, "")
		p.saw("read", p.read(background, c))
	}},
	{"read-after-closenow", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("read", p.read(background, c))
	}},
	{"read-after-closenow-words", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		_, _, err := c.Read(background)
		p.saw("words", p.words(err))
	}},
	{"read-after-too-big", func(p *play) {
		c, other := p.server(nil)
		c.SetReadLimit(4)
		other.echo().send(wiretest.Text("more than that"), wiretest.Text("x"))
		p.read(background, c)
		p.saw("read", p.read(background, c))
		p.saw("write", p.write(background, c, "x"))
	}},
	{"read-after-violation", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Continuation("x"))
		p.read(background, c)
		p.saw("once more", p.read(background, c))
	}},
	{"read-big", func(p *play) {
		c, other := p.server(nil)
		c.SetReadLimit(-1)
		go other.send(wiretest.Binary(strings.Repeat("x", 3<<20)))
		p.saw("read", p.read(background, c))
	}},
}

func second(_ int, _ []byte, err error) error { return err }

// violation is a behaviour: what becomes of a peer that sends frames that it must not send. The client's other
// end is played as well, where frames are.
func violation(id string, bad ...wiretest.Frame) behaviour {
	return behaviour{id, func(p *play) {
		c, other := p.server(nil)
		other.echo().send(bad...)
		p.saw("read", p.read(background, c))
		p.pass(2 * time.Second)
		p.saw("wire", other.kinds())
	}}
}

// exactly is a violation of bytes.
func exactly(id string, client bool, bad []byte) behaviour {
	return behaviour{id, func(p *play) {
		role := p.server
		if client {
			role = p.client
		}
		c, other := role(nil)
		other.echo().raw(bad)
		p.saw("read", p.read(background, c))
		p.pass(2 * time.Second)
		p.saw("wire", other.kinds())
	}}
}

func with(f wiretest.Frame, change func(f *wiretest.Frame)) wiretest.Frame {
	change(&f)
	return f
}

func closeCode(code int) wiretest.Frame { return wiretest.Close(code, "") }

var frames = []behaviour{
	violation("frame-rsv1", with(wiretest.Text("x"), func(f *wiretest.Frame) { f.RSV1 = true })),
	violation("frame-rsv2", with(wiretest.Text("x"), func(f *wiretest.Frame) { f.RSV2 = true })),
	violation("frame-opcode", with(wiretest.Text("x"), func(f *wiretest.Frame) { f.Opcode = 3 })),
	violation("frame-long-ping", wiretest.Ping(strings.Repeat("x", 126))),
	violation("frame-fragmented-ping", wiretest.Ping("x").More()),
	violation("frame-continuation", wiretest.Continuation("x")),
	violation("frame-message-in-message", wiretest.Text("x").More(), wiretest.Text("y")),
	violation("frame-close-one-byte", wiretest.Frame{FIN: true, Opcode: wiretest.OpClose, Payload: []byte{3}}),
	violation("frame-close-999", closeCode(999)),
	violation("frame-close-1006", closeCode(1006)),
	violation("frame-close-2000", closeCode(2000)),
	violation("frame-close-5000", closeCode(5000)),
	violation("frame-close-1012", closeCode(1012)),
	violation("frame-close-4999", closeCode(4999)),
	violation("frame-close-utf8", wiretest.Close(1000, "\xff")),
	violation("frame-long-form", with(wiretest.Text("x"), func(f *wiretest.Frame) { f.LengthForm = 16 })),
	exactly("frame-unmasked", false, wiretest.Text("x").Append(nil)),
	exactly("frame-masked", true, with(wiretest.Text("x"), func(f *wiretest.Frame) { f.Masked, f.Key = true, [4]byte{1, 2, 3, 4} }).Append(nil)),
	exactly("frame-huge", false, binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<63)),
	exactly("frame-large-length", false, append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<40), 1, 2, 3, 4)),
}
