package main

import (
	"time"
)

// idle measures the memory of connections that wait, each after one echo.
type idle struct {
	lib   *library
	order order
	conns int
	size  int // of the echo
}

func (s idle) close() {}

func (s idle) turn(time.Duration) (sample, error) {
	p, err := openServer(s.lib, s.order, traffic{conns: s.conns, size: s.size, memory: true})
	if err != nil {
		return sample{}, err
	}
	defer p.close()
	after, err := p.process.resident()
	return sample{value: float64(after-p.before) / float64(s.conns) / 1024}, err
}
