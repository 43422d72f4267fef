package mask

import "crypto/rand"

// Keys is a supply of masking keys. It belongs to one goroutine at a time, and so
// needs no lock: keep it with the memory that frames are written to. The zero Keys is
// ready for use.
//
// RFC 6455, section 5.3: "The masking key needs to be unpredictable; thus, the masking key MUST be
// derived from a strong source of entropy". Keys are cut from a block of bytes of crypto/rand, so
// a system call is made once in many frames; no byte is ever used for two keys.
type Keys struct {
	left  int // bytes at the end of block that no key was cut from
	block [64 * len(Key{})]byte
}

// Next returns a masking key for one frame.
func (k *Keys) Next() Key {
	if k.left == 0 {
		rand.Read(k.block[:]) // never fails: it ends the program instead
		k.left = len(k.block)
	}
	key := Key(k.block[len(k.block)-k.left:])
	k.left -= len(key)
	return key
}
