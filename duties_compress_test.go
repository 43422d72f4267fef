package websocket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestTryWriteReserves: there is no room for a message in the queue, which waits for company. The compressor has not seen
// it: the peer inflates what comes behind.
func TestTryWriteReserves(t *testing.T) {
	wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(1 << 10)
			cfg := config{settings: newSettings(8<<10, 0, -1), deflate: newCompression(wish, client, 3000)}
			runOne(t, client, cfg, ours, theirs, false, func(t *connTest) {
				peer := &deflatePeer{connTest: t, takeover: true}
				random := rand.New(rand.NewPCG(1, 2))
				var digits []byte
				for len(digits) < 7000 {
					digits = fmt.Appendf(digits, "%x ", random.Uint32N(1<<20))
				}
				t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two")))
				t.wantRead("one of two", MessageText, "one")
				for range 2 { // they wait for company
					if err := t.c.Write(bg, MessageBinary, make([]byte, 2900)); err != nil {
						t.Fatal(err)
					}
				}
				if err := t.c.TryWrite(MessageText, digits); err != ErrQueueFull {
					t.Fatalf("TryWrite gave %v", err)
				}
				for range 2 {
					t.p.ReadFrame("what was queued")
				}
				written := start(func() error { return t.c.Write(bg, MessageText, digits) })
				if got := peer.unpack("the message", t.p.ReadFrame("the message")); got != string(digits) {
					t.Errorf("the message has others bytes than were sent")
				}
				t.want("Write", written)
			})
		})
	}
}

// TestCompressedTakenBack: the context of a compressed message ends at any look at it. The peer inflates what comes.
func TestCompressedTakenBack(t *testing.T) {
	runDeflateTest(t, func(t *connTest, d *deflatePeer) {
		for looks := range 10 {
			ctx, cancel := context.WithCancel(bg)
			said, next := text(2000), fmt.Sprint("next ", looks, text(1000))
			written := start(func() error {
				t.c.Write(&doomedContext{ctx, cancel, looks + 1}, MessageText, []byte(said))
				return t.c.Write(bg, MessageText, []byte(next))
			})
			for {
				got := d.unpack("a message", t.p.ReadFrame("a message"))
				if got == next {
					break
				}
				if got != said {
					t.Fatalf("%.20q came", got)
				}
			}
			if err := t.want("Write", written); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
	})
}
