// Package mutants is a table of deliberate faults of the library. A suite of
// tests that claims to guard a promise must find the mutants that break it.
//
// A mutant is a few replacements of text in the library's files. It is built with
// the go command's -overlay flag from copies in another directory; the tree itself
// is never touched.
package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Mutant is one fault.
type Mutant struct {
	Name  string
	What  string // what it does wrong
	Edits []Edit
}

// An Edit replaces Old, which stands exactly once in the library's root package,
// by New.
type Edit struct{ Old, New string }

// edit returns the text of the files that the mutant changes, by their paths.
func (m Mutant) edit(root string) (map[string]string, error) {
	files, err := sources(root)
	if err != nil {
		return nil, err
	}
	edited := map[string]string{}
	for _, e := range m.Edits {
		place, times := "", 0
		for path, text := range files {
			if n := strings.Count(text, e.Old); n > 0 {
				place, times = path, times+n
			}
		}
		if times != 1 {
			return nil, fmt.Errorf("mutant %s: the library has %q %d times, not once", m.Name, e.Old, times)
		}
		files[place] = strings.Replace(files[place], e.Old, e.New, 1)
		edited[place] = files[place]
	}
	return edited, nil
}

// Overlay writes the mutant's files below dir, and a file for the go command's
// -overlay flag, whose path it returns. root is the module's root.
func (m Mutant) Overlay(root, dir string) (string, error) {
	edited, err := m.edit(root)
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range edited {
		copied := filepath.Join(dir, m.Name+"_"+filepath.Base(path))
		overlay.Replace[path] = copied
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, m.Name+".json")
	return path, os.WriteFile(path, b, 0o644)
}

// sources returns the text of the root package's files, without its tests.
func sources(root string) (map[string]string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[path] = string(b)
	}
	return files, nil
}
