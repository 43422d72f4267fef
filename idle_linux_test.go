//go:build amd64 || arm64

package websocket_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// memory is what a process holds.
type memory struct{ heap, stack int64 }

// settledMemory collects garbage until each stack is as small as it gets: a collection halves one that is mostly
// unused. What a sync.Pool holds survives the first.
func settledMemory() memory {
	for range 6 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{int64(m.HeapAlloc), int64(m.StackInuse)}
}

// idlers is how many connections wait at a time.
const idlers = 500

// A far end is a socket that Go does not know of, so that it takes nothing of Go's memory.
type farEnd int

// detach takes a socket from a net.Conn, which is closed.
func detach(t *testing.T, nc net.Conn) farEnd {
	t.Helper()
	file, err := nc.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer nc.Close()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return farEnd(fd)
}

// keepNothing is a test that holds on to no connection.
type keepNothing struct{ testing.TB }

func (keepNothing) Cleanup(func()) {}

// echoFresh answers each message with itself. It keeps nothing between messages, and as much on its stack as applications
// have at least.
func echoFresh(ctx context.Context, c *websocket.Conn) {
	var some [64]byte
	for {
		typ, message, err := c.Read(ctx)
		if err == nil {
			err = c.Write(ctx, typ, message)
		}
		if err != nil {
			c.CloseNow()
			runtime.KeepAlive(&some)
			return
		}
	}
}

// TestIdleMemory: what a connection that waits for a message holds of heap and stack, after one echo. The connections do
// what they do in the cases idle-handler and idle-inhandler of internal/bench, which measures resident memory: that is 1.3
// KiB more for each of the first, since the runtime's own records of goroutines and sockets, and what is free within a page, are in it, and less for the second, since
// net/http never writes to most of its buffers.
func TestIdleMemory(t *testing.T) {
	if underRace() {
		t.Skip("the race detector keeps memory of its own")
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if need := uint64(2*idlers + 200); files.Cur < need {
		t.Skipf("%d files may be open, and %d are needed", files.Cur, need)
	}
	t.Run("accepted through Handler", func(t *testing.T) {
		srv := httptest.NewServer(websocket.Handler(nil, echoFresh))
		defer srv.Close()
		measureIdle(t, onThisArch(limitServerIdle), wiretest.Client, func() net.Conn { return dialIdle(t, srv) })
	})
	t.Run("accepted in a handler that goes on", func(t *testing.T) {
		mux := http.NewServeMux() // whose frames leave less of 4 KiB of stack to Accept and Read
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			echoFresh(r.Context(), c)
		})
		srv := httptest.NewServer(mux)
		defer srv.Close()
		measureIdle(t, onThisArch(limitHandlerIdle), wiretest.Client, func() net.Conn { return dialIdle(t, srv) })
	})
	t.Run("dialled", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		measureIdle(t, limitClientIdle, wiretest.Server, func() net.Conn {
			go func() {
				ctx := context.Background()
				c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				go echoFresh(ctx, c)
			}()
			nc, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			wiretest.NewPeer(keepNothing{t}, nc, wiretest.Server).ServeHandshake(nil)
			return nc
		})
	})
}

// dialIdle connects to a server.
func dialIdle(t *testing.T, srv *httptest.Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	wiretest.NewPeer(keepNothing{t}, nc, wiretest.Client).ClientHandshake("/", nil)
	return nc
}

// onThisArch is a limit that was measured on amd64. On arm64 frames are larger: that is one step more of stack.
func onThisArch(limit float64) float64 {
	if runtime.GOARCH == "arm64" {
		limit += 2 << 10
	}
	return limit
}

// measureIdle compares what is held with and without connections. role is the far end's.
func measureIdle(t *testing.T, limit float64, role wiretest.Role, connect func() net.Conn) {
	open := func(n int) (list []farEnd) {
		for range n {
			nc := connect()
			echo(64, 1)(t, wire{peer: &wiretest.Peer{Conn: nc, Role: role}})
			list = append(list, detach(t, nc))
		}
		return list
	}
	hangUp := func(list []farEnd) {
		for _, far := range list {
			_ = syscall.Close(int(far))
		}
	}
	patience := time.Now().Add(2 * time.Second)
	goroutines := runtime.NumGoroutine()
	hangUp(open(64)) // pools, code and tables
	before := settledMemory()
	for runtime.NumGoroutine() > goroutines && time.Now().Before(patience) {
		before = settledMemory()
	}
	goroutines = runtime.NumGoroutine()
	list := open(idlers)
	defer hangUp(list)
	var each float64
	var found string
	for patience = time.Now().Add(2 * time.Second); ; {
		now := settledMemory()
		heap, stack := float64(now.heap-before.heap)/idlers, float64(now.stack-before.stack)/idlers
		each = heap + stack
		found = fmt.Sprintf("%.2f KiB: %.2f of heap, %.2f of stack; %.2f goroutines", each/1024, heap/1024, stack/1024,
			float64(runtime.NumGoroutine()-goroutines)/idlers)
		if each <= limit || time.Now().After(patience) {
			break
		}
	}
	t.Log(found)
	if each > limit {
		t.Errorf("a connection that waits holds %s; more than %.2f KiB", found, limit/1024)
	}
}
