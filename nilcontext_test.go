package websocket

import (
	"context"
	"strings"
	"testing"
)

// TestNilContext: a context that is nil is a misuse: an error says so, nothing panics, and the connection lives.
func TestNilContext(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		var none context.Context
		m, err := NewPreparedMessage(MessageText, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"Read":          func() error { _, _, err := t.c.Read(none); return err },
			"AppendRead":    func() error { _, _, err := t.c.AppendRead(none, nil); return err },
			"Reader":        func() error { _, _, err := t.c.Reader(none); return err },
			"Write":         func() error { return t.c.Write(none, MessageText, nil) },
			"WritePrepared": func() error { return t.c.WritePrepared(none, m) },
			"Writer":        func() error { _, err := t.c.Writer(none, MessageText); return err },
			"Ping":          func() error { return t.c.Ping(none) },
			"Flush":         func() error { return t.c.Flush(none) },
			"Messages": func() (last error) {
				for _, err := range t.c.Messages(none) {
					last = err
				}
				return last
			},
		} {
			if err := call(); err != errNilContext {
				t.Errorf("%s gave %v", name, err)
			}
		}
		nc := NetConn(none, t.c, MessageText)
		t.p.SendText("it lives")
		if n, err := nc.Read(make([]byte, 100)); n != 8 || err != nil {
			t.Errorf("NetConn: %d bytes, %v", n, err)
		}
		if ctx := t.c.CloseRead(none); ctx.Err() != nil {
			t.Errorf("CloseRead: the context is done: %v", ctx.Err())
		}
		var g Group
		if err := g.Add(t.c); err != nil {
			t.Fatal(err)
		}
		left := start(func() error { _, err := g.Shutdown(none); return err })
		closed := start(func() error { return t.c.CloseContext(none, 4000, "") })
		t.p.WantClose("the connection is closed", 1001)
		t.p.SendClose(1001, "")
		t.p.Close()
		for name, call := range map[string]<-chan error{"Shutdown": left, "CloseContext": closed} {
			if err := t.want(name, call); err != errNilContext {
				t.Errorf("%s gave %v", name, err)
			}
		}
	})
}

// TestNilConn: a group that is given no connection says so, and a handler without a function is told of when it is made, not
// when the first client comes.
func TestNilConn(t *testing.T) {
	var g Group
	if err := g.Add(nil); err != errNoConn {
		t.Errorf("Add gave %v", err)
	}
	g.Remove(nil)
	if m, ok := g.Member(nil); ok || m != (MemberStats{}) || g.Len() != 0 {
		t.Errorf("Member: %v, %v; Len: %d", m, ok, g.Len())
	}
	if err := g.BroadcastPrepared(nil); err != errNotPrepared {
		t.Errorf("BroadcastPrepared gave %v", err)
	}
	defer func() {
		if text, ok := recover().(string); !ok || !strings.Contains(text, "Handler was called without a function") {
			t.Errorf("Handler without a function panics with %q", text)
		}
	}()
	Handler(nil, nil)
}
