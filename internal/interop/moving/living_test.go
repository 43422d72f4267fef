package moving

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

var pinging = []behaviour{
	{"ping", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		go c.Read(background)
		p.saw("ping", p.try(func() string { return p.err(c.Ping(background)) }))
	}},
	{"ping-two-at-once", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		go c.Read(background)
		ctx, cancel := context.WithTimeout(background, time.Minute)
		defer cancel()
		a := p.begin(func() string { return p.err(c.Ping(ctx)) })
		b := p.begin(func() string { return p.err(c.Ping(ctx)) })
		p.saw("pings", <-a+" "+<-b)
	}},
	{"ping-payload", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		go c.Read(background)
		c.Ping(background)
		c.Ping(background)
		p.saw("wire", other.heard())
	}},
	{"ping-without-read", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("ping", p.err(c.Ping(ctx)))
	}},
	{"ping-no-pong", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		read := p.begin(func() string { return p.read(background, c) })
		p.saw("ping", p.err(c.Ping(ctx)))
		other.send(wiretest.Text("x"))
		p.saw("the read at the same time", <-read)
	}},
	{"ping-words", func(p *play) {
		c, _ := p.server(nil)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("words", p.words(c.Ping(ctx)))
	}},
	{"ping-cancelled-before", func(p *play) {
		c, other := p.server(nil)
		p.saw("ping", p.err(c.Ping(cancelled())))
		p.afterwards(c, other)
	}},
	{"ping-after-close", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		c.Close(1000, "")
		p.saw("ping", p.err(c.Ping(background)))
	}},
	{"ping-after-closenow", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("ping", p.err(c.Ping(background)))
	}},
	{"ping-after-peer-closed", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(1001, "bye"))
		p.read(background, c)
		p.saw("ping", p.err(c.Ping(background)))
	}},
	{"ping-during-end", func(p *play) {
		c, other := p.server(nil)
		go c.Read(background)
		ping := p.begin(func() string { return p.err(c.Ping(background)) })
		p.settle()
		other.conn.CloseWrite()
		p.saw("ping", p.try(func() string { return <-ping }))
	}},
	{"on-ping", func(p *play) {
		var got []string
		c, other := p.server(&options{OnPingReceived: func(_ context.Context, b []byte) bool {
			got = append(got, string(b))
			return string(b) != "no"
		}})
		other.send(wiretest.Ping("yes"), wiretest.Ping("no"), wiretest.Text("x"))
		p.read(background, c)
		p.settle()
		p.saw("called for", got)
		p.saw("wire", other.heard())
	}},
	{"on-ping-unread", func(p *play) {
		called := 0
		_, other := p.server(&options{OnPingReceived: func(context.Context, []byte) bool {
			called++
			return true
		}})
		other.send(wiretest.Ping("x"))
		p.pass(time.Second)
		p.saw("called", called)
	}},
	{"on-ping-payload-kept", func(p *play) {
		var kept [][]byte
		c, other := p.server(&options{OnPingReceived: func(_ context.Context, b []byte) bool {
			kept = append(kept, b)
			return true
		}})
		other.send(wiretest.Ping("one"), wiretest.Ping("two"), wiretest.Text("x"))
		p.read(background, c)
		p.saw("what was kept", fmt.Sprintf("%q", kept))
	}},
	{"on-ping-writes", func(p *play) {
		var c conn
		c, other := p.server(&options{OnPingReceived: func(ctx context.Context, b []byte) bool {
			c.Write(ctx, text, []byte("from the callback"))
			return true
		}})
		other.send(wiretest.Ping("x"), wiretest.Text("x"))
		p.saw("read", p.read(background, c))
		p.saw("message", other.message())
	}},
	{"on-ping-panics", func(p *play) {
		c, other := p.server(&options{OnPingReceived: func(context.Context, []byte) bool { panic("mine") }})
		other.echo().send(wiretest.Ping("x"))
		p.saw("read", p.read(background, c))
		if p.lib.name == "ours" {
			p.saw("wire", other.kinds())
		} else {
			abandon(p, c, other)
		}
	}},
	{"on-ping-context", func(p *play) {
		type k struct{}
		value, deadline := any(nil), false
		c, other := p.server(&options{OnPingReceived: func(ctx context.Context, b []byte) bool {
			value = ctx.Value(k{})
			_, deadline = ctx.Deadline()
			return true
		}})
		other.send(wiretest.Ping("x"), wiretest.Text("x"))
		p.read(context.WithValue(background, k{}, "the Read's"), c)
		p.saw("the context's value", value)
		p.saw("it has a deadline", deadline)
	}},
	{"on-pong", func(p *play) {
		var got []string
		c, other := p.server(&options{OnPongReceived: func(_ context.Context, b []byte) { got = append(got, string(b)) }})
		other.send(wiretest.Pong("unasked"), wiretest.Text("x"))
		p.read(background, c)
		p.saw("called for", got)
	}},
	{"pings-many", func(p *play) {
		c, other := p.server(nil)
		var frames []wiretest.Frame
		for i := range 100 {
			frames = append(frames, wiretest.Ping(fmt.Sprint(i)))
		}
		other.send(append(frames, wiretest.Text("x"))...)
		p.read(background, c)
		pongs := other.come()
		p.saw("the last Pong", string(pongs[len(pongs)-1].Payload))
		p.saw("there are 100", len(pongs) == 100)
	}},
}

