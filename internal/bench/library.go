package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// order is what the process under test is told to do. It travels as JSON.
type order struct {
	Library string
	CPUs    []int
	Procs   int // GOMAXPROCS

	// As a server.
	Sink      bool // a message is answered only if its first byte says so
	Broadcast bool // keep a list of connections to broadcast to
	Group     bool // broadcast by the library's own means for it
	Lean      bool // hold as little memory as the library lets a waiting connection hold
	InHandler bool // serve inside the HTTP handler instead of a goroutine of its own
	Deflate   bool // permessage-deflate
	Takeover  bool // with context takeover both ways
	Cancel    bool // use contexts that can be cancelled, where calls take one
	Fresh     bool // read with the call that gives out memory of its own for each message
	TLS       bool

	// As a client.
	Port  int // on 127.0.0.1; 0: be a server
	Conns int
	Size  int // of the messages to send

	Stops bool // be both, over connections of its own
}

// kind says what a library's figures are compared with.
type kind int

const (
	ours      kind = iota
	readyMade      // a library with all a library's duties
	handMade       // a loop made by hand from low-level calls, for one purpose
	reference      // not WebSocket at all: what TCP costs
	earlier        // ours from another checkout
)

// library is one contestant.
type library struct {
	name    string
	kind    kind
	framing framing
	server  func(order) service
	client  func(order) visit // nil: no client cases
	deflate bool              // can do permessage-deflate
	// takeover says that it can keep the compression context between messages.
	takeover bool
	// What the HTTP handler may do is no question for a library without HTTP.
	noHandler bool
	// program is the binary that has this version of the library; empty: the one that runs.
	program string
}

// service is a running server of one library. Every connection echoes, or swallows if the order says so.
type service interface {
	serve(net.Listener) error
	// broadcast sends one message to all connections.
	broadcast(message []byte) error
}

// visit is one connection of one library as a client: it sends message, and again whenever an answer has
// come, until something fails.
type visit func(url string, message []byte) error

// libraries in the order of the tables. Ours comes first.
func libraries() []*library {
	return []*library{
		ourLibrary(),
		coderLibrary(),
		gorillaLibrary(),
		gwsLibrary(),
		gobwasUtilLibrary(),
		gobwasLibrary(),
		rawLibrary(),
		rawBatchLibrary(),
	}
}

// namedLibraries take part only where they are named.
func namedLibraries() []*library { return []*library{gorillaDefaultLibrary(), ourGorillaLibrary()} }

func findLibrary(name string) (*library, error) {
	all := append(libraries(), namedLibraries()...)
	name = strings.TrimSuffix(name, beforeSuffix) // to the program from that checkout it is the only version
	i := slices.IndexFunc(all, func(l *library) bool { return l.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no library %q", name)
	}
	return all[i], nil
}

// answerPlease is the first byte of a message that a sink answers.
const answerPlease = 1

// answer returns what a server says to a message: the same, or as a sink one byte, or nothing.
func (o order) answer(message []byte) []byte {
	switch {
	case !o.Sink:
		return message
	case len(message) > 0 && message[0] == answerPlease:
		return message[:1]
	}
	return nil
}

// serveHTTP serves one handler for all requests.
func serveHTTP(ln net.Listener, handler http.HandlerFunc) error {
	return (&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}).Serve(ln)
}

// detach runs what serves a connection: in place, inside the HTTP handler, or in a goroutine of its own,
// so that the handler returns and net/http lets go of what it holds.
func (o order) detach(run func()) {
	if o.InHandler {
		run()
		return
	}
	go run()
}

// acceptAll serves a listener without HTTP.
func acceptAll(ln net.Listener, run func(net.Conn)) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go run(c)
	}
}

// members is the list of connections a broadcast goes to.
type members[C any] struct {
	mu   sync.Mutex
	list []C
}

func (m *members[C]) add(o order, c C) {
	if !o.Broadcast {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, c)
}

func (m *members[C]) each(f func(C) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.list {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// buffers lends message buffers. With a pool, connections that wait hold none, and those that work share
// a few that are warm in the CPU's cache.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// readAll appends the rest of r to buf.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(512, len(buf)))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// secure puts TLS with a certificate made for the occasion over a listener.
func secure(ln net.Listener) (net.Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}), nil
}
