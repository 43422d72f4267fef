package streams

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A pipeEnd behaves as an end of a named pipe of Windows does in the package go-winio:
//
//   - A time-out is an error of its own, not os.ErrDeadlineExceeded.
//   - Read returns no more than what is left of the bytes that one Write brought.
//   - A Write waits until the peer has read all but what the pipe holds. One that is cancelled says that it wrote
//     nothing, whatever the peer has read of it meanwhile.
//   - After Close all calls return an error that is not net.ErrClosed, and Close waits for them. What was written
//     can still be read. Writing to a pipe that the peer has closed is an error that is not EPIPE.
//   - Of pipes of messages CloseWrite sends a message of no bytes, which is the end. It first waits until the peer has
//     read all.
type pipeEnd struct {
	*pipe
	in, out  *direction
	ended    bool // the last message has been read
	closed   bool
	underWay int // calls

	readDeadline, writeDeadline time.Time
}

// A pipe is what both ends have in common.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
}

// A direction has what was written and not read yet.
type direction struct {
	messages [][]byte
	size     int
	hungUp   bool // the writer has closed its end
	refused  bool // the reader has closed its end
}

// pipeSize is how much a direction holds.
const pipeSize = 4 << 10

var (
	errPipeClosed = errors.New("file has already been closed")
	errNoReader   = errors.New("the pipe is being closed")
)

type pipeTimeout struct{}

func (pipeTimeout) Error() string   { return "i/o timeout" }
func (pipeTimeout) Timeout() bool   { return true }
func (pipeTimeout) Temporary() bool { return true }

// A messageEnd is the end of a pipe of messages.
type messageEnd struct{ *pipeEnd }

func namedPipe(t *testing.T, messages bool) (dialled, accepted net.Conn) {
	p := new(pipe)
	p.changed.L = &p.mu
	there, back := new(direction), new(direction)
	a, b := &pipeEnd{pipe: p, in: back, out: there}, &pipeEnd{pipe: p, in: there, out: back}
	t.Cleanup(func() { a.Close(); b.Close() })
	if messages {
		return messageEnd{a}, messageEnd{b}
	}
	return a, b
}

// wait waits until done, which is called with mu. It returns why not.
func (e *pipeEnd) wait(deadline *time.Time, done func() bool) error {
	e.underWay++
	defer func() {
		e.underWay--
		e.changed.Broadcast()
	}()
	for {
		switch {
		case e.closed:
			return errPipeClosed
		case !deadline.IsZero() && !time.Now().Before(*deadline):
			return pipeTimeout{}
		case done():
			return nil
		}
		e.changed.Wait()
	}
}

func (e *pipeEnd) Read(p []byte) (n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	err = e.wait(&e.readDeadline, func() bool { return e.ended || len(e.in.messages) > 0 || e.in.hungUp })
	if err != nil {
		return 0, err
	}
	if e.ended || len(e.in.messages) == 0 {
		return 0, io.EOF
	}
	message := e.in.messages[0]
	n = copy(p, message)
	e.in.size -= n
	if n < len(message) {
		e.in.messages[0] = message[n:]
	} else {
		e.in.messages = e.in.messages[1:]
	}
	e.changed.Broadcast()
	if len(message) == 0 {
		e.ended = true
		return 0, io.EOF
	}
	return n, nil
}

func (e *pipeEnd) Write(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.write(append([]byte(nil), p...))
}

func (e *pipeEnd) write(message []byte) (int, error) {
	if err := e.wait(&e.writeDeadline, func() bool { return true }); err != nil {
		return 0, err
	}
	if e.out.refused {
		return 0, errNoReader
	}
	e.out.messages = append(e.out.messages, message)
	e.out.size += len(message)
	e.changed.Broadcast()
	err := e.wait(&e.writeDeadline, func() bool { return e.out.size <= pipeSize || e.out.refused })
	if err == nil && e.out.refused {
		err = errNoReader
	}
	if err == nil {
		return len(message), nil
	}
	if last := len(e.out.messages) - 1; last >= 0 { // what is left of it is taken back
		e.out.size -= len(e.out.messages[last])
		e.out.messages = e.out.messages[:last]
	}
	return 0, err
}

func (e messageEnd) CloseWrite() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.wait(new(time.Time), func() bool { return e.out.size == 0 || e.out.refused }); err != nil {
		return err
	}
	_, err := e.write(nil)
	return err
}

func (e *pipeEnd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.changed.Broadcast()
	for e.underWay > 0 {
		e.changed.Wait()
	}
	e.out.hungUp = true
	e.in.refused, e.in.messages, e.in.size = true, nil, 0
	e.changed.Broadcast()
	return nil
}

func (e *pipeEnd) SetReadDeadline(t time.Time) error  { return e.setDeadline(&e.readDeadline, t) }
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { return e.setDeadline(&e.writeDeadline, t) }

func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *pipeEnd) setDeadline(deadline *time.Time, t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	*deadline = t
	e.changed.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.changed.Broadcast()
		})
	}
	return nil
}

func (e *pipeEnd) LocalAddr() net.Addr  { return pipeAddr{} }
func (e *pipeEnd) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return `\\.\pipe\websocket` }