// abandon gets rid of a connection whose reader has panicked, and holds its lock for ever.
func abandon(p *play, c conn, other *peer) {
	p.saw("wire", other.kinds())
	other.conn.Close()
}

var closeRead = []behaviour{
	{"closeread", func(p *play) {
		type k struct{}
		c, other := p.server(nil)
		ctx := c.CloseRead(context.WithValue(background, k{}, "mine"))
		other.send(wiretest.Ping("x"))
		p.saw("wire", other.heard())
		p.saw("write", p.write(background, c, "x"))
		p.saw("value", ctx.Value(k{}))
		p.saw("done", ctx.Err() != nil)
	}},
	{"closeread-message", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		ctx := c.CloseRead(background)
		other.send(wiretest.Text("x"))
		p.pass(time.Second)
		p.saw("wire", other.heard())
		p.saw("the context", ctx.Err())
		p.saw("write", p.write(background, c, "x"))
	}},
	{"closeread-peer-closed", func(p *play) {
		c, other := p.server(nil)
		ctx := c.CloseRead(background)
		other.send(wiretest.Close(1001, "bye"))
		p.saw("wire", other.heard())
		p.saw("the context", ctx.Err())
	}},
	{"closeread-cause", func(p *play) {
		c, other := p.server(nil)
		ctx := c.CloseRead(background)
		other.send(wiretest.Close(1001, "bye"))
		p.settle()
		p.saw("context.Cause", p.err(context.Cause(ctx)))
	}},
	{"closeread-cancelled", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		ctx2 := c.CloseRead(ctx)
		p.settle()
		cancel()
		p.settle()
		p.saw("the context", ctx2.Err())
		p.saw("wire", other.heard())
		p.saw("write", p.write(background, c, "x"))
	}},
	{"closeread-twice", func(p *play) {
		c, _ := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		first := c.CloseRead(ctx)
		p.saw("the same context again gives the same", c.CloseRead(ctx) == first)
		other, cancel := context.WithCancel(background)
		defer cancel()
		p.saw("another context gives the same", c.CloseRead(other) == first)
	}},
	{"closeread-then-read", func(p *play) {
		c, _ := p.server(nil)
		c.CloseRead(background)
		p.settle()
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("read", p.read(ctx, c))
	}},
	{"closeread-then-close", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		ctx := c.CloseRead(background)
		p.settle()
		p.saw("Close", p.close(c))
		p.settle()
		p.saw("the context", ctx.Err())
	}},
	{"closeread-then-ping", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		c.CloseRead(background)
		p.saw("ping", p.err(c.Ping(background)))
	}},
}

