//go:build unix

package storm

import (
	"runtime"
	"syscall"
)

// withBuffers returns what bounds how many bytes a TCP connection holds on their way, in its sender's buffer and in its
// window, to about size each.
//
// Linux takes a window back that it has offered when a receive buffer becomes smaller, or is full of the kernel's own
// account of many small segments. It drops then what no longer fits, and while the other direction's window is closed,
// the segments that say so too: a Write waits for minutes though the peer reads all the time. So the receive buffer stays
// a large one there, and it is the window that is bounded.
func withBuffers(size int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			set := func(level, option, value int) {
				if err == nil {
					err = syscall.SetsockoptInt(int(fd), level, option, value)
				}
			}
			set(syscall.SOL_SOCKET, syscall.SO_SNDBUF, size)
			if runtime.GOOS == "linux" {
				const windowClamp = 10 // TCP_WINDOW_CLAMP
				set(syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1<<20)
				set(syscall.IPPROTO_TCP, windowClamp, size)
			} else {
				set(syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
			}
		})
		if failed != nil {
			return failed
		}
		return err
	}
}
