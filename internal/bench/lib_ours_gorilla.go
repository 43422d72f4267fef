//go:build !nogorilla

package main

import (
	"net"
	"net/http"

	websocket "github.com/closeonce/websocket/gorilla"
)

// Ours by the API of gorilla/websocket, in the idioms of lib_gorilla.go. It takes part only where it is named:
// -lib gorilla,ours-gorilla. To the report it is ours.
func ourGorillaLibrary() *library {
	return &library{
		name: "ours-gorilla", kind: ours, deflate: true,
		server: func(o order) service {
			return &ourGorillaServer{order: o, upgrader: websocket.Upgrader{EnableCompression: o.Deflate}}
		},
		client: ourGorillaVisit,
	}
}

type ourGorillaServer struct {
	order    order
	upgrader websocket.Upgrader
	conns    members[*websocket.Conn]
}

func (s *ourGorillaServer) serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := s.upgrader.Upgrade(w, r, nil)
		if err != nil {
			fatal(err)
		}
		s.conns.add(s.order, c)
		echo := s.echo
		if s.order.Fresh || s.order.Lean {
			echo = s.echoFresh
		}
		s.order.detach(func() {
			defer c.Close()
			for echo(c) == nil {
			}
		})
	})
}

func (s *ourGorillaServer) echo(c *websocket.Conn) error {
	typ, r, err := c.NextReader()
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if *buf, err = readAll(r, (*buf)[:0]); err != nil {
		return err
	}
	if answer := s.order.answer(*buf); answer != nil {
		return c.WriteMessage(typ, answer)
	}
	return nil
}

// echoFresh keeps nothing between messages, and little on its stack.
func (s *ourGorillaServer) echoFresh(c *websocket.Conn) error {
	typ, message, err := c.ReadMessage()
	if err != nil {
		return err
	}
	return c.WriteMessage(typ, message)
}

func (s *ourGorillaServer) broadcast(message []byte) error {
	prepared, err := websocket.NewPreparedMessage(websocket.BinaryMessage, message)
	if err != nil {
		return err
	}
	return s.conns.each(func(c *websocket.Conn) error { return c.WritePreparedMessage(prepared) })
}

func ourGorillaVisit(o order) visit {
	// A write buffer below the message's size would cut it into several frames.
	dialer := websocket.Dialer{ReadBufferSize: 4 << 10, WriteBufferSize: max(4<<10, o.Size+64)}
	return func(url string, message []byte) error {
		c, _, err := dialer.Dial(url, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		buf := make([]byte, 0, o.Size+512)
		for {
			if err := c.WriteMessage(websocket.BinaryMessage, message); err != nil {
				return err
			}
			if o.Fresh {
				if _, _, err := c.ReadMessage(); err != nil {
					return err
				}
				continue
			}
			_, r, err := c.NextReader()
			if err != nil {
				return err
			}
			if buf, err = readAll(r, buf[:0]); err != nil {
				return err
			}
		}
	}
}
