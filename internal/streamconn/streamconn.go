// Package streamconn makes a net.Conn of a stream that knows no deadlines, such
// as the body of an upgraded HTTP response, or that must not be interrupted, such
// as TLS.
package streamconn

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// chunkSize is how much is read from, and written to, the stream at once; and
// waitSize is what a read waits with, until more than that comes at once.
const (
	chunkSize = 16 << 10
	waitSize  = 512
)

// maxNothing is how often in a row a stream may read nothing without an error.
const maxNothing = 100

// A Conn is a net.Conn over a stream. A goroutine reads from the stream and one
// writes to it, each when it is asked to; a caller whose deadline passes leaves
// them at it, and nothing is lost: bytes that come late are given to the next
// Read, and bytes that were handed over are written.
type Conn struct {
	stream io.ReadWriteCloser
	of     net.Conn // whose addresses it has; nil: nobody's
	closed chan struct{}
	once   sync.Once

	readTurn chan struct{} // held by the caller of Read
	asked    bool          // the reading goroutine is at work
	came     chan chunk    // what it brings
	chunk    int           // how much it reads at once
	left     []byte        // of what it brought, not taken yet
	readErr  error

	writeTurn chan struct{} // held by the caller of Write
	out       *[]byte       // what the writing goroutine is at work on, and gives back
	writeOut  func()        // that goroutine; kept, so that starting it costs no allocation
	went      chan error    // its results; one is due while writing is set
	writing   bool
	writeErr  error
	room      *room // nil: the stream is not asked

	readDeadline, writeDeadline deadline
}

type chunk struct {
	b   []byte
	err error
}

// New returns a Conn over stream, which it owns from then on.
func New(stream io.ReadWriteCloser) *Conn {
	c := &Conn{
		stream:        stream,
		closed:        make(chan struct{}),
		readTurn:      make(chan struct{}, 1),
		came:          make(chan chunk, 1),
		writeTurn:     make(chan struct{}, 1),
		went:          make(chan error, 1),
		readDeadline:  newDeadline(),
		writeDeadline: newDeadline(),
	}
	c.writeOut = c.writeChunk
	return c
}

// WriteDeadlineResumes marks that an expired write deadline leaves the
// connection usable: Write has returned how many bytes it took.
func (c *Conn) WriteDeadlineResumes() {}

