package browser

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestGorillaChat: the chat example of gorilla/websocket, moved by its import path alone, in two windows.
func TestGorillaChat(t *testing.T) {
	url := "http://" + startGorillaChat(t)
	a, b := newPage(t, url), newPage(t, url)
	log := `document.querySelector("#log").innerText`
	for i, p := range []*page{a, b} {
		// The page hides its connection. One more that is opened after it tells when it is open.
		p.wait(`(window.probe ??= new WebSocket("ws://" + location.host + "/ws")).readyState === WebSocket.OPEN`)
		p.typeLine([]string{"the first is here", "the second is here"}[i])
		p.wait(log + []string{`.includes("the first is here")`, `.includes("the second is here")`}[i])
	}
	a.wait(log + ` === "the first is here\nthe second is here"`)
	a.typeLine("hello from the first")
	b.wait(log + `.endsWith("hello from the first")`)
	b.typeLine("hello from the second")
	for _, p := range []*page{a, b} {
		p.wait(log + `.endsWith("hello from the first\nhello from the second")`)
	}
	b.close()
	a.typeLine("still here")
	a.wait(log + `.endsWith("still here")`)
}

// startGorillaChat runs ../gorilla/chat on a free port until the test ends.
func startGorillaChat(t *testing.T) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	program := filepath.Join(t.TempDir(), "chat")
	build := exec.Command("go", "build", "-o", program, "./chat")
	build.Dir = "../gorilla"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "-addr", addr)
	cmd.Dir, cmd.Stderr = build.Dir, os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close() // it ends with its input
		cmd.Wait()
	})
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; <-time.After(50 * time.Millisecond) { // it builds the example first
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("the chat did not start")
	return ""
}
