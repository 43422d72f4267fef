//go:build unix

package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestStoppedProcess: a process is stopped, as when a container is paused or a laptop sleeps, for longer than a peer may be
// silent. What the peer sent in time lies in the socket when the process goes on: nobody is judged before it is read. Half of the
// connections wait for a Pong then, and half for the answer to their Close.
func TestStoppedProcess(t *testing.T) {
	const child, conns, patience = "WEBSOCKET_TEST_STOPPED_CHILD", 24, 400 * time.Millisecond
	if addr := os.Getenv(child); addr != "" {
		beStopped(addr, conns, patience)
		return
	}
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], "-test.run=^TestStoppedProcess$")
	cmd.Env = append(os.Environ(), child+"="+ln.Addr().String())
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var peers []*wiretest.Peer
	for range conns {
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p := wiretest.NewPeer(t, nc, wiretest.Server)
		p.ServeHandshake(nil)
		peers = append(peers, p)
	}
	var answers []wiretest.Frame
	for _, p := range peers {
		answers = append(answers, p.ReadFrame("a Ping, or a Close"))
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i, f := range answers {
		if f.Opcode == wiretest.OpPing {
			peers[i].SendPong(string(f.Payload))
			peers[i].SendText("alive")
		} else {
			peers[i].SendClose(1000, "")
		}
	}
	time.Sleep(patience + 2*asleep) // the other process, which is stopped, must miss that much of real time
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		go io.Copy(io.Discard, p.Conn)
	}
	if err := cmd.Wait(); err != nil || strings.Count(out.String(), "well") != conns {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// beStopped is what the other process does.
func beStopped(addr string, conns int, patience time.Duration) {
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			closes := i%2 == 1
			opts := &DialOptions{KeepAlive: patience, CloseTimeout: patience}
			if closes {
				opts.KeepAlive = -1
			}
			c, _, err := Dial(bg, "ws://"+addr, opts)
			if err == nil && closes {
				time.Sleep(patience * 7 / 8) // until the others ping
				err = c.Close(StatusNormalClosure, "")
			} else if err == nil {
				_, _, err = c.Read(bg)
			}
			if err != nil {
				fmt.Println(errors.Join(errors.New("ended"), err))
				return
			}
			fmt.Println("well")
		})
	}
	all.Wait()
}
