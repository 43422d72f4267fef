//go:build unix

package transport

import (
	"io"
	"net"
	"syscall"
)

// RawConn returns what it takes to wait for nc's socket without a buffer, and to try to write to it, or nil.
func RawConn(nc net.Conn) syscall.RawConn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := nc.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// readReady is called with the socket when it may have bytes, and says whether the wait is over. Who waits holds no
// buffer: it borrows one when bytes are there.
func (t *Conn) readReady(fd uintptr) bool {
	if t.dst == nil && t.in.buf == nil {
		// Room would do it, but with what it needs of the stack, waiting goroutines would keep 2 KiB more each.
		t.in.buf = pool.Get().(*Buffer)
		t.in.buf.B = t.in.buf.B[:cap(t.in.buf.B)]
		t.in.r, t.in.w = 0, 0
	}
	p := t.dst
	if p == nil {
		p = t.in.Room()
	}
	for {
		n, err := recv(fd, p)
		switch err {
		case interrupted:
			continue
		case wouldBlock:
			if t.dst == nil {
				// Release would do it, and needs more of the stack, too.
				if b := t.in.detach(); b != nil && b.reset() {
					pool.Put(b)
				}
			}
			return false
		case 0:
			if n == 0 {
				t.err = io.EOF
			}
		default:
			t.err = err
		}
		t.n = int32(n)
		if t.dst == nil {
			t.in.Came(n)
		}
		return true
	}
}

// An errno is the error of a system call. It is made an error where somebody wants one: to compare errors takes longer.
type errno = syscall.Errno

const interrupted, wouldBlock = syscall.EINTR, syscall.EAGAIN
