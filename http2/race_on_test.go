//go:build race

package http2_test

// underRace: the race detector makes the suite ten times slower.
const underRace = true
