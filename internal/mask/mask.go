// Package mask applies the masking of RFC 6455, section 5.3, to payloads.
//
// Masking is its own inverse: the same call masks and unmasks.
package mask

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// A Key is the masking key of one frame, in the order of its bytes on the wire.
type Key [4]byte

// XOR masks or unmasks b in place. pos is the place in the payload of b[0], of which only
// the remainder by four counts; the place of the byte after b, 0 to 3, is returned, so that a
// payload may be masked in pieces.
func XOR(b []byte, key Key, pos int) int {
	return Copy(b, b, key, pos)
}

// Copy masks or unmasks src into dst, as [XOR] does in place, in one pass over the memory.
// It panics if dst is shorter than src and leaves the bytes of dst beyond len(src) alone. The two may
// overlap if dst does not begin behind src: a payload may be moved down over its frame's header.
func Copy(dst, src []byte, key Key, pos int) int {
	dst = dst[:len(src)]
	next := (pos + len(src)) & 3

	// "octet i of the transformed data is the XOR of octet i of the original data with octet at index
	// i modulo 4 of the masking key": the key turned by pos and written twice masks eight octets at a
	// time, and eight is a multiple of four, so it never has to be turned again.
	k32 := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(pos&3))
	k := uint64(k32)<<32 | uint64(k32)

	for len(src) >= 64 && len(dst) >= 64 {
		s, d := (*[64]byte)(src), (*[64]byte)(dst)
		binary.LittleEndian.PutUint64(d[0:], binary.LittleEndian.Uint64(s[0:])^k)
		binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])^k)
		binary.LittleEndian.PutUint64(d[16:], binary.LittleEndian.Uint64(s[16:])^k)
		binary.LittleEndian.PutUint64(d[24:], binary.LittleEndian.Uint64(s[24:])^k)
		binary.LittleEndian.PutUint64(d[32:], binary.LittleEndian.Uint64(s[32:])^k)
		binary.LittleEndian.PutUint64(d[40:], binary.LittleEndian.Uint64(s[40:])^k)
		binary.LittleEndian.PutUint64(d[48:], binary.LittleEndian.Uint64(s[48:])^k)
		binary.LittleEndian.PutUint64(d[56:], binary.LittleEndian.Uint64(s[56:])^k)
		src, dst = src[64:], dst[64:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 && len(dst) >= 4 {
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src)^k32)
		src, dst = src[4:], dst[4:]
	}
	for i := 0; i < len(src) && i < len(dst); i++ {
		dst[i] = src[i] ^ byte(k32)
		k32 >>= 8
	}
	return next
}

// A Block is memory that [XORLarge] works with. What is in it does not matter.
type Block [4 << 10]byte

// XORLarge is [XOR] for payloads of [LargeSize] or more, which do not fit into the first
// of the CPU's caches. Package crypto/subtle has assembly for that; on small payloads
// the block of keys that it takes costs more than it saves.
func XORLarge(b []byte, key Key, pos int, block *Block) int {
	next := (pos + len(b)) & 3
	for i := range key {
		block[i] = key[(pos+i)&3]
	}
	for n := len(key); n < len(block); n *= 2 {
		copy(block[n:], block[:n])
	}
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, block[:]):]
	}
	return next
}

// LargeSize is a size from which on [XORLarge] is clearly the faster one.
const LargeSize = 32 << 10