// Read reads what has come, or waits for it, for the read deadline, or for Close.
func (c *Conn) Read(p []byte) (int, error) {
	expired := c.readDeadline.expired()
	select {
	case c.readTurn <- struct{}{}:
		defer func() { <-c.readTurn }()
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
	if closedNow(expired) {
		return 0, os.ErrDeadlineExceeded
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.left) == 0 && c.readErr == nil {
		if !c.asked {
			c.asked = true
			go c.readChunk(max(c.chunk, waitSize))
		}
		select {
		case got := <-c.came:
			c.asked = false
			c.left, c.readErr = got.b, got.err
			c.chunk = waitSize
			if len(got.b) == cap(got.b) {
				c.chunk = chunkSize
			}
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	if len(c.left) == 0 {
		return 0, c.readErr
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *Conn) readChunk(size int) {
	b := make([]byte, size)
	n, err := c.stream.Read(b)
	for nothing := 0; n == 0 && err == nil; nothing++ {
		if nothing == maxNothing {
			err = io.ErrNoProgress
			break
		}
		n, err = c.stream.Read(b)
	}
	c.came <- chunk{b[:n], err}
}

// Settled reports whether all that was handed over has been written, and nobody
// waits for room. It is for whoever writes, not for others at the same time.
func (c *Conn) Settled() bool {
	if c.room != nil && !c.room.settled() {
		return false
	}
	if c.writing {
		select {
		case err := <-c.went:
			c.writing, c.writeErr = false, err
		default:
			return false
		}
	}
	return c.writeErr == nil
}

// Write hands p over to the stream, chunk by chunk. A chunk that was handed over
// when the write deadline passes counts as written. With NewRoom, a chunk is
// handed over when the stream has room.
func (c *Conn) Write(p []byte) (n int, err error) {
	expired := c.writeDeadline.expired()
	select {
	case c.writeTurn <- struct{}{}:
		defer func() { <-c.writeTurn }()
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
	for {
		if closedNow(c.closed) {
			return n, net.ErrClosed
		}
		if closedNow(expired) {
			return n, os.ErrDeadlineExceeded
		}
		if c.writing { // a chunk of ours, or one that a Write before left
			select {
			case err := <-c.went:
				c.writing = false
				c.writeErr = err
			case <-expired:
				return n, os.ErrDeadlineExceeded
			case <-c.closed:
				return n, net.ErrClosed
			}
		}
		if c.writeErr != nil {
			return n, c.writeErr
		}
		if n == len(p) {
			return n, nil
		}
		if c.room != nil {
			if err := c.room.wait(expired, c.closed); err != nil {
				return n, err
			}
		}
		c.out = chunks.Get().(*[]byte)
		*c.out = append((*c.out)[:0], p[n:min(len(p), n+chunkSize)]...)
		n += len(*c.out)
		c.writing = true
		go c.writeOut()
	}
}

// chunks are for writing. A connection that has nothing to write holds none.
var chunks = sync.Pool{New: func() any {
	b := make([]byte, 0, chunkSize)
	return &b
}}

func (c *Conn) writeChunk() {
	n, err := c.stream.Write(*c.out)
	if err == nil && n != len(*c.out) { // the stream is not a proper io.Writer
		err = io.ErrShortWrite
	}
	if err == nil { // else who knows whether the stream has let go of it
		chunks.Put(c.out)
	}
	c.out = nil
	c.went <- err
}

// Close closes the stream and makes blocked calls return.
func (c *Conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		c.readDeadline.set(time.Time{})
		c.writeDeadline.set(time.Time{})
		err = c.stream.Close()
	})
	return err
}

// NewOf is New for a stream that was made of a net.Conn, and has its addresses.
func NewOf(stream io.ReadWriteCloser, of net.Conn) *Conn {
	c := New(stream)
	c.of = of
	return c
}

// Of returns the net.Conn that the stream was made of, or nil if none is known.
func (c *Conn) Of() net.Conn { return c.of }

// Below returns what the stream was made of, the stream itself if that is a net.Conn, or else c.
func (c *Conn) Below() net.Conn {
	if c.of != nil {
		return c.of
	}
	if nc, ok := c.stream.(net.Conn); ok {
		return nc
	}
	return c
}

// LocalAddr returns a placeholder, unless it is known what the stream was made of.
func (c *Conn) LocalAddr() net.Addr {
	if c.of != nil {
		return c.of.LocalAddr()
	}
	return addr{}
}

// RemoteAddr returns a placeholder, unless it is known what the stream was made of.
func (c *Conn) RemoteAddr() net.Addr {
	if c.of != nil {
		return c.of.RemoteAddr()
	}
	return addr{}
}

type addr struct{}

func (addr) Network() string { return "stream" }
func (addr) String() string  { return "stream" }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when Read gives up; it holds for one that waits, too.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readDeadline, t) }

// SetWriteDeadline sets when Write gives up; it holds for one that waits, too.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeDeadline, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	if closedNow(c.closed) {
		return net.ErrClosed
	}
	d.set(t)
	return nil
}

func closedNow(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A deadline is a channel that is closed when its time has come. A wait that is
// under way sees a new, earlier time, because the channel is kept until it is
// closed.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	c     chan struct{}
}

func newDeadline() deadline { return deadline{c: make(chan struct{})} }

func (d *deadline) expired() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() && !closedNow(d.c) {
		// It is about to close the channel that waits hold: theirs has come.
		d.c = make(chan struct{})
	}
	d.timer = nil
	if closedNow(d.c) {
		d.c = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	c := d.c
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { close(c) })
	} else {
		close(c)
	}
}
