//go:build !unix

package websocket

import "syscall"

// waitRaw does nothing: to wait without a buffer takes a Unix system.
func (c *Conn) waitRaw(syscall.Conn) {}

func (c *Conn) wait() (int, error) { return c.waitPlain() }

// tryWrite is called only where raw is set.
func (c *Conn) tryWrite(*buffer) bool { return false }
