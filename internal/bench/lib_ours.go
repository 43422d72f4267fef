package main

import (
	"context"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
)

// Ours, by its plain API: Handler, AppendRead into a reused buffer (Read where memory is to be fresh, and in
// the idle cases, because it keeps nothing), Write; a Group where the case is about one.
func ourLibrary() *library {
	return &library{
		name: "ours", kind: ours, deflate: true, takeover: true,
		server: func(o order) service { return &ourServer{order: o} },
		client: ourVisit,
	}
}

type ourServer struct {
	order order
	conns members[*websocket.Conn]
	group group
}

func (s *ourServer) serve(ln net.Listener) error {
	options := &websocket.AcceptOptions{ReadLimit: -1}
	if s.order.Group {
		options.CompressionThreshold = broadcastSize
	}
	switch {
	case s.order.Takeover:
		options.CompressionMode = websocket.CompressionContextTakeover
	case s.order.Deflate:
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	if !s.order.InHandler {
		serve := s.run
		if s.order.Lean || s.order.Fresh {
			serve = s.echoFresh
		}
		return serveHTTP(ln, websocket.Handler(options, serve).ServeHTTP)
	}
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			fatal(err)
		}
		s.run(r.Context(), c)
	})
}

func (s *ourServer) run(ctx context.Context, c *websocket.Conn) {
	if s.order.Lean || s.order.Fresh {
		s.echoFresh(ctx, c)
		return
	}
	defer c.CloseNow()
	if s.order.Group {
		s.group.add(c)
	} else {
		s.conns.add(s.order, c)
	}
	if s.order.Cancel {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	_ = s.echo(ctx, c) // ends with the load generator
}

func (s *ourServer) echo(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, message, err := c.AppendRead(ctx, buf[:0])
		if err != nil {
			return err
		}
		buf = message
		if answer := s.order.answer(message); answer != nil {
			if err := c.Write(ctx, typ, answer); err != nil {
				return err
			}
		}
	}
}

// echoFresh keeps nothing between messages, and little on its stack.
func (s *ourServer) echoFresh(ctx context.Context, c *websocket.Conn) {
	for {
		typ, message, err := c.Read(ctx)
		if err == nil {
			err = c.Write(ctx, typ, message)
		}
		if err != nil {
			c.CloseNow()
			return
		}
	}
}

func (s *ourServer) broadcast(message []byte) error {
	if s.order.Group {
		return s.group.broadcast(message)
	}
	return s.conns.each(func(c *websocket.Conn) error {
		return c.Write(context.Background(), websocket.MessageBinary, message)
	})
}

func ourVisit(o order) visit {
	return func(url string, message []byte) error {
		ctx := context.Background()
		c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{ReadLimit: -1})
		if err != nil {
			return err
		}
		defer c.CloseNow()
		var buf []byte
		for {
			if err := c.Write(ctx, websocket.MessageBinary, message); err != nil {
				return err
			}
			if o.Fresh {
				_, _, err = c.Read(ctx)
			} else {
				_, buf, err = c.AppendRead(ctx, buf[:0])
			}
			if err != nil {
				return err
			}
		}
	}
}
