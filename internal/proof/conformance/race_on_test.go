//go:build race

package main

// underRace leaves the cases of megabytes to the run without the race
// detector: they move gigabytes and touch no other code.
const underRace = true
