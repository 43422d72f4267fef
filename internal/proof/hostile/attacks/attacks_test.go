package attacks

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if Subject(nil) {
		return
	}
	flag.Set("test.parallel", "8") // attacks wait more than they compute
	os.Exit(m.Run())
}

// TestAttacks carries out all attacks over HTTP/1.1.
func TestAttacks(t *testing.T) { Over(t, nil) }
