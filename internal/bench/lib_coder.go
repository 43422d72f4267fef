package main

import (
	"context"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// coder/websocket: a reused buffer for reading instead of Read's fresh one, unless the case asks for that, and a context that cannot be
// cancelled unless the case asks for one that can.
func coderLibrary() *library {
	return &library{
		name: "coder", kind: readyMade, deflate: true, takeover: true,
		server: func(o order) service { return &coderServer{order: o} },
		client: coderVisit,
	}
}

type coderServer struct {
	order order
	conns members[*websocket.Conn]
}

func (s *coderServer) serve(ln net.Listener) error {
	options := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	switch {
	case s.order.Takeover:
		options.CompressionMode = websocket.CompressionContextTakeover
	case s.order.Deflate:
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			fatal(err)
		}
		c.SetReadLimit(-1)
		s.conns.add(s.order, c)
		s.order.detach(func() {
			defer c.CloseNow()
			ctx := context.Background()
			if s.order.Cancel {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				defer cancel()
			}
			for s.echo(ctx, c) == nil {
			}
		})
	})
}

func (s *coderServer) echo(ctx context.Context, c *websocket.Conn) error {
	if s.order.Fresh {
		typ, message, err := c.Read(ctx)
		if err != nil {
			return err
		}
		return c.Write(ctx, typ, message)
	}
	typ, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if *buf, err = readAll(r, (*buf)[:0]); err != nil {
		return err
	}
	if answer := s.order.answer(*buf); answer != nil {
		return c.Write(ctx, typ, answer)
	}
	return nil
}

func (s *coderServer) broadcast(message []byte) error {
	return s.conns.each(func(c *websocket.Conn) error {
		return c.Write(context.Background(), websocket.MessageBinary, message)
	})
}

func coderVisit(o order) visit {
	return func(url string, message []byte) error {
		ctx := context.Background()
		c, _, err := websocket.Dial(ctx, url, nil)
		if err != nil {
			return err
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		buf := make([]byte, 0, o.Size+512)
		for {
			if err := c.Write(ctx, websocket.MessageBinary, message); err != nil {
				return err
			}
			if o.Fresh {
				if _, _, err := c.Read(ctx); err != nil {
					return err
				}
				continue
			}
			_, r, err := c.Reader(ctx)
			if err != nil {
				return err
			}
			if buf, err = readAll(r, buf[:0]); err != nil {
				return err
			}
		}
	}
}
