package deflate

// The alphabets of RFC 1951, section 3.2.5 and 3.2.7.
const (
	minMatch = 3
	maxMatch = 258

	endOfBlock = 256

	numLitLen   = 286 // literal and length symbols a stream may use
	numDistance = 30  // distance symbols a stream may use
	numCodeLen  = 19  // symbols of the code length alphabet

	maxCodeBits    = 15 // of literal, length and distance codes
	maxCodeLenBits = 7  // of the code length codes

	maxStored = 65535 // bytes in one stored block
)

// Block types, RFC 1951, section 3.2.3.
const (
	typeStored  = 0
	typeFixed   = 1
	typeDynamic = 2
)

const (
	minWindowBits = 8
	maxWindowBits = 15
)

var lengthBase = [29]uint16{
	3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
	35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
}

var lengthExtra = [29]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2,
	3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
}

var distanceBase = [numDistance]uint16{
	1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
	1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
}

var distanceExtra = [numDistance]uint8{
	0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8,
	9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
}

// codeLenOrder is the order in which a block header lists the lengths of the
// code length codes.
var codeLenOrder = [numCodeLen]uint8{
	16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
}

// fixedLengths are the code lengths of fixed blocks, section 3.2.6. Symbols 286
// and 287 take part in the code but may not occur.
func fixedLengths() (lit [288]uint8, dist [32]uint8) {
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}
