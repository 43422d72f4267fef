package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket/example/cluster/client"
	"github.com/closeonce/websocket/example/cluster/wire"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestMain makes the test's binary the program too, so that there is a process to kill.
func TestMain(m *testing.M) {
	if os.Getenv("CLUSTER_MAIN") != "" {
		main()
		return
	}
	flag.Parse()
	if !testing.Verbose() {
		log.SetOutput(io.Discard) // what nodes log of the disasters
	}
	os.Exit(m.Run())
}

const (
	testPatience = 3 * time.Second
	audience     = 300 // clients
	speakers     = 30  // of them
)

// TestEverythingOnceAndInOrder: whatever happens to nodes and broker, all clients get all that is said, once and in the same order, and what one of
// them says comes in the order in which it was said.
func TestEverythingOnceAndInOrder(t *testing.T) {
	for _, disaster := range []struct {
		name   string
		strike func(*cluster)
		back   func(*cluster)
	}{
		{"a node is killed", func(c *cluster) { c.process.Process.Kill() }, func(*cluster) {}},
		{"a node stops", func(c *cluster) { c.process.Process.Signal(os.Interrupt) }, func(*cluster) {}},
		{"a node is cut off", func(c *cluster) { c.relay.cut() }, func(c *cluster) { c.relay.heal() }},
		{"the broker restarts", (*cluster).stopBroker, (*cluster).startBroker},
	} {
		t.Run(disaster.name, func(t *testing.T) {
			c := newCluster(t, "127.0.0.1:0", nil)
			survive(t, c, disaster.strike, disaster.back)
		})
	}
}

// survive has the audience in a room while the disaster strikes and ends.
func survive(t *testing.T, c *cluster, strike, back func(*cluster)) {
	a := c.invite(audience)
	a.say("before")
	a.wait(speakers)
	a.say("struck") // it is on its way
	strike(c)
	a.say("meanwhile")
	a.waitLost(audience / 3) // those of one node
	back(c)
	a.say("after")
	a.wait(4 * speakers)
	a.check(4)
}

// A cluster is a broker and three nodes: a process, one whose connection to the broker can be cut, and another.
type cluster struct {
	t       *testing.T
	dir     string
	broker  *server.Server
	port    int
	process *exec.Cmd
	relay   *relay
	nodes   []string // URLs
	inside  []*node  // those in this process
}

// newCluster starts a cluster. The relay is at addr, and is reached by dialer.
func newCluster(t *testing.T, addr string, dialer nats.CustomDialer) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), port: -1}
	c.startBroker()
	t.Cleanup(func() { c.stopBroker() })
	c.port = c.broker.Addr().(*net.TCPAddr).Port
	c.relay = newRelay(t, addr, c.broker.Addr().String())

	c.startProcess()
	for _, s := range []settings{
		{name: "b", broker: c.relay.url(), dialer: dialer},
		{name: "c", broker: c.broker.ClientURL()},
	} {
		s.patience = testPatience
		c.startNode(s)
	}
	return c
}

func (c *cluster) startBroker() {
	var err error
	if c.broker, err = startBroker(c.dir, c.port); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) stopBroker() {
	c.broker.Shutdown()
	c.broker.WaitForShutdown()
}

func (c *cluster) startNode(s settings) *node {
	c.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	n, err := startNode(s, smallBuffers{ln})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { n.stop(testContext(c.t)) })
	c.nodes, c.inside = append(c.nodes, n.url), append(c.inside, n)
	return n
}

// smallBuffers has the kernel keep little of what it sends, so that the slow are found out soon.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		nc.(*net.TCPConn).SetWriteBuffer(32 << 10)
	}
	return nc, err
}

var nodeIsAt = regexp.MustCompile(`node a is at (\S+)`)

// startProcess starts a node in a process of its own.
func (c *cluster) startProcess() {
	c.process = exec.Command(os.Args[0], "-addr=127.0.0.1:0", "-nodes=1", "-name=a", "-nats="+c.broker.ClientURL(), "-patience="+testPatience.String())
	c.process.Env = append(os.Environ(), "CLUSTER_MAIN=1")
	stderr, err := c.process.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	started, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if at := nodeIsAt.FindStringSubmatch(lines.Text()); at != nil {
				started <- at[1]
			}
			if strings.Contains(lines.Text(), "DATA RACE") {
				c.t.Error("a data race in the node that is a process")
			}
		}
	}()
	c.t.Cleanup(func() {
		c.process.Process.Kill()
		<-ended
		c.process.Wait()
	})
	select {
	case url := <-started:
		c.nodes = append(c.nodes, url)
	case <-ended:
		c.t.Fatal("the process does not start")
	}
}

