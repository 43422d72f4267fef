package mutants

import (
	"iter"
	"regexp"
)

// Matching returns those of the mutants whose names match a regular expression.
func Matching(all []Mutant, expression string) ([]Mutant, error) {
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	var some []Mutant
	for _, m := range all {
		if pattern.MatchString(m.Name) {
			some = append(some, m)
		}
	}
	return some, nil
}

// Each tries mutants, some at once, and yields the results in their order.
func Each[R any](all []Mutant, atOnce int, try func(Mutant) R) iter.Seq2[Mutant, R] {
	return func(yield func(Mutant, R) bool) {
		type trial struct {
			m      Mutant
			result chan R
		}
		var trials []trial
		turns := make(chan struct{}, atOnce)
		for _, m := range all {
			trials = append(trials, trial{m, make(chan R, 1)})
		}
		over := make(chan struct{})
		defer close(over)
		go func() {
			for _, one := range trials {
				select {
				case turns <- struct{}{}:
				case <-over:
					return
				}
				go func() {
					one.result <- try(one.m)
					<-turns
				}()
			}
		}()
		for _, one := range trials {
			if !yield(one.m, <-one.result) {
				return
			}
		}
	}
}
