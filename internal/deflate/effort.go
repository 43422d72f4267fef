package deflate

// Effort is how hard a Compressor tries to make messages short. Zero suits most:
// it looks at one earlier place for each match, and where the match is short or
// the message small also at one for the byte after.
//
// LeastEffort gives a small message the fixed code instead of one of its own,
// and never looks a byte later.
//
// With 1 to MostEffort all earlier places that start with the same four bytes
// are looked at, up to a number that grows with the effort, and a match gives way
// to a better one a byte later. The chains of these places belong to the pool; what
// is kept between messages is the window, without a table. So with takeover each
// message begins with entering the window into the chains.
type Effort int8

const (
	LeastEffort Effort = -1
	MostEffort  Effort = 3
)

// thoroughness says by effort how many places are looked at for one match, from
// which length on a match is long enough not to look for a longer one, and from
// which on not for a better one a byte later.
var thoroughness = [MostEffort + 1]struct{ tries, enough, lazy int }{
	1: {12, 64, 24},
	2: {48, 128, 64},
	3: {256, maxMatch, maxMatch},
}