// A crowd is clients in one room, and what they have heard.
type crowd struct {
	t       *testing.T
	clients []*client.Client

	mu      sync.Mutex
	changed *sync.Cond
	heard   [][]heard // by client
	joined  int
	lost    map[int]bool // clients that have lost a node
	goal    int          // remarks that all shall hear
	reached int          // clients that have heard so many
}

type heard struct {
	seq    uint64
	remark wire.Remark
}

// invite returns clients that are connected, to the nodes in turn.
func (c *cluster) invite(count int) *crowd {
	a := &crowd{t: c.t, heard: make([][]heard, count), lost: map[int]bool{}}
	a.changed = sync.NewCond(&a.mu)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range count {
		member := &client.Client{
			Room: "lobby", Name: fmt.Sprint("Client ", i),
			Nodes:  slices.Concat(c.nodes[i%len(c.nodes):], c.nodes[:i%len(c.nodes)]),
			Said:   func(seq uint64, r wire.Remark) { a.hear(i, heard{seq, r}) },
			Joined: func(string) { a.change(func() { a.joined++ }) },
			Lost:   func(error) { a.change(func() { a.lost[i] = true }) },
		}
		a.clients = append(a.clients, member)
		running.Go(func() { member.Run(ctx) })
	}
	c.t.Cleanup(func() { cancel(); running.Wait() })
	a.until("all have joined", func() bool { return a.joined >= count })
	return a
}

// hear notes that a client hears something. Who waits is woken when the last one has heard enough.
func (a *crowd) hear(client int, h heard) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard[client] = append(a.heard[client], h)
	if len(a.heard[client]) == a.goal {
		if a.reached++; a.reached == len(a.clients) {
			a.changed.Broadcast()
		}
	}
}

func (a *crowd) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	a.changed.Broadcast()
}

// until waits for a condition, which is called with a.mu.
func (a *crowd) until(what string, condition func() bool) {
	a.t.Helper()
	ctx := testContext(a.t)
	defer context.AfterFunc(ctx, func() { a.change(func() {}) })()
	a.mu.Lock()
	defer a.mu.Unlock()
	for !condition() {
		if ctx.Err() != nil {
			counts := map[int]int{}
			for _, h := range a.heard {
				counts[len(h)]++
			}
			a.t.Fatalf("it does not happen that %s; remarks heard: clients %v; %d have joined, %d have lost a node", what, counts, a.joined, len(a.lost))
		}
		a.changed.Wait()
	}
}

// wait waits until all have heard so many remarks.
func (a *crowd) wait(remarks int) {
	a.t.Helper()
	a.change(func() {
		a.goal, a.reached = remarks, 0
		for _, h := range a.heard {
			if len(h) >= remarks {
				a.reached++
			}
		}
	})
	a.until(fmt.Sprint("all have heard ", remarks), func() bool { return a.reached == len(a.clients) })
}

// waitLost waits until so many have lost their node.
func (a *crowd) waitLost(clients int) {
	a.t.Helper()
	a.until(fmt.Sprint(clients, " have lost their node"), func() bool { return len(a.lost) >= clients })
}

// say has each speaker say something.
func (a *crowd) say(text string) {
	for i := range speakers {
		a.clients[i].Say(fmt.Sprint(i, " ", text))
	}
}

// check checks what was heard: of each speaker so many remarks.
func (a *crowd) check(each int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	texts := map[string][]string{}
	last := uint64(0)
	for _, h := range a.heard[0] {
		texts[h.remark.From] = append(texts[h.remark.From], h.remark.Text)
		if h.seq <= last {
			a.t.Errorf("%d comes after %d", h.seq, last)
		}
		last = h.seq
	}
	for i := range speakers {
		var want []string
		for _, text := range []string{"before", "struck", "meanwhile", "after"}[:each] {
			want = append(want, fmt.Sprint(i, " ", text))
		}
		if got := texts[a.clients[i].Name]; !slices.Equal(got, want) {
			a.t.Errorf("client %d said %q, heard was %q", i, want, got)
		}
	}
	for i, h := range a.heard {
		if !slices.Equal(h, a.heard[0]) {
			a.t.Errorf("client %d heard something else than client 0", i)
		}
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}
