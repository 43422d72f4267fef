//go:build amd64 || arm64

// Package idletest measures what a connection that waits for a message holds.
package idletest

import (
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// conns is how many connections wait at a time.
const conns = 500

// A Limit is what a connection may hold, in KiB. The heap's part hardly differs from run to run. The stack's does, with the spans
// in which stacks lie, by a fifth; but what it must not take is a step more, of 2 KiB or more.
type Limit struct{ Heap, Stack float64 }

// Measure compares what the process holds of heap and stack with and without connections that wait, after one echo. It fails if
// one holds more than the limit. connect opens a connection on which the library echoes, and returns its far end, from
// NewPeer.
//
// internal/bench measures resident memory: that is 1.3 KiB more for each, since the runtime's own records of goroutines and
// sockets, and what is free within a page, are in it; and less where net/http has buffers to most of which it never writes.
func Measure(t *testing.T, limit Limit, connect func() *wiretest.Peer) {
	needFiles(t)
	patience := time.Now().Add(2 * time.Second)
	goroutines := runtime.NumGoroutine()
	hangUp(open(t, 64, connect)) // pools, code and tables
	before := settled()
	for runtime.NumGoroutine() > goroutines && time.Now().Before(patience) {
		before = settled()
	}
	goroutines = runtime.NumGoroutine()
	list := open(t, conns, connect)
	defer hangUp(list)
	for patience = time.Now().Add(2 * time.Second); ; {
		now := settled()
		heap, stack := (now.heap-before.heap)/1024/conns, (now.stack-before.stack)/1024/conns
		found := fmt.Sprintf("%.2f KiB of heap, %.2f of stack; %.2f goroutines", heap, stack,
			float64(runtime.NumGoroutine()-goroutines)/conns)
		if heap <= limit.Heap && stack <= limit.Stack {
			t.Log(found)
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("a connection that waits holds %s; it may be %.2f and %.2f", found, limit.Heap, limit.Stack)
		}
	}
}

// NewPeer is wiretest.NewPeer for one of many connections: the test holds on to none of them.
func NewPeer(t *testing.T, nc net.Conn, role wiretest.Role) *wiretest.Peer {
	return wiretest.NewPeer(keepNothing{t}, nc, role)
}

type keepNothing struct{ testing.TB }

func (keepNothing) Cleanup(func()) {}

// Dial connects to a server's path "/".
func Dial(t *testing.T, addr net.Addr) *wiretest.Peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	p := NewPeer(t, nc, wiretest.Client)
	p.ClientHandshake("/", nil)
	return p
}

// Dialled returns a function for Measure: dial has the library dial an address, with ws, and echo what comes.
func Dialled(t *testing.T, dial func(url string)) func() *wiretest.Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return func() *wiretest.Peer {
		go dial("ws://" + ln.Addr().String())
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p := NewPeer(t, nc, wiretest.Server)
		p.ServeHandshake(nil)
		return p
	}
}

func needFiles(t *testing.T) {
	t.Helper()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if need := uint64(2*conns + 200); files.Cur < need {
		t.Skipf("%d files may be open, and %d are needed", files.Cur, need)
	}
}

// A farEnd is a socket that Go does not know of, so that it takes nothing of Go's memory.
type farEnd int

func open(t *testing.T, n int, connect func() *wiretest.Peer) (list []farEnd) {
	for range n {
		p := connect()
		p.SendBinary("some message")
		p.WantBinary("the echo", "some message")
		list = append(list, detach(t, p.Conn))
	}
	return list
}

func hangUp(list []farEnd) {
	for _, far := range list {
		_ = syscall.Close(int(far))
	}
}

// detach takes the socket from a net.Conn, which is closed.
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

// memory is what a process holds, in bytes.
type memory struct{ heap, stack float64 }

// settled collects garbage until each stack is as small as it gets: a collection halves one that is mostly unused. What a
// sync.Pool holds survives the first.
func settled() memory {
	for range 6 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{float64(m.HeapAlloc), float64(m.StackInuse)}
}
