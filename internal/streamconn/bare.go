package streamconn

import (
	"io"
	"net"
	"os"
	"time"
)

// Bare returns stream as a net.Conn: itself if it is one, or else one that cannot set deadlines. The addresses are the
// stream's, if it has any, and so is CloseWrite.
func Bare(stream io.ReadWriteCloser) net.Conn {
	if nc, ok := stream.(net.Conn); ok {
		return nc
	}
	if half, ok := stream.(halfCloser); ok {
		return bareHalf{bare{stream}, half}
	}
	return bare{stream}
}

type halfCloser interface{ CloseWrite() error }

// bare is a stream that is no net.Conn.
type bare struct{ io.ReadWriteCloser }

// bareHalf is one whose direction to the peer can be closed alone.
type bareHalf struct {
	bare
	halfCloser
}

// LocalAddr returns the stream's, or a placeholder.
func (b bare) LocalAddr() net.Addr {
	if s, ok := b.ReadWriteCloser.(interface{ LocalAddr() net.Addr }); ok {
		return s.LocalAddr()
	}
	return addr{}
}

// RemoteAddr returns the stream's, or a placeholder.
func (b bare) RemoteAddr() net.Addr {
	if s, ok := b.ReadWriteCloser.(interface{ RemoteAddr() net.Addr }); ok {
		return s.RemoteAddr()
	}
	return addr{}
}

func (bare) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (bare) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (bare) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
