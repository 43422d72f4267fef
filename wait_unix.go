//go:build unix

package websocket

import (
	"net"
	"syscall"
)

// rawConn returns what it takes to wait for nc's socket without a buffer, and to
// try to write to it, or nil.
func rawConn(nc net.Conn) syscall.RawConn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := nc.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
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
		n, err := recv(fd, p)
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

// tryWrite writes as much of b, and then of tail, as the kernel takes at once, without
// waiting, and reports whether that was all. It spares what net.Conn's Write does
// before it writes, to be able to wait: whoever writes has the write turn, and no
// deadline concerns what does not wait. What the attempt works with is borrowed
// together with the buffer.
func (b *buffer) tryWrite(raw syscall.RawConn, tail []byte) bool {
	if b.write == nil {
		b.write = b.writeNow
	}
	b.n, b.err, b.tail = 0, nil, tail
	if err := raw.Control(b.write); err != nil {
		b.err = err
	}
	b.tail = nil
	return b.n == len(b.b)+len(tail)
}

// writeNow is one attempt to write b and its tail to a socket.
func (b *buffer) writeNow(fd uintptr) {
	for {
		var n int
		var err error
		if b.last {
			n, err = sendLast(fd, b.b)
		} else {
			n, err = send(fd, b.b, b.tail)
		}
		if err == syscall.EINTR {
			continue
		}
		if err == nil {
			b.n = n
		} else if err != syscall.EAGAIN {
			b.err = err
		}
		return
	}
}
