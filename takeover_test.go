package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// checked ends a message with a checksum of it.
func checked(p []byte) []byte { return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p)) }

// TestTryWriteTakeover: TryWrite refuses a message because others have filled the queue meanwhile. The compressor's
// window has not moved: the messages behind it are inflated to what was sent.
func TestTryWriteTakeover(t *testing.T) {
	const limit, large, small = 32 << 10, 30000, 2900
	wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
	if err != nil {
		t.Fatal(err)
	}
	configure := func(client bool) config {
		return config{settings: newSettings(limit, 0, -1), deflate: newCompression(wish, client, 3000)}
	}
	runConnTestFor(t, configure, func(t *connTest) {
		t.p.Timeout = time.Minute
		peer := &deflatePeer{connTest: t, takeover: true}
		random := rand.New(rand.NewPCG(1, 2))
		rounds, refused := 60, 0
		if t.real {
			rounds = 10
		}
		for round := range rounds {
			go func() { t.c.TryWrite(MessageBinary, checked(make([]byte, small))) }()
			rest := start(func() error { // small ones, not compressed, until the queue is full
				for range round * 3779 % 200000 {
				}
				for range 12 {
					if err := t.c.TryWrite(MessageBinary, checked(make([]byte, small))); errors.Is(err, ErrQueueFull) {
						break
					}
				}
				return nil
			})
			var digits []byte
			for len(digits) < large {
				digits = fmt.Appendf(digits, "%x ", random.Uint32N(1<<20))
			}
			if err := t.c.TryWrite(MessageBinary, checked(digits[:large])); err != nil {
				refused++
			}
			t.want("the small ones", rest)
			end := fmt.Sprint("end of round ", round)
			written := start(func() error { return t.c.Write(bg, MessageText, []byte(end)) })
			for {
				f := t.p.ReadFrame("a message")
				p := peer.unpack("a message", f)
				if p == end {
					break
				}
				body, sum := []byte(p[:max(0, len(p)-4)]), []byte(p[max(0, len(p)-4):])
				if f.Opcode != wiretest.OpBinary || len(sum) < 4 || binary.LittleEndian.Uint32(sum) != crc32.ChecksumIEEE(body) {
					t.Fatalf("round %d: a message of %d bytes has others than were sent", round, len(p))
				}
			}
			if err := t.want("Write", written); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d of %d were refused", refused, rounds)
	})
}

// TestGiveUpCompressed: a Write's context ends before the first byte of its compressed message has left. Nothing of it
// is sent then, but with context takeover all of it: the compressor has moved on.
func TestGiveUpCompressed(t *testing.T) {
	notOverStreams(t)
	for _, mode := range []CompressionMode{CompressionNoContextTakeover, CompressionContextTakeover} {
		wish, err := CompressionTuning{}.wish(mode)
		if err != nil {
			t.Fatal(err)
		}
		takeover := mode == CompressionContextTakeover
		configure := func(client bool) config {
			return config{settings: newSettings(0, 0, -1), deflate: newCompression(wish, client, 100)}
		}
		runConnTestFor(t, configure, func(t *connTest) {
			if _, plain := t.p.Conn.(*memconn.Conn); !plain {
				return // how much is on its way can't be told
			}
			peer := &deflatePeer{connTest: t, takeover: takeover}
			write := func(p []byte) error {
				ctx, cancel := context.WithTimeout(bg, time.Second)
				defer cancel()
				return t.c.Write(ctx, MessageBinary, p)
			}
			number := 0
			for write([]byte{0, 0}) == nil { // frames whose size divides the pipe's
				number++
			}
			if err := write(make([]byte, 1000)); err != context.DeadlineExceeded {
				t.Fatalf("Write gave %v", err)
			}
			for range number {
				t.p.WantBinary("it was taken", "\x00\x00")
			}
			if takeover {
				if p := peer.unpack("the message that moved the window", t.p.ReadFrame("it leaves")); len(p) != 1000 {
					t.Errorf("%d bytes came", len(p))
				}
			}
			t.p.WantIdle("nothing else was sent", time.Minute)
		})
	}
}
