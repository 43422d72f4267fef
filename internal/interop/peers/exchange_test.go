package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// TestExchange sends messages of every kind there and back, pings both ways, and
// closes, without compression and with it.
func TestExchange(t *testing.T) {
	t.Parallel()
	eachLink(t, allRoutes, func(t *testing.T, program program, role role, extend route) {
		t.Run("plain", func(t *testing.T) {
			testExchange(newLink(t, startPeer(t, program), role, websocket.DialOptions{}, nil, extend), "", noise(16<<20))
		})
		t.Run("compressed", func(t *testing.T) {
			ours := websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover}
			testExchange(newLink(t, startPeer(t, program), role, ours, params{}, extend), "permessage-deflate", []byte(prose(1<<20)))
		})
	})
}

// TestLargeCompressed: proxies don't look into messages, so it goes without them.
func TestLargeCompressed(t *testing.T) {
	t.Parallel()
	eachLink(t, map[string]route{"direct": direct}, func(t *testing.T, program program, role role, extend route) {
		ours := websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover}
		l := newLink(t, startPeer(t, program), role, ours, params{}, extend)
		c, _ := l.open()
		echo(t, c, websocket.MessageText, large())
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		l.peer.wantClosed(1000, "")
	})
}

func testExchange(l *link, extension string, largest []byte) {
	c, extensions := l.open()
	if name, _, _ := strings.Cut(extensions, ";"); name != extension {
		l.t.Fatalf("agreed on %q, want %q", extensions, extension)
	}
	for _, text := range []string{"", "hello", "Grüße, 世界 🌍", strings.Repeat("€", 1000), prose(65535), prose(65536)} {
		echo(l.t, c, websocket.MessageText, []byte(text))
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		echo(l.t, c, websocket.MessageBinary, noise(size))
	}
	echo(l.t, c, websocket.MessageBinary, largest)

	ours := []string{prose(100), "", prose(5000), "the end"}
	sendFragments(l.t, c, ours)
	wantMessage(l.t, c, websocket.MessageText, []byte(strings.Join(ours, "")))
	theirs := []string{"first, ", prose(3000), "third"}
	l.peer.tell(order{Do: "fragments", Pieces: theirs})
	wantMessage(l.t, c, websocket.MessageText, []byte(strings.Join(theirs, "")))

	if err := c.Ping(within(l.t)); err != nil {
		l.t.Errorf("our ping: %v", err)
	}
	for _, payload := range []string{"", "are you there?", strings.Repeat("p", 125)} {
		l.peer.tell(order{Do: "ping", Payload: payload})
		if e := l.peer.want("pong"); e.Payload != payload {
			l.t.Errorf("%s pinged with %q and got %q", l.peer.program.name, payload, e.Payload)
		}
	}

	if err := c.Close(websocket.StatusNormalClosure, "through"); err != nil {
		l.t.Errorf("Close: %v", err)
	}
	l.peer.wantClosed(1000, "through")
}

// echo sends a message and wants it back.
func echo(t *testing.T, c *websocket.Conn, typ websocket.MessageType, data []byte) {
	t.Helper()
	if err := c.Write(within(t), typ, data); err != nil {
		t.Fatalf("writing %d bytes: %v", len(data), err)
	}
	wantMessage(t, c, typ, data)
}

func sendFragments(t *testing.T, c *websocket.Conn, pieces []string) {
	t.Helper()
	w, err := c.Writer(within(t), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if _, err := fmt.Fprint(w, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantMessage(t *testing.T, c *websocket.Conn, typ websocket.MessageType, data []byte) {
	t.Helper()
	gotType, got, err := read(t, c)
	if err != nil {
		t.Fatalf("reading %d bytes: %v", len(data), err)
	}
	if gotType != typ || !bytes.Equal(got, data) {
		t.Fatalf("got a %v of %d bytes, want a %v of %d; equal contents: %t",
			gotType, len(got), typ, len(data), bytes.Equal(got, data))
	}
}

func read(t *testing.T, c *websocket.Conn) (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.Read(ctx)
}

// prose is text of n bytes that compresses as text does.
func prose(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"from":"peer %d","text":"message %x"}`+"\n", i, i%7, i*2654435761)
	}
	return b.String()[:n]
}

// large is text of 16 MiB. It repeats itself, for the race detector makes
// compression slow.
func large() []byte { return bytes.Repeat([]byte(prose(1<<14)), 1<<10) }

// noise is n bytes that can't be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
