//go:build !plan9

package websocket

import "syscall"

// errBrokenPipe is what the kernel says of a write to a peer that is gone.
var errBrokenPipe error = syscall.EPIPE
