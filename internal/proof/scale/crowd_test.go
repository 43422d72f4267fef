package scale

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	flagConns = flag.Int("conns", 100, "how many connections")
	flagJoins = flag.Int("joins", 20_000, "how many times members join and leave")
	flagSoak  = flag.Duration("soak", time.Second, "how long members come and go")
	// It is shorter than the default, so that there is something to measure; a Ping costs the same however seldom it is sent.
	flagPeriod = flag.Duration("period", 500*time.Millisecond, "the keepalive's period of idle connections; a busy machine needs seconds")
	flagFor    = flag.Duration("for", time.Second/2, "how long is broadcast; how many seconds of idling are measured")
)

// crowdKey is the variable of the environment that makes this program a crowd.
const crowdKey = "WEBSOCKET_SCALE_CROWD"

func TestMain(m *testing.M) {
	if what := os.Getenv(crowdKey); what != "" {
		if err := beCrowd(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// mostlyWaits lets a test run beside others, since it mostly waits. With more connections each runs alone, as they are
// measured then.
func mostlyWaits(t *testing.T) {
	if *flagConns <= 100 {
		t.Parallel()
	}
}

// An order is what a crowd does.
type order struct {
	Addr    string
	TLS     bool
	Conns   int
	Stalled int // so many of them, the first, never read
}

// A report is what became of it.
type report struct {
	Codes     map[int]int // Close frames, by their code
	Lost      int         // connections that ended without one
	Delivered int
	P50, P99  time.Duration // from Broadcast to the client
	Most      time.Duration
	Dropped   int // messages that a client did not get, by their numbers
}

// A crowd is the other process.
type crowd struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.Closer
	out    *bufio.Reader
	joined time.Duration // how long it took to connect all
}

// startCrowd starts the clients, and returns when all are connected.
func startCrowd(t *testing.T, o order) *crowd {
	t.Helper()
	what, _ := json.Marshal(o)
	c := &crowd{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), crowdKey+"="+string(what))
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	begun := time.Now()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); c.cmd.Process.Kill(); c.cmd.Wait() })
	if line, err := c.out.ReadString('\n'); err != nil || line != "connected\n" {
		t.Fatalf("the crowd: %q, %v", line, err)
	}
	c.joined = time.Since(begun)
	return c
}

// leave has the clients go without a word, and returns what they saw; end waits until all have ended.
func (c *crowd) leave() report {
	c.in.Close()
	return c.end()
}

func (c *crowd) end() (r report) {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &r)
	}
	if err != nil {
		c.t.Fatalf("the crowd: %q, %v", line, err)
	}
	return r
}

// beCrowd is the other process: it connects, reads until all connections or its input have ended, and reports.
func beCrowd(what string) error {
	var o order
	if err := json.Unmarshal([]byte(what), &o); err != nil {
		return err
	}
	clients := make([]*client, o.Conns)
	var group, reading sync.WaitGroup
	errs := make(chan error, o.Conns)
	slots := make(chan struct{}, 64)
	for i := range clients {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			var err error
			clients[i], err = connect(o, i < o.Stalled)
			switch {
			case err != nil:
				errs <- err
			case i >= o.Stalled: // from now on: the server may ping those that came first before the last come
				reading.Go(clients[i].read)
			}
		})
	}
	group.Wait()
	if len(errs) > 0 {
		return fmt.Errorf("%d of %d: %w", len(errs), o.Conns, <-errs)
	}
	fmt.Println("connected")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		for _, c := range clients {
			c.nc.Close()
		}
	}()
	reading.Wait()
	return json.NewEncoder(os.Stdout).Encode(sum(clients))
}

// A client is a raw one, and answers Pings and Close.
type client struct {
	nc        net.Conn
	code      int // of the Close that came; 0: none did
	latencies []time.Duration
	next      uint64 // the number of the next message
	gaps      int
}

func connect(o order, stalls bool) (*client, error) {
	d := net.Dialer{Timeout: time.Minute}
	if stalls {
		d.Control = func(_, _ string, rc syscall.RawConn) error { return smallBuffer(rc) }
	}
	nc, err := d.Dial("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.TLS {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	path := "/"
	if stalls {
		path = "/stalls"
	}
	_, err = io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: crowd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	var head [1]byte
	var answer strings.Builder
	for err == nil && !strings.HasSuffix(answer.String(), "\r\n\r\n") {
		if _, err = nc.Read(head[:]); err == nil {
			answer.Write(head[:])
		}
	}
	if err == nil && !strings.HasPrefix(answer.String(), "HTTP/1.1 101 ") {
		err = errors.New(answer.String())
	}
	return &client{nc: nc}, err
}

// read reads frames until the stream ends.
func (c *client) read() {
	defer c.nc.Close()
	var b [4 + 1<<14]byte
	for {
		if _, err := io.ReadFull(c.nc, b[:2]); err != nil {
			return
		}
		n := int(b[1])
		if n == 126 {
			if _, err := io.ReadFull(c.nc, b[2:4]); err != nil {
				return
			}
			n = int(binary.BigEndian.Uint16(b[2:]))
		}
		p := b[4 : 4+n]
		if _, err := io.ReadFull(c.nc, p); err != nil {
			return
		}
		switch b[0] & 0xf {
		case 8:
			c.code = 1005
			if n >= 2 {
				c.code = int(binary.BigEndian.Uint16(p))
			}
			c.answer(8, p[:min(n, 2)])
		case 9:
			c.answer(10, p)
		default:
			c.message(p)
		}
	}
}

// answer sends a control frame, with a masking key of zero.
func (c *client) answer(opcode byte, p []byte) {
	c.nc.Write(append([]byte{0x80 | opcode, 0x80 | byte(len(p)), 0, 0, 0, 0}, p...))
}

// message takes one of stamp's.
func (c *client) message(p []byte) {
	if len(p) < 16 || binary.BigEndian.Uint64(p) == 0 {
		return
	}
	c.latencies = append(c.latencies, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(p)))))
	number := binary.BigEndian.Uint64(p[8:])
	if number != c.next {
		c.gaps++
	}
	c.next = number + 1
}

// stamp writes the time and a number into a message.
func stamp(p []byte, number int) {
	binary.BigEndian.PutUint64(p, uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint64(p[8:], uint64(number))
}

func sum(clients []*client) report {
	r := report{Codes: map[int]int{}}
	var all []time.Duration
	for _, c := range clients {
		if c.code == 0 {
			r.Lost++
		} else {
			r.Codes[c.code]++
		}
		all = append(all, c.latencies...)
		r.Dropped += c.gaps
	}
	if r.Delivered = len(all); len(all) > 0 {
		slices.Sort(all)
		r.P50, r.P99, r.Most = all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
	}
	return r
}
