package websocket

import (
	"bytes"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestReadInPieces: a message that is longer than what has come when it is announced is put together from pieces.
func TestReadInPieces(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		said := make([]byte, 600<<10)
		for i := range said {
			said[i] = byte(i * i >> 8)
		}
		for _, cut := range []int{0, 100, 3000, 100 << 10} {
			sent := start(func() error {
				if cut > 0 {
					t.p.Send(wiretest.Binary(string(said[:cut])).More())
					t.p.Send(wiretest.Continuation(string(said[cut:])))
				} else {
					t.p.SendBinary(string(said))
				}
				return nil
			})
			_, got, err := t.c.Read(bg)
			if err != nil || !bytes.Equal(got, said) {
				t.Fatalf("cut at %d: Read gave %d bytes, %v", cut, len(got), err)
			}
			t.want("sending", sent)
		}
	})
}

// TestCloseDrops: what came before our Close, or before CloseRead, is dropped at once, and makes room for what comes.
func TestCloseDrops(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		go t.p.Conn.Write(t.p.Encode(wiretest.Binary(string(make([]byte, 2*readAheadLimit)))))
		time.Sleep(time.Second)
		start(func() error { return t.c.Close(4000, "") })
		t.settle()
		if t.c.supervisor.Stalled.Load() {
			t.Error("the read-ahead counts as full")
		}
	})
	runInMemory(t, config{}, func(t *connTest) {
		t.p.Send(wiretest.Text("the start").More())
		_, r, err := t.c.Reader(bg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		start(func() error { return t.c.Close(4000, "") })
		t.settle()
		if t.c.receiver.message.open {
			t.Error("the message is still open")
		}
	})
	runInMemory(t, config{}, func(t *connTest) {
		go t.p.Conn.Write(t.p.Encode(wiretest.Binary(string(make([]byte, 2*readAheadLimit)))))
		time.Sleep(time.Second)
		t.c.CloseRead(bg)
		t.p.WantClose("a message that came before counts", 1008)
	})
}

// TestSkippedTextAtClose: of a text message that comes while we close, a part was seen and the rest is skipped, whose bytes
// nobody looks at. The handshake ends well.
func TestSkippedTextAtClose(t *testing.T) {
	runInMemory(t, config{}, func(t *connTest) {
		whole := wiretest.Text("zwölf").More()
		b := t.p.Encode(whole)
		half := len(b) - 3 // in the middle of a character
		t.p.SendRaw(b[:half])
		time.Sleep(time.Second) // it is read ahead
		closing := start(func() error { return t.c.Close(1000, "") })
		t.p.WantClose("ours", 1000)
		t.p.SendRaw(b[half:])
		t.p.Send(wiretest.Continuation(""))
		t.p.SendClose(1000, "")
		if t.p.Role == wiretest.Server {
			t.p.Close()
		}
		if err := t.want("Close", closing); err != nil {
			t.Errorf("Close gave %v", err)
		}
	})
}
