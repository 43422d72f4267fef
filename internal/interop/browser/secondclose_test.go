package browser

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/proof/mutants"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// The bug that this library exists to end: a server that closes a WebSocket
// answers the browser's answer with a second Close frame, and Chromium's console
// says "Close received after close". First it is shown that these tests see it.

// pingSubscribe has the page send "ping" on a WebSocket on which the server only
// writes, and returns what comes of it.
func pingSubscribe(p *page, url string) closing {
	p.t.Helper()
	var c closing
	p.run(fmt.Sprintf(`(() => {
		const ws = new WebSocket(%q);
		ws.onopen = () => ws.send("ping");
		return %s;
	})()`, url, closed), &c)
	return c
}

// wantSecondCloseSeen fails the test if p's console is quiet.
func wantSecondCloseSeen(p *page, c closing) {
	p.t.Helper()
	complaints := strings.Join(p.console(), "\n")
	if !strings.Contains(complaints, "Close received after close") {
		p.t.Errorf("the server sent two Close frames, and the console shows only: %q", complaints)
	}
	p.t.Logf("the page saw %+v, the console shows:\n%s", c, complaints)
}

func TestTheTestsSeeASecondCloseFrameWrittenByHand(t *testing.T) {
	for _, variant := range []struct {
		name  string
		after bool // the second comes after the page's answer
	}{{"right behind the first", false}, {"after the answer", true}} {
		t.Run(variant.name, func(t *testing.T) {
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				closeTwice(t, w, r, variant.after)
			}))
			p := newPage(t, url)
			wantSecondCloseSeen(p, pingSubscribe(p, url+"/ws"))
		})
	}
}

// closeTwice is a server that does it wrong.
func closeTwice(t *testing.T, w http.ResponseWriter, r *http.Request, after bool) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		wiretest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
	const close1008 = "\x88\x02\x03\xf0"
	skipFrame(t, rw.Reader) // "ping"
	if !after {
		io.WriteString(nc, close1008+close1008)
	} else {
		io.WriteString(nc, close1008)
		skipFrame(t, rw.Reader) // the page's Close
		io.WriteString(nc, close1008)
	}
	io.Copy(io.Discard, rw)
}

// skipFrame reads a frame.
func skipFrame(t *testing.T, r *bufio.Reader) {
	h, err := wiretest.ReadHeader(r)
	if err == nil {
		_, err = r.Discard(int(h.Length))
	}
	if err != nil {
		t.Error(err)
	}
}

// forgetful is a library that forgets, when the peer's Close comes, that its own has
// left already.
var forgetful = mutants.Mutant{Name: "forgetful", What: "a second Close frame leaves", Edits: []mutants.Edit{
	{In: "closeTable", Old: "recvClose: {closed, finish},", New: "recvClose: {closeReceived, echo},"},
	{In: "closing.received", Old: "if c.ours == none { // S", New: "if true { // S"},
}}

func TestTheTestsSeeASecondCloseFrameOfABrokenBuild(t *testing.T) {
	path, err := forgetful.Overlay("../../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	binary, err := buildChat(path)
	if err != nil {
		t.Fatal(err)
	}
	c := startBinary(t, binary, "127.0.0.1:0")
	p := newPage(t, c.url+"/page/icon.svg")
	wantSecondCloseSeen(p, pingSubscribe(p, c.ws("/subscribe")))
}

func TestPingOnSubscribeIsClosedCleanly(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	p := newPage(t, c.url+"/page/icon.svg")
	for range 50 {
		got := pingSubscribe(p, c.ws("/subscribe"))
		p.wantClean(got, 1008)
		if got.Reason == "" {
			t.Errorf("the page saw %+v: no reason", got)
		}
	}
	p.wantQuiet()
}
