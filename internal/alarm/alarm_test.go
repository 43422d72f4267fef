package alarm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	a Kind = iota
	b
	c
	d
)

// alarms is a Set that can be embedded, for all its method Set.
type alarms = Set

// A bell writes down what rang, and when.
type bell struct {
	alarms
	began int64
	mu    sync.Mutex
	rang  []string
	rings int
}

func newBell(k Kind, after time.Duration) *bell {
	s := &bell{began: Now()}
	s.Init(s.ring, s.began, k, after)
	return s
}

func (s *bell) ring() {
	t := Now()
	due := s.Take(t, 0, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rings++
	for k := range Kind(Kinds) {
		if due.Has(k) {
			s.rang = append(s.rang, fmt.Sprintf("%c@%v", 'a'+k, time.Duration(t-s.began)))
		}
	}
}

func (s *bell) want(t *testing.T, why string, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.rang, want) {
		t.Errorf("%s: rang %v, want %v", why, s.rang, want)
	}
	s.rang, s.rings = nil, 0
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBell(c, 3*time.Second)
		s.Set(Now(), a, 5*time.Second)
		s.Set(Now(), b, time.Second)
		s.Set(Now(), d, 3*time.Second)
		time.Sleep(time.Minute)
		s.want(t, "each at its time", "b@1s", "c@3s", "d@3s", "a@5s")
		time.Sleep(time.Hour)
		s.want(t, "once")
		s.Set(Now(), a, time.Second)
		time.Sleep(time.Minute)
		s.want(t, "again", "a@1h1m1s")
	})
}

func TestMoved(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(s *bell)
		want []string
	}{
		{"Set, later", func(s *bell) { s.Set(Now(), a, 20*time.Second) }, []string{"a@20s"}},
		{"Set, earlier", func(s *bell) { s.Set(Now(), a, time.Second) }, []string{"a@1s"}},
		{"SetOnce", func(s *bell) { s.SetOnce(Now(), a, time.Second); s.SetOnce(Now(), a, time.Hour) }, []string{"a@10s"}},
		{"SetOnce of another", func(s *bell) { s.SetOnce(Now(), b, time.Second); s.SetOnce(Now(), b, 2*time.Second) }, []string{"b@1s", "a@10s"}},
		{"SetEarlier, later", func(s *bell) { s.SetEarlier(Now(), a, 11*time.Second) }, []string{"a@10s"}},
		{"SetEarlier, earlier", func(s *bell) { s.SetEarlier(Now(), a, 9*time.Second) }, []string{"a@9s"}},
		{"SetEarlier of another", func(s *bell) { s.SetEarlier(Now(), b, 11*time.Second) }, []string{"a@10s", "b@11s"}},
		{"now", func(s *bell) { s.Set(Now(), b, 0) }, []string{"b@0s", "a@10s"}},
		{"in the past", func(s *bell) { s.Set(Now(), b, -time.Second) }, []string{"b@0s", "a@10s"}},
		{"long past", func(s *bell) { s.Set(Now(), b, math.MinInt64/4) }, []string{"b@0s", "a@10s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBell(a, 10*time.Second)
				tt.set(s)
				time.Sleep(time.Minute)
				s.want(t, tt.name, tt.want...)
			})
		})
	}
}

// TestMovedForEachMessage: an alarm that is always moved to later costs no timer for each time.
func TestMovedForEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBell(a, time.Second)
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			s.Set(Now(), a, time.Second)
		}
		synctest.Wait()
		s.mu.Lock()
		rings := s.rings
		s.mu.Unlock()
		if rings > 20 {
			t.Errorf("the timer went off %d times in ten seconds", rings)
		}
		time.Sleep(time.Minute)
		s.want(t, "a second after the last", "a@11s")
	})
}

