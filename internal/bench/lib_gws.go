package main

import (
	"bytes"
	"net"
	"net/http"

	"github.com/lxzan/gws"
)

// lxzan/gws: its own read loop, messages given back to its pools. Its Broadcaster, which starts a
// goroutine per connection, where the case is about groups; else WriteMessage to each, which costs less.
func gwsLibrary() *library {
	return &library{
		name: "gws", kind: readyMade, deflate: true, takeover: true,
		server: func(o order) service { return &gwsServer{order: o} },
		client: gwsVisit,
	}
}

type gwsServer struct {
	gws.BuiltinEventHandler
	order order
	conns members[*gws.Conn]
}

// gwsFresh returns the message in memory that nobody else uses later. Its buffers for up to 256 KiB, with
// four bytes to spare, come from a pool and are up to twice as large as the message: such a message is copied and the buffer
// given back. A larger one has a buffer of its own, which is kept.
func gwsFresh(message *gws.Message) []byte {
	if message.Data.Cap() > 256<<10 {
		return message.Bytes()
	}
	defer message.Close()
	return bytes.Clone(message.Bytes())
}

func (s *gwsServer) OnMessage(c *gws.Conn, message *gws.Message) {
	if s.order.Fresh {
		_ = c.WriteMessage(message.Opcode, gwsFresh(message)) // an error ends the read loop
		return
	}
	defer message.Close()
	if answer := s.order.answer(message.Bytes()); answer != nil {
		_ = c.WriteMessage(message.Opcode, answer) // an error ends the read loop
	}
}

func (s *gwsServer) serve(ln net.Listener) error {
	options := &gws.ServerOption{PermessageDeflate: gws.PermessageDeflate{
		Enabled:               s.order.Deflate,
		ServerContextTakeover: s.order.Takeover,
		ClientContextTakeover: s.order.Takeover,
	}}
	if s.order.Group {
		options.PermessageDeflate.Threshold = broadcastSize
	}
	if s.order.Lean {
		options.ReadBufferSize = 512
	}
	upgrader := gws.NewUpgrader(s, options)
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			fatal(err)
		}
		s.conns.add(s.order, c)
		s.order.detach(c.ReadLoop)
	})
}

func (s *gwsServer) broadcast(message []byte) error {
	if s.order.Group {
		b := gws.NewBroadcaster(gws.OpcodeBinary, message)
		defer b.Close()
		return s.conns.each(b.Broadcast)
	}
	return s.conns.each(func(c *gws.Conn) error { return c.WriteMessage(gws.OpcodeBinary, message) })
}

type gwsClient struct {
	gws.BuiltinEventHandler
	message []byte
	fresh   bool
}

func (v *gwsClient) OnMessage(c *gws.Conn, message *gws.Message) {
	if v.fresh {
		gwsFresh(message)
	} else {
		defer message.Close()
	}
	_ = c.WriteMessage(gws.OpcodeBinary, v.message) // an error ends the read loop
}

func gwsVisit(o order) visit {
	return func(url string, message []byte) error {
		c, _, err := gws.NewClient(&gwsClient{message: message, fresh: o.Fresh}, &gws.ClientOption{Addr: url})
		if err != nil {
			return err
		}
		if err := c.WriteMessage(gws.OpcodeBinary, message); err != nil {
			return err
		}
		c.ReadLoop()
		return nil
	}
}
