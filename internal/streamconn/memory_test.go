package streamconn_test

import (
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/closeonce/websocket/internal/streamconn"
)

// A sink takes all that is written, and brings nothing.
type sink struct{ io.Writer }

func (sink) Read([]byte) (int, error) { return 0, io.EOF }
func (sink) Close() error             { return nil }

func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestWriteMemory: writing allocates nothing, and a Conn holds nothing of what it has written.
func TestWriteMemory(t *testing.T) {
	if underRace() {
		t.Skip("under the race detector sync.Pool drops what it holds at random")
	}
	write := func(c *streamconn.Conn) {
		if _, err := c.Write(make([]byte, 20<<10)); err != nil {
			t.Fatal(err)
		}
	}
	c := streamconn.New(sink{io.Discard})
	if n := testing.AllocsPerRun(100, func() { write(c) }); n > 0 {
		t.Errorf("a Write allocates %v objects", n)
	}

	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what a sync.Pool holds survives the first
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n = 100
	list := make([]*streamconn.Conn, 0, n)
	before := heap()
	for range n {
		list = append(list, streamconn.New(sink{io.Discard}))
		write(list[len(list)-1])
	}
	if held := (int64(heap()) - int64(before)) / n; held > 2<<10 {
		t.Errorf("each holds %d bytes", held)
	}
	runtime.KeepAlive(list)
}
