package deflate

import (
	"bytes"
	"fmt"
)

// reference is a decoder as plain as RFC 1951 reads, bit by bit, sharing
// nothing with the package. It notes the largest distance it met.
type reference struct {
	out         []byte // all messages
	maxDistance int

	in  []byte
	bit int
}

// message decodes one message, which continues what came before.
func (r *reference) message(wire []byte) (msg []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reference: %v", p)
		}
	}()
	start := len(r.out)
	r.in, r.bit = append(bytes.Clone(wire), tail[:]...), 0
	for r.bit < 8*len(r.in) {
		r.block()
	}
	return r.out[start:], nil
}

// number reads n bits, the first the lowest.
func (r *reference) number(n int) int {
	v := 0
	for i := range n {
		v |= int(r.in[r.bit/8]>>(r.bit%8)&1) << i
		r.bit++
	}
	return v
}

// words is a Huffman code: of each length the symbols, whose codes are consecutive numbers, first bit highest.
type words [16]struct {
	first   int
	symbols []int
}

func makeWords(lengths []int) *words {
	w := new(words)
	next := 0
	for l := 1; l <= 15; l++ {
		next <<= 1
		w[l].first = next
		for sym, n := range lengths {
			if n == l {
				w[l].symbols = append(w[l].symbols, sym)
				next++
			}
		}
		if next > 1<<l {
			panic("over-subscribed")
		}
	}
	return w
}

func (r *reference) symbol(w *words) int {
	v := 0
	for l := 1; l <= 15; l++ {
		v = v<<1 | r.number(1)
		if i := v - w[l].first; i >= 0 && i < len(w[l].symbols) {
			return w[l].symbols[i]
		}
	}
	panic("no such code")
}

func (r *reference) block() {
	if r.number(1) == 1 {
		panic("BFINAL")
	}
	var lit, dist []int
	switch r.number(2) {
	case 0:
		r.bit = (r.bit + 7) / 8 * 8
		n, check := r.number(16), r.number(16)
		if n^check != 0xffff {
			panic("LEN and NLEN")
		}
		r.out = append(r.out, r.in[r.bit/8:r.bit/8+n]...)
		r.bit += 8 * n
		return
	case 1:
		for i := range 288 {
			n := 8
			if i >= 144 && i < 256 {
				n = 9
			} else if i >= 256 && i < 280 {
				n = 7
			}
			lit = append(lit, n)
		}
		for range 32 {
			dist = append(dist, 5)
		}
	case 2:
		numLit, numDist, numLen := r.number(5)+257, r.number(5)+1, r.number(4)+4
		lens := make([]int, 19)
		for _, sym := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:numLen] {
			lens[sym] = r.number(3)
		}
		w := makeWords(lens)
		var all []int
		for len(all) < numLit+numDist {
			switch sym := r.symbol(w); sym {
			case 16:
				for range 3 + r.number(2) {
					all = append(all, all[len(all)-1])
				}
			case 17:
				all = append(all, make([]int, 3+r.number(3))...)
			case 18:
				all = append(all, make([]int, 11+r.number(7))...)
			default:
				all = append(all, sym)
			}
		}
		if len(all) != numLit+numDist {
			panic("too many lengths")
		}
		lit, dist = all[:numLit], all[numLit:]
	default:
		panic("block type")
	}
	litWords, distWords := makeWords(lit), makeWords(dist)
	for {
		sym := r.symbol(litWords)
		switch {
		case sym < 256:
			r.out = append(r.out, byte(sym))
			continue
		case sym == 256:
			return
		}
		length := 258
		if sym < 265 {
			length = sym - 254
		} else if sym < 285 {
			extra := (sym - 261) / 4
			length = (4+(sym-261)%4)<<extra + 3 + r.number(extra)
		} else if sym > 285 {
			panic("length symbol")
		}
		d := r.symbol(distWords)
		if d > 29 {
			panic("distance symbol")
		}
		if d > 3 {
			extra := d/2 - 1
			d = (2+d%2)<<extra + r.number(extra)
		}
		d++
		r.maxDistance = max(r.maxDistance, d)
		for range length {
			r.out = append(r.out, r.out[len(r.out)-d])
		}
	}
}
