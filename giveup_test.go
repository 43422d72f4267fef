package websocket

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Callers that give up in the moment in which they are handed what they waited for. Nothing may be left behind that
// they were to look after.

// TestGiveUpHandedTheWriteTurn: a Write in line gives up in the moment in which it is handed the turn. The message that
// waits in the queue leaves all the same.
func TestGiveUpHandedTheWriteTurn(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(8<<10, 0, -1)}, func(t *connTest) {
		big := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
		unqueued := make([]byte, 16<<10) // more than the queue takes
		wire := &tripped{Conn: t.p.Conn}
		t.p.Conn = wire
		rounds := 100
		if t.real {
			rounds = 1
		}
		for i := range rounds {
			first := start(func() error { return t.c.Write(bg, MessageBinary, big) })
			t.blocked("nobody reads", first)
			ctx, cancel := context.WithCancel(bg)
			second := start(func() error { return t.c.Write(ctx, MessageBinary, unqueued) })
			if t.settle(); t.real {
				t.blocked("the first one has the turn", second)
			}
			queued := fmt.Sprint("queued ", i)
			if err := t.c.TryWrite(MessageText, []byte(queued)); err != nil {
				t.Fatal(err)
			}
			// The first Write returns when the wire takes the last of its bytes; about then the second one gives up.
			wire.n = len(big) - 1<<10
			if t.real {
				wire.n = len(big) - 400<<10
			}
			wire.f = func() {
				for range i * 37 % 4000 {
				}
				cancel()
			}
			for whole, left := false, false; !whole || !left; {
				f := t.p.ReadFrame("what is in the queue leaves")
				whole = whole || len(f.Payload) == len(big)
				left = left || string(f.Payload) == queued
			}
			if err := t.want("the first Write", first); err != nil {
				t.Fatal(err)
			}
			if err := t.want("the second Write", second); err != nil && err != context.Canceled {
				t.Fatal(err)
			}
			cancel()
		}
	})
}

// TestCloseAmongWriters: the writers in line are all stopped by a Close, one of them just when it is handed the turn.
// The Close frame leaves.
func TestCloseAmongWriters(t *testing.T) {
	round := 0
	runRounds(t, config{}, 24, func(t *connTest) {
		round++
		var writers sync.WaitGroup
		for k := range 4 {
			message := bytes.Repeat([]byte{byte('a' + k)}, 1+700*k)
			writers.Go(func() {
				for t.c.Write(bg, MessageBinary, message) == nil {
				}
			})
		}
		if round%2 == 0 {
			writers.Go(func() {
				for {
					if _, _, err := t.c.Read(bg); err != nil {
						return
					}
				}
			})
		}
		for range 1 + round*29%60 {
			t.p.ReadFrame("a message")
		}
		closing := start(func() error { return t.c.Close(4000, "") })
		f := t.p.ReadFrame("the Close leaves")
		for f.Opcode != wiretest.OpClose {
			f = t.p.ReadFrame("the Close leaves")
		}
		t.p.SendClose(4000, "")
		t.p.Close()
		if err := t.want("Close", closing); err != nil {
			t.Fatalf("round %d: Close gave %v", round, err)
		}
		writers.Wait()
	})
}

// TestGiveUpSteppedAsideFor: a Read gives up in the moment in which the reader goroutine steps aside for it. Somebody
// reads after that: pings are answered.
func TestGiveUpSteppedAsideFor(t *testing.T) {
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		enough := time.Now().Add(200 * time.Millisecond)
		for i := 0; i < 1500 && !(t.real && time.Now().After(enough)); i++ {
			t.p.SendPing("up")
			t.p.WantPong("the connection reads by itself", "up")
			ctx, cancel := context.WithCancel(bg)
			go func() {
				for range i * 13 % 3000 {
				}
				cancel()
			}()
			if _, _, err := t.c.Read(ctx); err != context.Canceled {
				t.Fatalf("Read gave %v", err)
			}
		}
	})
}

