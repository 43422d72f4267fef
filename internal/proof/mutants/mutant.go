// Package mutants is a table of deliberate faults of the library. A suite of
// tests that claims to guard a promise must find the mutants that break it.
//
// A mutant is a few replacements of text, each in one function, whichever file has it. It
// is built with the go command's -overlay flag from copies in another directory; the
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
	// In is a function, "Type.method", or the name of a variable, constant or type. In
	// another package than the root it stands behind the package's directory, as in
	// "internal/keepalive.State.Came".
	In  string
	Old string
	New string
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
		p, err := find(root, e.In, edited)
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		if n := strings.Count(p.text[p.from:p.to], e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s has %d times, not once, %q", m.Name, e.In, n, e.Old)
		}
		edited[p.path] = p.text[:p.from] + strings.Replace(p.text[p.from:p.to], e.Old, e.New, 1) + p.text[p.to:]
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
