package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

func prepare(t testing.TB, typ MessageType, p string) *PreparedMessage {
	t.Helper()
	m, err := NewPreparedMessage(typ, []byte(p))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPreparedMessage: a prepared message is the message that Write would send, however it is sent.
func TestPreparedMessage(t *testing.T) {
	runConnTest(t, config{settings: newSettings(1<<20, 0, 0)}, func(t *connTest) {
		for _, n := range []int{0, 1, 125, 126, 4000, copyLimit, copyLimit + 1, 40 << 10, 70 << 10, 300 << 10} {
			want := text(n)
			m := prepare(t, MessageText, want)
			for name, send := range map[string]func() error{
				"WritePrepared":    func() error { return t.c.WritePrepared(bg, m) },
				"TryWritePrepared": func() error { return t.c.TryWritePrepared(m) },
			} {
				sent := start(send)
				f := t.p.ReadFrame(name)
				if string(f.Payload) != want || f.Opcode != wiretest.OpText || !f.FIN || f.RSV1 {
					t.Fatalf("%s of %d bytes sent %d bytes", name, n, len(f.Payload))
				}
				if err := t.want(name, sent); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestPreparedMessageCopies: the caller may change what it gave.
func TestPreparedMessageCopies(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		p := []byte("before")
		m, err := NewPreparedMessage(MessageBinary, p)
		if err != nil {
			t.Fatal(err)
		}
		copy(p, "after!")
		if err := t.c.WritePrepared(bg, m); err != nil {
			t.Fatal(err)
		}
		t.p.WantBinary("as it was", "before")
	})
}

// TestPreparedMessageMisuse: what can't be sent is an error.
func TestPreparedMessageMisuse(t *testing.T) {
	if _, err := NewPreparedMessage(MessageText, []byte("\xff")); err != errNotText {
		t.Errorf("text that is not UTF-8: %v", err)
	}
	if _, err := NewPreparedMessage(3, nil); err == nil {
		t.Error("there is no message type 3")
	}
	runConnTest(t, config{}, func(t *connTest) {
		for _, m := range []*PreparedMessage{nil, {}} {
			if err := t.c.WritePrepared(bg, m); err != errNotPrepared {
				t.Errorf("WritePrepared gave %v", err)
			}
			if err := t.c.TryWritePrepared(m); err != errNotPrepared {
				t.Errorf("TryWritePrepared gave %v", err)
			}
			if err := new(Group).BroadcastPrepared(m); err != errNotPrepared {
				t.Errorf("BroadcastPrepared gave %v", err)
			}
		}
		m := prepare(t, MessageText, "x")
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if err := t.c.WritePrepared(ctx, m); err != context.Canceled {
			t.Errorf("a context that is done: %v", err)
		}
		t.c.CloseNow()
		for _, err := range []error{t.c.WritePrepared(bg, m), t.c.TryWritePrepared(m)} {
			if !errors.Is(err, errClosedNow) {
				t.Errorf("after the end: %v", err)
			}
		}
	})
}

// TestPreparedForms: windows that are larger than the message share a form, and what does not shrink is sent as it is.
func TestPreparedForms(t *testing.T) {
	forms := func(m *PreparedMessage) (n int) {
		for f := m.shared.packed.Load(); f != nil; f = f.next {
			n++
		}
		return n
	}
	for _, c := range []struct{ size, forms int }{{100, 1}, {256, 1}, {257, 2}, {1000, 3}, {5000, 6}, {70000, 8}} {
		m := prepare(t, MessageText, text(c.size))
		var wg sync.WaitGroup
		for range 3 {
			for bits := minWindowBits; bits <= maxWindowBits; bits++ {
				wg.Go(func() {
					z := deflate.NewCompressor(bits, bits%2 == 0, 0)
					m.shared.pack(z)
					if f := m.shared.form(z, 0); f == nil || !f.packed || len(f.frame) >= c.size {
						t.Errorf("%d bytes, %d bits: no form", c.size, bits)
					}
				})
			}
		}
		wg.Wait()
		if got := forms(m); got != c.forms {
			t.Errorf("%d bytes have %d forms, want %d", c.size, got, c.forms)
		}
	}
	m := prepare(t, MessageBinary, "abc")
	z := deflate.NewCompressor(15, false, 0)
	if m.shared.pack(z); m.shared.form(z, 0) != &m.shared.plain {
		t.Error("what does not shrink is compressed")
	}
	if m.shared.form(z, 4) != &m.shared.plain {
		t.Error("what is below the threshold is compressed")
	}
}

// TestPreparedCompressed: prepared messages among others, and all of them are inflated right, with context takeover too.
func TestPreparedCompressed(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var prepared []*PreparedMessage
		var texts []string
		for _, n := range []int{10, 200, 700, 1000, 5000, 20000} {
			texts = append(texts, fmt.Sprint(n)+text(n))
			prepared = append(prepared, prepare(t, MessageText, texts[len(texts)-1]))
		}
		r := rand.New(rand.NewPCG(1, 2))
		packed := 0
		for range 120 {
			i := r.IntN(len(texts))
			send := []func() error{
				func() error { return t.c.Write(bg, MessageText, []byte(texts[i])) },
				func() error { return t.c.TryWrite(MessageText, []byte(texts[i])) },
				func() error { return t.c.WritePrepared(bg, prepared[i]) },
				func() error { return t.c.TryWritePrepared(prepared[i]) },
			}[r.IntN(4)]
			sent := start(send)
			f := t.p.ReadFrame("a message")
			if got := d.unpack("a message", f); got != texts[i] {
				t.Fatalf("it is %.60q, want %.60q", got, texts[i])
			}
			if err := t.want("sending", sent); err != nil {
				t.Fatal(err)
			}
			if f.RSV1 {
				packed++
			}
		}
		if packed < 60 {
			t.Errorf("only %d were compressed", packed)
		}
	})
}

// TestPreparedBehindStall: what waits behind a peer that does not read leaves in its order, and inflates right: references,
// messages of the connection's own, and a Write that was there before the last of them.
func TestPreparedBehindStall(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		var want []string
		try := func(prepared bool, s string) {
			t.Helper()
			var err error
			if prepared {
				err = t.c.TryWritePrepared(prepare(t, MessageText, s))
			} else {
				err = t.c.TryWrite(MessageText, []byte(s))
			}
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, s)
		}
		noise := make([]byte, t.blockedSize())
		rand.NewChaCha8([32]byte{}).Read(noise)
		big := start(func() error { return t.c.Write(bg, MessageBinary, noise) })
		t.blocked("nobody reads", big)
		for i := range 12 {
			try(i%3 != 1, fmt.Sprintf("%d %s", i, text(300*i)))
		}
		write := start(func() error { return t.c.Write(bg, MessageText, []byte("W"+text(2000))) })
		t.blocked("it waits for its turn", write)
		late := prepare(t, MessageText, "late "+text(900))
		if err := t.c.TryWritePrepared(late); err != nil {
			t.Fatal(err)
		}
		if f := t.p.ReadFrame("what was begun"); !bytes.Equal(f.Payload, noise) && d.unpack("what was begun", f) != string(noise) {
			t.Fatal("it is something else")
		}
		got := map[string]bool{}
		next := 0
		for range len(want) + 2 {
			s := d.unpack("what waits", t.p.ReadFrame("what waits"))
			got[s[:1]] = true
			if s[0] == 'W' && next < len(want) {
				t.Fatalf("Write's message came before message %d, which was there first", next)
			}
			if strings.HasPrefix(s, "W") || strings.HasPrefix(s, "late") {
				continue
			}
			if s != want[next] {
				t.Fatalf("message %d is %.40q, want %.40q", next, s, want[next])
			}
			next++
		}
		if !got["W"] || !got["l"] {
			t.Error("Write's message or the last is missing")
		}
		if err := t.want("Write", write); err != nil {
			t.Fatal(err)
		}
		if err := t.want("the first Write", big); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTryWritePreparedLimits: references count for the queue, but one of any size fits if nothing else waits.
func TestTryWritePreparedLimits(t *testing.T) {
	t.Parallel()
	s := newSettings(100<<10, 0, 0)
	runConnTest(t, config{settings: s}, func(t *connTest) {
		big := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", big)
		huge := prepare(t, MessageBinary, strings.Repeat("h", 200<<10))
		small := prepare(t, MessageBinary, "small")
		if err := t.c.TryWritePrepared(huge); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{t.c.TryWritePrepared(small), t.c.TryWritePrepared(huge), t.c.TryWrite(MessageBinary, nil)} {
			if err != ErrQueueFull {
				t.Fatalf("the queue is full: %v", err)
			}
		}
		t.p.ReadFrame("what was begun")
		if f := t.p.ReadFrame("the huge one"); len(f.Payload) != 200<<10 {
			t.Fatalf("%d bytes", len(f.Payload))
		}
		if err := t.want("Write", big); err != nil {
			t.Fatal(err)
		}
		t.settle()
		for err := ErrQueueFull; err != nil; { // over TCP it takes a moment until that is known
			if err = t.c.TryWritePrepared(small); err != nil && err != ErrQueueFull || err != nil && !t.real {
				t.Fatal(err)
			}
		}
		t.p.WantBinary("there is room again", "small")
		t.settle()
		t.c.mu.Lock()
		defer t.c.mu.Unlock()
		if !t.real && t.c.sender.size != 0 {
			t.Errorf("%d bytes are left", t.c.sender.size)
		}
	})
}

// TestPreparedAllocs: sending a prepared message to one more connection allocates nothing.
func TestPreparedAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget on purpose under the race detector")
	}
	a, b := tcpPair(t)
	c := newConn(a, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
	defer c.CloseNow()
	go func() {
		for buf := make([]byte, 32<<10); ; {
			if _, err := b.Read(buf); err != nil {
				return
			}
		}
	}()
	m := prepare(t, MessageText, text(256))
	for name, send := range map[string]func() error{
		"WritePrepared":    func() error { return c.WritePrepared(bg, m) },
		"TryWritePrepared": func() error { return c.TryWritePrepared(m) },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := send(); err != nil {
				t.Fatal(err)
			}
		}); n >= 0.1 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// TestPreparedCut: a write that is given up inside a batch leaves the rest of it, with the large frame behind it.
func TestPreparedCut(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		if t.real {
			return
		}
		small, large := text(20000), text(40000)
		c := t.c
		if !c.writeTurn.Try() {
			t.Fatal("somebody writes")
		}
		for _, s := range []string{small[:7000], large} {
			if err := c.TryWritePrepared(prepare(t, MessageText, s)); err != nil {
				t.Fatal(err)
			}
		}
		c.mu.Lock()
		c.sender.limit = 0 // so that Write waits in line
		c.mu.Unlock()
		ctx, cancel := context.WithCancel(bg)
		write := start(func() error { return c.Write(ctx, MessageText, []byte("given up")) })
		t.blocked("it waits for the turn", write)
		c.writeTurn.Release() // it is handed over
		t.blocked("the peer does not read", write)
		cancel()
		if err := t.want("Write", write); err != context.Canceled {
			t.Fatal(err)
		}
		t.p.WantText("what was begun", small[:7000])
		t.p.WantText("and what was behind it", large)
		t.p.WantIdle("and no more", time.Second)
	})
}
