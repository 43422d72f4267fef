package gorilla

import (
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/interop/gorilla/stand"
	theirs "github.com/gorilla/websocket"
)

// TestExamples builds the examples of the original, unchanged, and lets its chat and its echo server talk to clients of the
// original.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	names, err := stand.Examples(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if want := []string{"autobahn", "chat", "command", "echo/client", "echo/server", "filewatch"}; !slices.Equal(names, want) {
		t.Errorf("built %q, want %q", names, want)
	}
	t.Run("chat", func(t *testing.T) {
		addr := serve(t, filepath.Join(dir, "examples", "chat"), "./program")
		say := func(text string, from *theirs.Conn, to ...*theirs.Conn) {
			if err := from.WriteMessage(theirs.TextMessage, []byte(text)); err != nil {
				t.Fatal(err)
			}
			for _, c := range to {
				if _, p, err := c.ReadMessage(); err != nil || string(p) != text {
					t.Errorf("%q, %v came, want %q", p, err, text)
				}
			}
		}
		// A client is in the hub when its own message comes back, and not yet when Dial returns.
		a := dial(t, "ws://"+addr+"/ws")
		say("alone", a, a)
		b := dial(t, "ws://"+addr+"/ws")
		say("hello", b, a, b)
		say("a second line", a, a, b)
		b.WriteControl(theirs.CloseMessage, theirs.FormatCloseMessage(theirs.CloseGoingAway, ""), time.Now().Add(time.Second))
		if _, _, err := b.ReadMessage(); !theirs.IsCloseError(err, theirs.CloseGoingAway) {
			t.Errorf("the Close was answered with %v", err)
		}
	})
	t.Run("echo", func(t *testing.T) {
		addr := serve(t, filepath.Join(dir, "examples", "echo"), "./server")
		c := dial(t, "ws://"+addr+"/echo")
		c.WriteMessage(theirs.BinaryMessage, []byte("again"))
		if typ, p, err := c.ReadMessage(); err != nil || typ != theirs.BinaryMessage || string(p) != "again" {
			t.Errorf("%d, %q, %v came", typ, p, err)
		}
	})
}

// serve runs an example on a free port until the test ends.
func serve(t *testing.T, dir, program string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	cmd := exec.Command(program, "-addr", addr)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return addr
}

// dial connects with the original, when the server is there.
func dial(t *testing.T, url string) *theirs.Conn {
	for begun := time.Now(); ; {
		c, _, err := theirs.DefaultDialer.Dial(url, nil)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			return c
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
