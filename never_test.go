package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Lengths and durations as large as they can be: a lie of the peer's, or a way to say never.

const never = time.Duration(math.MaxInt64)

// TestNeverKeepAlive: with a KeepAlive of never all other timers go on. Nobody reads, and a Ping is answered; nobody
// answers, and Close gives up.
func TestNeverKeepAlive(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	runConnTest(t, config{settings: newSettings(0, timeout, never)}, func(t *connTest) {
		t.p.SendPing("up")
		t.p.WantPong("the connection reads by itself", "up")
		begun := time.Now()
		closing := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("the Close", 1000)
		if err := t.want("Close", closing); !errors.Is(err, errCloseTimeout) {
			t.Fatalf("Close gave %v", err)
		}
		if took := time.Since(begun); took < timeout || !t.real && took > timeout {
			t.Errorf("Close gave up after %v", took)
		}
	})
}

// TestNeverCloseTimeout: with a close timeout of never Close waits for the peer, and all other timers go on: it ends a
// second after a CloseContext has given up.
func TestNeverCloseTimeout(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, never, 500*time.Millisecond)}, func(t *connTest) {
		if t.real && t.p.Role == wiretest.Server {
			return // it takes a second
		}
		if f := t.p.ReadFrame("a keepalive Ping"); f.Opcode != wiretest.OpPing {
			t.Fatal(f)
		}
		t.p.SendPing("up")
		t.p.WantPong("the connection reads by itself", "up")
		closing := start(func() error { return t.c.Close(1000, "") })
		f := t.p.ReadFrame("the Close")
		for f.Opcode == wiretest.OpPing {
			f = t.p.ReadFrame("the Close")
		}
		if !t.real {
			time.Sleep(24 * time.Hour)
		}
		t.blocked("the peer has not answered", closing)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		defer cancel()
		if err := t.c.CloseContext(ctx, 1000, ""); err != context.DeadlineExceeded {
			t.Fatalf("CloseContext gave %v", err)
		}
		if err := t.want("Close", closing); !errors.Is(err, errCloseTimeout) {
			t.Fatalf("Close gave %v", err)
		}
		if took := time.Since(begun); took > 10*time.Millisecond+lingerTime && !t.real {
			t.Errorf("it ended %v after a call had given up", took)
		}
	})
}

// TestNeverDeadline: a deadline at the end of time is none.
func TestNeverDeadline(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Now().Add(never), time.Unix(1<<60, 0)} {
		runConnTest(t, config{}, func(t *connTest) {
			nc := NetConn(bg, t.c, MessageBinary)
			for name, set := range map[string]func(time.Time) error{"SetDeadline": nc.SetDeadline, "SetReadDeadline": nc.SetReadDeadline, "SetWriteDeadline": nc.SetWriteDeadline} {
				set(at)
				b := make([]byte, 10)
				read := start(func() error { _, err := nc.Read(b); return err })
				t.blocked("nothing comes", read)
				if _, err := nc.Write([]byte(name)); err != nil {
					t.Fatal(err)
				}
				t.p.WantBinary("it is written", name)
				t.p.SendBinary("hello")
				if err := t.want("Read", read); err != nil || string(b[:5]) != "hello" {
					t.Fatal(err, b)
				}
			}
			ctx, cancel := context.WithDeadline(bg, at)
			defer cancel()
			ping := start(func() error { return t.c.Ping(ctx) })
			f := t.p.ReadFrame("a Ping")
			t.p.SendPong(string(f.Payload))
			if err := t.want("Ping", ping); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestNeverEndingFrame: a header of 2^63-1 bytes, which is legal. Without a read limit, or with one as large, the bytes
// that come are read, and none that do not.
func TestNeverEndingFrame(t *testing.T) {
	t.Parallel()
	roomy := make([]byte, 0, 1<<10)
	ways := map[string]func(c *Conn, ctx context.Context) error{
		"Read":       func(c *Conn, ctx context.Context) error { _, _, err := c.Read(ctx); return err },
		"AppendRead": func(c *Conn, ctx context.Context) error { _, _, err := c.AppendRead(ctx, roomy); return err },
		"Messages": func(c *Conn, ctx context.Context) (err error) {
			for _, err = range c.Messages(ctx) {
			}
			return err
		},
		"Reader": func(c *Conn, ctx context.Context) error {
			_, r, err := c.Reader(ctx)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			return err
		},
		"nobody": func(c *Conn, ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
	for name, way := range ways {
		for _, limit := range []int64{-1, math.MaxInt64} {
			for _, fragments := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/limit ", limit, "/fragments ", fragments), func(t *testing.T) {
					runConnTest(t, config{readLimit: limit}, func(t *connTest) {
						if t.real && (fragments || limit > 0) {
							return
						}
						neverEndingFrame(t, way, fragments)
					})
				})
			}
		}
	}
}

func neverEndingFrame(t *connTest, way func(c *Conn, ctx context.Context) error, fragments bool) {
	endless := wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Payload: []byte("hello"), Length: math.MaxInt64}
	if fragments {
		t.p.Send(wiretest.Binary("a first fragment").More())
		endless.Opcode = wiretest.OpContinuation
	}
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	call := start(func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("it panicked: %v", v)
			}
		}()
		return way(t.c, ctx)
	})
	t.settle()
	t.p.Send(endless)
	if !t.real {
		t.blocked("the rest is missing", call)
	}
	key := [4]byte{} // what follows is not masked by the peer: it is payload all the same
	t.p.SendRaw(append(key[:], "and so on"...))
	t.blocked("the rest is missing", call)
	cancel()
	if err := t.want("the call", call); err != context.Canceled {
		t.Fatalf("it gave %v", err)
	}
	t.c.CloseNow()
	t.p.WantGone("it ends as any other")
}
