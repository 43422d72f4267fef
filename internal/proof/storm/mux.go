package storm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A mux carries many streams over one net.Conn, as yamux does: each stream has a
// window, and its time-outs are of a type of its own.
type mux struct {
	nc net.Conn

	writing sync.Mutex // one frame at a time

	mu      sync.Mutex
	streams map[uint32]*stream
	opened  chan *stream // those that the other side opened
	err     error
}

const (
	muxOpen byte = iota
	muxData
	muxWindow // the reader took so many bytes
	muxFin    // the writer has ended
	muxReset
	muxGone // the reader has closed

	muxWindowSize = 128 << 10
	muxLargest    = 16 << 10
)

// muxTimeout is a time-out that is not os.ErrDeadlineExceeded, and not temporary.
type muxTimeout struct{}

func (muxTimeout) Error() string   { return "mux: i/o deadline reached" }
func (muxTimeout) Timeout() bool   { return true }
func (muxTimeout) Temporary() bool { return false }

var errMuxReset = errors.New("mux: the stream was reset")

func newMux(nc net.Conn) *mux {
	m := &mux{nc: nc, streams: map[uint32]*stream{}, opened: make(chan *stream, 16)}
	go m.read()
	return m
}

// send writes one frame.
func (m *mux) send(id uint32, kind byte, length int, p []byte) error {
	head := make([]byte, 9, 9+len(p))
	binary.BigEndian.PutUint32(head, id)
	head[4] = kind
	binary.BigEndian.PutUint32(head[5:], uint32(length))
	m.writing.Lock()
	defer m.writing.Unlock()
	_, err := m.nc.Write(append(head, p...))
	return err
}

// open makes a new stream. Only one side of a mux opens streams.
func (m *mux) open(id uint32) (*stream, error) {
	s := m.stream(id)
	return s, m.send(id, muxOpen, 0, nil)
}

func (m *mux) stream(id uint32) *stream {
	s := &stream{mux: m, id: id, window: muxWindowSize}
	s.changed = sync.NewCond(&s.mu)
	m.mu.Lock()
	m.streams[id] = s
	m.mu.Unlock()
	return s
}

// read deals out what comes. It never waits for a stream: windows bound what a stream holds.
func (m *mux) read() {
	br := bufio.NewReaderSize(m.nc, 32<<10)
	var head [9]byte
	var err error
	for {
		if _, err = io.ReadFull(br, head[:]); err != nil {
			break
		}
		id, n := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[5:])
		if head[4] == muxOpen {
			m.opened <- m.stream(id)
			continue
		}
		var p []byte
		if head[4] == muxData {
			p = make([]byte, n)
			if _, err = io.ReadFull(br, p); err != nil {
				break
			}
		}
		m.mu.Lock()
		s := m.streams[id]
		m.mu.Unlock()
		if s != nil {
			s.take(head[4], int(n), p)
		}
	}
	m.mu.Lock()
	m.err = err
	streams := m.streams
	m.streams = nil
	m.mu.Unlock()
	for _, s := range streams {
		s.take(muxReset, 0, nil)
	}
	close(m.opened)
}

// A stream is one of a mux's, a net.Conn.
type stream struct {
	mux *mux
	id  uint32

	mu         sync.Mutex
	changed    *sync.Cond
	in         []byte
	window     int // how much may be written
	fin        bool
	reset      bool
	refused    bool // the other side reads no more
	closed     bool // here
	ended      bool // our fin was sent
	readUntil  time.Time
	writeUntil time.Time
	readAlarm  *time.Timer
	writeAlarm *time.Timer
}

// take is what the mux received for the stream.
func (s *stream) take(kind byte, n int, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case muxData:
		if !s.closed {
			s.in = append(s.in, p...)
		}
	case muxWindow:
		s.window += n
	case muxFin:
		s.fin = true
	case muxReset:
		s.reset = true
	case muxGone:
		s.refused = true
	}
	s.changed.Broadcast()
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for {
		switch {
		case s.closed:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case past(s.readUntil):
			s.mu.Unlock()
			return 0, muxTimeout{}
		case len(s.in) > 0:
			n := copy(p, s.in)
			s.in = s.in[n:]
			s.mu.Unlock()
			s.mux.send(s.id, muxWindow, n, nil)
			return n, nil
		case s.reset:
			s.mu.Unlock()
			return 0, errMuxReset
		case s.fin:
			s.mu.Unlock()
			return 0, io.EOF
		case len(p) == 0:
			s.mu.Unlock()
			return 0, nil
		}
		s.changed.Wait()
	}
}

func (s *stream) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := s.room(len(p) - written)
		if err != nil {
			return written, err
		}
		if err := s.mux.send(s.id, muxData, n, p[written:written+n]); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// room waits until something may be written, and takes it off the window.
func (s *stream) room(wanted int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed, s.ended:
			return 0, net.ErrClosed
		case s.reset, s.refused:
			return 0, errMuxReset
		case past(s.writeUntil):
			return 0, muxTimeout{}
		case s.window > 0:
			n := min(wanted, s.window, muxLargest)
			s.window -= n
			return n, nil
		}
		s.changed.Wait()
	}
}

// CloseWrite ends the stream in one direction.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	again := s.ended
	s.ended = true
	s.changed.Broadcast()
	s.mu.Unlock()
	if again {
		return nil
	}
	return s.mux.send(s.id, muxFin, 0, nil)
}

func (s *stream) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.in = nil
	for _, t := range []*time.Timer{s.readAlarm, s.writeAlarm} {
		if t != nil {
			t.Stop()
		}
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	err := s.CloseWrite()
	s.mux.mu.Lock()
	delete(s.mux.streams, s.id)
	s.mux.mu.Unlock()
	s.mux.send(s.id, muxGone, 0, nil)
	return err
}

func (s *stream) LocalAddr() net.Addr  { return s.mux.nc.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr { return s.mux.nc.RemoteAddr() }

// alarm wakes those who wait when a deadline has passed. The caller holds mu.
func (s *stream) alarm(old *time.Timer, t time.Time) *time.Timer {
	if old != nil {
		old.Stop()
	}
	s.changed.Broadcast()
	if t.IsZero() || s.closed {
		return nil
	}
	return time.AfterFunc(time.Until(t), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readUntil = t
	s.readAlarm = s.alarm(s.readAlarm, t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeUntil = t
	s.writeAlarm = s.alarm(s.writeAlarm, t)
	return nil
}

func (s *stream) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}
