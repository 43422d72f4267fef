package mask

import (
	"crypto/rand"
	"sync"
)

// NewKey returns a masking key for one frame.
//
// RFC 6455, section 5.3: "The masking key needs to be unpredictable; thus, the masking key MUST be
// derived from a strong source of entropy". Keys are cut from blocks of bytes of crypto/rand, so
// a system call is made once in many frames; no byte is ever used for two keys. NewKey may be called
// concurrently.
func NewKey() Key {
	b := blocks.Get().(*block)
	key := b.next()
	blocks.Put(b)
	return key
}

// A block is a supply of unused random bytes. It belongs to the one goroutine that took it out of
// blocks, so nobody else can cut the same bytes from it.
type block struct {
	used  int
	bytes [64 * len(Key{})]byte
}

var blocks = sync.Pool{New: func() any { return &block{used: len(block{}.bytes)} }}

// next cuts a key off the block, which it fills again when it is used up.
func (b *block) next() Key {
	if b.used == len(b.bytes) {
		rand.Read(b.bytes[:]) // never fails: it ends the program instead
		b.used = 0
	}
	key := Key(b.bytes[b.used:])
	b.used += len(key)
	return key
}
