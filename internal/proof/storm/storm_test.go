package storm

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	flagFor       = flag.Duration("storm.for", 5*time.Second, "how long to begin programs")
	flagSeed      = flag.Uint64("storm.seed", 0, "the seed; 0 draws one from the clock")
	flagProgram   = flag.Int("storm.program", 0, "run only the program with this number, again and again")
	flagTransport = flag.String("storm.transport", strings.Join(Transports, ","), "transports; wrapped is pieces,zeros,deadless")
	flagScene     = flag.String("storm.scene", "crowd,flood,group,pause,proxy,tunnel", "scenes; also "+strings.Join(Scenes(), ","))
	flagProcs     = flag.String("storm.procs", "1,2,16", "values of GOMAXPROCS")
	flagParallel  = flag.Int("storm.parallel", 3, "programs at once")
	flagStop      = flag.Bool("storm.stop", false, "stop at the first violation")
	flagBrief     = flag.Bool("storm.brief", false, "print the first line of a violation only")
)

func TestStorm(t *testing.T) {
	transports, err := ParseTransports(*flagTransport)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Seed: *flagSeed, For: *flagFor, Program: *flagProgram, Transports: transports, Scenes: strings.Split(*flagScene, ","),
		Parallel: *flagParallel, Dir: t.TempDir(), Stop: *flagStop,
	}
	if raceEnabled { // all is some ten times slower
		config.CloseTimeout, config.Patience, config.Hearing = 20*time.Second, 30*time.Second, 30*time.Second
	}
	if config.Seed == 0 {
		config.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	for text := range strings.SplitSeq(*flagProcs, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("-storm.procs: %q", text)
		}
		config.Procs = append(config.Procs, n)
	}
	again := fmt.Sprintf("go test ./internal/proof/storm -storm.seed=%d -storm.transport=%s -storm.scene=%s -storm.procs=%s -storm.for=1m", config.Seed,
		*flagTransport, *flagScene, *flagProcs)
	config.Found = func(v Violation) {
		detail := v.Detail
		if *flagBrief {
			detail, _, _ = strings.Cut(detail, "\n")
		}
		t.Errorf("%s after %.1f s: %v\n%s\n\tagain: %s -storm.program=%d", v.Kind, v.After.Seconds(), v.Program, detail, again, v.Program.Number)
	}
	report, err := Run(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d programs, %d messages, %d frames, %d MB", config.Seed, report.Programs, report.Messages, report.Frames, report.Bytes>>20)
	for _, kind := range slices.Sorted(maps.Keys(report.Kinds)) {
		t.Logf("%s: %d", kind, report.Kinds[kind])
	}
}
