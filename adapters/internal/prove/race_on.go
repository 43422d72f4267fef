//go:build race

package prove

// underRace: the race detector makes the suite ten times slower.
const underRace = true
