package peers

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

const (
	node   = "node"
	python = "/usr/bin/python3" // Debian's, which has Debian's websockets
)

// A program is what a peer runs.
type program struct {
	name    string
	command []string
	// deflatesWith8 says whether it can compress with a window of 8 bits. zlib
	// can't, without its header. Node has it take 9, of which it uses less than 8
	// in fact; websockets agrees to 8, and then its handshake fails.
	deflatesWith8 bool
}

var programs = []program{
	{"ws", []string{node, "node/peer.mjs"}, true},
	{"websockets", []string{python, "python/peer.py"}, false},
}

// A peer is a process that runs one of the programs.
type peer struct {
	*process
	program program
	stdin   io.Writer
	events  chan event
	nghttpx bool // it is at the other side of one
}

// An order tells a peer what to do.
type order struct {
	Do      string   `json:"do"` // listen, dial, fragments, ping, close, lose, goaway or disconnect
	URL     string   `json:"url"`
	HTTP2   bool     `json:"http2"`         // listen and dial: over HTTP/2, which only Node's peer can
	TLS     *files   `json:"tls,omitempty"` // nil: without TLS
	Reset   bool     `json:"reset"`         // listen: see nghttpxKind
	Linger  bool     `json:"linger"`        // dial: see nghttpxKind
	Deflate params   `json:"deflate"`
	Pieces  []string `json:"pieces"`
	Payload string   `json:"payload"`
	Code    int      `json:"code"` // 0: an empty Close frame
	Reason  string   `json:"reason"`
}

// params are parameters of permessage-deflate under their names in RFC 7692;
// nil is no compression.
type params map[string]any

// An event is something that happened to a peer.
type event struct {
	Event      string // listening, open, refused, ping, pong, away or closed
	Port       int
	Extensions string
	Connection int // the client's port, over HTTP/2
	Payload    string
	Code       int
	Reason     string
	Error      string
}

func startPeer(t *testing.T, program program) *peer {
	t.Helper()
	cmd := exec.Command(program.command[0], program.command[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stdoutEnd := io.Pipe()
	cmd.Stdout = stdoutEnd
	p := &peer{program: program, stdin: stdin, events: make(chan event, 1000)}
	p.process = begin(t, cmd)
	go func() {
		<-p.ended
		stdoutEnd.Close()
	}()
	go p.readEvents(stdout)
	return p
}

func (p *peer) readEvents(stdout io.Reader) {
	defer close(p.events)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Event: "no event", Error: lines.Text()}
		}
		p.events <- e
	}
}

func (p *peer) tell(o order) {
	p.t.Helper()
	if err := json.NewEncoder(p.stdin).Encode(o); err != nil {
		p.t.Fatal(err)
	}
}

// want waits for the next event and returns it, if it is of this kind. Pings that
// the peer received are passed over: keepalive sends them when it likes.
func (p *peer) want(kind string) event {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-p.events:
			if e.Event == "ping" && kind != "ping" {
				continue
			}
			if e.Event != kind {
				p.t.Fatalf("%s says %+v, want %s", p.program.name, e, kind)
			}
			return e
		case <-late:
			p.t.Fatalf("%s does not say %s", p.program.name, kind)
		}
	}
}

// wantClosed waits until the peer says that the connection ended with code and
// reason.
func (p *peer) wantClosed(code int, reason string) {
	p.t.Helper()
	if e := p.want("closed"); e.Code != code || e.Reason != reason {
		p.t.Errorf("%s saw the close %d %q (%s), want %d %q", p.program.name, e.Code, e.Reason, e.Error, code, reason)
	}
}

// listen makes the peer a server, and returns its address.
func (p *peer) listen(deflate params, v version) string {
	p.t.Helper()
	p.tell(order{Do: "listen", Deflate: deflate, HTTP2: v != h1, TLS: v.files(), Reset: p.nghttpx})
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.want("listening").Port))
}
