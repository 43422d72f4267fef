package main

import (
	"time"
)

// stream sends large messages one after the other to a server that answers the last one only.
type stream struct{ *pingPong }

func (s stream) turn(d time.Duration) (sample, error) {
	k := s.load.links[0]
	quiet := s.load.requests[0]
	last := payload(s.traffic.size)
	last[0] = answerPlease
	var loud []byte
	if k.scan.framing == framingLength {
		loud = appendLengthPrefixed(nil, last)
	} else {
		loud = appendFrame(nil, bitFin|opBinary, true, last)
	}
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	sent := 1
	for start := time.Now(); time.Since(start) < d; sent++ {
		if err := k.writeAll(quiet); err != nil {
			return sample{}, err
		}
	}
	if err := exchange(k, loud, 1, nil); err != nil {
		return sample{}, err
	}
	after, err := s.process.cpu()
	return sample{value: s.cost(after-before, sent)}, err
}
