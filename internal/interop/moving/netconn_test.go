package moving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

type httpRequest = http.Request

// readNet reads from a net.Conn and says what came.
func (p *play) readNet(n net.Conn) string {
	return p.try(func() string {
		b := make([]byte, 64)
		k, err := n.Read(b)
		if err == io.EOF {
			return fmt.Sprintf("%q io.EOF itself", b[:k])
		}
		return fmt.Sprintf("%q %s%s", b[:k], p.err(err), timeout(err))
	})
}

func timeout(err error) string {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return ", a time-out"
	}
	return ""
}

func (p *play) writeNet(n net.Conn, s string) string {
	return p.try(func() string {
		k, err := n.Write([]byte(s))
		return fmt.Sprintf("%d %s%s", k, p.err(err), timeout(err))
	})
}

// tunnel returns a NetConn of a server.
func (p *play) tunnel() (net.Conn, conn, *peer) {
	c, other := p.server(nil)
	return c.NetConn(background, blob), c, other
}

var netConns = []behaviour{
	{"netconn", func(p *play) {
		n, _, other := p.tunnel()
		p.saw("write", p.writeNet(n, "hello"))
		p.saw("wire", other.heard())
		other.send(wiretest.Binary("ab"), wiretest.Binary("c").More(), wiretest.Continuation("d"))
		b := make([]byte, 4)
		k, err := io.ReadFull(n, b)
		p.saw("read", fmt.Sprintf("%q %v", b[:k], err))
	}},
	{"netconn-empty-message", func(p *play) {
		n, _, other := p.tunnel()
		other.send(wiretest.Binary(""), wiretest.Binary("x"))
		p.saw("read", p.readNet(n))
	}},
	{"netconn-limit", func(p *play) {
		n, _, other := p.tunnel()
		go other.send(wiretest.Binary(strings.Repeat("x", 2<<20)))
		k, err := io.ReadFull(n, make([]byte, 2<<20))
		p.saw("read", fmt.Sprint(k, err))
	}},
	{"netconn-peer-1000", func(p *play) {
		n, _, other := p.tunnel()
		other.send(wiretest.Binary("last"), wiretest.Close(1000, ""))
		p.saw("read", p.readNet(n))
		p.saw("read", p.readNet(n))
	}},
	{"netconn-peer-1001", func(p *play) {
		n, _, other := p.tunnel()
		other.send(wiretest.Close(1001, ""))
		p.saw("read", p.readNet(n))
	}},
	{"netconn-peer-1000-write", func(p *play) {
		n, _, other := p.tunnel()
		other.send(wiretest.Close(1000, ""))
		p.readNet(n)
		p.saw("write", p.writeNet(n, "x"))
	}},
	{"netconn-peer-other-code", func(p *play) {
		n, _, other := p.tunnel()
		other.send(wiretest.Close(4000, "no"))
		_, err := n.Read(make([]byte, 1))
		p.saw("CloseStatus", p.lib.closeStatus(err))
	}},
	{"netconn-peer-gone", func(p *play) {
		n, _, other := p.tunnel()
		other.conn.CloseWrite()
		p.saw("read", p.readNet(n))
	}},
	{"netconn-other-type", func(p *play) {
		n, _, other := p.tunnel()
		other.echo().send(wiretest.Text("x"))
		_, err := n.Read(make([]byte, 1))
		p.saw("there is an error", err != nil)
		p.saw("wire", other.kinds())
	}},
	{"netconn-read-deadline", func(p *play) {
		n, _, other := p.tunnel()
		n.SetReadDeadline(time.Now().Add(time.Second))
		p.saw("read", p.readNet(n))
		n.SetReadDeadline(time.Time{})
		other.send(wiretest.Binary("later"))
		p.saw("without a deadline", p.readNet(n))
	}},
	{"netconn-read-deadline-past", func(p *play) {
		n, _, other := p.tunnel()
		n.SetReadDeadline(time.Now().Add(-time.Second))
		p.settle()
		p.pass(time.Millisecond)
		p.saw("read", p.readNet(n))
		n.SetReadDeadline(time.Time{})
		other.send(wiretest.Binary("later"))
		p.saw("without a deadline", p.readNet(n))
	}},
	{"netconn-deadline-idle", func(p *play) {
		n, _, other := p.tunnel()
		n.SetDeadline(time.Now().Add(time.Second))
		p.pass(2 * time.Second)
		n.SetDeadline(time.Time{})
		other.send(wiretest.Binary("later"))
		p.saw("a deadline that passed while nobody called", p.readNet(n))
	}},
	{"netconn-write-deadline", func(p *play) {
		n, _, other := p.tunnel()
		other.stall()
		n.SetWriteDeadline(time.Now().Add(time.Second))
		p.saw("write", p.try(func() string {
			for range 100 {
				if _, err := n.Write(make([]byte, 64<<10)); err != nil {
					return p.err(err) + timeout(err)
				}
			}
			return "it never waits"
		}))
		other.resume()
		p.settle()
		n.SetWriteDeadline(time.Time{})
		p.saw("without a deadline", p.writeNet(n, "x"))
	}},
	{"netconn-context", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		n := c.NetConn(ctx, blob)
		read := p.begin(func() string { return p.readNet(n) })
		p.settle()
		cancel()
		p.saw("read", <-read)
		p.saw("wire", other.heard())
	}},
	{"netconn-context-idle", func(p *play) {
		c, other := p.server(nil)
		ctx, cancel := context.WithCancel(background)
		n := c.NetConn(ctx, blob)
		cancel()
		p.saw("wire", other.heard())
		p.saw("write", p.writeNet(n, "x"))
	}},
	{"netconn-close", func(p *play) {
		n, _, other := p.tunnel()
		other.echo()
		p.saw("Close", p.try(func() string { return p.err(n.Close()) }))
		p.saw("wire", other.heard())
	}},
	{"netconn-close-twice", func(p *play) {
		n, _, other := p.tunnel()
		other.echo()
		n.Close()
		p.saw("the second", p.try(func() string { return p.err(n.Close()) }))
	}},
	{"netconn-after-close", func(p *play) {
		n, _, other := p.tunnel()
		other.echo()
		n.Close()
		p.saw("read", p.readNet(n))
		p.saw("write", p.writeNet(n, "x"))
	}},
	{"netconn-addresses", func(p *play) {
		n, _, _ := p.tunnel()
		p.saw("server", fmt.Sprint(n.LocalAddr().Network(), " ", n.LocalAddr()))
		c, _ := p.client(nil)
		n = c.NetConn(background, blob)
		p.saw("client", fmt.Sprint(n.RemoteAddr().Network(), " ", n.RemoteAddr()))
	}},
}

