package mutants

import (
	"fmt"
	"os/exec"
	"path/filepath"
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
