package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// TestTraceEnds: HandshakeDone, Slow and Closed panic, or end their goroutine, in either role: the connection is closed,
// Closed is called once, and nothing is left.
func TestTraceEnds(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit} {
		for _, which := range []string{"HandshakeDone", "Slow", "Closed"} {
			for _, client := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/client %t", which, name, client), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { traceEnds(t, which, client, fail) })
				})
			}
		}
	}
}

func traceEnds(t *testing.T, which string, client bool, fail func()) {
	ours, theirs := memconn.Pipe(100)
	s := newSettings(1000, 0, 0)
	var conn *Conn
	closed := 0
	s.trace = &Trace{
		HandshakeDone: func(c *Conn, _ HandshakeInfo) {
			conn = c
			if which == "HandshakeDone" {
				fail()
			}
		},
		Slow: func(*Conn, int) {
			if which == "Slow" {
				fail()
			}
		},
		Closed: func(*Conn, error, Stats) {
			closed++
			if which == "Closed" {
				fail()
			}
		},
	}
	called := make(chan struct{})
	go func() { // Goexit leaves it
		defer close(called)
		c := newConn(ours, config{client: client, parent: bg, settings: s})
		if which == "Slow" {
			c.Write(bg, MessageBinary, make([]byte, 200))
			for c.TryWrite(MessageBinary, make([]byte, 600)) == nil {
			}
		}
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		if which == "Slow" {
			time.Sleep(time.Second)
		}
		io.Copy(io.Discard, theirs)
		theirs.Close()
	}()
	<-time.After(100 * time.Millisecond)
	synctest.Wait()
	if which == "Closed" {
		conn.CloseNow()
	}
	<-time.After(time.Minute) // all time-outs
	synctest.Wait()
	if conn.Context().Err() == nil || closed != 1 {
		t.Errorf("ended: %v, and Closed was called %d times", conn.Context().Err(), closed)
	}
	if cause := context.Cause(conn.Context()); which != "Closed" && (cause == nil || !strings.Contains(cause.Error(), "Trace."+which)) {
		t.Errorf("the cause is %v", cause)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the net.Conn is not closed: %v", err)
	}
	conn.CloseNow()
	<-read
	<-called
}
