package streamconn

import (
	"io"
	"net"
	"os"
)

// A Room says whether a stream has room for a chunk, or has failed.
type Room interface {
	HasRoom() bool
	AwaitRoom() // may return early
}

// NewRoom is New for a stream that can be asked. A chunk waits for room before
// it is handed over, so that of a Write whose deadline passes meanwhile nothing
// more is written.
func NewRoom(stream io.ReadWriteCloser, r Room) *Conn {
	c := New(stream)
	c.room = &room{Room: r, came: make(chan struct{}, 1)}
	return c
}

// A room is waited for by a goroutine, which a caller whose deadline passes
// leaves at it. While it waits, nobody else may write to the stream.
type room struct {
	Room
	waiting bool // the goroutine is at work, or has told came
	came    chan struct{}
}

// settled reports whether the goroutine has ended.
func (r *room) settled() bool {
	if r.waiting {
		select {
		case <-r.came:
			r.waiting = false
		default:
		}
	}
	return !r.waiting
}

// wait waits for room, for the deadline, or for Close.
func (r *room) wait(expired, closed <-chan struct{}) error {
	if r.settled() {
		if r.HasRoom() {
			return nil
		}
		r.waiting = true
		go r.await()
	}
	select {
	case <-r.came:
		r.waiting = false
	case <-expired:
	case <-closed:
		return net.ErrClosed
	}
	if closedNow(expired) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (r *room) await() {
	r.AwaitRoom()
	r.came <- struct{}{}
}
