package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

// plan is what one run of the benchmark does.
type plan struct {
	libraries []*library
	cases     []testCase
	rounds    int
	lone      int // rounds of the cases that have one library's process at a time
	turn      time.Duration
	profiles  string    // directory for CPU profiles; empty: none
	progress  io.Writer // where to say what is under way
}

// outcome is one library's samples in one case, by round.
type outcome struct {
	lib     *library
	samples []sample
}

// measurement is one case after all rounds.
type measurement struct {
	testCase testCase
	outcomes []*outcome
}

// run measures all cases.
func (p plan) run() ([]measurement, error) {
	var all []measurement
	for _, c := range p.cases {
		began := time.Now()
		fmt.Fprintf(p.progress, "%-16s", c.name)
		measure := p.together
		if c.alone {
			measure = p.separately
		}
		m, err := measure(c)
		if err != nil {
			fmt.Fprintln(p.progress, "failed")
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(p.progress, "%6.1f s\n", time.Since(began).Seconds())
		if len(m.outcomes) > 0 {
			all = append(all, m)
		}
	}
	return all, nil
}

func (p plan) contestants(c testCase) []*outcome {
	var list []*outcome
	for _, l := range p.libraries {
		if c.takes == nil || c.takes(l) {
			list = append(list, &outcome{lib: l})
		}
	}
	return list
}

// together has all libraries ready and lets them take turns.
func (p plan) together(c testCase) (measurement, error) {
	m := measurement{testCase: c, outcomes: p.contestants(c)}
	subjects := make(map[*outcome]subject)
	defer func() {
		for _, s := range subjects {
			s.close()
		}
	}()
	for _, o := range m.outcomes {
		s, err := c.open(o.lib)
		if err != nil {
			return m, err
		}
		subjects[o] = s
		// Buffers grow, pools fill, stacks settle; nothing of it counts.
		if _, err := s.turn(p.turn / 2); err != nil {
			return m, err
		}
	}
	for round := range p.rounds {
		if round == p.rounds-1 && p.profiles != "" {
			return m, p.profile(c, subjects)
		}
		for _, o := range turns(m.outcomes) {
			found, err := subjects[o].turn(p.turn)
			if err != nil {
				return m, err
			}
			o.samples = append(o.samples, found)
		}
	}
	return m, nil
}

// separately opens each library for its turn only.
func (p plan) separately(c testCase) (measurement, error) {
	m := measurement{testCase: c, outcomes: p.contestants(c)}
	for range p.lone {
		for _, o := range turns(m.outcomes) {
			found, err := p.visit(c, o.lib)
			if err != nil {
				return m, err
			}
			o.samples = append(o.samples, found)
		}
	}
	return m, nil
}

func (p plan) visit(c testCase, lib *library) (sample, error) {
	s, err := c.open(lib)
	if err != nil {
		return sample{}, err
	}
	defer s.close()
	return s.turn(p.turn)
}

// turns shuffles: a library that always comes after the same one would inherit its weather.
func turns(list []*outcome) []*outcome {
	order := slices.Clone(list)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// profiled is a subject whose process can be profiled.
type profiled interface{ under() *process }

func (s *pingPong) under() *process { return s.process }

// profile spends the last round on CPU profiles instead of samples, for a profiler costs time itself.
func (p plan) profile(c testCase, subjects map[*outcome]subject) error {
	for o, s := range subjects {
		with, ok := s.(profiled)
		if !ok {
			continue
		}
		path, err := filepath.Abs(filepath.Join(p.profiles, c.name+"."+o.lib.name+".prof"))
		if err != nil {
			return err
		}
		if _, err := with.under().tell("profile " + path); err != nil {
			return err
		}
		if _, err := s.turn(10 * p.turn); err != nil {
			return err
		}
		if _, err := with.under().tell("endprofile"); err != nil {
			return err
		}
	}
	return nil
}
