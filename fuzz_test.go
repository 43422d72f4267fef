package websocket

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

func FuzzConnServer(f *testing.F) { fuzzConn(f, false) }
func FuzzConnClient(f *testing.F) { fuzzConn(f, true) }

// fuzzConn sends whatever to a whole connection, in two ways of cutting it up:
// both give the same messages and the same end, within bounded time and memory, and
// what leaves is legal.
func fuzzConn(f *testing.F, client bool) {
	role := wiretest.Client
	if client {
		role = wiretest.Server
	}
	seeds := wiretest.NewPeer(f, nopConn(), role)
	for _, frames := range [][]wiretest.Frame{
		{wiretest.Text("hello"), wiretest.Close(1000, "bye")},
		{wiretest.Text("he").More(), wiretest.Ping("x"), wiretest.Continuation("llo"), wiretest.Close(1001, "")},
		{wiretest.Binary("x"), wiretest.Pong(""), wiretest.EmptyClose(), wiretest.Text("late")},
		{wiretest.Text("\xff")},
		{wiretest.Text("\xf2\x48\xcd\xc9\xc9\x07\x00").Compressed(), wiretest.Close(3000, "x")},
		{wiretest.Text("a").Compressed().More(), wiretest.Continuation("b").More(), wiretest.Continuation("")},
		{{FIN: true, Opcode: wiretest.OpBinary, Length: 1 << 63}},
		{wiretest.Continuation("x")}, {wiretest.Close(1005, "")}, {wiretest.Ping("x").More()},
	} {
		f.Add(seeds.Encode(frames...), uint8(3))
	}
	f.Fuzz(func(t *testing.T, input []byte, cut uint8) {
		if len(input) > 1<<16 {
			return
		}
		piece := int(cut)%17 + 1
		whole := playConn(t, client, input, len(input)+1, true, 0)
		if pieces := playConn(t, client, input, piece, true, 0); whole != pieces {
			t.Fatalf("whole: %s\nin pieces: %s", whole, pieces)
		}
		// Without compression messages may be read straight into the caller's memory.
		whole = playConn(t, client, input, len(input)+1, false, 0)
		if into := playConn(t, client, input, piece, false, 1500); whole != into {
			t.Fatalf("whole: %s\nin pieces into the caller's memory: %s", whole, into)
		}
	})
}

func nopConn() *memconn.Conn {
	a, _ := memconn.Pipe(0)
	return a
}

// playConn sends input in pieces to a Conn that reads and echoes, and returns
// what it read, into memory with so much room, and how it ended.
func playConn(t *testing.T, client bool, input []byte, piece int, deflate bool, room int) (played string) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(0)
		wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
		if err != nil {
			t.Fatal(err)
		}
		cfg := config{client: client, parent: bg, readLimit: 1 << 12, settings: newSettings(0, 0, 0)}
		if deflate {
			cfg.deflate = newCompression(wish, client, 0)
		}
		c := newConn(ours, cfg)
		begun := time.Now()
		var left bytes.Buffer
		drained := start(func() error { _, err := io.Copy(&left, theirs); return err })
		sent := start(func() error {
			for len(input) > 0 {
				n := min(piece, len(input))
				if _, err := theirs.Write(input[:n]); err != nil {
					break
				}
				input = input[n:]
				synctest.Wait()
			}
			return theirs.CloseWrite()
		})
		var log bytes.Buffer
		for {
			typ, p, err := c.AppendRead(bg, make([]byte, 0, room))
			if err != nil {
				log.WriteString(err.Error())
				break
			}
			log.WriteString(typ.String() + ":")
			log.Write(p)
			c.Write(bg, typ, p)
		}
		<-c.Context().Done()
		<-drained
		theirs.Close()
		<-sent
		if took := time.Since(begun); took > 20*time.Second {
			t.Fatalf("it took %v", took)
		}
		checkLegal(t, left.Bytes(), client)
		played = log.String()
	})
	return played
}

// checkLegal reads the frames that left: each is legal, and nothing follows a
// Close.
func checkLegal(t *testing.T, b []byte, client bool) {
	l := legality{fromClient: client, deflate: true}
	for closed := false; len(b) > 0; {
		if closed {
			t.Fatalf("%d bytes after the Close", len(b))
		}
		h, n, err := parseHeader(b)
		if err == nil && n > 0 {
			err = h.check(l)
		}
		if err != nil || n == 0 || int64(len(b)-n) < h.length {
			t.Fatalf("an illegal frame left: %+v, %v", h, err)
		}
		if !h.opcode.control() {
			l.inMessage = !h.fin
		}
		closed = h.opcode == opClose
		b = b[n+int(h.length):]
	}
}
