//go:build !unix

package transport

import (
	"net"
	"syscall"
)

// An errno would be the error of a system call.
type errno int

func (errno) Error() string { return "websocket: there is no such system call here" }

// RawConn returns nil: to wait without a buffer takes a Unix system.
func RawConn(net.Conn) syscall.RawConn { return nil }

// What follows is called only where RawConn is not nil.

const (
	canPoll     = false
	canSendBoth = false
)

func (t *Conn) readReady(uintptr) bool         { return true }
func pollOut(uintptr) bool                     { return false }
func mayWrite(uintptr) bool                    { return true }
func peerClosed(uintptr) (closed, rest bool)   { return false, false }
func unsent(uintptr) int64                     { return 0 }
func send(_ uintptr, _, _ []byte) (int, errno) { return 0, -1 }
func sendLast(uintptr, []byte) (int, errno)    { return 0, -1 }

const interrupted, wouldBlock errno = 1, 2
