//go:build unix

package websocket

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// waitRaw makes the connection wait for its socket without a buffer.
func (c *Conn) waitRaw(nc syscall.Conn) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return // waitPlain does it
	}
	c.raw = raw
	c.ready = c.readReady
}

// wait reads the bytes that come next: into in.dst, or into the buffer. A
// waiting goroutine holds no buffer: it borrows one when bytes are there.
func (c *Conn) wait() (int, error) {
	if c.raw == nil {
		return c.waitPlain()
	}
	in := &c.in
	in.n, in.err = 0, nil
	if err := c.raw.Read(c.ready); err != nil {
		return 0, err
	}
	return in.n, in.err
}

// readReady is called with the socket when it may have bytes, and says whether
// the wait is over.
func (c *Conn) readReady(fd uintptr) bool {
	in := &c.in
	p := in.dst
	if p == nil {
		p = in.room()
	}
	for {
		n, err := syscall.Read(int(fd), p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			in.letGo()
			c.watchRead()
			return false
		case err != nil:
			n = 0
		}
		in.n, in.err = n, err
		if in.dst == nil {
			in.w += n
		}
		return true
	}
}

// tryWrite writes what the kernel takes at once, and does not wait.
func (c *Conn) tryWrite(b []byte) (int, error) {
	t := tries.Get().(*try)
	t.b, t.n, t.err = b, 0, nil
	err := c.raw.Write(t.write)
	n := t.n
	if err == nil {
		err = t.err
	}
	t.b = nil
	tries.Put(t)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // a poke; the caller, if he goes on, meets it again
	}
	return n, err
}

// A try is one attempt to write to a socket.
type try struct {
	b     []byte
	n     int
	err   error
	write func(fd uintptr) bool
}

var tries = sync.Pool{New: func() any {
	t := new(try)
	t.write = func(fd uintptr) bool {
		for {
			n, err := syscall.Write(int(fd), t.b)
			switch {
			case err == syscall.EINTR:
				continue
			case err == syscall.EAGAIN:
				n, err = 0, nil
			case err != nil:
				n = 0
			}
			t.n, t.err = n, err
			return true
		}
	}
	return t
}}
