package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestSendAfterClose: what sends, after the peer's Close, returns an error that is both its CloseError and net.ErrClosed;
// what receives, and the context's cause, the CloseError alone.
func TestSendAfterClose(t *testing.T) {
	t.Parallel()
	for _, code := range []StatusCode{1000, 1001, 1011, StatusNoStatusRcvd} {
		runConnTest(t, config{}, func(t *connTest) {
			w, err := t.c.Writer(bg, MessageText)
			if err != nil {
				t.Fatal(err)
			}
			pending := map[string]<-chan error{ // all but Ping wait for the Writer
				"Write":  start(func() error { return t.c.Write(bg, MessageText, make([]byte, defaultQueueLimit)) }),
				"Writer": start(func() error { _, err := t.c.Writer(bg, MessageText); return err }),
				"Ping":   start(func() error { return t.c.Ping(bg) }),
			}
			if f := t.p.ReadFrame("a Ping"); f.Opcode != wiretest.OpPing {
				t.Fatal(f)
			}
			for name, call := range pending {
				t.blocked(name, call)
			}
			said := CloseError{Code: code}
			if code == StatusNoStatusRcvd {
				t.p.Send(wiretest.EmptyClose())
				t.p.WantFrame("it is answered", wiretest.EmptyClose())
			} else {
				said.Reason = "so long"
				t.p.SendClose(int(code), said.Reason)
				t.p.WantClose("it is answered", int(code))
			}
			for name, call := range pending {
				wantBoth(t, "the pending "+name, t.want(name, call), said)
			}
			<-t.c.Context().Done()
			if err := context.Cause(t.c.Context()); err != error(said) {
				t.Errorf("the context's cause is %v", err)
			}
			over, cancel := context.WithCancel(bg)
			cancel()
			for name, call := range map[string]func() error{
				"Write":                func() error { return t.c.Write(bg, MessageText, nil) },
				"Write, cancelled":     func() error { return t.c.Write(over, MessageText, nil) },
				"TryWrite":             func() error { return t.c.TryWrite(MessageText, nil) },
				"Ping":                 func() error { return t.c.Ping(bg) },
				"Ping, cancelled":      func() error { return t.c.Ping(over) },
				"Writer":               func() error { _, err := t.c.Writer(bg, MessageText); return err },
				"Writer, cancelled":    func() error { _, err := t.c.Writer(over, MessageText); return err },
				"a Writer's Write":     func() error { _, err := w.Write([]byte("late")); return err },
				"NetConn(...).Write":   func() error { _, err := NetConn(bg, t.c, MessageText).Write(nil); return err },
				"Write under its own":  func() error { return t.c.Write(t.c.Context(), MessageText, nil) },
				"Writer under its own": func() error { _, err := t.c.Writer(t.c.Context(), MessageText); return err },
			} {
				wantBoth(t, name, call(), said)
			}
			wantBoth(t, "a Writer's Close", w.Close(), said)
			for name, call := range map[string]func() error{
				"Read":     func() error { _, _, err := t.c.Read(bg); return err },
				"Reader":   func() error { _, _, err := t.c.Reader(bg); return err },
				"Messages": func() error { return lastOf(t.c) },
			} {
				if name == "Messages" && code != 1011 {
					continue // the iterator just ends
				}
				if err := call(); err != error(said) {
					t.Errorf("%s gave %v, want the CloseError", name, err)
				}
			}
		})
	}
}

// wantBoth asserts that an error is the peer's Close and net.ErrClosed, and nothing that ends a stream in good order.
func wantBoth(t *connTest, name string, err error, said CloseError) {
	t.Helper()
	var got CloseError
	if !errors.As(err, &got) || got != said || CloseStatus(err) != said.Code || !errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		t.Errorf("%s gave %v, want %v and net.ErrClosed", name, err, said)
	}
}

func lastOf(c *Conn) (last error) {
	for _, err := range c.Messages(bg) {
		last = err
	}
	return last
}

