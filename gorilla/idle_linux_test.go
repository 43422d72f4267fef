//go:build (amd64 || arm64) && !race

package websocket

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// What a connection that waits may hold of heap and stack, in KiB. One step more of stack is 2 KiB, and 4 in a handler. gorilla/websocket
// holds 12.3 of each, or 4.6 with the smallest buffers that it allows, and 14.3 in a handler.
const (
	limitIdle        = 5.0
	limitHandlerIdle = 9.0
	limitClientIdle  = 4.6
)

// idlers is how many connections wait at a time.
const idlers = 500

// TestIdleMemory: what a connection that waits for a message holds, after one echo. It is the test of that name of the core, by
// this package's methods.
func TestIdleMemory(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if need := uint64(2*idlers + 200); files.Cur < need {
		t.Skipf("%d files may be open, and %d are needed", files.Cur, need)
	}
	serve := func(t *testing.T, how func(*Conn)) func() (net.Conn, wiretest.Role) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			var u Upgrader
			c, err := u.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			how(c)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return func() (net.Conn, wiretest.Role) {
			nc, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			wiretest.NewPeer(keepNothing{t}, nc, wiretest.Client).ClientHandshake("/", nil)
			return nc, wiretest.Client
		}
	}
	t.Run("accepted", func(t *testing.T) {
		measureIdle(t, limitIdle, serve(t, func(c *Conn) { go echoAll(c) }))
	})
	t.Run("accepted in a handler that goes on", func(t *testing.T) {
		measureIdle(t, limitHandlerIdle, serve(t, echoAll))
	})
	t.Run("dialled", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		measureIdle(t, limitClientIdle, func() (net.Conn, wiretest.Role) {
			go func() {
				c, _, err := DefaultDialer.Dial("ws://"+ln.Addr().String(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				go echoAll(c)
			}()
			nc, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			wiretest.NewPeer(keepNothing{t}, nc, wiretest.Server).ServeHandshake(nil)
			return nc, wiretest.Server
		})
	})
}

// echoAll answers each message with itself. It has as much on its stack as applications have at least.
func echoAll(c *Conn) {
	defer c.Close()
	var some [64]byte
	for {
		typ, message, err := c.ReadMessage()
		if err == nil {
			err = c.WriteMessage(typ, message)
		}
		if err != nil {
			runtime.KeepAlive(&some)
			return
		}
	}
}

// keepNothing is a test that holds on to no connection.
type keepNothing struct{ testing.TB }

func (keepNothing) Cleanup(func()) {}

// measureIdle compares what is held with and without connections.
func measureIdle(t *testing.T, limit float64, connect func() (net.Conn, wiretest.Role)) {
	open := func(n int) (list []int) {
		for range n {
			nc, role := connect()
			p := wiretest.NewPeer(keepNothing{t}, nc, role)
			p.SendBinary("some message")
			p.WantBinary("the echo", "some message")
			list = append(list, detach(t, nc))
		}
		return list
	}
	hangUp := func(list []int) {
		for _, fd := range list {
			_ = syscall.Close(fd)
		}
	}
	patience := time.Now().Add(2 * time.Second)
	goroutines := runtime.NumGoroutine()
	hangUp(open(64)) // pools, code and tables
	heap, stack := settledMemory()
	for runtime.NumGoroutine() > goroutines && time.Now().Before(patience) {
		heap, stack = settledMemory()
	}
	list := open(idlers)
	defer hangUp(list)
	for patience = time.Now().Add(2 * time.Second); ; {
		h, s := settledMemory()
		h, s = (h-heap)/idlers/1024, (s-stack)/idlers/1024
		if found := fmt.Sprintf("%.2f KiB of heap and %.2f of stack", h, s); h+s <= limit {
			t.Log(found)
			return
		} else if time.Now().After(patience) {
			t.Fatalf("a connection that waits holds %s; more than %.2f", found, limit)
		}
	}
}

// detach takes a socket from a net.Conn, which is closed: so the far end takes nothing of Go's memory.
func detach(t *testing.T, nc net.Conn) int {
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
	return fd
}

// settledMemory collects garbage until each stack is as small as it gets, and the pools are empty. It returns the bytes of heap and
// stack.
func settledMemory() (heap, stack float64) {
	for range 6 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}
