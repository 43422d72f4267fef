package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// cancelling is the configuration of a connection with CloseOnCancel.
func cancelling(on bool) config {
	s := newSettings(0, 0, 0)
	s.cancels = on
	return config{settings: s}
}

// large is more than a wire takes.
var large = make([]byte, 16<<20)

// contextCalls are the calls that take a context, each so that it waits for the peer.
var contextCalls = map[string]func(ctx context.Context, t *connTest) error{
	"Read":       func(ctx context.Context, t *connTest) error { _, _, err := t.c.Read(ctx); return err },
	"AppendRead": func(ctx context.Context, t *connTest) error { _, _, err := t.c.AppendRead(ctx, nil); return err },
	"Messages": func(ctx context.Context, t *connTest) (last error) {
		for _, last = range t.c.Messages(ctx) {
		}
		return last
	},
	"Reader": func(ctx context.Context, t *connTest) error { _, _, err := t.c.Reader(ctx); return err },
	"a Reader's Read": func(ctx context.Context, t *connTest) error {
		t.p.Send(wiretest.Text("half").More())
		_, r, err := t.c.Reader(ctx)
		if err != nil {
			t.Error(err)
		}
		_, err = io.ReadAll(r)
		return err
	},
	"Write": func(ctx context.Context, t *connTest) error { return t.c.Write(ctx, MessageBinary, large) },
	"a Writer's Write": func(ctx context.Context, t *connTest) error {
		w, err := t.c.Writer(ctx, MessageBinary)
		if err != nil {
			t.Error(err)
		}
		_, err = w.Write(large)
		return err
	},
	"a Writer's Close": func(ctx context.Context, t *connTest) error {
		w, err := t.c.Writer(ctx, MessageBinary)
		if err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		return w.Close()
	},
	"Write beside a Writer": func(ctx context.Context, t *connTest) error {
		if _, err := t.c.Writer(bg, MessageBinary); err != nil {
			t.Error(err)
		}
		return t.c.Write(ctx, MessageBinary, large)
	},
	"Writer beside a Writer": func(ctx context.Context, t *connTest) error {
		if _, err := t.c.Writer(bg, MessageBinary); err != nil {
			t.Error(err)
		}
		_, err := t.c.Writer(ctx, MessageBinary)
		return err
	},
	"Ping": func(ctx context.Context, t *connTest) error { return t.c.Ping(ctx) },
	"CloseRead": func(ctx context.Context, t *connTest) error {
		<-t.c.CloseRead(ctx).Done()
		return ctx.Err()
	},
}

// TestCloseOnCancel: a context that ends a call, whichever, ends the connection as well, as CloseNow does. The call returns
// the context's error; those that are pending, and later ones, do not.
func TestCloseOnCancel(t *testing.T) {
	t.Parallel()
	for name, call := range contextCalls {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, cancelling(true), func(t *connTest) {
				ctx, cancel := context.WithCancel(bg)
				called := start(func() error { return call(ctx, t) })
				t.blocked(name, called)
				pending := start(func() error { return t.c.Ping(bg) })
				t.blocked("Ping", pending)
				cancel()
				if err := t.want(name, called); err != context.Canceled {
					t.Errorf("%s gave %v", name, err)
				}
				<-t.c.Context().Done()
				cause := context.Cause(t.c.Context())
				wantLocal(t, "the cause", cause)
				if err := t.want("Ping", pending); err != cause {
					t.Errorf("the pending Ping gave %v", err)
				}
				for name, call := range contextCalls {
					if name != "a Reader's Read" && name != "a Writer's Write" && name != "a Writer's Close" && name != "CloseRead" &&
						name != "Write beside a Writer" && name != "Writer beside a Writer" {
						wantLocal(t, "a later "+name, call(bg, t))
					}
				}
				if err := t.c.TryWrite(MessageText, nil); err != cause {
					t.Errorf("TryWrite gave %v", err)
				}
				wantLocal(t, "a later Close", t.c.Close(1000, ""))
				wantEndWithoutClose(t)
			})
		})
	}
}

// wantLocal asserts that an error says that we have closed, and is no context's.
func wantLocal(t *connTest, what string, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || CloseStatus(err) != -1 {
		t.Errorf("%s: %v, want net.ErrClosed alone", what, err)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%s: %v is a time-out, and a program would try again", what, err)
	}
}

