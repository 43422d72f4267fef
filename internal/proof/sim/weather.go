package sim

import (
	"time"
)

// weather is how one direction of the network behaves.
type weather struct {
	window     int           // how many bytes are on their way or wait to be read, at most
	latency    time.Duration // up to so long a piece takes
	writePiece int           // up to so many bytes are taken at once; 0: all
	pause      time.Duration // up to so long it takes until the next piece is taken
	readPiece  int           // up to so many bytes are given at once; 0: all
	stallFrom  time.Duration // from then on nothing arrives ...
	stallTo    time.Duration // ... until then
	cutAfter   int           // after so many bytes nothing arrives any more; 0: never
	resetAfter int           // after so many bytes the connection is reset; 0: never
}

// fair is the weather in which everything arrives soon; but not at the moment
// at which it was sent, so that the two ends never do something at once.
var fair = weather{window: 64 << 10, latency: time.Microsecond}
