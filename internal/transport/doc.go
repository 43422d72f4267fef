// Package transport is a net.Conn whose calls can be interrupted, and the only place that knows of sockets, deadlines
// and system calls.
//
// TCP and Unix sockets are read and written without what package net does before a call that may wait: whoever waits
// to read holds no buffer, and most writes are one system call that does not wait. TLS over such a socket is read with
// deadlines; a write that may have to wait is left to a goroutine, because an expired write deadline breaks crypto/tls
// for good. On Linux it gets a record when the socket has room, so that a caller that is interrupted before has sent nothing of
// it. Of any other net.Conn nothing is expected but that Read, Write and Close work: goroutines do its I/O, and
// callers that are interrupted leave them at it.
package transport
