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

// An Edit replaces Old by New in File, which is relative to the module's root. Old
// stands there exactly once.
type Edit struct{ File, Old, New string }

// Overlay writes the mutant's files below dir, and a file for the go command's
// -overlay flag, whose path it returns. root is the module's root.
func (m Mutant) Overlay(root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	files := map[string]string{}
	for _, e := range m.Edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		text, ok := files[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return "", fmt.Errorf("mutant %s: %s has %q %d times, not once", m.Name, e.File, e.Old, n)
		}
		files[path] = strings.Replace(text, e.Old, e.New, 1)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		copied := filepath.Join(dir, m.Name+"_"+filepath.Base(path))
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
		overlay.Replace[path] = copied
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, m.Name+".json")
	return path, os.WriteFile(path, b, 0o644)
}