type point struct{ X int }

var jsons = []behaviour{
	{"wsjson", func(p *play) {
		c, other := p.server(nil)
		p.saw("write", p.err(c.WriteJSON(background, map[string]any{"a": "<&>", "b": nil})))
		p.settle()
		p.saw("message", strings.TrimSpace(other.message()))
		for _, f := range []wiretest.Frame{wiretest.Text(` {"X":1,"Y":2} `), wiretest.Binary(`{"X":2}`)} {
			other.send(f)
			var got point
			err := c.ReadJSON(background, &got)
			p.saw("read", fmt.Sprint(got, " ", p.err(err)))
		}
	}},
	{"wsjson-newline", func(p *play) {
		c, other := p.server(nil)
		c.WriteJSON(background, 1)
		p.saw("wire", other.heard())
	}},
	{"wsjson-bad", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Text("{"))
		p.saw("read", p.try(func() string { return p.err(c.ReadJSON(background, new(point))) }))
		p.pass(time.Second)
		p.saw("wire", other.kinds())
	}},
	{"wsjson-bad-reason", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Text("{"))
		c.ReadJSON(background, new(point))
		p.pass(time.Second)
		p.saw("wire", other.heard())
	}},
	{"wsjson-bad-silent-peer", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Text("{"))
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		p.took("time", func() { c.ReadJSON(ctx, new(point)) })
	}},
	{"wsjson-type", func(p *play) {
		c, other := p.server(nil)
		other.echo().send(wiretest.Text(`"text"`))
		err := c.ReadJSON(background, new(point))
		p.saw("*json.UnmarshalTypeError", errors.As(err, new(*json.UnmarshalTypeError)))
		p.saw("wire", other.kinds())
	}},
	{"wsjson-unencodable", func(p *play) {
		c, other := p.server(nil)
		err := c.WriteJSON(background, func() {})
		p.saw("*json.UnsupportedTypeError", errors.As(err, new(*json.UnsupportedTypeError)))
		p.afterwards(c, other)
	}},
	{"wsjson-peer-closed", func(p *play) {
		c, other := p.server(nil)
		other.send(wiretest.Close(4000, "no"))
		p.saw("CloseStatus", p.lib.closeStatus(c.ReadJSON(background, new(point))))
	}},
	{"wsjson-cancelled", func(p *play) {
		c, other := p.server(nil)
		p.saw("read", p.err(c.ReadJSON(cancelled(), new(point))))
		p.afterwards(c, other)
	}},
}

// deflated returns both ends of a connection with permessage-deflate.
func (p *play) deflated(mode, threshold int) (conn, *peer) {
	a := p.accept(&options{CompressionMode: mode, CompressionThreshold: threshold}, request("Sec-WebSocket-Extensions: permessage-deflate"))
	if a.header.Get("Sec-WebSocket-Extensions") == "" {
		p.t.Fatal("there is no compression")
	}
	return a.c, a.peer
}

