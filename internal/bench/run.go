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
	casts     int // so often the processes of a case are started for them
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

// together has all libraries ready and lets them take turns. In between their processes are started
// anew: each has luck of its own, with its memory's layout or with the beat that it falls into.
func (p plan) together(c testCase) (measurement, error) {
	m := measurement{testCase: c, outcomes: p.contestants(c)}
	casts := min(p.casts, p.rounds)
	for cast := range casts {
		rounds := p.rounds*(cast+1)/casts - p.rounds*cast/casts
		if err := p.cast(c, m.outcomes, rounds, cast == casts-1); err != nil {
			return m, err
		}
	}
	return m, nil
}

// cast is some rounds with the same processes.
func (p plan) cast(c testCase, outcomes []*outcome, rounds int, last bool) error {
	subjects := make(map[*outcome]subject)
	defer func() {
		for _, s := range subjects {
			s.close()
		}
	}()
	for _, o := range outcomes {
		s, err := c.open(o.lib)
		if err != nil {
			return err
		}
		subjects[o] = s
		// Buffers grow, pools fill, stacks settle; nothing of it counts.
		if _, err := s.turn(p.turn / 2); err != nil {
			return err
		}
	}
	for range rounds {
		for _, o := range turns(outcomes) {
			found, err := subjects[o].turn(p.turn)
			if err != nil {
				return err
			}
			o.samples = append(o.samples, found)
		}
	}
	if !last {
		return nil
	}
	for o, s := range subjects {
		if err := p.profile(c, o.lib, s); err != nil {
			return err
		}
	}
	return nil
}

// separately opens each library for its turn only.
func (p plan) separately(c testCase) (measurement, error) {
	m := measurement{testCase: c, outcomes: p.contestants(c)}
	for round := range p.lone {
		for _, o := range turns(m.outcomes) {
			found, err := p.alone(c, o.lib, round == p.lone-1)
			if err != nil {
				return m, err
			}
			o.samples = append(o.samples, found)
		}
	}
	return m, nil
}

func (p plan) alone(c testCase, lib *library, last bool) (sample, error) {
	s, err := c.open(lib)
	if err != nil {
		return sample{}, err
	}
	defer s.close()
	found, err := s.turn(p.turn)
	if err == nil && last {
		err = p.profile(c, lib, s)
	}
	return found, err
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

// profile spends two more turns on profiles of the process under test, where they were asked for: one on
// its CPU time, one on where it waits for locks and channels. Profilers cost time, so the turns are not
// samples.
func (p plan) profile(c testCase, lib *library, s subject) error {
	with, ok := s.(profiled)
	if !ok || p.profiles == "" {
		return nil
	}
	path, err := filepath.Abs(filepath.Join(p.profiles, c.name+"."+lib.name))
	if err != nil {
		return err
	}
	for _, what := range []string{"cpu", "contention"} {
		if _, err := with.under().tell("profile " + what); err != nil {
			return err
		}
		if _, err := s.turn(10 * p.turn); err != nil {
			return err
		}
		if _, err := with.under().tell("endprofile " + path); err != nil {
			return err
		}
	}
	return nil
}
