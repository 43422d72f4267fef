package memconn

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A stream is one direction of a connection: a ring of bytes between the end that writes and the
// end that reads.
type stream struct {
	mu      sync.Mutex // never held while waiting
	changed sync.Cond  // on mu: anything below has changed

	// All guarded by mu.
	ring    []byte // made when the first byte comes
	size    int    // what len(ring) will be
	start   int    // where in ring the oldest byte is
	length  int    // how many bytes wait
	writing bool   // a Write is between its first and last byte: others wait

	readErr       error // what ended the reading end: net.ErrClosed or ECONNRESET
	writeErr      error // what ended the writing end: net.ErrClosed, EPIPE or ECONNRESET
	readDeadline  deadline
	writeDeadline deadline
}

func newStream(size int) *stream {
	s := &stream{size: size}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readErr != nil:
			return 0, s.readErr
		case s.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.length > 0:
			n := s.takeLocked(p)
			s.changed.Broadcast()
			return n, nil
		case s.writeErr != nil:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mine := false; ; {
		switch {
		case s.writeErr != nil:
			err = s.writeErr
		case s.readErr != nil:
			err = syscall.EPIPE
		case s.writeDeadline.expired:
			err = os.ErrDeadlineExceeded
		case s.writing && !mine:
			s.changed.Wait()
			continue
		default:
			n += s.putLocked(p[n:])
		}
		done := n == len(p) || err != nil
		if mine || !done {
			mine, s.writing = true, !done
		}
		s.changed.Broadcast()
		if done {
			return n, err
		}
		s.changed.Wait()
	}
}

// takeLocked moves bytes from the ring to p.
func (s *stream) takeLocked(p []byte) (n int) {
	for n < len(p) && s.length > 0 {
		end := min(s.start+s.length, s.size)
		moved := copy(p[n:], s.ring[s.start:end])
		n += moved
		s.length -= moved
		s.start = (s.start + moved) % s.size
	}
	return n
}

// putLocked moves as many bytes from p to the ring as it has room for.
func (s *stream) putLocked(p []byte) (n int) {
	if s.ring == nil && len(p) > 0 {
		s.ring = make([]byte, s.size)
	}
	for n < len(p) && s.length < s.size {
		from := (s.start + s.length) % s.size
		to := min(from+s.size-s.length, s.size)
		moved := copy(s.ring[from:to], p[n:])
		n += moved
		s.length += moved
	}
	return n
}

// closeRead ends the reading end. It fails when that was closed before.
func (s *stream) closeRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == net.ErrClosed {
		return net.ErrClosed
	}
	s.readErr = net.ErrClosed
	s.discardLocked()
	s.readDeadline.stop()
	s.changed.Broadcast()
	return nil
}

// closeWrite ends the writing end for the reason given. It fails when that was closed before; an end that
// was only half closed or reset may still be closed.
func (s *stream) closeWrite(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writeErr == net.ErrClosed:
		return net.ErrClosed
	case s.writeErr == nil || reason == net.ErrClosed:
		s.writeErr = reason
	case s.writeErr == syscall.ECONNRESET:
		return syscall.ECONNRESET
	}
	s.writeDeadline.stop()
	s.changed.Broadcast()
	return nil
}

// reset ends both ends that have not been closed and loses the bytes between them.
func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil {
		s.readErr = syscall.ECONNRESET
	}
	if s.writeErr != net.ErrClosed {
		s.writeErr = syscall.ECONNRESET
	}
	s.discardLocked()
	s.readDeadline.stop()
	s.writeDeadline.stop()
	s.changed.Broadcast()
}

// discardLocked lets the bytes and their memory go. Nothing can be written any more: readErr is set.
func (s *stream) discardLocked() {
	s.ring, s.start, s.length = nil, 0, 0
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == net.ErrClosed {
		return s.readErr
	}
	if s.readErr == nil {
		s.setLocked(&s.readDeadline, t)
	}
	return nil
}

func (s *stream) setWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr == net.ErrClosed {
		return s.writeErr
	}
	if s.writeErr == nil {
		s.setLocked(&s.writeDeadline, t)
	}
	return nil
}

// A deadline is a time in the life of one end of a stream. It is guarded by the stream's mu.
type deadline struct {
	expired bool
	timer   *time.Timer // runs while the deadline lies ahead
}

// setLocked moves d, a deadline of s, to t.
func (s *stream) setLocked(d *deadline, t time.Time) {
	d.stop()
	d.expired = false
	if !t.IsZero() {
		wait := time.Until(t)
		if d.expired = wait <= 0; !d.expired {
			var timer *time.Timer
			timer = time.AfterFunc(wait, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if d.timer == timer { // not stopped too late
					d.expired = true
					s.changed.Broadcast()
				}
			})
			d.timer = timer
		}
	}
	s.changed.Broadcast()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