// TestWordsOfErrors: the words that programs search errors for, as they do with coder/websocket.
func TestWordsOfErrors(t *testing.T) {
	t.Parallel()
	read := func(t *connTest) error { _, _, err := t.c.Read(bg); return err }
	write := func(t *connTest) error { return t.c.Write(bg, MessageText, nil) }
	for _, tt := range []struct {
		name  string
		end   func(t *connTest)
		call  func(t *connTest) error
		words []string
	}{
		{"the end of the stream", func(t *connTest) { t.p.Close() }, read,
			[]string{"failed to read frame header: EOF"}},
		{"in a header", func(t *connTest) {
			t.p.SendRaw(t.p.Encode(wiretest.Text("hello"))[:1])
			t.settle()
			t.p.Close()
		}, read, []string{"failed to read frame header: unexpected EOF"}},
		{"in a payload", func(t *connTest) {
			whole := t.p.Encode(wiretest.Text("hello"))
			t.p.SendRaw(whole[:len(whole)-1])
			t.settle()
			t.p.Close()
		}, read, []string{"failed to read frame payload: unexpected EOF"}},
		{"a large message", func(t *connTest) {
			t.c.SetReadLimit(1000)
			t.p.SendBinary(strings.Repeat("x", 1001))
		}, read, []string{"message too big: read limited at 1000 bytes", "read limited at 1000 bytes"}},
		{"the peer's Close, read", func(t *connTest) { t.p.SendClose(1000, `a "b"`) }, read,
			[]string{`received close frame: status = StatusNormalClosure and reason = "a \"b\""`}},
		{"the peer's Close, written", func(t *connTest) {
			t.p.SendClose(4001, "")
			<-t.c.Context().Done()
		}, write, []string{`received close frame: status = StatusCode(4001) and reason = ""`, "use of closed network connection"}},
		{"Close", func(t *connTest) { t.c.CloseContext(t.c.Context(), 1000, "") }, read,
			[]string{"use of closed network connection", "StatusNormalClosure"}},
		{"CloseNow, read", func(t *connTest) { t.c.CloseNow() }, read, []string{"use of closed network connection"}},
		{"CloseNow, written", func(t *connTest) { t.c.CloseNow() }, write, []string{"use of closed network connection"}},
		{"a context", func(*connTest) {}, func(t *connTest) error {
			ctx, cancel := context.WithCancel(bg)
			cancel()
			_, _, err := t.c.Read(ctx)
			return err
		}, []string{"context canceled"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runConnTest(t, config{settings: newSettings(0, 100*time.Millisecond, 0)}, func(t *connTest) {
				go func() {
					for {
						if _, err := t.p.Conn.Read(make([]byte, 100)); err != nil {
							return
						}
					}
				}()
				tt.end(t)
				err := t.want("the call", start(func() error { return tt.call(t) }))
				if err == nil {
					t.Fatal("there is no error")
				}
				for _, words := range tt.words {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("%q does not say %q", err, words)
					}
				}
				if !strings.HasPrefix(err.Error(), "websocket: ") && tt.name != "a context" {
					t.Errorf("%q", err)
				}
				if strings.Contains(err.Error(), "EOF") && (!errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
					t.Errorf("%q is not io.ErrUnexpectedEOF", err)
				}
			})
		})
	}
}

// TestWordsForThePeer: the peer of a message that is too large is told the limit in coder/websocket's words.
func TestWordsForThePeer(t *testing.T) {
	runConnTest(t, config{readLimit: 1 << 10}, func(t *connTest) {
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		t.p.SendBinary(strings.Repeat("x", 1<<10+1))
		if reason := t.p.WantClose("1009", 1009); reason != "read limited at 1024 bytes" {
			t.Errorf("the reason is %q", reason)
		}
		if err := t.want("Read", read); !errors.Is(err, ErrMessageTooBig) {
			t.Errorf("Read gave %v", err)
		}
	})
}

// TestWordsOfTheSystem: an error of the system's keeps its words and is found.
func TestWordsOfTheSystem(t *testing.T) {
	for _, cause := range []error{syscall.ECONNRESET, syscall.EPIPE} {
		err := connectionLost((&receiver{}).cutOff(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", cause)}))
		if !strings.Contains(err.Error(), cause.Error()) || !errors.Is(err, cause) {
			t.Errorf("%v is not %v", err, cause)
		}
	}
}

// TestWordsOfDial: a refused handshake.
func TestWordsOfDial(t *testing.T) {
	for _, status := range []int{200, 302, 401, 403, 404, 426, 502} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		_, resp, err := Dial(bg, srv.URL, nil)
		if err == nil ||
			!strings.HasSuffix(err.Error(), "expected handshake response status code 101 but got "+strconv.Itoa(status)) || resp.StatusCode != status {
			t.Errorf("%d: %v", status, err)
		}
		srv.Close()
	}
}

// errorList is an error that can't be compared.
type errorList []error

func (e errorList) Error() string { return "a list of errors" }

type failsWithList struct{ net.Conn }

func (failsWithList) Write([]byte) (int, error) { return 0, errorList{io.ErrClosedPipe} }

// TestUncomparableError: the error of a net.Conn may be of any type.
func TestUncomparableError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(1 << 10)
		runOne(t, false, config{}, failsWithList{ours}, theirs, false, func(t *connTest) {
			t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two")))
			t.wantRead("one of two", MessageText, "one")
			ctx, cancel := context.WithCancel(t.c.Context())
			defer cancel()
			t.c.SendPing(nil)
			t.settle()
			for range 2 {
				t.c.Read(ctx)
			}
			if err := t.c.Write(ctx, MessageText, nil); !errors.As(err, new(errorList)) {
				t.Errorf("Write gave %v", err)
			}
		})
	})
}
