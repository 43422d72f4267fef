//go:build !race

package prove

const underRace = false
