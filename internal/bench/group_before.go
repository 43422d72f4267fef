//go:build nogroup

package main

import (
	"context"

	"github.com/closeonce/websocket"
)

// A group is what an earlier version of our library is measured with that has no Group: Write to each.
type group struct{ conns members[*websocket.Conn] }

func (g *group) add(c *websocket.Conn) { g.conns.add(order{Broadcast: true}, c) }

func (g *group) broadcast(message []byte) error {
	return g.conns.each(func(c *websocket.Conn) error {
		return c.Write(context.Background(), websocket.MessageBinary, message)
	})
}
