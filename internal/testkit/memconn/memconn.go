// Package memconn provides network connections in memory: pairs of net.Conn with bounded buffers, and a net.Listener.
//
// Unlike the ends of net.Pipe, these connections have buffers, as sockets do. They can be half closed and reset. They
// work in synctest bubbles: all waiting is on a sync.Cond or a channel, and all timers are those of package time.
//
// TestClose and TestHTTP are good first examples.
package memconn

import (
	"io"
	"net"
	"syscall"
	"time"
)

// DefaultBufferSize is the size of the buffers that a [Listener] uses, and that [Pipe] uses if it is given none.
const DefaultBufferSize = 64 << 10

// A Conn is one end of a connection in memory. Its methods may be called concurrently. It returns the errors that a TCP
// connection returns: io.EOF itself, and other errors wrapped in a *net.OpError.
type Conn struct {
	in, out       *stream
	local, remote Addr
}

var _ net.Conn = (*Conn)(nil)

// Pipe returns the two ends of a connection with a buffer of bufSize bytes in each direction. If bufSize is not
// positive, it is [DefaultBufferSize].
func Pipe(bufSize int) (a, b *Conn) {
	return pipe(bufSize, "a:1", "b:2")
}

func pipe(bufSize int, addrA, addrB Addr) (a, b *Conn) {
	if bufSize <= 0 {
		bufSize = DefaultBufferSize
	}
	there, back := newStream(bufSize), newStream(bufSize)
	a = &Conn{in: back, out: there, local: addrA, remote: addrB}
	b = &Conn{in: there, out: back, local: addrB, remote: addrA}
	return a, b
}

// Read waits for at least one byte. After the peer's Close or CloseWrite it returns what the peer wrote, and then
// io.EOF. Its error wraps os.ErrDeadlineExceeded after the read deadline, net.ErrClosed after Close on this end, and
// syscall.ECONNRESET after a Reset.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

// Write waits until all of p is in the buffer. If it fails, n is the number of bytes that are. Concurrent Writes do not
// mix their bytes. The error wraps os.ErrDeadlineExceeded after the write deadline, net.ErrClosed after Close on this
// end, syscall.EPIPE after CloseWrite on this end or the peer's Close, and syscall.ECONNRESET after a Reset.
func (c *Conn) Write(p []byte) (n int, err error) {
	n, err = c.out.write(p)
	return n, c.opError("write", err)
}

// Close closes both directions. The peer can still read what this end has written. What the peer has written and this
// end has not read is lost.
func (c *Conn) Close() error {
	// One of the two decides which of several Closes was the first.
	err := c.in.closeRead()
	c.out.closeWrite(net.ErrClosed)
	return c.opError("close", err)
}

// CloseWrite closes the direction to the peer. The peer reads what is in the buffer and then io.EOF. This end can still
// read.
func (c *Conn) CloseWrite() error {
	return c.opError("close", c.out.closeWrite(syscall.EPIPE))
}

// Reset breaks the connection, as a TCP reset does. What is in the buffers is lost. All calls on an end fail with an
// error that wraps syscall.ECONNRESET, until that end is closed.
func (c *Conn) Reset() {
	c.in.reset()
	c.out.reset()
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets the read and the write deadline.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the time after which Read fails. It applies to calls that are waiting, too. The zero time means
// no deadline. After a deadline has passed, a new one makes reading possible again, and no byte is lost.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.in.setReadDeadline(t))
}

// SetWriteDeadline sets the time after which Write fails. It applies to calls that are waiting, too. The zero time means
// no deadline. After a deadline has passed, a new one makes writing possible again.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.out.setWriteDeadline(t))
}

// WriteDeadlineResumes does nothing. It marks a connection that is still usable after a write deadline has passed:
// Write has returned how many bytes it wrote, and a later Write may continue after them. This holds for TCP, but not
// for TLS.
func (c *Conn) WriteDeadlineResumes() {}

func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// An Addr is the address of one end, in the form host:port, which net/http servers expect.
type Addr string

// Network returns "mem".
func (Addr) Network() string { return "mem" }

// String returns the address.
func (a Addr) String() string { return string(a) }
