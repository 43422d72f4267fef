package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	flagSeed  = flag.Uint64("seed", 0, "run this seed only, and print its trace")
	flagFrom  = flag.Uint64("from", 1, "the first seed")
	flagSeeds = flag.Uint64("seeds", defaultSeeds, "how many seeds to run")
	flagBrief = flag.Bool("brief", false, "print no traces")
	flagFirst = flag.Bool("first", false, "stop at the first seed that fails")
	flagStop  = flag.Int("stop", 10, "stop after so many seeds that fail")
	flagTimes = flag.Int("times", 1, "with -seed: run it so often, and print the trace of the first run that fails")
	flagPlay  = flag.String("play", "", "make each seed play crowd, proxy or choir")
	flagProcs = flag.Int("procs", 1, "GOMAXPROCS: with more than 1 no seed replays, but more can happen")
	flagOld   = flag.Bool("old", false, "do not ask for the promises that not every version keeps")
	flagList  = flag.Bool("list", false, "print each seed before it runs: for panics in goroutines of the library")
	flagHang  = flag.Duration("hang", 10*time.Second, "after so much real time in which nothing happens, and no byte is read, a run hangs")
	flagSlow  = flag.Duration("slow", 0, "print seeds that take longer than this")
)

func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(*flagProcs) // see the package's comment
	debug.SetGCPercent(800)        // a run leaves much behind and little of it is in use: collecting took a fifth of the time
	if *flagOld {
		withoutPromises()
	}
	os.Exit(m.Run())
}

// simulate runs one seed. The trace is returned also when the run panics.
func simulate(t *testing.T, seed uint64) (tr *trace) {
	if *flagList {
		fmt.Printf("seed %d\n", seed)
	}
	w := newWorld(seed)
	w.plays = *flagPlay
	finished := make(chan struct{})
	go watchdog(w, finished)
	panicked := true
	defer func() {
		close(finished)
		if panicked {
			if !*flagBrief {
				fmt.Println(w.trace)
			}
			fmt.Printf("seed %d: the run ended in a panic\n%s\n", seed, again(seed))
		}
	}()
	synctest.Test(t, func(t *testing.T) { w.run() })
	panicked = false
	return w.trace
}

// watchdog ends the process when a run hangs. A bubble whose goroutines wait for a sync.Mutex can't
// notice that itself, nor one in which a goroutine spins: so this looks from outside, in real time.
func watchdog(w *world, finished chan struct{}) {
	for seen := int64(-1); ; {
		select {
		case <-finished:
			return
		case <-time.After(*flagHang):
		}
		if n := w.trace.progress.Load(); n != seen {
			seen = n
			continue
		}
		if !*flagBrief {
			fmt.Println(w.trace)
		}
		fmt.Printf("seed %d: it hangs: nothing has happened for %v of real time\n%s\n", w.seed, *flagHang, again(w.seed))
		buf := make([]byte, 1<<20)
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "synctest bubble") {
				fmt.Printf("%s\n\n", g)
			}
		}
		os.Exit(2)
	}
}

func again(seed uint64) string {
	if *flagPlay != "" {
		return fmt.Sprintf("replay: go test ./internal/proof/sim -run Seeds -play %s -seed %d -v", *flagPlay, seed)
	}
	return fmt.Sprintf("replay: go test ./internal/proof/sim -run Seeds -seed %d -v", seed)
}

// replay runs one seed, once or several times.
func replay(t *testing.T, seed uint64) {
	failed := 0
	var last, bad *trace
	for range *flagTimes {
		last = simulate(t, seed)
		if len(last.failures()) > 0 {
			if failed++; bad == nil {
				bad = last
			}
		}
	}
	if bad != nil {
		last = bad
	}
	if !*flagBrief {
		fmt.Println(last)
	}
	for _, f := range last.failures() {
		t.Error(f)
	}
	if *flagTimes > 1 {
		fmt.Printf("seed %d: %d of %d runs fail\n", seed, failed, *flagTimes)
	}
}

func TestSeeds(t *testing.T) {
	if *flagSeed != 0 {
		replay(t, *flagSeed)
		return
	}
	failed := 0
	for seed := *flagFrom; seed < *flagFrom+*flagSeeds; seed++ {
		began := time.Now()
		tr := simulate(t, seed)
		if took := time.Since(began); *flagSlow > 0 && took > *flagSlow {
			fmt.Printf("seed %d took %v\n", seed, took)
		}
		if len(tr.failures()) == 0 {
			continue
		}
		failed++
		for _, f := range tr.failures() {
			fmt.Printf("seed %d: %s\n", seed, f) // at once: the next seed may hang
		}
		fmt.Println(again(seed))
		t.Fail()
		if failed == 1 && !*flagBrief {
			t.Logf("trace of seed %d:\n%s", seed, tr)
		}
		if *flagFirst || failed == *flagStop {
			t.Fatalf("stopped after %d seeds", seed-*flagFrom+1)
		}
	}
}

// TestReplay: a seed that runs again does the same again, event by event. What
// is left to chance is a select with several cases ready, and on a busy machine when
// a goroutine is preempted: so a seed has several tries, and hardly any needs a second.
func TestReplay(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's runtime orders goroutines at random; the run without it replays")
	}
	const seeds, tries = 50, 8
	differ := 0
	for seed := uint64(1); seed <= seeds; seed++ {
		same := false
		for try := 0; try < tries && !same; try++ {
			first, again := simulate(t, seed), simulate(t, seed)
			same = first.String() == again.String()
		}
		if !same {
			differ++
			t.Logf("seed %d: %d times two runs differ", seed, tries)
		}
	}
	t.Logf("%d of %d seeds differ from run to run", differ, seeds)
	if most := seeds / 10; differ > most && *flagPlay == "" {
		t.Errorf("%d of %d seeds do not replay", differ, seeds)
	}
}
