package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A relay passes on what comes over TCP, until it is cut: then nothing comes through and nothing is closed, as when a cable is pulled. What
// was on its way comes late, when it is healed.
type relay struct {
	ln   net.Listener
	to   string       // the broker's address
	gate sync.RWMutex // is held to pass something on; the relay is cut by locking it

	mu     sync.Mutex
	isCut  bool
	conns  []net.Conn
	closed bool
}

func newRelay(t *testing.T, addr, to string) *relay {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, to: to}
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { r.connect(nc) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.heal()
		r.mu.Lock()
		r.closed = true
		for _, nc := range r.conns {
			nc.Close()
		}
		r.mu.Unlock()
		passing.Wait()
	})
	return r
}

func (r *relay) url() string { return "nats://" + r.ln.Addr().String() }

// connect passes on what comes from a node, and from the broker to it.
func (r *relay) connect(node net.Conn) {
	defer node.Close()
	r.gate.RLock()
	broker, err := net.Dial("tcp", r.to)
	r.gate.RUnlock()
	if err != nil {
		return
	}
	defer broker.Close()
	if !r.keep(node, broker) {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.pass(node, broker)
	}()
	r.pass(broker, node)
	<-ended
}

func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, conns...)
	return !r.closed
}

func (r *relay) pass(to, from net.Conn) {
	defer to.Close()
	io.Copy(gated{r, to}, from)
}

// gated writes when the gate is open.
type gated struct {
	r  *relay
	to net.Conn
}

func (g gated) Write(p []byte) (int, error) {
	g.r.gate.RLock()
	defer g.r.gate.RUnlock()
	return g.to.Write(p)
}

func (r *relay) cut() {
	r.gate.Lock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isCut = true
}

func (r *relay) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isCut {
		r.gate.Unlock()
	}
	r.isCut = false
}
