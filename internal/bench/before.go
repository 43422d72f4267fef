package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	ourModule   = "github.com/closeonce/websocket"
	benchModule = ourModule + "/internal/bench"
	// beforeSuffix marks the contestant that is a library's version from another checkout.
	beforeSuffix = "-before"
)

// beforeLibrary is ours, by the binary that buildBefore has built.
func beforeLibrary(program string) *library {
	l := ourLibrary()
	l.name += beforeSuffix
	l.kind = earlier
	l.program = program
	return l
}

// buildBefore builds this program with our library from another checkout, into the directory temp, and returns the
// binary's name. The rest of the program, the peers and the build's flags are the same.
func buildBefore(checkout, temp string) (string, error) {
	checkout, err := filepath.Abs(checkout)
	if err != nil {
		return "", err
	}
	mod, err := goTool("env", "GOMOD")
	if err != nil {
		return "", err
	}
	if module, err := goTool("list", "-m"); err != nil || module != benchModule {
		return "", fmt.Errorf("-before builds this program anew: run it in the directory of %s", benchModule)
	}
	otherMod := filepath.Join(temp, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(mod), name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(temp, name), text, 0o600); err != nil {
			return "", err
		}
	}
	if _, err := goTool("mod", "edit", "-replace", ourModule+"="+checkout, otherMod); err != nil {
		return "", err
	}
	program := filepath.Join(temp, "bench"+beforeSuffix)
	var lacks []string
	for name, tag := range map[string]string{"group.go": "nogroup", "gorilla": "nogorilla"} {
		if _, err := os.Stat(filepath.Join(checkout, name)); errors.Is(err, os.ErrNotExist) {
			lacks = append(lacks, tag)
		}
	}
	build := []string{"build", "-modfile", otherMod, "-o", program, "-tags", strings.Join(lacks, ",")}
	_, err = goTool(append(build, benchModule)...)
	return program, err
}

// goTool runs the go command and returns the first line that it prints.
func goTool(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, failed.Stderr)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, err
}
