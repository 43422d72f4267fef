package main

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(subjectEnv) != "" {
		beSubject()
		return
	}
	os.Exit(m.Run())
}

// TestAttacks carries out each attack, with fewer attackers: what a connection
// costs stays within its bound, the answers are the right ones, and no goroutine
// is left.
func TestAttacks(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			r, err := a.measure(scale{unit: 50 * time.Millisecond, conns: a.few, brief: true})
			if err != nil {
				t.Error(err)
			}
			if r.Sent == 0 && len(a.want) > 0 && a.name != "client: no response" {
				t.Error("the attackers have sent nothing")
			}
		})
	}
}
