//go:build !unix

package transport

import (
	"net"
	"syscall"
)

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
func unsent(uintptr) int64                     { return 0 }
func send(_ uintptr, _, _ []byte) (int, error) { return 0, syscall.EINVAL }
func sendLast(uintptr, []byte) (int, error)    { return 0, syscall.EINVAL }
func interrupted(error) bool                   { return false }
func wouldBlock(error) bool                    { return false }
