package peers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// What permessage-deflate can agree on. The windows' sizes are the exponent of 2.
type agreement struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int // 0: not mentioned
}

// agreements are each parameter with each of its values, and a few together.
var agreements = func() []agreement {
	all := []agreement{
		{},
		{serverNoTakeover: true},
		{clientNoTakeover: true},
		{serverNoTakeover: true, clientNoTakeover: true},
		{serverNoTakeover: true, serverBits: 9, clientBits: 10},
		{clientNoTakeover: true, serverBits: 12, clientBits: 9},
	}
	for bits := 8; bits <= 15; bits++ {
		all = append(all, agreement{serverBits: bits}, agreement{clientBits: bits})
	}
	return all
}()

func (a agreement) params() params {
	p := params{}
	if a.serverNoTakeover {
		p["server_no_context_takeover"] = true
	}
	if a.clientNoTakeover {
		p["client_no_context_takeover"] = true
	}
	if a.serverBits != 0 {
		p["server_max_window_bits"] = a.serverBits
	}
	if a.clientBits != 0 {
		p["client_max_window_bits"] = a.clientBits
	}
	return p
}

func (a agreement) String() string {
	p := a.params()
	var s []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		s = append(s, strings.TrimSuffix(fmt.Sprintf("%s=%v", name, p[name]), "=true"))
	}
	if s == nil {
		return "no parameters"
	}
	return strings.Join(s, "; ")
}

// window is the size of the window that an end compresses with, and takeover
// whether it keeps the window from message to message.
func (a agreement) window(r role) (bits int, takeover bool) {
	bits, takeover = a.clientBits, !a.clientNoTakeover
	if r == server {
		bits, takeover = a.serverBits, !a.serverNoTakeover
	}
	if bits == 0 {
		bits = 15
	}
	return bits, takeover
}

// tuning is the agreement as options of ours.
func (a agreement) tuning() websocket.CompressionTuning {
	return websocket.CompressionTuning{
		ServerWindowBits:        a.serverBits,
		ClientWindowBits:        a.clientBits,
		ServerNoContextTakeover: a.serverNoTakeover,
		ClientNoContextTakeover: a.clientNoTakeover,
	}
}

// TestDeflate has the peer ask for each parameter, and then ourselves, and sees
// that both ends keep to what was agreed on.
func TestDeflate(t *testing.T) {
	t.Parallel()
	for _, program := range programs {
		for _, role := range []role{server, client} {
			for _, who := range []string{"they ask", "we ask"} {
				t.Run(program.name+"/"+string(role)+"/"+who, func(t *testing.T) {
					t.Parallel()
					p := startPeer(t, program)
					for _, a := range agreements {
						if bits, _ := a.window(role.other()); bits == 8 && !program.deflatesWith8 {
							continue
						}
						t.Log(a)
						testAgreement(t, p, role, a, who == "we ask")
					}
				})
			}
		}
	}
}

func testAgreement(t *testing.T, p *peer, role role, a agreement, weAsk bool) {
	t.Helper()
	ours := websocket.DialOptions{
		CompressionMode:      websocket.CompressionContextTakeover,
		CompressionThreshold: -1,
		KeepAlive:            -1, // it would be counted
	}
	theirs := params{}
	if weAsk {
		ours.CompressionTuning = a.tuning()
	} else {
		theirs = a.params()
	}
	var tap tap
	l := newLink(t, p, role, ours, theirs, tap.lead)
	c, extensions := l.open()
	a.wantIn(t, extensions, weAsk)

	// A message that comes twice costs little the second time, with takeover.
	text := hexText(200)
	sent1, received1 := tap.cost(t, role, c, text)
	sent2, received2 := tap.cost(t, role, c, text)
	ourBits, ourTakeover := a.window(role)
	theirBits, theirTakeover := a.window(role.other())
	if small := sent2 < sent1/2; small != ourTakeover {
		t.Errorf("%v: we sent %d bytes, then %d for the same; context takeover: %t", a, sent1, sent2, ourTakeover)
	}
	if small := received2 < received1/2; small != theirTakeover {
		t.Errorf("%v: the peer sent %d bytes, then %d for the same; context takeover: %t", a, received1, received2, theirTakeover)
	}

	// Either end decodes with exactly the window agreed on, and fails if what it
	// gets refers to something farther back. So let the text have nothing else to
	// refer to: first just within the window, then just beyond it.
	windows := []int{1 << ourBits, 1 << theirBits}
	for _, window := range slices.Compact(windows) {
		repeat(t, c, window, window)
		if window < 1<<15 { // DEFLATE knows no greater distance
			repeat(t, c, window+1, window)
		}
	}

	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("%v: Close: %v", a, err)
	}
	p.wantClosed(1000, "")
}

// wantIn wants the agreement to stand in the header field that came of it.
func (a agreement) wantIn(t *testing.T, extensions string, weAsk bool) {
	t.Helper()
	name, list, _ := strings.Cut(strings.ReplaceAll(extensions, " ", ""), ";")
	got := strings.Split(list, ";")
	if name != "permessage-deflate" {
		t.Fatalf("%v: agreed on %q", a, extensions)
	}
	for name, value := range a.params() {
		want := strings.TrimSuffix(fmt.Sprintf("%s=%v", name, value), "=true")
		if value == 15 && weAsk {
			continue // the default, which need not be said
		}
		if !slices.Contains(got, want) {
			t.Errorf("%v: agreed on %q", a, extensions)
		}
	}
}

// cost is how many bytes an echo takes there and back.
func (p *tap) cost(t *testing.T, role role, c *websocket.Conn, text []byte) (sent, received int64) {
	t.Helper()
	toServer, toClient := p.toServer.Load(), p.toClient.Load()
	echo(t, c, websocket.MessageText, text)
	toServer, toClient = p.toServer.Load()-toServer, p.toClient.Load()-toClient
	if role == server {
		return toClient, toServer
	}
	return toServer, toClient
}

// repeat has the peer echo text that is the same again after period bytes, and no
// sooner. It comes in messages: zlib is exact about its window only there.
func repeat(t *testing.T, c *websocket.Conn, period, window int) {
	t.Helper()
	once := hexText(period)
	text := slices.Concat(once, once, once[:period/8])
	messages := slices.Collect(slices.Chunk(text, min(window/4, 1000)))
	ctx := within(t)
	written := make(chan error, 1)
	go func() {
		for _, m := range messages {
			if err := c.Write(ctx, websocket.MessageText, m); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for _, m := range messages {
		wantMessage(t, c, websocket.MessageText, m)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// hexText is n random digits: they can be compressed by themselves, to the half,
// but nothing in them can be referred to.
func hexText(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	return b
}
