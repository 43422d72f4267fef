//go:build !unix

package websocket

import (
	"net"
	"syscall"
)

// rawConn returns nil: to wait without a buffer takes a Unix system.
func rawConn(net.Conn) syscall.RawConn { return nil }

func (c *Conn) wait() (int, error) { return c.waitPlain() }

// readReady and tryWrite are called only where rawConn is not nil.
func (c *Conn) readReady(uintptr) bool { return true }

func (b *buffer) tryWrite(syscall.RawConn, []byte) bool { return false }
