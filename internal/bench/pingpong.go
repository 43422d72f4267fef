package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// pingPong is a process under test and the links to it.
type pingPong struct {
	process *process
	load    *load
	traffic traffic
	before  int // resident bytes without connections
}

// openServer starts a library as the server under test and connects to it.
func openServer(lib *library, o order, t traffic) (*pingPong, error) {
	requests, err := requestsFor(lib, o, t)
	if err != nil {
		return nil, err
	}
	window := t.window
	if window == 0 {
		window = t.conns
	}
	l, err := newLoad(requests, max(t.burst, 1), pause, window)
	if err != nil {
		return nil, err
	}
	s := &pingPong{load: l, traffic: t}
	if s.process, err = start(lib, o); err != nil {
		l.close()
		return nil, err
	}
	if err := s.populate(lib, o); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *pingPong) populate(lib *library, o order) error {
	if s.traffic.memory {
		if err := s.warm(lib, o); err != nil {
			return err
		}
		var err error
		if s.before, err = s.process.resident(); err != nil {
			return err
		}
	}
	for i := range s.traffic.conns {
		k, err := dial(lib, o, s.process.port, i)
		if err != nil {
			return err
		}
		if err := s.load.add(k); err != nil {
			return err
		}
		// An answer proves that the server serves the connection, and has not just accepted it.
		if !o.Sink {
			if err := exchange(k, s.load.requests[0], s.load.answers, nil); err != nil {
				return fmt.Errorf("%s: %w", lib.name, err)
			}
		}
	}
	// Connections that take turns in the order of their making would lie in memory in that order.
	free := s.load.free
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	return nil
}

// warm has the process under test touch the code and the pools it needs, so that they do not count as
// memory of its connections.
func (s *pingPong) warm(lib *library, o order) error {
	for i := range 64 {
		k, err := dial(lib, o, s.process.port, i)
		if err != nil {
			return err
		}
		err = exchange(k, s.load.requests[0], s.load.answers, nil)
		k.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *pingPong) close() {
	s.load.close()
	if s.process != nil {
		s.process.stop()
	}
}

func (s *pingPong) turn(d time.Duration) (sample, error) {
	switch {
	case s.traffic.mallocs:
		found, err := s.counted(d)
		return sample{value: found.allocs}, err
	case s.traffic.heap:
		return s.counted(d)
	}
	return s.timed(d)
}

// timed measures CPU time and latency, and memory if the case asks for it.
func (s *pingPong) timed(d time.Duration) (sample, error) {
	atLeast := 0
	if s.traffic.memory { // very many connections, in the only turn of this process
		atLeast = 10 * s.traffic.conns
		if err := s.load.run(d/2, atLeast/5); err != nil {
			return sample{}, fmt.Errorf("%s: %w", s.process.order.Library, err)
		}
	}
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	if err := s.load.run(d, atLeast); err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.process.order.Library, err)
	}
	after, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	found := sample{
		value: s.cost(after-before, s.load.messages),
		p50:   float64(percentile(s.load.latencies, 0.50)) / 1e3,
		p99:   float64(percentile(s.load.latencies, 0.99)) / 1e3,
	}
	if s.traffic.memory {
		resident, err := s.process.resident()
		if err != nil {
			return sample{}, err
		}
		found.perConn = float64(resident-s.before) / float64(s.traffic.conns) / 1024
	}
	return found, nil
}

// cost converts CPU time for some messages to the case's unit: microseconds per message, or milliseconds
// per GB of payload.
func (s *pingPong) cost(cpu time.Duration, messages int) float64 {
	if s.traffic.perGB {
		return cpu.Seconds() * 1e3 / (float64(messages) * float64(s.traffic.size) / 1e9)
	}
	return cpu.Seconds() * 1e6 / float64(messages)
}

// counted is timed, and counts what is allocated meanwhile.
func (s *pingPong) counted(d time.Duration) (sample, error) {
	objects, bytes, err := s.process.allocated()
	if err != nil {
		return sample{}, err
	}
	found, err := s.timed(d)
	if err != nil {
		return sample{}, err
	}
	objectsAfter, bytesAfter, err := s.process.allocated()
	found.allocs = float64(objectsAfter-objects) / float64(s.load.messages)
	found.bytes = float64(bytesAfter-bytes) / float64(s.load.messages)
	return found, err
}

var (
	errWrongEcho     = errors.New("the echo is not what was sent")
	errNotCompressed = errors.New("the echo is not compressed")
)

// check has every library echo one message in earnest before it is measured.
func (s *pingPong) check() error {
	k := s.load.links[0]
	var kept []byte
	if err := exchange(k, s.load.requests[0], s.load.answers, &kept); err != nil {
		return err
	}
	sent := repeat(payload(s.traffic.size), s.load.answers)
	switch o := s.process.order; {
	case o.Deflate && k.scan.first&bitRsv1 == 0:
		return fmt.Errorf("%s: %w", o.Library, errNotCompressed)
	case !o.Deflate && string(kept) != string(sent):
		return fmt.Errorf("%s: %w", o.Library, errWrongEcho)
	}
	return nil
}
