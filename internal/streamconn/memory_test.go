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

// A keeper fails, and keeps what it was given, as some streams do whose Write gives up.
type keeper struct {
	sink
	kept []byte
}

func (k *keeper) Write(p []byte) (int, error) {
	k.kept = p
	return 0, io.ErrClosedPipe
}

// TestFailedWriteIsNotUsedAgain: what a stream was given when its Write failed is never written over, since who knows whether
// the stream has let go of it: another connection's bytes would leave on it.
func TestFailedWriteIsNotUsedAgain(t *testing.T) {
	for range 100 {
		failing := new(keeper)
		c := streamconn.New(failing)
		c.Write([]byte("ours"))
		if _, err := c.Write(nil); err != io.ErrClosedPipe {
			t.Fatalf("Write gave %v", err)
		}
		if _, err := streamconn.New(sink{io.Discard}).Write([]byte("another's")); err != nil {
			t.Fatal(err)
		}
		if string(failing.kept) != "ours" {
			t.Fatalf("what the stream kept is now %q", failing.kept)
		}
	}
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