// TestGiveUpWriterInFragment: a Writer's context ends while a fragment is on its way, and so when it is closed. The
// message ends on the wire, and the next one follows it.
func TestGiveUpWriterInFragment(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		big := bytes.Repeat([]byte("0123456789abcdef"), t.blockedSize()/16)
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		writing := start(func() error { _, err := w.Write(big); return err })
		t.blocked("nobody reads", writing)
		if err := t.c.TryWrite(MessageText, []byte("queued")); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := t.want("the Writer's Write", writing); err != context.Canceled {
			t.Fatal(err)
		}
		if err := w.Close(); err != context.Canceled {
			t.Fatalf("the Writer's Close gave %v", err)
		}
		next := start(func() error { return t.c.Write(bg, MessageText, []byte("next")) })
		t.p.Timeout = time.Minute
		t.p.WantMessage("what had begun is ended", wiretest.OpBinary, string(big))
		t.p.WantText("then comes what the queue has", "queued")
		t.p.WantText("then the next message", "next")
		if err := t.want("Write", next); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGiveUpWriterBeforeLastFragment: a Writer is closed while somebody else has the write turn, and its context ends
// before it comes. The message ends on the wire all the same.
func TestGiveUpWriterBeforeLastFragment(t *testing.T) {
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		if t.real {
			return // how many Pongs a socket takes is not known
		}
		ctx, cancel := context.WithCancel(bg)
		w, err := t.c.Writer(ctx, MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		begin := bytes.Repeat([]byte("0123456789abcdef"), 33<<10/16)
		writing := start(func() error { _, err := w.Write(begin); return err })
		f := t.p.ReadFrame("the first fragment")
		if err := t.want("the Writer's Write", writing); err != nil {
			t.Fatal(err)
		}
		if f.FIN || f.Opcode != wiretest.OpBinary || !bytes.Equal(f.Payload, begin) {
			t.Fatalf("the first fragment is %v", f)
		}
		if _, err := w.Write([]byte("end")); err != nil {
			t.Fatal(err)
		}
		const pings = 20
		ping := func(i int) string { return fmt.Sprintf("%0125d", i) }
		for i := range pings { // more than the wire takes
			t.p.SendPing(ping(i))
			time.Sleep(50 * time.Millisecond)
		}
		if err := t.c.TryWrite(MessageText, []byte("queued")); err != nil {
			t.Fatal(err)
		}
		closing := start(w.Close)
		t.blocked("the Pongs are on their way", closing)
		cancel()
		if err := t.want("the Writer's Close", closing); err != context.Canceled {
			t.Fatal(err)
		}
		next := start(func() error { return t.c.Write(bg, MessageText, []byte("next")) })
		var data []wiretest.Frame
		for len(data) < 3 {
			if f := t.p.ReadFrame("what was accepted leaves"); f.Opcode != wiretest.OpPong {
				data = append(data, f)
			}
		}
		for i, want := range []wiretest.Frame{wiretest.Continuation("end"), wiretest.Text("queued"), wiretest.Text("next")} {
			if data[i].String() != want.String() {
				t.Errorf("data frame %d is %v, want %v", i, data[i], want)
			}
		}
		if err := t.want("Write", next); err != nil {
			t.Fatal(err)
		}
	})
}

// An endingContext ends when it has been looked at.
type endingContext struct {
	context.Context
	end context.CancelFunc
}

func (c endingContext) Err() error {
	err := c.Context.Err()
	c.end()
	return err
}

// TestGiveUpBeforeFirstByte: the context ends after Write has looked at it, before a byte has left. A Write that returns
// its error has sent nothing, over TLS too.
func TestGiveUpBeforeFirstByte(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for i := range 20 {
			ctx, cancel := context.WithCancel(bg)
			switch err := t.c.Write(endingContext{ctx, cancel}, MessageText, []byte("perhaps")); err {
			case nil:
				t.p.WantText("it was sent", "perhaps")
			case context.Canceled:
			default:
				t.Fatal(err)
			}
			next := fmt.Sprint("next ", i)
			written := start(func() error { return t.c.Write(bg, MessageText, []byte(next)) })
			t.p.WantText("nothing came of the one that gave up", next)
			if err := t.want("Write", written); err != nil {
				t.Fatal(err)
			}
		}
	})
}
