package keepalive

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// start is when the tables begin; no time is 0.
const start = int64(1) << 40

// TestCheck: each row is what happens, at seconds from the start, to a peer that is pinged after ten seconds. A check is
// "check taken/outstanding = verdict next", of seconds and KiB.
func TestCheck(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"silence, Ping, dead", `
			10 check 0/0 = ask 10
			10 left 0/0
			20 check 0/0 = dead`},
		{"bytes that come", `
			5 came
			10 check 0/0 = alive 10
			20 check 0/0 = ask 10
			20 left 0/0
			25 came
			30 check 0/0 = alive 10
			39 came
			39 listened
			40 check 0/0 = alive 9`},
		{"control frames that come", `
			5 heard
			10 check 0/0 = alive 5
			15 check 0/0 = ask 10
			15 left 0/0
			16 heard
			25 check 0/0 = alive 1
			26 check 0/0 = ask 10`},
		{"a sign in the same instant as the Ping", `
			10 heard
			10 check 0/0 = alive 10
			20 check 0/0 = ask 10
			20 left 0/0
			20 heard
			30 check 0/0 = ask 10
			30 left 0/0
			40 check 0/0 = dead`},
		{"a Pong answers the Ping", `
			10 check 0/0 = ask 10
			10 left 0/0
			11 heard
			11 pong
			20 check 0/0 = alive 1
			21 check 0/0 = ask 10`},
		{"looked at too early", `
			10 check 0/0 = ask 10
			10 left 0/0
			15 check 0/0 = alive 5
			20 check 0/0 = dead`},
		{"a slow transfer, of which some is always outstanding", `
			10 check 100/4000 = ask 10
			20 check 200/3900 = alive 10
			30 check 300/3800 = alive 10
			40 check 301/3799 = alive 10
			50 check 301/3799 = ask 10
			50 left 301/3799
			60 check 400/3700 = alive 10
			70 check 500/3600 = alive 10
			80 check 4100/0 = ask 10
			80 left 4100/0
			90 check 4100/0 = dead`},
		{"a transfer that stalls", `
			5 came
			10 check 100/4000 = alive 10
			20 check 200/3900 = alive 10
			30 check 200/3900 = ask 10
			40 check 200/3900 = dead`},
		{"what was taken before the silence is no sign", `
			5 came
			10 check 500/0 = alive 10
			20 check 500/100 = ask 10
			30 check 500/100 = dead`},
		{"what was taken long before is no sign", `
			5 came
			10 check 100/0 = alive 10
			20 check 100/0 = ask 10
			20 left 100/0
			30 check 100/0 = dead`},
		{"a Ping that is written late: the time runs from then", `
			10 check 0/0 = ask 10
			15 left 0/0
			20 check 0/0 = alive 5
			24 check 0/0 = alive 1
			25 check 0/0 = dead`},
		{"that the Ping itself is taken is no answer", `
			10 check 0/0 = ask 10
			10 left 0/1
			20 check 1/0 = dead`},
		{"a Ping behind a little", `
			10 check 0/64 = ask 10
			10 left 0/64
			20 check 64/0 = dead`},
		{"a Ping behind bytes: as long as they are taken the peer is alive, and then is asked again", `
			10 check 0/1000 = ask 10
			12 left 0/1000
			20 check 100/900 = alive 10
			30 check 600/400 = alive 10
			40 check 1000/0 = ask 10
			40 left 1000/0
			50 check 1000/0 = dead`},
		{"a Ping behind bytes, answered", `
			10 check 0/1000 = ask 10
			12 left 0/1000
			20 check 1000/0 = alive 10
			21 heard
			21 pong
			30 check 1000/0 = alive 1`},
		{"a Ping that can't be written, though bytes are taken", `
			10 check 0/1000 = ask 10
			20 check 100/1000 = alive 10
			30 check 200/1000 = alive 10
			40 check 200/1000 = ask 10
			50 check 200/1000 = dead`},
		{"a Ping that can't be written at all", `
			10 check 0/1000 = ask 10
			20 check 0/1000 = dead`},
		{"deaf: the silence is ours", `
			10 deaf 0/0 = ask 10
			10 left 0/0
			20 deaf 0/0 = ask 10
			20 left 0/0
			90 deaf 0/0 = ask 10
			90 left 0/0
			99 came
			100 check 0/0 = alive 10`},
		{"deaf, and then silent", `
			10 deaf 0/0 = ask 10
			10 left 0/0
			20 check 0/0 = ask 10
			20 left 0/0
			30 check 0/0 = dead`},
		{"deaf, and the Ping can't be written, though bytes are taken for a while", `
			10 deaf 0/0 = ask 10
			20 deaf 100/0 = alive 10
			30 deaf 100/0 = ask 10
			40 deaf 100/0 = dead`},
		{"a sign, then silence again", `
			10 check 0/0 = ask 10
			10 left 0/0
			19 heard
			20 check 0/0 = alive 9
			29 check 0/0 = ask 10
			29 left 0/0
			39 check 0/0 = dead`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var k State
			k.Init(start, 10*time.Second)
			for line := range strings.SplitSeq(strings.TrimSpace(tt.script), "\n") {
				line = strings.TrimSpace(line)
				play(t, &k, line)
			}
		})
	}
}

