package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/example/cluster/client"
	"github.com/closeonce/websocket/example/cluster/wire"
	"github.com/nats-io/nats.go"
)

// newNodes starts nodes of these names, and a broker, all in this process.
func newNodes(t *testing.T, names ...string) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), port: -1}
	c.startBroker()
	t.Cleanup(func() { c.stopBroker() })
	for _, name := range names {
		c.startNode(settings{name: name, broker: c.broker.ClientURL(), patience: testPatience})
	}
	return c
}

// run runs a client until the test ends.
func run(t *testing.T, c *client.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

// watchFor reads JSON from a WebSocket until it is what is wanted.
func watchFor[T any](t *testing.T, url, what string, wanted func(T) bool) {
	t.Helper()
	ctx := testContext(t)
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for {
		_, p, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("it is not seen that %s: %v", what, err)
		}
		var v T
		if err := json.Unmarshal(p, &v); err != nil {
			t.Fatal(err)
		}
		if wanted(v) {
			return
		}
	}
}

// TestWhoIsHere: all nodes know who is on which node, and forget those who were on a node that is gone.
func TestWhoIsHere(t *testing.T) {
	c := newNodes(t, "b", "c")
	for i, name := range []string{"Ada", "Bob", "Eve"} {
		run(t, &client.Client{Room: "lobby", Name: name, Nodes: c.nodes[i%2 : i%2+1], Said: func(uint64, wire.Remark) {}})
	}
	isHere := func(want map[string][]string) func(wire.Event) bool {
		return func(e wire.Event) bool {
			here := map[string]bool{}
			for node, names := range e.Here {
				for _, name := range names {
					here[node+" "+name] = true
				}
			}
			for node, names := range want {
				for _, name := range names {
					if !here[node+" "+name] {
						return false
					}
				}
			}
			return e.Type == "here" && len(e.Here) == len(want)
		}
	}
	watchFor(t, c.nodes[0]+"/r/lobby/ws?name=Cat", "they are on two nodes", isHere(map[string][]string{"b": {"Ada", "Eve"}, "c": {"Bob"}}))
	c.inside[1].nc.Close() // it falls silent
	watchFor(t, c.nodes[0]+"/r/lobby/ws?name=Cat", "one node is gone", isHere(map[string][]string{"b": {"Ada", "Eve"}}))
}

// TestWhoIsSlow: a client that does not read is closed, which the page of the cluster shows, and goes on in the history.
func TestWhoIsSlow(t *testing.T) {
	c := newNodes(t, "b")
	small := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			nc.(*net.TCPConn).SetReadBuffer(32 << 10)
		}
		return nc, err
	}}
	const remarks = 700
	var heard []string
	joined, reading, all := make(chan struct{}, 10), make(chan struct{}), make(chan struct{})
	read := sync.OnceFunc(func() { close(reading) })
	defer read()
	run(t, &client.Client{
		Room: "lobby", Name: "Slow", Nodes: c.nodes, Dial: &websocket.DialOptions{HTTPClient: &http.Client{Transport: small}},
		Joined: func(string) { joined <- struct{}{} },
		Said: func(_ uint64, r wire.Remark) {
			<-reading
			if heard = append(heard, r.Text[:4]); len(heard) == remarks {
				close(all)
			}
		},
	})
	<-joined
	speaker := &client.Client{Room: "lobby", Name: "Speaker", Nodes: c.nodes, Said: func(uint64, wire.Remark) {}}
	var want []string
	for i := range remarks {
		want = append(want, fmt.Sprint(1000+i))
		speaker.Say(want[i] + strings.Repeat(".", maxText-4))
	}
	run(t, speaker)
	watchFor(t, c.nodes[0]+"/cluster/ws", "one was closed", func(b beat) bool { return b.Figures.Slow == 1 && b.Figures.Dropped > 0 })
	read()
	select {
	case <-all:
	case <-testContext(t).Done():
		t.Fatal("it did not hear all")
	}
	if !slices.Equal(heard, want) {
		t.Errorf("it heard %v", heard)
	}
}

// TestRefusals: what a node answers whom it does not serve.
func TestRefusals(t *testing.T) {
	c := newNodes(t, "b")
	status := func(path string) int {
		response, err := http.Get(c.nodes[0] + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	want := map[string]int{
		"/": 200, "/r/lobby": 200, "/page/page.css": 200, "/ready": 200, "/nothing": 404,
		"/r/lobby/ws": 426, "/r/a.b/ws": 404, "/r/lobby/ws?after=x": 400, "/cluster/ws": 426,
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got := status(path); got != want[path] {
			t.Errorf("%s: %d, want %d", path, got, want[path])
		}
	}
	lost := make(chan struct{})
	c.inside[0].nc.SetDisconnectErrHandler(func(*nats.Conn, error) { close(lost) })
	c.stopBroker()
	<-lost
	for _, path := range []string{"/ready", "/r/lobby/ws"} {
		if got := status(path); got != 503 {
			t.Errorf("without a broker, %s: %d, want 503", path, got)
		}
	}
}

// TestProgram: the program starts a broker and three nodes, which know each other, and stops.
func TestProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	urls := make(chan string, 3)
	ended := make(chan error)
	started := func(n *node) { urls <- n.url }
	go func() {
		ended <- start(ctx, settings{patience: testPatience}, "127.0.0.1:0", 3, "", started)
	}()
	known := map[string]bool{}
	watchFor(t, <-urls+"/cluster/ws", "there are three nodes", func(b beat) bool {
		known[b.URL] = true
		return len(known) == 3
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
