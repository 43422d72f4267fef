package main

import (
	"time"
)

// subject is one library set up for one case.
type subject interface {
	// turn measures for about the given time and leaves nothing outstanding.
	turn(time.Duration) (sample, error)
	close()
}

// sample is what one turn found.
type sample struct {
	value    float64 // in the case's unit
	p50, p99 float64 // latency in microseconds; 0 where the case has none
	max      float64 // the longest, in microseconds; 0 where the case does not look
	perConn  float64 // resident KiB per connection; 0 where the case does not look
	allocs   float64 // per message, and
	bytes    float64 // allocated per message; 0 where the case does not count them
}

// pause is how long a link rests between an answer and its next request.
const pause = 40 * time.Microsecond
