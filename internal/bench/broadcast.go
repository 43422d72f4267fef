package main

import (
	"fmt"
	"time"
)

// broadcastSize is the size of the messages of the broadcast case.
const broadcastSize = 256

// broadcast has the server write to all its connections, one message at a time unless the case is about bursts: several in
// the queue at once would find each connection's memory in the cache from the one before.
type broadcast struct {
	*pingPong
	burst int // messages at a time; 0: one
}

func (s broadcast) turn(d time.Duration) (sample, error) {
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	sent := 0
	burst := max(s.burst, 1)
	for start := time.Now(); time.Since(start) < d; sent += burst {
		if err := s.process.begin(fmt.Sprint("broadcast ", burst)); err != nil {
			return sample{}, err
		}
		if err := s.load.collect(burst * s.traffic.conns); err != nil {
			return sample{}, err
		}
		if _, err := s.process.end(); err != nil {
			return sample{}, err
		}
	}
	after, err := s.process.cpu()
	return sample{value: s.cost(after-before, sent*s.traffic.conns)}, err
}