func play(t *testing.T, k *State, line string) {
	t.Helper()
	var at, taken, outstanding int64
	var what string
	fmt.Sscanf(line, "%d %s %d/%d", &at, &what, &taken, &outstanding)
	now := start + at*int64(time.Second)
	switch what {
	case "came":
		k.Came() // when, is known when somebody looks
	case "listened":
		k.Listened(now)
	case "heard":
		k.Heard(now)
	case "pong":
		k.Answered(AppendPayload(nil, k.last), now)
	case "left":
		k.PingLeft(k.last, now, taken<<10, outstanding<<10)
	case "check", "deaf":
		v, again := k.Check(now, taken<<10, outstanding<<10, what == "deaf", false)
		got := [...]string{Alive: "alive", Ask: "ask", Dead: "dead"}[v]
		if v != Dead {
			got += fmt.Sprint(" ", int64(again/time.Second))
		}
		if _, want, _ := strings.Cut(line, "= "); got != want {
			t.Errorf("%s: got %s", line, got)
		}
		if v == Ask {
			k.Next(nil)
		}
	default:
		t.Fatalf("what is %q?", line)
	}
}

// TestSlowTransferNeverDies: whatever the period, and whenever it is looked at, a peer that takes something in each period
// is alive, however long it lasts, with our Ping behind it.
func TestSlowTransferNeverDies(t *testing.T) {
	for _, period := range []time.Duration{time.Second, 30 * time.Second} {
		for _, rate := range []int64{1, 1 << 10, 150 << 10} { // bytes a period
			var k State
			k.Init(start, period)
			const total = 16 << 20
			taken, now := int64(0), start
			for range 1000 {
				taken = min(taken+rate, total-1)
				now += int64(period)
				v, again := k.Check(now, taken, total-taken, false, false)
				switch {
				case v == Dead && taken < total-1:
					t.Fatalf("period %v, %d bytes in each: dead after %d bytes", period, rate, taken)
				case v == Dead:
				case again <= 0 || again > period:
					t.Fatalf("look again after %v of %v", again, period)
				}
				if v == Dead {
					break
				}
				if v == Ask {
					k.Next(nil)
					k.PingLeft(k.last, now, taken, total-taken)
				}
			}
		}
	}
}

func answered(w *Wait) bool {
	select {
	case <-w.Answered:
		return true
	default:
		return false
	}
}

// TestPongs: a Pong answers its Ping and those before, and no other does.
func TestPongs(t *testing.T) {
	var k State
	k.Init(start, 0)
	var waits [5]*Wait
	var numbers [5]uint64
	for i := range waits {
		waits[i] = &Wait{Answered: make(chan struct{})}
		numbers[i] = k.Next(waits[i])
	}
	want := func(why string, n int) {
		t.Helper()
		for i, w := range waits {
			if w != nil && answered(w) != (i < n) {
				t.Errorf("%s: Ping %d answered: %v", why, i, answered(w))
			}
		}
	}
	for _, payload := range []string{"", "hello", "longer than a number", string(AppendPayload(nil, numbers[4]+1)), "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		k.Answered([]byte(payload), start)
		want("a Pong that is no answer", 0)
	}
	k.Answered(AppendPayload(nil, numbers[1]), start)
	want("the second", 2)
	k.Answered(AppendPayload(nil, numbers[1]), start)
	k.Answered(AppendPayload(nil, numbers[0]), start)
	want("again", 2)
	k.Forget(waits[3])
	k.Forget(waits[3])
	k.Forget(waits[0])
	waits[3] = nil
	k.Answered(AppendPayload(nil, numbers[4]), start)
	want("the last", 5)
	if k.pings != nil {
		t.Error("somebody waits still")
	}
	if n := k.Next(nil); n != numbers[4]+1 || k.pings != nil {
		t.Errorf("a Ping that nobody waits for: %d", n)
	}
}

// TestConcurrentPings: many ping, give up, and are answered, at once.
func TestConcurrentPings(t *testing.T) {
	var k State
	k.Init(start, time.Second)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				w := &Wait{Answered: make(chan struct{})}
				n := k.Next(w)
				if (i+j)%3 > 0 {
					k.Answered(AppendPayload(nil, n), start)
					<-w.Answered
				}
				k.Forget(w)
				k.Came()
				k.Check(start+int64(n), int64(n), 0, false, false)
				k.PingLeft(n, start+int64(n), int64(n), 0)
			}
		})
	}
	all.Wait()
	if k.pings != nil || k.last != 8*200 {
		t.Errorf("%d Pings, and one waits: %v", k.last, k.pings)
	}
}
