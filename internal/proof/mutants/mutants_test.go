package mutants

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// root is the module's, from here.
const root = "../../.."

// An edited mutant is what it makes of the library's files, by their paths.
type edited struct {
	mutant Mutant
	files  map[string]string
	err    error
}

// edits returns all mutants, edited.
var edits = sync.OnceValue(func() (all []edited) {
	for _, m := range All() {
		files, err := m.edit(root)
		all = append(all, edited{m, files, err})
	}
	return all
})

// TestApply: every mutant's places are found in the library as it stands.
func TestApply(t *testing.T) {
	names := map[string]bool{}
	for _, m := range All() {
		if names[m.Name] || m.Name == "" || m.What == "" || len(m.Edits) == 0 {
			t.Errorf("the mutant %q is named twice or says nothing", m.Name)
		}
		names[m.Name] = true
	}
	for _, one := range edits() {
		if one.err != nil {
			t.Error(one.err)
		}
	}
	path, err := Table[0].Overlay(root, t.TempDir())
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Error(err)
	}
	if len(Table) < 40 || len(Duties) < 100 {
		t.Errorf("there are %d mutants and %d duties, not 40 and 100", len(Table), len(Duties))
	}
}

// TestFinders: the test that has to find a duty exists.
func TestFinders(t *testing.T) {
	tests := map[string]map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, d := range Duties {
		if d.By == (By{}) {
			continue
		}
		if tests[d.By.Package] == nil {
			tests[d.By.Package] = map[string]bool{}
			paths, err := filepath.Glob(filepath.Join(root, d.By.Package, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range function.FindAllStringSubmatch(string(b), -1) {
					tests[d.By.Package][f[1]] = true
				}
			}
		}
		if !tests[d.By.Package][d.By.Run] {
			t.Errorf("%s shall be found by %s in %s, which does not exist", d.Name, d.By.Run, d.By.Package)
		}
	}
}
