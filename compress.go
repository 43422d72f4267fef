package websocket

import (
	"fmt"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/handshake"
)

// This file has the options of permessage-deflate (RFC 7692) and what a connection
// keeps for it. Package internal/handshake negotiates it.

// The bounds of a window's size, as the exponent of 2 (RFC 7692, section 7.1.2).
const (
	minWindowBits = handshake.MinWindowBits
	maxWindowBits = handshake.MaxWindowBits
)

// CompressionTuning refines a CompressionMode that is not CompressionDisabled.
// The zero value is the default.
type CompressionTuning struct {
	// ServerWindowBits and ClientWindowBits are the largest windows that the
	// server and the client compress with, 8 to 15: a window has 2 to the power
	// of it bytes. With context takeover each end keeps both windows for as long
	// as the connection lives, as far as they have been filled: up to 64 KiB with
	// the default of 15, 8 KiB with 12. A peer that can't be told about a smaller
	// window is asked to do without takeover in that direction.
	ServerWindowBits, ClientWindowBits int

	// ServerNoContextTakeover and ClientNoContextTakeover switch context takeover
	// off for what the server and the client sends, if CompressionMode is
	// CompressionContextTakeover.
	ServerNoContextTakeover, ClientNoContextTakeover bool

	// OmitClientWindowBits makes Dial offer no client_max_window_bits: a server then
	// can't ask for a smaller window of ours, and may not answer with that parameter.
	// It is for servers that refuse, or do not understand, an offer that has it.
	// ClientWindowBits is obeyed all the same. Accept takes no notice of it.
	OmitClientWindowBits bool

	// Effort is how hard this end tries to make what it sends short: 0 is the
	// default, -1 (or less) the least effort and 3 the most. The least spends little
	// on small messages and is no different from 4 KiB on. From 1 KiB on 1 comes to
	// within 1 % of the size that zlib's default level gives, 2 and 3 below it. With
	// context takeover a positive effort costs some 40 µs more for each message,
	// however small, since the window is indexed anew. A connection owns as much
	// memory with any effort; while a message is being compressed a positive one
	// borrows 192 KiB.
	//
	// Measured on messages of JSON, CPU and size as multiples of the default's:
	//
	//	                       256 B         4 KiB        64 KiB
	//	                     CPU  size     CPU  size     CPU  size
	//	-1  no takeover     0.18  1.32    1.00  1.00    1.00  1.00
	//	    takeover        0.71  1.05    1.00  1.00    1.00  1.00
	//	 1  no takeover     1.5   0.99    2.3   0.93    3.8   0.84
	//	    takeover       36     0.83    4.2   0.83    4.0   0.82
	//	 2  no takeover     1.5   0.99    2.7   0.92    6.7   0.82
	//	    takeover       39     0.82    6.2   0.81    7.5   0.79
	//	 3  no takeover     1.5   0.99    2.8   0.92   12     0.80
	//	    takeover       42     0.80    9.5   0.79   14     0.77
	Effort int
}

// wish is what one end wants of permessage-deflate: its options, checked.
func (t CompressionTuning) wish(mode CompressionMode) (p handshake.Params, err error) {
	p = handshake.Params{
		ServerNoTakeover: t.ServerNoContextTakeover || mode == CompressionNoContextTakeover,
		ClientNoTakeover: t.ClientNoContextTakeover || mode == CompressionNoContextTakeover,
		ServerBits:       orDefault(t.ServerWindowBits, maxWindowBits, -1),
		ClientBits:       orDefault(t.ClientWindowBits, maxWindowBits, -1),

		ClientBitsOffered: !t.OmitClientWindowBits,
	}
	if t.Effort > int(deflate.MostEffort) {
		return p, fmt.Errorf("websocket: a compression effort of %d; the most is %d", t.Effort, deflate.MostEffort)
	}
	p.Effort = deflate.Effort(orDefault(t.Effort, 0, int(deflate.LeastEffort)))
	if mode != CompressionContextTakeover && mode != CompressionNoContextTakeover {
		return p, fmt.Errorf("websocket: CompressionMode %d does not exist", int(mode))
	}
	for _, bits := range []int{p.ServerBits, p.ClientBits} {
		if bits < minWindowBits || bits > maxWindowBits {
			return p, fmt.Errorf("websocket: a compression window of %d bits; 8 to 15 are possible", bits)
		}
	}
	return p, nil
}

// compression is what a connection with permessage-deflate has more.
type compression struct {
	out       deflate.Compressor   // belongs to the holder of the write turn
	in        deflate.Decompressor // belongs to the holder of the read turn
	message   inflating            // too
	threshold int
}

// newCompression sets up what was agreed on, for one end.
func newCompression(agreed handshake.Params, client bool, threshold int) *compression {
	outBits, outTakeover := agreed.ServerBits, !agreed.ServerNoTakeover
	inBits, inTakeover := agreed.ClientBits, !agreed.ClientNoTakeover
	if client {
		outBits, inBits = inBits, outBits
		outTakeover, inTakeover = inTakeover, outTakeover
	}
	z := &compression{}
	z.out.Init(outBits, outTakeover, agreed.Effort)
	z.in.Init(inBits, inTakeover)
	if outTakeover {
		z.threshold = orDefault(threshold, 128, 0)
	} else {
		z.threshold = orDefault(threshold, 512, 0)
	}
	return z
}
