package mutants

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A Trial is what became of a mutant under the test that has to find it.
type Trial struct {
	Found bool
	How   string
	Err   error // it could not be tried
}

// Play runs the test that has to find the mutant, built with the mutant in it. A test
// that does not end in time has found it. root is the module's root.
func (d Duty) Play(root, dir string, timeout time.Duration) Trial {
	program, err := d.Build(root, dir, d.By.Package, "test", "-c", "-vet=off", "-ldflags=-s -w")
	if err != nil {
		return Trial{Err: err}
	}
	defer os.Remove(program)
	program, err = filepath.Abs(program)
	if err != nil {
		return Trial{Err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout+10*time.Second)
	defer cancel()
	test := exec.CommandContext(ctx, program, "-test.run", "^"+d.By.Run+"$", "-test.failfast", "-test.timeout", timeout.String())
	test.Dir = filepath.Join(root, filepath.FromSlash(d.By.Package))
	out, err := test.CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return Trial{Err: fmt.Errorf("mutant %s: there is no %s in %s", d.Name, d.By.Run, d.By.Package)}
	case err == nil:
		return Trial{}
	}
	return Trial{Found: true, How: complaint(string(out), err)}
}

var complaints = regexp.MustCompile(`(?m)^(?:\s+\w+_test\.go:\d+: .*|panic: .*|fatal error: .*|deadlock: .*)$`)

// complaint is the first line that says what a test has found.
func complaint(out string, err error) string {
	how := strings.TrimSpace(complaints.FindString(out))
	if how == "" {
		how = err.Error()
	}
	return how[:min(len(how), 120)]
}
