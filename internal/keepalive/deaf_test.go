package keepalive

import (
	"math"
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
		v, _ := k.Check(now, 0, 0, want.deaf, false)
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
	if v, _ := k.Check(1010, 0, 0, false, false); v != Ask {
		t.Fatalf("a silent peer: %d", v)
	}
	k.PingLeft(k.last, 1010, 0, 100)
	if v, _ := k.Check(1020, 50, 50, false, false); v != Dead {
		t.Errorf("it has taken some of it: %d", v)
	}
}

// TestGone: a peer that has closed TCP is not asked while the application has yet to read what it has sent, for some periods. What
// is read meanwhile begins them anew, and so does nothing else: then it is asked, as any.
func TestGone(t *testing.T) {
	const period = 1000
	var k State
	k.Init(0, period)
	check := func(at int64, gone bool, want Verdict) {
		t.Helper()
		v, again := k.Check(at, 0, 0, true, gone)
		if v != want || v != Dead && again != period {
			t.Errorf("at %d: %d, again after %d", at, v, again)
		}
		if v == Ask {
			k.PingLeft(k.Next(nil), at, 0, 0)
		}
	}
	check(period, false, Ask) // it has not closed yet
	for n := int64(2); n < lastReads; n++ {
		check(n*period, true, Alive)
	}
	k.Heard(9 * period)
	check(18*period, true, Alive)
	check(19*period, true, Ask)
	check(20*period, true, Ask) // deaf as it is, nobody can say that it does not answer

	k.Init(0, math.MaxInt64) // for ever: no arithmetic overflows
	if v, _ := k.Check(math.MaxInt64, 0, 0, true, true); v != Alive {
		t.Errorf("a period that never ends: %d", v)
	}
}
