package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestCloseMany: several Closes send one frame and give one result.
func TestCloseMany(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		var closes []<-chan error
		for range 5 {
			closes = append(closes, start(func() error { return t.c.Close(4000, "once") }))
		}
		t.p.WantClose("one Close frame", 4000)
		t.p.WantIdle("and no other", 100*time.Millisecond)
		t.blocked("Close waits for the peer's", closes[0])
		t.p.SendClose(4000, "")
		t.p.Close()
		for _, c := range closes {
			if err := t.want("Close", c); err != nil {
				t.Fatal(err)
			}
		}
		if err := t.c.Close(4001, "again"); err != nil {
			t.Fatal(err)
		}
		if err := t.c.CloseNow(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCloseUnblocks: Close makes blocked calls return, with the reason.
func TestCloseUnblocks(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, time.Minute, 0)}, func(t *connTest) {
		t.p.Timeout = 2 * time.Minute
		big := bytes.Repeat([]byte("x"), t.blockedSize())
		write := start(func() error { return t.c.Write(bg, MessageBinary, big) })
		t.blocked("nobody reads", write)
		read := start(func() error { _, _, err := t.c.Read(bg); return err })
		ping := start(func() error { return t.c.Ping(bg) })
		t.blocked("nothing comes", read)
		t.blocked("no Pong comes", ping)
		begun := time.Now()
		closing := start(func() error { return t.c.Close(StatusGoingAway, "") })
		if err := t.want("Read", read); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Read gave %v", err)
		}
		if err := <-write; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Write gave %v", err)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Fatalf("Write returned after %v", took)
		}
		f := t.p.ReadFrame("what was begun is finished")
		if len(f.Payload) != len(big) {
			t.Fatalf("%d bytes", len(f.Payload))
		}
		for f.Opcode != wiretest.OpClose {
			f = t.p.ReadFrame("then the Close")
		}
		t.p.SendClose(1001, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
		if err := t.want("Ping", ping); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Ping gave %v", err)
		}
		for name, err := range map[string]error{
			"the context's cause": context.Cause(t.c.Context()),
			"Write":               t.c.Write(bg, MessageText, nil),
			"TryWrite":            t.c.TryWrite(MessageText, nil),
			"Ping":                t.c.Ping(bg),
		} {
			if !errors.Is(err, net.ErrClosed) || CloseStatus(err) != -1 {
				t.Errorf("%s is %v", name, err)
			}
		}
	})
}

// closeWatched is a net.Conn that tells when it is closed.
type closeWatched struct {
	net.Conn
	closing func()
}

func (w closeWatched) Close() error {
	w.closing()
	return w.Conn.Close()
}

// TestContextEndsFirst: whoever learns that the connection is closed, as Close does, finds that its context has ended.
func TestContextEndsFirst(t *testing.T) {
	for name, end := range map[string]func(c *Conn, p *wiretest.Peer){
		"Close": func(c *Conn, p *wiretest.Peer) {
			closing := start(func() error { return c.Close(StatusNormalClosure, "") })
			p.WantClose("ours", 1000)
			p.SendClose(1000, "")
			<-closing
		},
		"CloseNow": func(c *Conn, _ *wiretest.Peer) { c.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tcpPair(t)
			var c *Conn
			var once sync.Once
			closed := make(chan error, 1)
			watched := closeWatched{a, func() { once.Do(func() { closed <- c.Context().Err() }) }}
			c = newConn(watched, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
			end(c, wiretest.NewPeer(t, b, wiretest.Client))
			if err := <-closed; err == nil {
				t.Error("the net.Conn is closed, and the context has not ended")
			}
		})
	}
}

// TestCloseTimeout: the peer does not answer.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	s := newSettings(0, 200*time.Millisecond, 0)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		begun := time.Now()
		closing := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("our Close", 1000)
		err := t.want("Close", closing)
		if !errors.Is(err, errCloseTimeout) {
			t.Fatalf("Close gave %v", err)
		}
		if took := time.Since(begun); took < 200*time.Millisecond || !t.real && took > 200*time.Millisecond {
			t.Fatalf("it took %v", took)
		}
		t.p.WantGone("TCP is closed")
		if again := t.c.Close(1000, ""); again != err {
			t.Fatalf("the second Close gave %v", again)
		}
	})
}

func TestCloseContext(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		defer cancel()
		closing := start(func() error { return t.c.CloseContext(ctx, 1000, "") })
		t.p.WantClose("our Close", 1000)
		if err := t.want("CloseContext", closing); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		t.p.WantGone("TCP is closed")
	})
}

