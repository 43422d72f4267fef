package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// roomy returns memory that messages are read straight into, with something before.
func roomy(size int) []byte { return append(make([]byte, 0, size), "before"...) }

// TestReadIntoCallersMemory: whatever comes first, and however the bytes are cut, a
// message that is read into memory with room is the one that was sent.
func TestReadIntoCallersMemory(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 300)
	scripts := map[string]struct {
		frames []wiretest.Frame
		want   []string
		code   StatusCode // of the Close that we send; 0: none
	}{
		"alone":              {[]wiretest.Frame{wiretest.Text("hello")}, []string{"hello"}, 0},
		"empty":              {[]wiretest.Frame{wiretest.Text(""), wiretest.Binary("")}, []string{"", ""}, 0},
		"several":            {[]wiretest.Frame{wiretest.Text("hello"), wiretest.Binary("world"), wiretest.Text("!")}, []string{"hello", "world", "!"}, 0},
		"more than the room": {[]wiretest.Frame{wiretest.Text(long), wiretest.Text("next")}, []string{long, "next"}, 0},
		"a ping before":      {[]wiretest.Frame{wiretest.Ping("p"), wiretest.Text("hello")}, []string{"hello"}, 0},
		"fragments": {[]wiretest.Frame{wiretest.Text("he").More(), wiretest.Ping("p"), wiretest.Continuation("l").More(), wiretest.Continuation("lo"), wiretest.Text("next")},
			[]string{"hello", "next"}, 0},
		"a character in two fragments": {[]wiretest.Frame{wiretest.Text("a\xc3").More(), wiretest.Continuation("\xa9")}, []string{"aé"}, 0},
		"not UTF-8":                    {[]wiretest.Frame{wiretest.Text("good"), wiretest.Text("bad\xff")}, []string{"good"}, StatusInvalidFramePayloadData},
		"cut UTF-8":                    {[]wiretest.Frame{wiretest.Text("bad\xc3")}, nil, StatusInvalidFramePayloadData},
		"over the limit":               {[]wiretest.Frame{wiretest.Binary("good"), wiretest.Binary(long + long + long)}, []string{"good"}, StatusMessageTooBig},
		"a continuation of nothing":    {[]wiretest.Frame{wiretest.Continuation("x")}, nil, StatusProtocolError},
		"compressed, not agreed on":    {[]wiretest.Frame{wiretest.Text("x").Compressed()}, nil, StatusProtocolError},
		"a reserved opcode":            {[]wiretest.Frame{{FIN: true, Opcode: 3, Payload: []byte("x")}}, nil, StatusProtocolError},
	}
	for name, script := range scripts {
		for _, client := range []bool{true, false} {
			size := 0
			for piece := 1; piece <= max(size, 1); piece = piece + 1 + piece/16 {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := memconn.Pipe(0)
					role := wiretest.Client
					if client {
						role = wiretest.Server
					}
					p := wiretest.NewPeer(t, theirs, role)
					c := newConn(ours, config{client: client, parent: bg, readLimit: 8 << 10, settings: newSettings(0, 0, 0)})
					b := p.Encode(script.frames...)
					size = len(b)
					sent := start(func() error {
						for rest := b; len(rest) > 0; {
							n, err := theirs.Write(rest[:min(piece, len(rest))])
							if err != nil {
								return nil // the connection ended before
							}
							rest = rest[n:]
							synctest.Wait()
						}
						return nil
					})
					defer func() { c.CloseNow(); theirs.Close(); <-sent }()
					why := fmt.Sprintf("%s, client %v, pieces of %d", name, client, piece)
					for i, want := range script.want {
						room := []int{1100, 24, 4100, 60}[(i+piece)%4]
						_, got, err := c.AppendRead(bg, roomy(room))
						if err != nil || string(got) != "before"+want {
							t.Fatalf("%s: message %d is %.60q, %v; want %.60q", why, i, got, err, want)
						}
					}
					if script.code == 0 {
						return
					}
					_, got, err := c.AppendRead(bg, roomy(2000))
					var violated ProtocolError
					if errors.As(err, &violated) && violated.Code != script.code || err == nil || string(got) != "before" ||
						script.code == StatusMessageTooBig != errors.Is(err, ErrMessageTooBig) {
						t.Fatalf("%s: %.60q, %v; want an error for %d", why, got, err, script.code)
					}
				})
			}
		}
	}
}

// TestReadIntoCancelled: what came straight into the memory of a call that gave up
// is not lost.
func TestReadIntoCancelled(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		b := t.p.Encode(wiretest.Binary(strings.Repeat("x", 3000)), wiretest.Text("next"))
		ctx, cancel := context.WithCancel(bg)
		read := start(func() error {
			_, p, err := t.c.AppendRead(ctx, roomy(8000))
			if string(p) != "before" {
				t.Errorf("%d bytes with an error", len(p))
			}
			return err
		})
		t.p.SendRaw(b[:2000])
		t.blocked("the rest is missing", read)
		cancel()
		if err := t.want("AppendRead", read); err != context.Canceled {
			t.Fatal(err)
		}
		t.p.SendRaw(b[2000:])
		_, p, err := t.c.AppendRead(bg, roomy(8000))
		if err != nil || !bytes.Equal(p, []byte("before"+strings.Repeat("x", 3000))) {
			t.Fatalf("%d bytes, %v", len(p), err)
		}
		t.wantRead("what came behind", MessageText, "next")
	})
}

// TestReadIntoManyBehindALarge: after a large message the next read is for another;
// many small ones may come instead, more than the buffer holds.
func TestReadIntoManyBehindALarge(t *testing.T) {
	runConnTest(t, config{readLimit: 1 << 20}, func(t *connTest) {
		large := strings.Repeat("x", 120<<10)
		var many []wiretest.Frame
		for i := range 1500 {
			many = append(many, wiretest.Text(fmt.Sprintf("%050d", i)))
		}
		buf := make([]byte, 0, 256<<10)
		read := func(want string) {
			t.Helper()
			_, p, err := t.c.AppendRead(bg, buf)
			if err != nil || string(p) != want {
				t.Fatalf("%d bytes, %.60q, %v; want %.60q", len(p), p, err, want)
			}
		}
		for range 2 {
			sent := start(func() error { t.p.SendRaw(t.p.Encode(wiretest.Binary(large))); return nil })
			read(large)
			<-sent
			sent = start(func() error { t.p.SendRaw(t.p.Encode(many...)); return nil })
			if !t.real {
				synctest.Wait() // so that all of them are there
			}
			for i := range many {
				read(string(many[i].Payload))
			}
			<-sent
		}
	})
}
