package deflate

import "math/bits"

// code is a Huffman code word as it is written: its bits, first bit lowest, and
// above them their number.
type code uint32

const codeLengthShift = 16

func (c code) word() uint64 { return uint64(c & (1<<codeLengthShift - 1)) }
func (c code) length() uint { return uint(c >> codeLengthShift) }

// The codes of both alphabets, with room for any five bits as a length or
// distance symbol, so that looking one up takes no check.
type (
	litCodes  [endOfBlock + 1 + 32]code
	distCodes [32]code
)

// lengths and distances are the first value of each symbol and its extra bits.
var lengths, distances = makeValues()

type values [32]struct {
	base  uint16
	extra uint8
}

func makeValues() (length, distance values) {
	for i := range lengthBase {
		length[i].base, length[i].extra = lengthBase[i], lengthExtra[i]
	}
	for i := range distanceBase {
		distance[i].base, distance[i].extra = distanceBase[i], distanceExtra[i]
	}
	return length, distance
}

// The codes of fixed blocks.
var fixedLitCodes, fixedDistCodes = makeFixedCodes()

func makeFixedCodes() (lit litCodes, dist distCodes) {
	litLengths, distLengths := fixedLengths()
	assignCodes(lit[:], litLengths[:])
	assignCodes(dist[:], distLengths[:])
	return lit, dist
}

// assignCodes gives each symbol of the alphabet its canonical code (RFC 1951,
// section 3.2.2).
func assignCodes(codes []code, lengths []uint8) {
	count := countLengths(lengths)
	var next [maxCodeBits + 1]uint16
	for l := 2; l <= maxCodeBits; l++ {
		next[l] = (next[l-1] + count[l-1]) << 1
	}
	for i, l := range lengths {
		if l == 0 {
			codes[i] = 0
			continue
		}
		word := bits.Reverse16(next[l&15]) >> (16 - l&15)
		next[l&15]++
		codes[i] = code(word) | code(l)<<codeLengthShift
	}
}

// codeBuilder finds the code lengths that suit the frequencies of symbols.
type codeBuilder struct {
	sorted [numLitLen + 1]uint32 // frequency<<9 | symbol, ascending
	spare  [numLitLen]uint32
	tree   [numLitLen]uint32
}

// lengths sets the code length of each symbol, 0 for one that does not occur,
// at most limit bits. With fewer than two symbols it makes up others, since a
// code of no bits cannot be told.
func (b *codeBuilder) lengths(out []uint8, freq []uint16, limit int) {
	clear(out)
	n := 0
	most := uint16(0)
	for sym, f := range freq {
		b.sorted[n] = uint32(f)<<9 | uint32(sym)
		n += int((uint32(f) + 0xffff) >> 16) // 1 unless f is 0
		most |= f
	}
	if n < 2 {
		// Section 3.2.7 allows a single distance code of one bit; two are as
		// cheap and every decoder has them right.
		only := 0
		if n == 1 {
			only = int(b.sorted[0] & 511)
		}
		out[only] = 1
		out[max(1-only, 0)] = 1
		return
	}
	sorted := b.sort(n, most)

	var count [32]int // leaves at each depth
	b.depths(sorted, &count)
	limitDepths(&count, limit)

	i := 0
	for depth := limit; depth > 0; depth-- {
		for range count[depth] {
			out[sorted[i]&511] = uint8(depth)
			i++
		}
	}
}

// sort orders the first n of b.sorted by frequency, then symbol.
func (b *codeBuilder) sort(n int, most uint16) []uint32 {
	from, to := b.sorted[:n], b.spare[:n]
	if n <= 24 {
		for i := 1; i < n; i++ {
			v := from[i]
			j := i
			for ; j > 0 && from[j-1] > v; j-- {
				from[j] = from[j-1]
			}
			from[j] = v
		}
		return from
	}
	for shift := uint(9); most > 0; shift, most = shift+8, most>>8 {
		var at [256]uint16
		for _, v := range from {
			at[uint8(v>>shift)]++
		}
		sum := uint16(0)
		for i, c := range at {
			at[i] = sum
			sum += c
		}
		for _, v := range from {
			d := uint8(v >> shift)
			to[at[d]] = v
			at[d]++
		}
		from, to = to, from
	}
	return from
}

// depths counts at which depths the leaves of the Huffman tree lie. The tree is
// made in place (Moffat and Katajainen): leaves are taken from sorted and inner
// nodes from a queue that, made in order, is sorted as well.
func (b *codeBuilder) depths(sorted []uint32, count *[32]int) {
	n := len(sorted)
	tree := b.tree[:n-1] // inner nodes: weight, then index of the parent, then depth
	leaf, inner := 0, 0
	for made := range tree {
		var weight uint32
		for range 2 {
			if leaf < n && (inner == made || sorted[leaf]>>9 <= tree[inner]) {
				weight += sorted[leaf] >> 9
				leaf++
			} else {
				weight += tree[inner]
				tree[inner] = uint32(made)
				inner++
			}
		}
		tree[made] = weight
	}
	root := n - 2
	tree[root] = 0
	var inners [32]int
	inners[0] = 1
	for i := root - 1; i >= 0; i-- {
		d := tree[tree[i]] + 1
		tree[i] = d
		inners[d]++
	}
	// Each depth has twice the nodes that were inner one depth above.
	for d := 1; d < len(count); d++ {
		count[d] = 2*inners[d-1] - inners[d]
	}
}

// limitDepths moves leaves up to depth limit and makes room for them by moving
// others down.
func limitDepths(count *[32]int, limit int) {
	over := 0
	for d := limit + 1; d < len(count); d++ {
		over += count[d]
		count[d] = 0
	}
	if over == 0 {
		return
	}
	count[limit] += over
	used := 0 // of 1<<limit
	for d := 1; d <= limit; d++ {
		used += count[d] << (limit - d)
	}
	for ; used > 1<<limit; used-- {
		// A leaf of the lowest depth above the limit becomes an inner node with
		// itself and one leaf of the limit below.
		count[limit]--
		d := limit - 1
		for count[d] == 0 {
			d--
		}
		count[d]--
		count[d+1] += 2
	}
}
