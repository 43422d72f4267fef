// Package memconn is a network in memory: pairs of net.Conn with bounded buffers, and a net.Listener.
//
// Unlike the ends of net.Pipe they buffer as a socket does, may be half closed or reset, and allow
// concurrent Reads and Writes. All waiting is on a sync.Cond or a channel and all timers are package time's, so that
// everything works in a bubble of testing/synctest, with its clock.
package memconn

import (
	"io"
	"net"
	"syscall"
	"time"
)

// DefaultBufferSize is the size of the buffers of connections made by a [Listener], and of [Pipe] when
// it is given none.
const DefaultBufferSize = 64 << 10

// A Conn is one end of a connection in memory. Its methods may be called concurrently. Its errors are
// those of a TCP connection: io.EOF as it is, others in a *net.OpError.
type Conn struct {
	in, out       *stream
	local, remote Addr
}

var _ net.Conn = (*Conn)(nil)

// Pipe returns the two ends of a connection that holds up to bufSize bytes each way. Zero or less means
// [DefaultBufferSize].
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

// Read waits for at least one byte. It returns io.EOF after the peer's Close or CloseWrite, once everything
// the peer wrote has been read; errors that wrap os.ErrDeadlineExceeded after the read deadline,
// net.ErrClosed after the own Close, and syscall.ECONNRESET after a Reset.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

// Write waits until all of p is in the buffer; n tells how much of it was when the error came. Two Writes
// at the same time do not mix their bytes. The error wraps os.ErrDeadlineExceeded after the write
// deadline, net.ErrClosed after the own Close, syscall.EPIPE after the own CloseWrite or the peer's Close, and
// syscall.ECONNRESET after a Reset.
func (c *Conn) Write(p []byte) (n int, err error) {
	n, err = c.out.write(p)
	return n, c.opError("write", err)
}

// Close ends both directions: the peer still reads what is in the buffer, what it wrote itself and nobody
// read is lost.
func (c *Conn) Close() error {
	// One of the two decides which of several Closes was the first.
	err := c.in.closeRead()
	c.out.closeWrite(net.ErrClosed)
	return c.opError("close", err)
}

// CloseWrite ends the direction to the peer, which reads what is in the buffer and then io.EOF. Reading
// goes on.
func (c *Conn) CloseWrite() error {
	return c.opError("close", c.out.closeWrite(syscall.EPIPE))
}

// Reset breaks the connection, as the RST of TCP does: what is in the buffers is lost, and all calls on both
// ends fail with an error that wraps syscall.ECONNRESET, until the end is closed.
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

// SetReadDeadline sets the time after which Read fails, also one that is waiting now; zero means
// never. A later deadline lets reading go on, with no byte lost.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.in.setReadDeadline(t))
}

// SetWriteDeadline sets the time after which Write fails, also one that is waiting now; zero means
// never. A later deadline lets writing go on.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.out.setWriteDeadline(t))
}

// WriteDeadlineResumes marks a connection that an expired write deadline leaves usable: Write has told how
// many bytes went out, and goes on behind them once the deadline has been moved. This is so for TCP, but not
// for TLS. The method does nothing.
func (c *Conn) WriteDeadlineResumes() {}

func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// An Addr is the address of an end, in the form host:port, which servers expect to be able to split.
type Addr string

// Network returns "mem".
func (Addr) Network() string { return "mem" }

// String returns the address.
func (a Addr) String() string { return string(a) }
