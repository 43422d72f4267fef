package websocket

import (
	"context"
	"errors"
	"math"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// passively is a configuration with the option Passive.
func passively() config {
	s := newSettings(0, 0, 0)
	s.passive = true
	return config{settings: s}
}

// TestPassive: a passive connection reads in calls that read, and nothing answers the peer but the application.
func TestPassive(t *testing.T) {
	var pings []string
	cfg := passively()
	cfg.settings.onPing = func(_ context.Context, p []byte) bool { // in the goroutine of Read: the race detector looks
		pings = append(pings, string(p))
		return true
	}
	runConnTest(t, cfg, func(t *connTest) {
		pings = nil
		t.p.SendPing("a")
		t.p.SendText("one")
		t.p.SendPing("b")
		t.p.SendText("two")
		t.p.WantIdle("while nobody reads, a Ping is not answered", 50*time.Millisecond)
		if len(pings) != 0 {
			t.Fatalf("%q came while nobody read", pings)
		}
		t.wantRead("the first message", MessageText, "one")
		if len(pings) != 1 {
			t.Errorf("%q came before the first message, want a", pings)
		}
		t.p.WantPong("Read answers", "a")
		t.wantRead("the second message", MessageText, "two")
		t.p.WantPong("Read answers", "b")

		t.p.SendClose(1001, "bye")
		_, _, err := t.c.Read(bg)
		if CloseStatus(err) != StatusGoingAway {
			t.Fatalf("Read: %v, want the peer's CloseError", err)
		}
		t.p.WantIdle("the peer's Close is the application's to answer", 50*time.Millisecond)
		if err := t.c.Write(bg, MessageText, []byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after the peer's Close: %v, want net.ErrClosed", err)
		}
		if err := t.c.CloseWrite(4000, "mine"); err != nil {
			t.Error(err)
		}
		if reason := t.p.WantClose("CloseWrite answers", 4000); reason != "mine" {
			t.Errorf("the reason is %q", reason)
		}
		t.p.Close()
		if err := t.c.Close(StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestPassiveTimeout: if the application does not answer the peer's Close, the connection ends after CloseTimeout.
func TestPassiveTimeout(t *testing.T) {
	cfg := passively()
	cfg.settings.closeTimeout = 50 * time.Millisecond
	runConnTest(t, cfg, func(t *connTest) {
		t.p.SendClose(1000, "")
		t.c.Read(bg)
		<-t.c.Context().Done()
		t.p.WantGone("TCP is closed")
	})
}

// TestCloseWrite: after CloseWrite this end says nothing more, and hears everything up to the peer's Close.
func TestCloseWrite(t *testing.T) {
	for _, cfg := range []config{{}, passively()} {
		runConnTest(t, cfg, func(t *connTest) {
			read := start(func() error {
				_, _, err := t.c.Read(bg)
				return err
			})
			if err := t.c.CloseWrite(StatusNormalClosure, "done"); err != nil {
				t.Fatal(err)
			}
			if err := t.c.CloseWrite(StatusGoingAway, "again"); err != nil {
				t.Fatal(err)
			}
			t.p.WantClose("the Close frame leaves at once", 1000)
			t.blocked("Read goes on", read)
			if err := t.c.Write(bg, MessageText, []byte("more")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write: %v, want net.ErrClosed", err)
			}
			if err := t.c.SendPing(nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("SendPing: %v, want net.ErrClosed", err)
			}
			t.p.SendText("an answer")
			if err := t.want("Read returns it", read); err != nil {
				t.Fatal(err)
			}
			t.p.SendPing("is not answered")
			t.p.SendText("another")
			t.wantRead("so does the next", MessageText, "another")
			t.p.SendText("the last")
			t.p.SendClose(3001, "bye")
			t.wantRead("what came before the peer's Close is read", MessageText, "the last")
			var said CloseError
			if _, _, err := t.c.Read(bg); !errors.As(err, &said) || said != (CloseError{3001, "bye"}) {
				t.Errorf("Read: %v, want the peer's CloseError", err)
			}
			closed := start(func() error { return t.c.Close(StatusNormalClosure, "") })
			if t.c.closing.server {
				t.p.WantEOF("only one Close frame was sent")
			}
			t.p.Close()
			if err := t.want("both Close frames were sent", closed); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// TestCloseAfterCloseWrite: Close after CloseWrite sends nothing more and waits for the peer as it always does.
func TestCloseAfterCloseWrite(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		t.c.CloseWrite(StatusNormalClosure, "")
		t.p.WantClose("CloseWrite sends it", 1000)
		read := start(func() error {
			_, _, err := t.c.Read(bg)
			return err
		})
		closed := start(func() error { return t.c.Close(StatusGoingAway, "") })
		if err := t.want("Close ends Read", read); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v, want net.ErrClosed", err)
		}
		t.blocked("Close waits for the peer", closed)
		t.p.SendText("dropped")
		t.p.SendClose(1000, "")
		t.p.Close()
		if err := t.want("the peer has answered", closed); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestCloseWriteLost: a stream that ends after CloseWrite is lost, and a blocked Write is not left waiting.
func TestCloseWriteLost(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		write := start(func() error { return t.c.Write(bg, MessageText, []byte("waits for the Writer")) })
		t.blocked("Write waits", write)
		t.c.CloseWrite(StatusNormalClosure, "")
		if err := t.want("CloseWrite ends it", write); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v, want net.ErrClosed", err)
		}
		if err := w.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close of the Writer: %v, want net.ErrClosed", err)
		}
		t.p.WantClose("the Close frame leaves", 1000)
		t.p.Close()
		if _, _, err := t.c.Read(bg); CloseStatus(err) != -1 || err == nil {
			t.Errorf("Read: %v, want the loss", err)
		}
	})
}

// TestAnyText: with the option, text is not checked in either direction.
func TestAnyText(t *testing.T) {
	s := newSettings(0, 0, -1)
	s.anyText = true
	runConnTest(t, config{settings: s}, func(t *connTest) {
		if err := t.c.Write(bg, MessageText, []byte("\xff")); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("it leaves", "\xff")
		w, _ := t.c.Writer(bg, MessageText)
		w.Write([]byte("\xfe"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		t.p.WantText("from a Writer, too", "\xfe")
		t.p.SendText("\xfd")
		t.wantRead("it is read", MessageText, "\xfd")
		t.p.Send(wiretest.Frame{Opcode: 1, Payload: []byte("\xc3")})
		t.p.Send(wiretest.Frame{FIN: true, Opcode: 0, Payload: []byte("\xff")})
		t.wantRead("in fragments, too", MessageText, "\xc3\xff")
	})
}

// TestWriterFlush: Flush sends what was written so far as a fragment.
func TestWriterFlush(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		w, err := t.c.Writer(bg, MessageText)
		if err != nil {
			t.Fatal(err)
		}
		flush := w.(interface{ Flush() error }).Flush
		if err := flush(); err != nil {
			t.Fatal(err)
		}
		t.p.WantIdle("nothing was written", 10*time.Millisecond)
		w.Write([]byte("ab\xc3"))
		if err := flush(); err != nil {
			t.Fatal(err)
		}
		t.p.WantFrame("the whole characters leave", wiretest.Frame{Opcode: 1, Payload: []byte("ab")})
		w.Write([]byte("\xa4"))
		w.Close()
		t.p.WantFrame("the rest follows", wiretest.Frame{FIN: true, Opcode: 0, Payload: []byte("ä")})
		if err := flush(); err == nil {
			t.Error("Flush after Close returns nil")
		}
	})
}

// TestSetCompressionThreshold: it takes effect with the next message.
func TestSetCompressionThreshold(t *testing.T) {
	wish := handshake.Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}
	runConnTestFor(t, func(client bool) config { return config{deflate: newCompression(wish, client, 0)} }, func(t *connTest) {
		long := string(make([]byte, 4000))
		for _, limit := range []int{0, math.MaxInt, 5000, -1} {
			t.c.SetCompressionThreshold(limit)
			written := start(func() error { return t.c.Write(bg, MessageBinary, []byte(long)) })
			if f := t.p.ReadFrame("a message"); f.RSV1 != (limit <= 0) {
				t.Errorf("with %d a message of 4000 bytes is compressed: %v", limit, f.RSV1)
			}
			if err := t.want("it is written", written); err != nil {
				t.Fatal(err)
			}
		}
		t.c.SetCompressionThreshold(math.MaxInt)
		written := start(func() error {
			w, err := t.c.Writer(bg, MessageBinary)
			for range 20 {
				w.Write([]byte(long))
			}
			return errors.Join(err, w.Close())
		})
		for f := t.p.ReadFrame("a fragment"); !f.FIN; f = t.p.ReadFrame("the next") {
			if f.RSV1 {
				t.Error("the message of a Writer is compressed")
			}
		}
		if err := t.want("it is written", written); err != nil {
			t.Fatal(err)
		}
	})
}
