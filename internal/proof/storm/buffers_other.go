//go:build !unix

package storm

import "syscall"

// withBuffers returns nil: the buffers have the size that the system gives them.
func withBuffers(int) func(network, address string, c syscall.RawConn) error { return nil }