// TestNever: durations as large as can be are never, whichever kind they are for, and disturb no other alarm.
func TestNever(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	for _, never := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2, 1 << 62} {
		for order := range 2 {
			t.Run(fmt.Sprint(never, order), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newBell(a, never)
					if order == 1 {
						s = newBell(a, time.Second)
						s.Set(Now(), a, never)
					}
					s.Set(Now(), b, never)
					s.SetOnce(Now(), c, never)
					s.SetEarlier(Now(), d, never)
					time.Sleep(time.Minute)
					s.want(t, "never")
					s.Set(Now(), b, time.Second)
					s.SetOnce(Now(), c, time.Second) // it is set
					s.SetEarlier(Now(), d, 2*time.Second)
					time.Sleep(time.Minute)
					s.want(t, "the others", "b@1m1s", "d@1m2s")
					s.SetOnce(Now(), b, 3*time.Second)
					time.Sleep(century)
					s.want(t, "and again", "b@2m3s")
					if s.at[a] < 0 || s.at[c] < 0 {
						t.Errorf("an alarm has gone round the end of time: %v", s.at)
					}
				})
			})
		}
	}
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBell(a, time.Second)
		s.Set(Now(), b, 2*time.Second)
		s.End()
		time.Sleep(time.Minute)
		s.want(t, "nothing rings after the end")
		s.Set(Now(), a, time.Second)
		s.SetOnce(Now(), b, time.Second)
		s.SetEarlier(Now(), c, time.Second)
		time.Sleep(time.Minute)
		s.want(t, "nothing can be set after the end")
		if due := s.Take(Now()+int64(time.Hour), 0, 0); due != 0 {
			t.Errorf("after the end %b is due", due)
		}
		s.End()
	})
}

// TestEndWhileRinging: the timer has gone off, and the end comes before its function looks.
func TestEndWhileRinging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		looked := make(chan Due, 1)
		s.Init(func() {
			time.Sleep(time.Second)
			looked <- s.Take(Now(), 0, 0)
		}, Now(), a, time.Second)
		time.Sleep(1500 * time.Millisecond)
		s.End()
		if due := <-looked; due != 0 {
			t.Errorf("after the end %b is due", due)
		}
		time.Sleep(time.Minute)
	})
}

// TestAgainstMemory: programs of settings, drawn, ring what the simplest bookkeeping says, when it says.
func TestAgainstMemory(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := newBell(a, time.Second)
			at := [Kinds]int64{a: s.began + int64(time.Second)}
			var want []string
			pass := func(until int64) { // what rings until then, in order
				for {
					next := int64(math.MaxInt64)
					for _, when := range at {
						if when != 0 {
							next = min(next, when)
						}
					}
					if next > until {
						return
					}
					for k, when := range at {
						if when == next {
							want = append(want, fmt.Sprintf("%c@%v", 'a'+k, time.Duration(next-s.began)))
							at[k] = 0
						}
					}
				}
			}
			for range 200 {
				k := Kind(random.IntN(Kinds))
				after := time.Duration(1 + random.Int64N(int64(time.Second)))
				now := Now()
				switch when := now + int64(after); random.IntN(4) {
				case 0:
					s.Set(now, k, after)
					at[k] = when
				case 1:
					s.SetOnce(now, k, after)
					if at[k] == 0 {
						at[k] = when
					}
				case 2:
					s.SetEarlier(now, k, after)
					if at[k] == 0 || when < at[k] {
						at[k] = when
					}
				default:
					pass(now + int64(after))
					time.Sleep(after)
					synctest.Wait()
				}
			}
			pass(math.MaxInt64 - 1)
			time.Sleep(time.Minute)
			s.want(t, fmt.Sprint("seed ", seed), want...)
		})
	}
}

func TestNow(t *testing.T) {
	outside := Now()
	if outside <= 0 {
		t.Errorf("now is %d", outside)
	}
	synctest.Test(t, func(t *testing.T) {
		t0 := Now()
		if t0 <= 0 {
			t.Errorf("in a bubble now is %d", t0)
		}
		time.Sleep(time.Hour)
		if passed := Now() - t0; passed != int64(time.Hour) {
			t.Errorf("an hour has %d ns", passed)
		}
	})
}

// TestPutOff: what is late is put off once if its kind is patient, and comes then, however late. An alarm that is set anew may be
// put off again.
func TestPutOff(t *testing.T) {
	const asleep, hour = 100 * time.Millisecond, int64(time.Hour)
	var s Set
	s.Init(func() {}, Now(), a, time.Minute)
	defer s.End()
	now := Now()
	s.Set(now, b, time.Minute)
	s.Set(now, c, 3*time.Hour)
	take := func(why string, at int64, want Due) {
		t.Helper()
		if due := s.Take(at, Of(b, c), asleep); due != want {
			t.Errorf("%s: %b is due, want %b", why, due, want)
		}
	}
	take("late", now+hour, Of(a))
	take("not yet", now+hour+int64(asleep)/2, 0)
	take("late again", now+2*hour, Of(b))
	take("a little late", now+3*hour+int64(asleep), Of(c))
	s.Set(now, b, time.Minute)
	take("set anew", now+4*hour, 0)
	take("in time", now+4*hour+int64(asleep)+2, Of(b))
}
