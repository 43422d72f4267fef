//go:build race

package sim

const (
	raceEnabled  = true
	defaultSeeds = 250 // the race detector makes each ten times as dear
)
