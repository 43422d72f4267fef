package websocket

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestCallbackPanics: a callback that panics, or ends its goroutine, closes the connection with 1011, in the reader
// goroutine as in a Read. No call waits for ever.
func TestCallbackPanics(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("broken")
	for name, fail := range map[string]func(){
		"an error": func() { panic(errBroken) },
		"a string": func() { panic("broken") },
		"Goexit":   runtime.Goexit,
	} {
		for _, callback := range []string{"OnPingReceived", "OnPongReceived"} {
			for _, where := range []string{"in Read", "in the reader goroutine"} {
				t.Run(callback+"/"+name+"/"+where, func(t *testing.T) {
					s := newSettings(0, 0, 0)
					frame := wiretest.Ping("p")
					s.onPing = func(context.Context, []byte) bool { fail(); return true }
					if callback == "OnPongReceived" {
						frame = wiretest.Pong("p")
						s.onPing, s.onPong = nil, func(context.Context, []byte) { fail() }
					}
					runConnTest(t, config{settings: s}, func(t *connTest) {
						if t.real && name == "a string" {
							return
						}
						callbackPanics(t, callback, frame, where == "in Read", name != "Goexit", name == "an error", errBroken)
					})
				})
			}
		}
	}
}

func callbackPanics(t *connTest, callback string, frame wiretest.Frame, inRead, returns, wraps bool, value error) {
	var err error
	over := make(chan error, 1) // Goexit leaves the call too
	if inRead {
		go func() {
			defer func() { over <- err }()
			_, _, err = t.c.Read(bg)
		}()
		t.blocked("nothing comes", over)
	}
	t.p.Send(frame)
	t.p.WantClose("the peer is told", 1011)
	if inRead {
		if err := t.want("Read, or its goroutine", over); returns && err == nil {
			t.Error("Read succeeded")
		}
	}
	t.p.SendClose(1011, "")
	t.p.Close()
	closing := start(func() error { return t.c.Close(1000, "") })
	if err := t.want("Close", closing); err != nil {
		t.Errorf("Close gave %v", err)
	}
	<-t.c.Context().Done()
	read := start(func() error { _, _, err := t.c.Read(bg); return err })
	for call, err := range map[string]error{
		"the context's cause": context.Cause(t.c.Context()),
		"a later Read":        t.want("a later Read", read),
		"a later Write":       t.c.Write(bg, MessageText, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), callback) || wraps && !errors.Is(err, value) {
			t.Errorf("%s: %v, want one that names %s", call, err, callback)
		}
	}
}
