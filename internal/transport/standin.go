package transport

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// A standIn writes to a net.Conn of which a write can't be interrupted: a goroutine writes copies, and a caller that is
// interrupted leaves it at the one that is under way. It belongs to whoever holds the write turn, but for its deadline.
type standIn struct {
	nc     net.Conn
	raw    syscall.RawConn // the socket below, which is asked for room; nil: it can't be
	budget int             // bytes that may be written past it before the socket is asked again
	stream atomic.Pointer[streamconn.Conn]
}

// made returns the stream, which most connections never need.
func (s *standIn) made() *streamconn.Conn {
	if stream := s.stream.Load(); stream != nil {
		return stream
	}
	stream := streamconn.New(s.nc)
	if s.raw != nil && canPoll {
		stream = streamconn.NewRoom(s.nc, s)
	}
	s.stream.CompareAndSwap(nil, stream)
	return s.stream.Load()
}

// HasRoom reports whether the socket has room, or an error, which a write returns. What crypto/tls has encrypted must be sent:
// it gets a record when the socket takes it, so that a caller that is interrupted before has sent nothing of it.
func (s *standIn) HasRoom() (ok bool) {
	s.raw.Control(func(fd uintptr) { ok = mayWrite(fd) })
	return ok
}

// AwaitRoom waits until HasRoom. If the socket is closed it returns, too.
func (s *standIn) AwaitRoom() { s.raw.Write(mayWrite) }

// Write waits for the goroutine to write p.
func (s *standIn) Write(p []byte) (int, error) { return s.made().Write(p) }

// SetWriteDeadline ends a Write that waits.
func (s *standIn) SetWriteDeadline(t time.Time) error { return s.made().SetWriteDeadline(t) }

// settled reports whether the goroutine has written all that it was given, and nobody waits for room.
func (s *standIn) settled() bool {
	stream := s.stream.Load()
	return stream == nil || stream.Settled()
}

// smallWrite is what a small write counts for: a socket's buffer holds it with the system's own data about it.
const smallWrite = 2 << 10

// mayPass reports whether a write of n bytes, a record at most, is sure not to wait. The socket is asked once for a
// record, or for some small ones.
func (s *standIn) mayPass(n int, writable func() bool) bool {
	n = max(n, smallWrite)
	if s.budget < n {
		if !writable() {
			return false
		}
		s.budget = recordSize
	}
	s.budget -= n
	return true
}
