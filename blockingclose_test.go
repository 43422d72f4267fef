package websocket

import (
	"context"
	"fmt"
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

// TestBlockingClose: neither CloseNow nor a call with CloseOnCancel waits for the Close of a net.Conn, nor of one below TLS; a
// Read then returns.
func TestBlockingClose(t *testing.T) {
	ends := map[string]func(c *Conn){
		"CloseNow": func(c *Conn) { c.CloseNow() },
		"CloseOnCancel": func(c *Conn) {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			defer cancel()
			c.Read(ctx)
		},
	}
	for _, tls := range []bool{false, true} {
		for name, end := range ends {
			t.Run(fmt.Sprintf("tls=%v/%s", tls, name), func(t *testing.T) {
				a, b := tcpPair(t)
				goOn := make(chan struct{})
				defer close(goOn)
				var nc net.Conn = closeBlocking{a, goOn}
				if tls {
					nc, _ = secure(t, true, nc, b)
				}
				s := newSettings(0, 0, 0)
				s.cancels = true
				c := newConn(nc, config{client: true, parent: bg, readLimit: -1, settings: s})
				done := make(chan struct{})
				go func() {
					end(c)
					c.Read(bg)
					close(done)
				}()
				select {
				case <-done:
				case <-time.After(3 * time.Second):
					t.Fatal("it waits for the net.Conn's Close")
				}
			})
		}
	}
}
