package fasthttpws

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// lingerTime is how long the library may take to close a connection in the background, and some more.
const lingerTime = 3 * time.Second

// takeOver returns what is below fasthttp's connection, which reads through fasthttp's buffer and whose Close does nothing, the
// bytes that fasthttp has read already, and a function that waits until nobody uses either any more.
func takeOver(nc net.Conn) (stream net.Conn, early []byte, release func()) {
	below := nc
	if u, ok := nc.(interface{ UnsafeConn() net.Conn }); ok {
		below = u.UnsafeConn()
	}
	socket := socketOf(below)
	if socket == nil || below.SetReadDeadline(time.Unix(1, 0)) != nil {
		s := &buffered{Conn: below, r: nc, closed: make(chan struct{})}
		if half, ok := below.(halfCloser); ok {
			return halfBuffered{s, half}, nil, s.release
		}
		return s, nil, s.release
	}
	// With the deadline in the past, a read returns what is in the buffer and nothing more.
	chunk := make([]byte, 4096)
	for {
		n, err := nc.Read(chunk)
		early = append(early, chunk[:n]...)
		if err != nil {
			break // the deadline, or the stream's end, which the next read returns again
		}
	}
	return below, early, func() { awaitClosed(socket) }
}

// socketOf returns the socket of a connection that is one, or TLS over one, or nil. Only of these is it known that a
// deadline works and leaves them usable.
func socketOf(nc net.Conn) syscall.Conn {
	if secured, ok := nc.(*tls.Conn); ok {
		nc = secured.NetConn()
	}
	switch nc := nc.(type) {
	case *net.TCPConn:
		return nc
	case *net.UnixConn:
		return nc
	}
	return nil
}

// awaitClosed waits until the library has closed the socket. If fasthttp closed it before that, the last Close frame could be
// lost.
func awaitClosed(socket syscall.Conn) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	for waited, pause := time.Duration(0), time.Millisecond; waited < lingerTime; waited, pause = waited+pause, min(2*pause, 50*time.Millisecond) {
		if raw.Control(func(uintptr) {}) != nil {
			return
		}
		time.Sleep(pause)
	}
}

// buffered is a connection of a kind that is not known. All reads go through fasthttp's buffer.
type buffered struct {
	net.Conn
	r io.Reader

	mu     sync.Mutex // held while r is read
	over   bool       // r may not be read any more
	closed chan struct{}
	once   sync.Once
}

// A halfCloser ends its half of the stream, so that the last Close frame arrives before the stream is closed.
type halfCloser interface{ CloseWrite() error }

// halfBuffered is a buffered connection that has CloseWrite. The others must not have the method: one that fails is not the same.
type halfBuffered struct {
	*buffered
	halfCloser
}

// NetConn returns the connection below.
func (b *buffered) NetConn() net.Conn { return b.Conn }

func (b *buffered) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, net.ErrClosed
	}
	return b.r.Read(p)
}

// Close closes the connection below.
func (b *buffered) Close() error {
	err := net.ErrClosed
	b.once.Do(func() {
		err = b.Conn.Close()
		close(b.closed)
	})
	return err
}

// release waits until the connection is closed and nobody reads.
func (b *buffered) release() {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-b.closed:
	case <-timer.C:
		b.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
