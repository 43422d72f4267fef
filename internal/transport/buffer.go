package transport

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/mask"
)

// BufferSize is what a buffer from the pool holds: as much as one read takes off a socket, and so how many small frames
// one system call brings.
const BufferSize = 32 << 10

// maxPooled is the largest buffer that goes back to the pool; a larger one was grown for a rare message and is left to
// the garbage collector.
const maxPooled = 2 * BufferSize

// A Buffer is borrowed memory. A connection that waits holds none.
type Buffer struct {
	B []byte

	// Keys are for the frames that a client puts into B.
	Keys mask.Keys

	// Payload is how much of B is the payload of data frames, as far as whoever fills it keeps count.
	Payload int
	// Messages is how many frames with the whole of a message are in B, in the same way.
	Messages uint32

	// Next is the next piece of what is in several buffers.
	Next *Buffer

	// Tail is what leaves behind B though it lies elsewhere, or nil. It is no more than a note to whoever writes.
	Tail []byte

	// Last says that nothing follows B: the end of the stream may leave with it.
	Last bool

	// N is how many bytes of B, and of the tail behind it, were taken; Err is why no more can be. See Conn.TryWrite.
	N   int
	Err error

	tail  []byte
	taken *atomic.Int64 // counts what a Write that waits has written so far
	// The two forms of attempt that syscall.RawConn wants. They stay with the buffer, so that an attempt costs no
	// allocation.
	once func(fd uintptr)
	all  func(fd uintptr) bool
}

var pool = sync.Pool{New: func() any { return &Buffer{B: make([]byte, 0, BufferSize)} }}

// Get borrows an empty buffer of BufferSize.
func Get() *Buffer { return pool.Get().(*Buffer) }

// Put gives a buffer back. Its memory may have been replaced.
func Put(b *Buffer) {
	if b.reset() {
		pool.Put(b)
	}
}

// reset empties b, and reports whether the pool takes it.
func (b *Buffer) reset() bool {
	b.Payload, b.Messages, b.Tail = 0, 0, nil
	b.B, b.Last = b.B[:0], false
	return cap(b.B) >= BufferSize && cap(b.B) <= maxPooled
}

// An Inbox holds bytes that came and were not taken yet. It borrows a buffer while there are some. The zero value is
// empty. It belongs to whoever holds the read turn.
type Inbox struct {
	buf  *Buffer
	r, w int32 // the bytes are buf.B[r:w]; a Conn has one of these, so they are small
}

// Bytes returns what has come and was not taken.
func (in *Inbox) Bytes() []byte {
	if in.buf == nil {
		return nil
	}
	return in.buf.B[in.r:in.w]
}

// Empty reports whether there is nothing in it.
func (in *Inbox) Empty() bool { return in.r == in.w }

// Take forgets the first n bytes.
func (in *Inbox) Take(n int) { in.r += int32(n) }

// Clear forgets all bytes.
func (in *Inbox) Clear() { in.r = in.w }

// Release gives the buffer back if it holds nothing.
func (in *Inbox) Release() {
	if b := in.detach(); b != nil {
		Put(b)
	}
}

// detach returns the buffer if there is one and it holds nothing; the inbox then has none.
func (in *Inbox) detach() *Buffer {
	if in.r != in.w {
		return nil
	}
	b := in.buf
	in.buf, in.r, in.w = nil, 0, 0
	return b
}

// minRoom is room for any control frame.
const minRoom = 14 + 125

// Room returns space for bytes to come, borrowing a buffer if there is none. Came says how many did.
func (in *Inbox) Room() []byte {
	if in.buf == nil {
		in.buf = Get()
		in.buf.B = in.buf.B[:cap(in.buf.B)]
		in.r, in.w = 0, 0
	}
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if in.r > 0 && len(in.buf.B)-int(in.w) < minRoom {
		in.w = int32(copy(in.buf.B, in.buf.B[in.r:in.w]))
		in.r = 0
	}
	return in.buf.B[in.w:]
}

// Came says that n bytes were put where Room said.
func (in *Inbox) Came(n int) { in.w += int32(n) }

// Put puts bytes that came elsewhere into the inbox, which is empty; into a buffer of their size if the usual one does
// not hold them.
func (in *Inbox) Put(b []byte) {
	in.Release()
	if len(b) > BufferSize {
		in.buf = &Buffer{B: slices.Clone(b)}
		in.r, in.w = 0, int32(len(b))
		return
	}
	in.w = int32(copy(in.Room(), b))
}
