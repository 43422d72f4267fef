// Package mutants is a table of deliberate faults of the library. A suite of
// tests that claims to guard a promise must find the mutants that break it.
//
// A mutant is a few replacements of text, each in one function of one file. It is
// built with the go command's -overlay flag from copies in another directory; the
// tree itself is never touched.
package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Mutant is one fault.
type Mutant struct {
	Name  string
	What  string // what it does wrong
	Edits []Edit
}

// An Edit replaces Old by New. Old stands exactly once in one declaration.
type Edit struct {
	File string // below the module's root
	In   string // a function, "Type.method", or the name of a variable, constant or type
	Old  string
	New  string
}

// A Duty is a mutant that forgets one thing which has to be done, and what has to
// find it.
type Duty struct {
	Mutant
	By By
}

// By is a test. The zero value is the simulation.
type By struct {
	Package string // as the go command takes it
	Run     string // the test's name
}

// All returns the mutants of both tables.
func All() []Mutant {
	all := slices.Clone(Table)
	for _, d := range Duties {
		all = append(all, d.Mutant)
	}
	return all
}

// edit returns the text of the files that the mutant changes, by their paths.
func (m Mutant) edit(root string) (map[string]string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	edited := map[string]string{}
	for _, e := range m.Edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		text, ok := edited[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
			text = string(b)
		}
		from, to, err := extent(text, e.In)
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %s: %w", m.Name, e.File, err)
		}
		if n := strings.Count(text[from:to], e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s has in %s %d times, not once, %q", m.Name, e.File, e.In, n, e.Old)
		}
		edited[path] = text[:from] + strings.Replace(text[from:to], e.Old, e.New, 1) + text[to:]
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
		place := filepath.Base(filepath.Dir(path)) + "_" + filepath.Base(path)
		copied := filepath.Join(dir, m.Name+"_"+place)
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
