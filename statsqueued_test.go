package websocket

import (
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestStatsQueuedCompressed: what waits in the queue has not left, and counts with all its bytes when it leaves; what never
// leaves does not count.
func TestStatsQueuedCompressed(t *testing.T) {
	wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{20, 3000} { // the first gets longer by it
		for _, lost := range []bool{false, true} {
			configure := func(client bool) config {
				return config{settings: newSettings(0, 0, -1), deflate: newCompression(wish, client, 1)}
			}
			runConnTestFor(t, configure, func(t *connTest) {
				if _, plain := t.p.Conn.(*memconn.Conn); !plain {
					return
				}
				t.p.SendRaw(t.p.Encode(wiretest.Text("one"), wiretest.Text("two")))
				t.wantRead("the first", MessageText, "one")
				p := []byte(text(size))
				if size == 20 {
					p = []byte("a7Fk2_pQ9zXw4-RtYm1L")
				}
				if err := t.c.Write(bg, MessageText, p); err != nil {
					t.Fatal(err)
				}
				if s := t.c.Stats(); s.Written.Bytes != 0 || s.Written.Messages != 0 || s.QueuedMessages != 1 {
					t.Errorf("while it waits: %+v", s)
				}
				want := int64(1)
				if lost {
					t.p.Conn.(interface{ Reset() }).Reset()
					time.Sleep(time.Second)
					want = t.c.Stats().Written.Messages // it may have begun to leave
				} else if f := t.p.ReadFrame("it leaves"); !f.RSV1 {
					t.Fatalf("%v is not compressed", f)
				}
				time.Sleep(time.Second)
				if s := t.c.Stats(); s.Written.Bytes != int64(size)*s.Written.Messages || s.Written.Messages != want {
					t.Errorf("then: %+v", s)
				}
			})
		}
	}
}