// TestCloseContextEnded: the Close frame leaves all the same, and the handshake
// is completed in the background.
func TestCloseContextEnded(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if err := t.c.CloseContext(ctx, 4003, "stopping"); err != context.Canceled {
			t.Fatal(err)
		}
		t.p.WantClose("our Close", 4003)
		t.p.SendClose(4003, "")
		t.p.Close()
		<-t.c.Context().Done()
		if err := t.c.Close(1000, ""); err != nil {
			t.Fatalf("the handshake is complete: %v", err)
		}
	})
}

// TestCloseContextAgain: however often Close is given up, the time-out stands.
func TestCloseContextAgain(t *testing.T) {
	t.Parallel()
	s := newSettings(0, 500*time.Millisecond, 0)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		begun := time.Now()
		ended := start(func() error { <-t.c.Context().Done(); return nil })
		for t.c.Context().Err() == nil {
			ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
			t.c.CloseContext(ctx, 1000, "")
			cancel()
		}
		t.want("the end", ended)
		if took := time.Since(begun); !t.real && took > s.closeTimeout {
			t.Fatalf("it took %v", took)
		}
	})
}

// TestCloseTimeoutOff: Close does not wait.
func TestCloseTimeoutOff(t *testing.T) {
	t.Parallel()
	s := newSettings(0, -1, 0)
	s.queueLimit = 1
	runConnTest(t, config{settings: s}, func(t *connTest) {
		t.c.closeTimeout = 0
		if err := t.c.Close(1001, ""); err != nil {
			t.Fatal(err)
		}
		t.p.WantClose("our Close", 1001)
		t.p.WantGone("the connection ends in a second")
		t.p.Close()
		<-t.c.Context().Done()
	})
}

// TestCloseNow unblocks everything, from any state.
func TestCloseNow(t *testing.T) {
	for name, before := range map[string]func(t *connTest){
		"open":           func(t *connTest) {},
		"close sent":     func(t *connTest) { start(func() error { return t.c.Close(1000, "") }); t.p.WantClose("", 1000) },
		"close received": func(t *connTest) { t.p.SendClose(1000, ""); t.settle() },
		"closed":         func(t *connTest) { t.c.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				before(t)
				calls := map[string]<-chan error{
					"Read":  start(func() error { _, _, err := t.c.Read(bg); return err }),
					"Ping":  start(func() error { return t.c.Ping(bg) }),
					"Close": start(func() error { t.c.Close(1000, ""); return net.ErrClosed }),
					"Write": start(func() error {
						for {
							if err := t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())); err != nil {
								return err
							}
						}
					}),
				}
				t.settle()
				begun := time.Now()
				if err := t.c.CloseNow(); err != nil {
					t.Fatal(err)
				}
				for name, call := range calls {
					if err := t.want(name, call); err == nil {
						t.Errorf("%s succeeded", name)
					}
				}
				if took := time.Since(begun); took > time.Second {
					t.Fatalf("it took %v", took)
				}
				if t.c.Context().Err() == nil {
					t.Error("the context has not ended")
				}
			})
		})
	}
}

func TestCloseBadArguments(t *testing.T) {
	for name, test := range map[string]struct {
		code   StatusCode
		reason string
		sent   int
	}{
		"1005 with a reason": {1005, "x", 1011},
		"1006":               {1006, "", 1011},
		"999":                {999, "", 1011},
		"5000":               {5000, "", 1011},
		"long reason":        {1000, string(bytes.Repeat([]byte("é"), 62)), 1000},
		"no UTF-8":           {1000, "\xff", 1000},
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{}, func(t *connTest) {
				closing := start(func() error { return t.c.Close(test.code, test.reason) })
				t.p.WantClose("it is closed all the same", test.sent)
				t.p.SendClose(test.sent, "")
				t.p.Close()
				if err := t.want("Close", closing); err == nil {
					t.Fatal("Close succeeded")
				}
			})
		})
	}
}

// TestCloseEmpty: a Close frame without a code.
func TestCloseEmpty(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		closing := start(func() error { return t.c.Close(StatusNoStatusRcvd, "") })
		t.p.WantFrame("no payload", wiretest.EmptyClose())
		t.p.Send(wiretest.EmptyClose())
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatal(err)
		}
	})
}

// aboutAPeriod reports whether keepalive may look after d: connections are looked at together, at most a 128th of a period
// earlier or later.
func aboutAPeriod(d, period time.Duration) bool {
	return d >= period-period/128 && d <= period+period/128
}

