package http2_test

import (
	"flag"
	"strings"
	"testing"

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
	storm.Over(t, storm.Config{Seed: *stormSeed, For: *stormFor, Program: *stormProgram, Scenes: strings.Split(*stormScene, ",")}, pairs.Pair)
}
