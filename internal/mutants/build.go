package mutants

import (
	"fmt"
	"iter"
	"os/exec"
	"path/filepath"
	"regexp"
)

// Build builds package pkg of the module at root with the mutant in it, and
// returns the path of the program, which is below dir. The flags are those of the
// go command: "build", or "test", "-c" for the package's tests.
func (m Mutant) Build(root, dir, pkg string, flags ...string) (string, error) {
	overlay, err := m.Overlay(root, dir)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, m.Name+".program")
	build := exec.Command("go", append(flags, "-overlay", overlay, "-o", program, pkg)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mutant %s does not build: %w\n%s", m.Name, err, out)
	}
	return program, nil
}

// Each tries the mutants whose names match a regular expression, some at once,
// and yields the results in the table's order.
func Each[R any](expression string, atOnce int, try func(Mutant) R) (iter.Seq2[Mutant, R], error) {
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	return func(yield func(Mutant, R) bool) {
		type trial struct {
			m      Mutant
			result chan R
		}
		var trials []trial
		turns := make(chan struct{}, atOnce)
		for _, m := range Table {
			if !pattern.MatchString(m.Name) {
				continue
			}
			one := trial{m, make(chan R, 1)}
			trials = append(trials, one)
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
	}, nil
}
