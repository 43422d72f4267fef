package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
)

// payload returns size bytes that are no text and do not begin with answerPlease.
func payload(size int) []byte {
	p := make([]byte, size)
	state := uint32(2463534242)
	for i := range p {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		p[i] = byte(state) | 0x80
	}
	return p
}

// jsonPayload returns a JSON array of trades, of size bytes and up to one record more. Each seed gives
// other trades.
func jsonPayload(size int, seed uint64) []byte {
	var b strings.Builder
	b.WriteString("[")
	r := rand.New(rand.NewPCG(seed, 1))
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":%d,"symbol":"%c%c%c","price":%d.%02d,"size":%d,"side":"%s","time":"2025-06-%02dT12:%02d:%02dZ"},`,
			r.IntN(1e9), 'A'+r.IntN(26), 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(1000), r.IntN(100), 10*r.IntN(100),
			[]string{"buy", "sell"}[r.IntN(2)], 1+r.IntN(28), r.IntN(60), r.IntN(60))
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + "]")
}

// deflated compresses a message for permessage-deflate (RFC 7692, section 7.2.1). It refers to no earlier
// message, which is right with and without context takeover.
func deflated(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}
