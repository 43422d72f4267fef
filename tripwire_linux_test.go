//go:build amd64 || arm64

package websocket_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// tracedEnv is set in the process whose system calls are counted.
const tracedEnv = "WEBSOCKET_TEST_TRACED"

// A systemCallCase is something that happens some times on one connection.
type systemCallCase struct {
	name  string
	roles []wiretest.Role // the library's
	times int
	// play makes it happen once.
	play func(t *testing.T, w wire)
	// The most system calls for each time; reads: 0 for any number, where it is the kernel's matter in how many parts
	// something comes.
	reads, writes float64
}

var bothRoles = []wiretest.Role{wiretest.Server, wiretest.Client}

func systemCallCases() []systemCallCase {
	ping := func(t *testing.T, w wire) {
		w.peer.SendPing("?")
		w.peer.WantPong("a Ping is answered", "?")
	}
	end := func(t *testing.T, w wire) {
		w.peer.SendClose(1000, "")
		w.peer.WantClose("a Close is answered", 1000)
	}
	return []systemCallCase{
		{"an echo of 64 bytes", bothRoles, 20, echo(64, 1), limitReadsPerMessage, limitWritesPerMessage},
		{"an echo of 1 KiB", bothRoles, 20, echo(1<<10, 1), limitReadsPerMessage, limitWritesPerMessage},
		{"an echo of 16 KiB", bothRoles, 20, echo(16<<10, 1), limitReadsPerMessage, limitWritesPerMessage},
		{"an echo of 256 KiB", bothRoles[:1], 10, echo(256<<10, 1), 0, limitWritesPerMessage},
		{"32 echoes of 64 bytes that came at once", bothRoles, 20, echo(64, 32), limitReadsPerMessage, limitWritesPerBurst},
		{"a Pong", bothRoles, 10, ping, limitReadsPerMessage, limitWritesPerMessage},
		{"the answer to a Close", bothRoles, 1, end, 0, limitWritesPerMessage},
	}
}

// echo is a burst of messages, sent with one call, and the answers to them.
func echo(size, burst int) func(*testing.T, wire) {
	message := wiretest.Binary(strings.Repeat("x", size))
	masked := message
	masked.Masked, masked.Key = true, [4]byte{1, 2, 3, 4}
	fromServer, fromClient := bytes.Repeat(message.Append(nil), burst), bytes.Repeat(masked.Append(nil), burst)
	return func(t *testing.T, w wire) {
		request, answers := fromServer, make([]byte, len(fromClient))
		if w.peer.Role == wiretest.Client {
			request, answers = fromClient, answers[:len(fromServer)]
		}
		w.answered(t, request, answers)
	}
}

// TestSystemCalls counts system calls on a connection's socket: a Write is one, and so are the answers to all that
// came at once. It counts them in another process, this test run anew, that is stopped at each system call.
func TestSystemCalls(t *testing.T) {
	cases := systemCallCases()
	if os.Getenv(tracedEnv) != "" {
		for _, c := range cases {
			for _, role := range c.roles {
				playTraced(t, c, role)
			}
		}
		return
	}
	episodes := traceSelf(t, "^TestSystemCalls$", tracedEnv)
	for _, c := range cases {
		for _, role := range c.roles {
			t.Run(fmt.Sprintf("%s, as %s", c.name, role), func(t *testing.T) {
				if len(episodes) < attempts {
					t.Fatal("nothing was counted")
				}
				mine := episodes[:attempts]
				episodes = episodes[attempts:]
				c.judge(t, mine)
			})
		}
	}
}

// attempts is how often a case is counted. The least counts: a goroutine that was kept from running for a
// while makes the library look whether something has come meanwhile.
const attempts = 3

// playTraced plays one case in the process that is traced, and tells the tracer when.
func playTraced(t *testing.T, c systemCallCase, role wiretest.Role) {
	for range attempts {
		w := newWire(t, role)
		const room = 1 << 20
		if err := w.under.SetWriteBuffer(room); err != nil {
			t.Fatal(err)
		}
		raw, err := w.under.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var socket int
		if err := raw.Control(func(fd uintptr) { socket = int(fd) }); err != nil {
			t.Fatal(err)
		}
		go echoInto(context.Background(), w.conn)
		if c.times > 1 {
			for range 3 { // so that buffers and TCP's windows are as large as they get
				c.play(t, w)
			}
		}
		beginEpisode(socket)
		for range c.times {
			c.play(t, w)
		}
		endEpisode()
	}
}

func (c systemCallCase) judge(t *testing.T, episodes []episode) {
	least := episodes[0]
	for _, e := range episodes {
		least.reads = min(least.reads, e.reads)
		least.writes = min(least.writes, e.writes)
	}
	each := func(n int) float64 { return float64(n) / float64(c.times) }
	t.Logf("%.2f reads, %.2f writes", each(least.reads), each(least.writes))
	if least.reads < c.times || least.writes == 0 {
		t.Errorf("%d reads and %d writes for %d times: there are system calls that this test does not know", least.reads, least.writes, c.times)
	}
	if each(least.writes) > c.writes {
		t.Errorf("%.2f system calls that write, more than %v", each(least.writes), c.writes)
	}
	const begun = 2 // reads under way when the count began or ended
	if c.reads > 0 && each(least.reads-begun) > c.reads {
		t.Errorf("%.2f system calls that read, more than %v", each(least.reads), c.reads)
	}
}
