package transport

import (
	"runtime"
	"sync"
	"testing"
	"weak"
)

// TestPieces: a piece holds what it should, and is empty.
func TestPieces(t *testing.T) {
	var lent []*Buffer
	for _, test := range []struct{ held, size int }{
		{0, BufferSize}, {2*BufferSize - 1, BufferSize}, {2 * BufferSize, headerSpace + LargeSize}, {1 << 30, headerSpace + LargeSize},
	} {
		b := GetPiece(test.held)
		if len(b.B) != 0 || cap(b.B) != test.size || b.Next != nil || b.Last {
			t.Errorf("behind %d bytes: a piece of %d bytes, %d in use, next %v, last %v", test.held, cap(b.B), len(b.B), b.Next, b.Last)
		}
		b.B, b.Last = append(b.B, "used"...), true
		lent = append(lent, b)
	}
	for _, b := range lent {
		PutPiece(b)
	}
	for range lent {
		if b := GetPiece(0); len(b.B) != 0 || cap(b.B) != BufferSize || b.Next != nil || b.Last {
			t.Errorf("a piece that was used: %d bytes, %d in use, next %v, last %v", cap(b.B), len(b.B), b.Next, b.Last)
		}
	}
}

// TestShelfAges: a piece that was put back is lent again after one collection, and is let go after two.
func TestShelfAges(t *testing.T) {
	s := newShelf(10)
	s.watched = true // this test says when a collection has passed
	a, b := s.get(), s.get()
	s.put(a)
	s.age()
	s.put(b)
	if got := s.get(); got != b {
		t.Error("what was put back last is not lent first")
	}
	if got := s.get(); got != a {
		t.Error("a piece was let go by one collection")
	}
	s.put(a)
	if !s.age() {
		t.Error("the next collection is not awaited though there is a piece")
	}
	if s.age() {
		t.Error("collections are awaited for nothing")
	}
	if got := s.get(); got == a || got == b {
		t.Error("a piece was kept over two collections")
	}
}

// TestShelfCrowd: many borrow and give back while garbage is collected. Each has its piece to itself.
func TestShelfCrowd(t *testing.T) {
	s := newShelf(64)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 2000 {
				a, b := s.get(), s.get()
				a.B, b.B = append(a.B, byte(i)), append(b.B, byte(i))
				if n%500 == 0 {
					runtime.GC()
				}
				if a == b || len(a.B) != 1 || len(b.B) != 1 || a.B[0] != byte(i) || b.B[0] != byte(i) || a.Next != nil || b.Next != nil {
					t.Error("two have the same piece")
					return
				}
				s.put(a)
				s.put(b)
			}
		})
	}
	all.Wait()
}

// TestShelfIsEmptied: collections empty a shelf that nobody uses, each time it was used.
func TestShelfIsEmptied(t *testing.T) {
	s := newShelf(10)
	for range 3 {
		piece := s.get()
		kept := weak.Make(piece)
		s.put(piece)
		piece = nil
		for n := 0; kept.Value() != nil; n++ {
			if n == 1000 {
				t.Fatal("a piece is kept for ever")
			}
			runtime.GC()
			runtime.Gosched()
		}
	}
}
