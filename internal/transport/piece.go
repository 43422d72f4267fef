package transport

import (
	"runtime"
	"sync"
)

// LargeSize is what a large piece holds.
const LargeSize = 256 << 10

// headerSpace is room for a frame's header before a large piece.
const headerSpace = 14

// The pieces that nobody uses: of BufferSize, and large ones.
var smallPieces, largePieces = newShelf(BufferSize), newShelf(headerSpace + LargeSize)

// GetPiece borrows an empty buffer for a part of a large message, of which held bytes are in pieces before it: first pieces are
// of BufferSize, later ones hold LargeSize bytes and a header.
func GetPiece(held int) *Buffer {
	if held < 2*BufferSize {
		return smallPieces.get()
	}
	return largePieces.get()
}

// GetLarge borrows an empty buffer that holds LargeSize bytes and a header.
func GetLarge() *Buffer { return largePieces.get() }

// PutPiece gives back what GetPiece or GetLarge has lent.
func PutPiece(b *Buffer) {
	if cap(b.B) == largePieces.size {
		largePieces.put(b)
	} else {
		smallPieces.put(b)
	}
}

// A shelf keeps pieces that are not in use. Two collections of garbage after the last use it lets go of them, and the third
// frees them. A sync.Pool does much the same, but allocates what it needs itself anew after every collection: four objects for
// each pool, where messages of 1 MiB cause a collection every third message. A shelf has one lock, which is little beside the
// copying of a piece. It is emptied by a finalizer, and so not at all in a program that blocks the finalizers' goroutine.
type shelf struct {
	size int // of a piece

	mu      sync.Mutex
	fresh   *Buffer // those put back since the last collection, linked by Next
	stale   *Buffer // those put back before
	watched bool    // a collection will call age
}

func newShelf(size int) *shelf { return &shelf{size: size} }

func (s *shelf) get() *Buffer {
	s.mu.Lock()
	b := s.fresh
	if b != nil {
		s.fresh = b.Next
	} else if b = s.stale; b != nil {
		s.stale = b.Next
	}
	s.mu.Unlock()
	if b == nil {
		return &Buffer{B: make([]byte, 0, s.size)}
	}
	b.Next = nil
	return b
}

func (s *shelf) put(b *Buffer) {
	b.B, b.Last = b.B[:0], false
	s.mu.Lock()
	b.Next, s.fresh = s.fresh, b
	watch := !s.watched
	s.watched = true
	s.mu.Unlock()
	if watch {
		runtime.SetFinalizer(&collected{s}, (*collected).again)
	}
}

// age is called after a collection, and reports whether it is to be called after the next.
func (s *shelf) age() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh, s.stale = nil, s.fresh
	s.watched = s.stale != nil
	return s.watched
}

// A collected is garbage from the beginning: its finalizer runs after a collection.
type collected struct{ shelf *shelf }

func (c *collected) again() {
	if c.shelf.age() {
		runtime.SetFinalizer(c, (*collected).again)
	}
}
