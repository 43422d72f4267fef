package websocket

import (
	"context"
	"net"
	"testing"
	"time"
)

// closeBlocking is a net.Conn whose Close waits, as that of a child process does.
type closeBlocking struct {
	net.Conn
	goOn chan struct{}
}

func (b closeBlocking) Close() error {
	<-b.goOn
	return b.Conn.Close()
}

// TestBlockingClose: neither CloseNow nor a call with CloseOnCancel waits for the net.Conn's Close.
func TestBlockingClose(t *testing.T) {
	for name, end := range map[string]func(c *Conn){
		"CloseNow": func(c *Conn) { c.CloseNow() },
		"CloseOnCancel": func(c *Conn) {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			defer cancel()
			c.Read(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := tcpPair(t)
			goOn := make(chan struct{})
			defer close(goOn)
			s := newSettings(0, 0, 0)
			s.cancels = true
			c := newConn(closeBlocking{a, goOn}, config{client: true, parent: bg, readLimit: -1, settings: s})
			done := make(chan struct{})
			go func() { end(c); close(done) }()
			select {
			case <-done:
			case <-time.After(3 * time.Second):
				t.Fatal("it waits for the net.Conn's Close")
			}
		})
	}
}