func TestKeepAlive(t *testing.T) {
	s := newSettings(0, 0, 100*time.Millisecond)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		if t.real {
			return
		}
		begun := time.Now()
		f := t.p.ReadFrame("a Ping after the silence")
		if took := time.Since(begun); f.Opcode != wiretest.OpPing || !aboutAPeriod(took, s.keepAlive) {
			t.Fatalf("%v after %v", f, took)
		}
		t.p.SendPong(string(f.Payload))
		time.Sleep(s.keepAlive - s.keepAlive/10)
		t.p.SendText("alive")
		begun = time.Now()
		f = t.p.ReadFrame("a Ping after the next silence")
		if took := time.Since(begun); !aboutAPeriod(took, s.keepAlive) {
			t.Fatalf("%v after %v", f, took)
		}
		t.p.SendText("not a Pong, but a sign of life")
		begun = time.Now()
		t.p.ReadFrame("a third Ping")
		if took := time.Since(begun); !aboutAPeriod(took, s.keepAlive) {
			t.Fatalf("%v", took)
		}
		<-t.c.Context().Done()
		if took := time.Since(begun); !aboutAPeriod(took/2, s.keepAlive) {
			t.Fatalf("given up after %v", took)
		}
		if err := context.Cause(t.c.Context()); !errors.Is(err, ErrPingTimeout) {
			t.Fatal(err)
		}
		t.wantRead("what came is there", MessageText, "alive")
		t.wantRead("all of it", MessageText, "not a Pong, but a sign of life")
		if _, _, err := t.c.Read(bg); !errors.Is(err, ErrPingTimeout) {
			t.Fatal(err)
		}
	})
}

// TestKeepAliveWhileReading: a Pong that a waiting Read takes is heard when it comes, not when the keepalive looks next.
func TestKeepAliveWhileReading(t *testing.T) {
	s := newSettings(0, 0, 100*time.Millisecond)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		if t.real {
			return
		}
		go t.c.Read(bg)
		for begun := time.Now(); time.Since(begun) < time.Second; {
			last := time.Now()
			f := t.p.ReadFrame("the next Ping")
			if took := time.Since(last); !aboutAPeriod(took, s.keepAlive) {
				t.Fatalf("it came after %v, want %v", took, s.keepAlive)
			}
			t.p.SendPong(string(f.Payload))
		}
	})
}

// TestKeepAliveStalled: an application that takes nothing is not a dead peer.
func TestKeepAliveStalled(t *testing.T) {
	s := newSettings(0, 0, 100*time.Millisecond)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		if t.real {
			return
		}
		const messages = 300
		go io.Copy(io.Discard, t.p.Conn) // our Pings
		sent := start(func() error {
			for range messages {
				t.p.SendText(string(make([]byte, 500)))
			}
			return nil
		})
		time.Sleep(5 * time.Second)
		t.blocked("the read-ahead is full", sent)
		if err := context.Cause(t.c.Context()); err != nil {
			t.Fatal(err)
		}
		for range messages {
			t.wantRead("it comes", MessageText, string(make([]byte, 500)))
		}
		t.want("sending", sent)
	})
}

func TestAddrs(t *testing.T) {
	notOverStreams(t)
	runConnTest(t, config{subprotocol: "soap"}, func(t *connTest) {
		if t.c.LocalAddr().String() != t.p.Conn.RemoteAddr().String() || t.c.RemoteAddr().String() != t.p.Conn.LocalAddr().String() {
			t.Fatal(t.c.LocalAddr(), t.c.RemoteAddr())
		}
		if t.c.Subprotocol() != "soap" {
			t.Fatal(t.c.Subprotocol())
		}
	})
}

// TestContextValues: the parent's values, not its cancellation.
func TestContextValues(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(bg, key{}, "value"))
	runConnTest(t, config{parent: parent}, func(t *connTest) {
		cancel()
		if t.c.Context().Value(key{}) != "value" || t.c.Context().Err() != nil {
			t.Fatal(t.c.Context())
		}
	})
}

// TestCrossingHalfWritten: the peer's Close crosses ours, of which only a half
// has left. The handshake is complete when the other half has left too.
func TestCrossingHalfWritten(t *testing.T) {
	for _, client := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(3)
			runOne(t, client, config{}, ours, theirs, false, func(t *connTest) {
				closing := start(func() error { return t.c.Close(1000, "a reason") })
				synctest.Wait() // three bytes of the Close have left
				go t.p.SendClose(1001, "")
				t.blocked("the rest has not", closing)
				t.p.WantClose("it comes whole", 1000)
				if !client {
					t.p.WantEOF("then the server closes TCP")
				}
				t.p.Close()
				if err := t.want("Close", closing); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
