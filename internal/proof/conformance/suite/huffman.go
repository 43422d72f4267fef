package suite

// huffman is a canonical code of RFC 1951, section 3.2.2.
type huffman struct {
	counts  [16]int  // codes of each length
	symbols []uint16 // ordered by code
}

func newHuffman(lengths []byte) (*huffman, error) {
	h := &huffman{symbols: make([]uint16, len(lengths))}
	for _, n := range lengths {
		h.counts[n]++
	}
	h.counts[0] = 0
	codes, left := 0, 1
	for _, n := range h.counts[1:] {
		if left = left<<1 - n; left < 0 {
			return nil, errDeflateCode // more codes than the lengths leave room for
		}
		codes += n
	}
	// RFC 1951, section 3.2.7: one code may stand alone, with one bit; else all
	// bit sequences must have a meaning.
	if left > 0 && codes > 0 && !(codes == 1 && h.counts[1] == 1) {
		return nil, errDeflateCode
	}
	var offsets [17]int
	for n, c := range h.counts {
		offsets[n+1] = offsets[n] + c
	}
	for sym, n := range lengths {
		if n != 0 {
			h.symbols[offsets[n]] = uint16(sym)
			offsets[n]++
		}
	}
	return h, nil
}

// symbol decodes one symbol, bit by bit: clear before fast.
func (f *inflater) symbol(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for _, count := range h.counts[1:] {
		if f.n == 0 {
			if f.pos == len(f.in) {
				return 0, errDeflateEnd
			}
			f.acc, f.n = uint32(f.in[f.pos]), 8
			f.pos++
		}
		code |= int(f.acc & 1)
		f.acc >>= 1
		f.n--
		if code-first < count {
			return int(h.symbols[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errDeflateCode
}

// Tables of RFC 1951, section 3.2.5.
var (
	lengthBase    = [29]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra   = [29]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase  = [30]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = [30]byte{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// The fixed codes of RFC 1951, section 3.2.6.
var fixedLiterals, fixedDistances = func() (*huffman, *huffman) {
	lengths := make([]byte, 288)
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	lit, _ := newHuffman(lengths)
	dist := make([]byte, 32) // 30 and 31 never occur
	for i := range dist {
		dist[i] = 5
	}
	d, _ := newHuffman(dist)
	return lit, d
}()
