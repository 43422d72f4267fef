package attacks

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"

	"github.com/closeonce/websocket"
)

// deflateAttacks are made of compressed messages (RFC 7692).
func deflateAttacks() []Attack {
	takeover := settings{App: "echo", Compression: websocket.CompressionContextTakeover}
	alone := settings{App: "echo", Compression: websocket.CompressionNoContextTakeover}
	tooBig, bad := []string{"Close 1009"}, []string{"Close 1007"}
	return []Attack{
		{name: "deflate bomb of 64 MiB, with context takeover", subject: takeover, conns: 50, few: 20, want: tooBig, run: bomb},
		{name: "deflate bomb of 64 MiB, no context takeover", subject: alone, conns: 50, few: 20, want: tooBig, run: bomb},
		{
			name: "endless deflate stream of empty stored blocks", subject: takeover, conns: 20, few: 2, want: tooBig,
			run: func(f *field) error { return f.stream(bytes.Repeat([]byte{0, 0, 0, 0xFF, 0xFF}, 800)) },
		},
		{
			name: "endless deflate stream of empty fixed blocks", subject: takeover, conns: 20, few: 2, want: tooBig,
			run: func(f *field) error { return f.stream(blocks(4000, "010"+"0000000")) },
		},
		{
			name: "endless deflate stream of empty dynamic blocks", subject: takeover, conns: 20, few: 2, want: tooBig,
			run: func(f *field) error { return f.stream(blocks(400, emptyDynamic)) },
		},
		{
			name: "data that is not a deflate stream", subject: alone, conns: 50, few: 20, want: bad,
			run: func(f *field) error { return f.stream(bytes.Repeat([]byte{0xFF}, 4000)) },
		},
	}
}

const offer = "permessage-deflate"

// inflatesTo compresses size zeros, flushed.
func inflatesTo(size int) []byte {
	const most = 1 << 20 // a piece
	var piece bytes.Buffer
	w, _ := flate.NewWriter(&piece, flate.BestCompression)
	w.Write(make([]byte, min(size, most)))
	w.Flush()
	return bytes.Repeat(piece.Bytes(), max(1, size/most))
}

// bomb is preceded by a message, which fills the window if there is one, and by a
// part of its own that is as large as it may be: this is the worst moment.
func bomb(f *field) error {
	peers, err := f.openAll(offer)
	if err != nil {
		return err
	}
	ordinary := frame(nil, fin|compressed|binaryFrame, inflatesTo(readLimit), true)
	fuse := frame(nil, compressed|binaryFrame, inflatesTo(readLimit), true)
	charge := frame(nil, fin|continuation, inflatesTo(64<<20), true)
	if err := f.each(func(i int) error {
		if _, err := peers[i].Write(append(ordinary[:len(ordinary):len(ordinary)], fuse...)); err != nil {
			return err
		}
		return peers[i].awaitPong()
	}); err != nil {
		return err
	}
	if err := f.worst(); err != nil {
		return err
	}
	if err := f.each(func(i int) error {
		go peers[i].Write(charge)
		f.answered(peers[i].verdict())
		return nil
	}); err != nil {
		return err
	}
	return f.untilRid()
}

// stream sends a compressed message that holds b again and again.
func (f *field) stream(b []byte) error {
	peers, err := f.openAll(offer)
	if err != nil {
		return err
	}
	fragment := frame(nil, continuation, b, true)
	err = f.each(func(i int) error {
		if _, err := peers[i].Write(frame(nil, compressed|binaryFrame, nil, true)); err != nil {
			return err
		}
		done := make(chan struct{})
		go func() { peers[i].floodFor(fragment, 1<<20, patience); close(done) }()
		f.answered(peers[i].verdict())
		<-done
		return nil
	})
	if err == nil {
		err = f.worst()
	}
	if err != nil {
		return err
	}
	return f.untilRid()
}

// emptyDynamic is the shortest block with codes of its own (RFC 1951, section
// 3.2.7), and nothing in it: each makes the receiver build its tables anew.
var emptyDynamic = strings.Join([]string{
	"0", "01", // not the last; dynamic (least significant bit first)
	"00000", "00000", "0111", // 257 literals and lengths, 1 distance, 18 lengths of code lengths
	// 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1: only 18 and 1 have a code, of one bit
	"000", "000", "100", strings.Repeat("000", 14), "100",
	"1", "1111111", // 138 zeros; 1 is code 0, 18 is code 1
	"1", "1101011", // 118 zeros
	"0", // the end of the block: one bit
	"0", // a distance: one bit
	"0", // the end of the block
}, "")

// blocks packs bits into bytes, the first into the least significant.
func blocks(times int, bits string) []byte {
	all := strings.Repeat(bits, times)
	if len(all)%8 != 0 {
		panic(fmt.Sprintf("%d bits are no bytes", len(all)))
	}
	b := make([]byte, len(all)/8)
	for i := range all {
		b[i/8] |= (all[i] - '0') << (i % 8)
	}
	return b
}
