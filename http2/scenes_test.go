package http2_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/proof/storm"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

var (
	stormScene   = flag.String("storm.scene", "crowd,group,pause,proxy,tunnel", "scenes of TestScenes; flood is not for HTTP/2")
	stormProgram = flag.Int("storm.program", 0, "run only the program with this number, again and again")
)

// TestScenes plays the scenes of the library's storm over streams of HTTP/2, all on one connection. It is alone: it counts
// goroutines, and changes GOMAXPROCS. In a flood both ends write without reading, and then net/http's server keeps a client from
// writing on (TestBothBlocked), which is not an end that a storm expects.
func TestScenes(t *testing.T) {
	pairs := h2test.NewPairs(false)
	defer pairs.Close()
	if a, b, err := pairs.Pair(true); err != nil {
		t.Fatal(err)
	} else { // the connection and its goroutines stay
		a.Close()
		b.Close()
	}
	config := storm.Config{
		Seed: *stormSeed, For: *stormFor, Program: *stormProgram, Transports: []string{"given"}, Pair: pairs.Pair,
		Scenes: strings.Split(*stormScene, ","), Dir: t.TempDir(),
		Found: func(v storm.Violation) {
			t.Errorf("%s after %.1f s: %v\n%s\n\tagain: -storm.seed=%d -storm.scene=%s -storm.program=%d -storm.for=1m", v.Kind, v.After.Seconds(),
				v.Program, v.Detail, *stormSeed, *stormScene, v.Program.Number)
		},
		CloseTimeout: 20 * time.Second, Patience: 30 * time.Second, Hearing: 30 * time.Second,
	}
	report, err := storm.Run(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d programs, %d messages, %d frames, %d MB", report.Programs, report.Messages, report.Frames, report.Bytes>>20)
}
