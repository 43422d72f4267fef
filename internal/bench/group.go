//go:build !nogroup

package main

import "github.com/closeonce/websocket"

// A group broadcasts by our library's own means for it.
type group struct{ websocket.Group }

func (g *group) add(c *websocket.Conn) {
	if err := g.Add(c); err != nil {
		fatal(err)
	}
}

func (g *group) broadcast(message []byte) error { return g.Broadcast(websocket.MessageBinary, message) }
