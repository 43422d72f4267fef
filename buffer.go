package websocket

import (
	"sync"

	"github.com/closeonce/websocket/internal/mask"
)

// bufferSize is what a buffer from the pool holds: as much as one read takes
// off the socket, and so how many small frames one system call brings.
const bufferSize = 32 << 10

// maxPooled is the largest buffer that goes back to the pool; a larger one was
// grown for a rare message and is left to the garbage collector.
const maxPooled = 2 * bufferSize

// A buffer is borrowed from the pool only while it holds bytes: a connection
// that waits holds none.
type buffer struct {
	b []byte

	// What is on its way in b: so many bytes from the queue, and a parcel of which
	// the frame begins at own.
	queued, own int
	last        bool // TCP is closed behind it

	// What one attempt to write b works with, and what came of it; see tryWrite.
	write func(fd uintptr)
	tail  []byte
	n     int
	err   error

	keys mask.Keys // for the frames that a client puts into b
}

var bufferPool = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, bufferSize)} }}

func getBuffer() *buffer { return bufferPool.Get().(*buffer) }

func putBuffer(b *buffer) {
	if cap(b.b) > maxPooled {
		return
	}
	b.b, b.queued, b.own, b.last = b.b[:0], 0, 0, false
	bufferPool.Put(b)
}

// largeBufferSize is how much of a large message a client masks before it writes
// it: a write of less wakes the peer more often than the system call is worth.
const largeBufferSize = maxHeader + 256<<10

var largeBufferPool = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, largeBufferSize)} }}

func getLargeBuffer() *buffer { return largeBufferPool.Get().(*buffer) }

func putLargeBuffer(b *buffer) { largeBufferPool.Put(b) }
