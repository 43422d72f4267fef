package keepalive

import (
	"testing"
	"time"
)

// TestHeardAgain: a Ping was asked for, and then nobody could hear the peer. When somebody can, the peer has as much time
// as any.
func TestHeardAgain(t *testing.T) {
	var k State
	k.Init(1000, 10)
	for at, want := range []struct {
		deaf    bool
		verdict Verdict
	}{{false, Alive}, {false, Ask}, {true, Ask}, {false, Ask}, {false, Dead}} {
		now := 1000 + 10*int64(at)
		v, _ := k.Check(now, 0, 0, want.deaf)
		if v != want.verdict {
			t.Errorf("after %v: %d, want %d", 10*time.Duration(at), v, want.verdict)
		}
		if v == Ask {
			k.PingLeft(k.Next(nil), now, 0, 0)
		}
	}
}

// TestTakenIsNoAnswer: the peer's system takes what was written before the Ping, and the Ping. That does not answer it.
func TestTakenIsNoAnswer(t *testing.T) {
	var k State
	k.Init(1000, 10)
	if v, _ := k.Check(1010, 0, 0, false); v != Ask {
		t.Fatalf("a silent peer: %d", v)
	}
	k.PingLeft(k.last, 1010, 0, 100)
	if v, _ := k.Check(1020, 50, 50, false); v != Dead {
		t.Errorf("it has taken some of it: %d", v)
	}
}