// wantEndWithoutClose asserts that the peer sees TCP end, and no Close frame before.
func wantEndWithoutClose(t *connTest) {
	t.Helper()
	t.p.Conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	all, err := io.ReadAll(t.p.Conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("TCP stays open: %v", err)
	}
	for len(all) > 1 { // what is not in the middle of the large message
		size, mask := int(all[1]&0x7F)+2, all[1]&0x80 != 0
		if mask {
			size += 4
		}
		if all[0] == 0x88 {
			t.Errorf("the peer got a Close frame")
		}
		if size > 125 || size > len(all) {
			break
		}
		all = all[size:]
	}
}

// TestCloseOnCancelBefore: a context that was done before the call counts.
func TestCloseOnCancelBefore(t *testing.T) {
	for name, call := range contextCalls {
		if name == "a Reader's Read" || name == "a Writer's Write" || name == "a Writer's Close" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			runConnTest(t, cancelling(true), func(t *connTest) {
				ctx, cancel := context.WithDeadline(bg, time.Now().Add(-1))
				defer cancel()
				if err := t.want(name, start(func() error { return call(ctx, t) })); err != context.DeadlineExceeded {
					t.Errorf("%s gave %v", name, err)
				}
				<-t.c.Context().Done()
				wantLocal(t, "the cause", context.Cause(t.c.Context()))
				wantEndWithoutClose(t)
			})
		})
	}
}

// TestNoCloseOnCancel: without the option all is as ever; with it, what is no call's context does not count.
func TestNoCloseOnCancel(t *testing.T) {
	over, cancel := context.WithCancel(bg)
	cancel()
	alive := func(t *connTest) {
		t.Helper()
		t.settle()
		if err := t.c.Context().Err(); err != nil {
			t.Fatal(context.Cause(t.c.Context()))
		}
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.SendText("hello")
		if err := t.want("Read", read); err != nil {
			t.Error(err)
		}
	}
	runConnTest(t, cancelling(false), func(t *connTest) {
		for name, call := range contextCalls {
			switch name {
			case "Read", "AppendRead", "Messages", "Reader", "Ping", "Write":
				if err := call(over, t); err != context.Canceled {
					t.Errorf("%s gave %v", name, err)
				}
			}
		}
		alive(t)
	})
	runConnTest(t, cancelling(true), func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error { _, _, err := t.c.Read(ctx); return err })
		t.p.SendText("first")
		if err := t.want("Read", read); err != nil {
			t.Error(err)
		}
		if err := t.c.Write(ctx, MessageText, []byte("mine")); err != nil {
			t.Error(err)
		}
		t.p.WantText("it is sent", "mine")
		cancel() // no call is under way
		if err := t.c.Write(ctx, 7, nil); err == nil || errors.Is(err, context.Canceled) {
			t.Error("a misuse is not the context's", err)
		}
		alive(t)
	})
	runConnTest(t, cancelling(true), func(t *connTest) {
		nc := NetConn(bg, t.c, MessageText)
		nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		nc.SetWriteDeadline(time.Now().Add(-1))
		if _, err := nc.Read(make([]byte, 1)); err != os.ErrDeadlineExceeded {
			t.Error("Read of NetConn gave", err)
		}
		if _, err := nc.Write([]byte("x")); err != os.ErrDeadlineExceeded {
			t.Error("Write of NetConn gave", err)
		}
		alive(t)
	})
}

// TestCloseOnCancelOption: Accept and Dial pass it on.
func TestCloseOnCancelOption(t *testing.T) {
	for _, on := range []string{"client", "server"} {
		ended := make(chan error, 1)
		srv := httptest.NewServer(Handler(&AcceptOptions{CloseOnCancel: on == "server"}, func(ctx context.Context, c *Conn) {
			if on == "server" {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				c.Read(ctx)
			}
			_, _, err := c.Read(bg)
			ended <- err
		}))
		c, _, err := Dial(bg, srv.URL, &DialOptions{CloseOnCancel: on == "client", HTTPClient: http.DefaultClient})
		if err != nil {
			t.Fatal(err)
		}
		if on == "client" {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			c.Read(ctx)
			cancel()
		}
		_, _, here := c.Read(bg)
		there := <-ended
		if on == "server" {
			here, there = there, here
		}
		if !errors.Is(here, net.ErrClosed) || !errors.Is(there, io.ErrUnexpectedEOF) {
			t.Errorf("%s: here %v, there %v", on, here, there)
		}
		c.CloseNow()
		srv.Close()
	}
}
