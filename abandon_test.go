package websocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// TestNothingAfterCloseNow: after CloseNow, and what ends a connection as it does, no call returns what had come before, whether it was
// parsed or not. What had come before a loss can be read.
func TestNothingAfterCloseNow(t *testing.T) {
	cancelled, cancel := context.WithCancel(bg)
	cancel()
	cancelling := newSettings(0, 0, 0)
	cancelling.cancels = true
	for name, tt := range map[string]struct {
		cfg  config
		end  func(*connTest) // what ends the connection
		read bool            // messages can still be read
	}{
		"CloseNow":      {end: func(t *connTest) { t.c.CloseNow() }},
		"CloseOnCancel": {config{settings: cancelling}, func(t *connTest) { t.c.Read(cancelled) }, false},
		"NetConn": {end: func(t *connTest) {
			ctx, cancel := context.WithCancel(bg)
			NetConn(ctx, t.c, MessageText)
			cancel()
			<-t.c.Context().Done()
		}},
		"NetConn, done before": {end: func(t *connTest) { NetConn(cancelled, t.c, MessageText) }},
		"Group.Close": {end: func(t *connTest) {
			g := new(Group)
			g.Add(t.c)
			g.Close(cancelled, StatusGoingAway, "")
			<-t.c.Context().Done()
		}},
		"the peer's Close, then CloseNow": {end: func(t *connTest) {
			t.p.SendClose(1000, "")
			t.p.WantClose("the answer", 1000)
			t.settle()
			t.c.CloseNow()
		}, read: true},
		"a loss": {end: func(t *connTest) { t.p.Close(); <-t.c.Context().Done() }, read: true},
	} {
		for _, client := range []bool{false, true} {
			for _, parsed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/client %v/parsed %v", name, client, parsed), func(t *testing.T) {
					cfg := tt.cfg
					cfg.client = client
					runInMemory(t, cfg, func(t *connTest) {
						for _, text := range []string{"one", "two", "three"} {
							t.p.SendText(text)
						}
						t.wantRead("the first", MessageText, "one")
						if parsed || tt.read {
							time.Sleep(time.Second) // the reader goroutine reads the others
						}
						tt.end(t)
						for _, want := range []string{"two", "three", ""} {
							_, p, err := t.c.Read(bg)
							switch {
							case tt.read && want != "":
								if string(p) != want || err != nil {
									t.Errorf("Read gave %q, %v; want %q", p, err, want)
								}
							case tt.read && err == nil, !tt.read && !errors.Is(err, net.ErrClosed):
								t.Errorf("Read gave %q, %v", p, err)
							}
						}
						if _, _, err := t.c.Reader(bg); err == nil {
							t.Error("Reader gave a message")
						}
					})
				})
			}
		}
	}
}
