package deflate

// Error says why a compressed message cannot be decoded. Errors are compared
// with == or errors.Is. After any of them a [Decompressor] stays dead: it
// returns the same error until it is thrown away.
type Error uint8

const (
	// ErrUnexpectedEnd: the message ended inside a block.
	ErrUnexpectedEnd Error = iota + 1
	// ErrBlockType: the reserved block type 11 (RFC 1951, section 3.2.3).
	ErrBlockType
	// ErrStoredLength: LEN and NLEN of a stored block are not complements
	// (section 3.2.4).
	ErrStoredLength
	// ErrCodeCount: HLIT or HDIST promise more codes than exist (section 3.2.7).
	ErrCodeCount
	// ErrRepeat: a code length repeats nothing, or runs past the last code
	// (section 3.2.7).
	ErrRepeat
	// ErrOversubscribed: more Huffman codes of some length than there is room for.
	ErrOversubscribed
	// ErrIncomplete: the Huffman codes leave room unused. One distance code of
	// one bit, or none, is allowed (section 3.2.7).
	ErrIncomplete
	// ErrNoEndOfBlock: the block has no code for its own end.
	ErrNoEndOfBlock
	// ErrSymbol: a code that stands for nothing, or for a reserved symbol
	// (section 3.2.6).
	ErrSymbol
	// ErrDistance: a distance beyond the negotiated window, or beyond the first
	// byte ever received.
	ErrDistance
	// ErrTooLong: the message inflates to more than the limit given.
	ErrTooLong
)

var reasons = [...]string{
	ErrUnexpectedEnd:  "message ends inside a block",
	ErrBlockType:      "reserved block type",
	ErrStoredLength:   "stored block with a wrong length check",
	ErrCodeCount:      "too many codes in a block header",
	ErrRepeat:         "code length repeated out of bounds",
	ErrOversubscribed: "over-subscribed Huffman code",
	ErrIncomplete:     "incomplete Huffman code",
	ErrNoEndOfBlock:   "no code for the end of the block",
	ErrSymbol:         "invalid symbol",
	ErrDistance:       "distance beyond the window",
	ErrTooLong:        "message inflates beyond the limit",
}

// Error implements error.
func (e Error) Error() string {
	if int(e) < len(reasons) && reasons[e] != "" {
		return "deflate: " + reasons[e]
	}
	return "deflate: unknown error"
}