// compressed says of what length messages are compressed.
func compressed(id string, mode, threshold int, lengths ...int) behaviour {
	return behaviour{id, func(p *play) {
		c, other := p.deflated(mode, threshold)
		for _, n := range lengths {
			c.Write(background, text, []byte(strings.Repeat("x", n)))
			p.settle()
			frames := other.come()
			p.saw(fmt.Sprint(n, " bytes"), fmt.Sprintf("compressed %v, %d frame", frames[0].RSV1, len(frames)))
		}
	}}
}

// offer is a behaviour: the server's answer to a client's offer of compression.
func offer(id string, mode int, offered string) behaviour {
	return behaviour{id, func(p *play) {
		a := p.accept(&options{CompressionMode: mode}, request("Sec-WebSocket-Extensions: "+offered))
		p.saw("answer", fmt.Sprintf("%q", a.header.Values("Sec-WebSocket-Extensions")))
	}}
}

var compressing = []behaviour{
	offer("offer-disabled", 0, "permessage-deflate"),
	offer("offer-takeover", takeover, "permessage-deflate"),
	offer("offer-no-takeover", noTakeover, "permessage-deflate"),
	offer("offer-browser", takeover, "permessage-deflate; client_max_window_bits"),
	offer("offer-browser-no-takeover", noTakeover, "permessage-deflate; client_max_window_bits"),
	offer("offer-client-bits", takeover, "permessage-deflate; client_max_window_bits=10"),
	offer("offer-server-bits", takeover, "permessage-deflate; server_max_window_bits=10"),
	offer("offer-server-no-takeover", takeover, "permessage-deflate; server_no_context_takeover"),
	offer("offer-client-no-takeover", takeover, "permessage-deflate; client_no_context_takeover"),
	offer("offer-unknown", takeover, "permessage-deflate; x=1"),
	offer("offer-second", takeover, "permessage-deflate; x=1, permessage-deflate"),
	offer("offer-other", takeover, "x-other, permessage-deflate"),
	offer("offer-quoted", takeover, `permessage-deflate; server_max_window_bits="15"`),
	offer("offer-twice", takeover, "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
	offer("offer-semicolon", takeover, "permessage-deflate;"),
	compressed("threshold-no-takeover", noTakeover, 0, 511, 512),
	compressed("threshold-takeover", takeover, 0, 127, 128),
	compressed("threshold", noTakeover, 10, 9, 10),
	compressed("threshold-negative", noTakeover, -1, 20),
	{"compress-writer", func(p *play) {
		c, other := p.deflated(noTakeover, 100)
		w, _ := c.Writer(background, text)
		for range 20 {
			w.Write([]byte(strings.Repeat("x", 50)))
		}
		w.Close()
		p.settle()
		p.saw("a message of many small writes is compressed", other.come()[0].RSV1)
	}},
	{"compress-incompressible", func(p *play) {
		c, other := p.deflated(noTakeover, 0)
		b := make([]byte, 1000)
		x := uint32(1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		c.Write(background, blob, b)
		p.settle()
		p.saw("it is sent compressed", other.come()[0].RSV1)
	}},
	{"compress-takeover", func(p *play) {
		c, other := p.deflated(takeover, 0)
		message := []byte("{\"name\":\"somebody\",\"city\":\"somewhere\",\"street\":\"some street\",\"and\":\"so on, with words that are not the same ones again\",\"at\":\"9\"}")
		var sizes []int
		for range 2 {
			c.Write(background, text, message)
			p.settle()
			sizes = append(sizes, len(other.come()[0].Payload))
		}
		p.saw("the second is less than half as long", sizes[1] < sizes[0]/2)
	}},
	{"compress-read", func(p *play) {
		c, other := p.deflated(takeover, 0)
		// "Hello", the example of RFC 7692, section 7.2.3.1, and the same once more with the window kept (7.2.3.2).
		other.send(wiretest.Text("\xf2\x48\xcd\xc9\xc9\x07\x00").Compressed(), wiretest.Text("\xf2\x00\x11\x00\x00").Compressed(), wiretest.Text("plain"))
		for range 3 {
			p.saw("read", p.read(background, c))
		}
	}},
	{"compress-garbage", func(p *play) {
		c, other := p.deflated(takeover, 0)
		other.echo().send(wiretest.Text("\xff\xff\xff").Compressed())
		p.saw("there is an error", second(c.Read(background)) != nil)
		p.pass(2 * time.Second)
		p.saw("wire", other.kinds())
	}},
	{"compress-limit", func(p *play) {
		c, other := p.deflated(noTakeover, 0)
		other.echo()
		c.SetReadLimit(4)
		other.send(wiretest.Text("\xf2\x48\xcd\xc9\xc9\x07\x00").Compressed())
		p.saw("read", p.read(background, c))
		p.pass(2 * time.Second)
		p.saw("wire", other.kinds())
	}},
}
