package mutants

import (
	"os"
	"testing"
)

// TestApply: every mutant's places are found in the library as it stands.
func TestApply(t *testing.T) {
	names := map[string]bool{}
	for _, m := range Table {
		if names[m.Name] || m.Name == "" || m.What == "" || len(m.Edits) == 0 {
			t.Errorf("the mutant %q is named twice or says nothing", m.Name)
		}
		names[m.Name] = true
		path, err := m.Overlay("../..", t.TempDir())
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if len(Table) < 40 {
		t.Errorf("there are %d mutants, not 40", len(Table))
	}
}