var living = []behaviour{
	{"unread-ping", func(p *play) {
		_, other := p.server(nil)
		other.send(wiretest.Ping("x"))
		p.pass(time.Second)
		p.saw("wire", other.heard())
	}},
	{"unread-close", func(p *play) {
		_, other := p.server(nil)
		other.send(wiretest.Close(1000, "bye"))
		p.pass(time.Second)
		p.saw("wire", other.heard())
	}},
	{"unread-behind-message", func(p *play) {
		_, other := p.server(nil)
		other.send(wiretest.Text("unread"), wiretest.Ping("x"))
		p.pass(time.Second)
		p.saw("wire", other.heard())
	}},
	{"unread-then-read", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("one"), wiretest.Text("two"), wiretest.Close(1000, "bye"))
		p.pass(time.Minute)
		for range 3 {
			p.saw("read", p.read(background, c))
		}
	}},
	{"silent-peer", func(p *play) {
		c, other := p.server(nil)
		read := p.begin(func() string { return p.err(second(c.Read(background))) })
		p.pass(40 * time.Second)
		p.saw("wire after 40 s", len(other.come()))
		p.pass(40 * time.Second)
		p.saw("read after 80 s", p.now(read))
	}},
	{"silent-peer-pongs", func(p *play) {
		c, other := p.server(nil)
		other.pong()
		go c.Read(background)
		p.pass(10 * time.Minute)
		p.saw("after ten minutes the peer", other.gone())
	}},
	{"peer-ends-unread", func(p *play) {
		c, other := p.server(nil)
		other.conn.Close()
		p.pass(time.Second)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("a Ping waits for its context", strings.Contains(p.err(c.Ping(ctx)), "context"))
	}},
	{"server-timeouts", func(p *play) {
		c, other := p.server(nil)
		p.pass(10 * time.Second)
		p.saw("long after the http.Server's time-outs, the connection is", p.alive(c, other))
	}},
	{"zero-conn", func(p *play) {
		c := p.lib.zero()
		p.saw("Subprotocol", p.try(func() string { return fmt.Sprintf("%q", c.Subprotocol()) }))
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.saw("Read", p.try(func() string { return p.err(second(c.Read(ctx))) }))
	}},
}

var values = []behaviour{
	{"names", func(p *play) {
		var names []string
		for code := 1000; code <= 1015; code++ {
			if code != 1004 {
				names = append(names, p.lib.codeName(code))
			}
		}
		names = append(names, p.lib.codeName(3000), p.lib.codeName(-1), p.lib.typeName(1), p.lib.typeName(2), p.lib.typeName(0))
		p.saw("names", strings.Join(names, " "))
	}},
	{"name-1004", func(p *play) { p.saw("StatusCode(1004)", p.lib.codeName(1004)) }},
	{"closestatus", func(p *play) {
		e := p.lib.newError(1001, "bye")
		p.saw("nil", p.lib.closeStatus(nil))
		p.saw("another error", p.lib.closeStatus(context.Canceled))
		p.saw("CloseError", p.lib.closeStatus(e))
		p.saw("wrapped", p.lib.closeStatus(fmt.Errorf("mine: %w", e)))
	}},
	{"closeerror-text", func(p *play) { p.saw("text", p.lib.newError(1001, "bye")) }},
	{"toobig-text", func(p *play) { p.saw("text", p.lib.tooBig) }},
	{"error-words", func(p *play) {
		c, other := p.server(nil)
		other.echo()
		c.Close(1000, "")
		p.saw("Read after Close", p.words(second(c.Read(background))))
		p.saw("Write after Close", p.words(c.Write(background, text, nil)))
		p.saw("Ping after Close", p.words(c.Ping(background)))
		d := p.dial(background, url1, &options{}, func(*httpRequest) string { return "" })
		p.saw("Dial", p.words(d.err))
	}},
	{"error-prefixes", func(p *play) {
		c, _ := p.server(nil)
		c.CloseNow()
		p.saw("Read", contained(second(c.Read(background)), prefixes))
		p.saw("Write", contained(c.Write(background, text, nil), prefixes))
		p.saw("Ping", contained(c.Ping(background), prefixes))
		a := p.accept(nil, request("-Upgrade"))
		p.saw("Accept", contained(a.err, prefixes))
		d := p.dial(background, url1, &options{}, func(*httpRequest) string { return "" })
		p.saw("Dial", contained(d.err, prefixes))
	}},
}
