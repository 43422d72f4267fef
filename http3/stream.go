package http3

import (
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// requestCancelled is what stands for a TCP connection's reset (RFC 9220, section 3).
const requestCancelled = quic.StreamErrorCode(http3.ErrCodeRequestCanceled)

// A stream is one WebSocket's stream, as NewConn needs it. Its two directions end separately.
type stream struct {
	requestStream
	local, remote net.Addr
	onClose       func() // called once; may be nil

	mu      sync.Mutex
	writing chan struct{} // closed when the Write that is under way has returned; nil: there is none
	written bool          // the direction to the peer has ended
	closed  bool
}

// A requestStream is an *http3.Stream of a server, or an *http3.RequestStream of a client.
type requestStream interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Close() error // of the direction to the peer, which must not be written to meanwhile
	CancelRead(quic.StreamErrorCode)
	CancelWrite(quic.StreamErrorCode)
	SetWriteDeadline(time.Time) error
}

// Write writes one DATA frame.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.written {
		s.mu.Unlock()
		return 0, net.ErrClosed
	}
	done := make(chan struct{})
	s.writing = done
	s.mu.Unlock()
	n, err := s.requestStream.Write(p)
	s.mu.Lock()
	s.writing = nil
	s.mu.Unlock()
	close(done)
	return n, err
}

// CloseWrite ends the direction to the peer; what was written arrives. A Write that waits then is cut off.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	again, cut := s.written, s.writing
	s.written = true // no Write begins from now on
	s.mu.Unlock()
	switch {
	case again:
	case cut != nil:
		// If a Write waits in CancelWrite, quic-go may take its bytes all the same, and never complete the stream.
		s.SetWriteDeadline(time.Unix(1, 0))
		<-cut
		s.CancelWrite(requestCancelled)
	default:
		s.requestStream.Close()
	}
	return nil
}

// Close ends both directions. Of what has not been read, nothing is wanted any more.
func (s *stream) Close() error {
	s.CloseWrite()
	s.CancelRead(requestCancelled)
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if !again && s.onClose != nil {
		s.onClose()
	}
	return nil
}

// LocalAddr returns the address that the QUIC connection had here when the WebSocket began. It may move.
func (s *stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns the address that the QUIC connection had there when the WebSocket began. It may move.
func (s *stream) RemoteAddr() net.Addr { return s.remote }
