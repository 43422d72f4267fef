//go:build !linux

package main

import "time"

var start = time.Now()

// cpuTime is the time gone by: on this system the only clock at hand.
func cpuTime() time.Duration { return time.Since(start) }
