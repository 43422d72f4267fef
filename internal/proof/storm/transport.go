package storm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

// Transports are all kinds of net.Conn that a storm knows.
var Transports = []string{"tcp", "unix", "tls", "mux", "pieces", "zeros", "deadless"}

// ParseTransports reads a list of transports; "wrapped" is short for the last three.
func ParseTransports(list string) ([]string, error) {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		switch {
		case name == "wrapped":
			all = append(all, "pieces", "zeros", "deadless")
		case name != "" && strings.Contains(","+strings.Join(Transports, ",")+",", ","+name+","):
			all = append(all, name)
		default:
			return nil, fmt.Errorf("storm: no transport is called %q", name)
		}
	}
	return all, nil
}

// transports makes connected pairs of net.Conns.
type transports struct {
	unix  *dock
	tls   *tls.Config
	given func(server bool) (near, far net.Conn, err error) // Config.Pair

	mu        sync.Mutex
	tcp       map[int]*dock // by the size of the kernel's buffers
	near, far *mux          // of the library's ends, and of the relay's
	streams   uint32
}

// A dock dials a listener of its own.
type dock struct {
	mu       sync.Mutex
	dialer   net.Dialer
	listener net.Listener
}

// newDock makes a dock. If buffer is not 0, it bounds what a TCP connection holds, from its beginning on: an accepted one has
// what the listener has.
func newDock(network, address string, buffer int) (*dock, error) {
	d := new(dock)
	var config net.ListenConfig
	if buffer > 0 {
		d.dialer.Control, config.Control = withBuffers(buffer), withBuffers(buffer)
	}
	var err error
	d.listener, err = config.Listen(context.Background(), network, address)
	return d, err
}

// pair returns both ends of a new connection.
func (d *dock) pair() (a, b net.Conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	address := d.listener.Addr()
	if a, err = d.dialer.Dial(address.Network(), address.String()); err != nil {
		return nil, nil, err
	}
	if b, err = d.listener.Accept(); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

func newTransports(dir string) (*transports, error) {
	t := &transports{tcp: map[int]*dock{}}
	var err error
	if t.unix, err = newDock("unix", filepath.Join(dir, "s"), 0); err != nil {
		return nil, err
	}
	t.tls = newTLS()
	a, b, err := t.overTCP(muxWindowSize)
	if err != nil {
		t.close()
		return nil, err
	}
	t.near, t.far = newMux(a), newMux(b)
	return t, nil
}

// overTCP returns both ends of a new TCP connection.
func (t *transports) overTCP(buffer int) (a, b net.Conn, err error) {
	t.mu.Lock()
	d := t.tcp[buffer]
	if d == nil {
		if d, err = newDock("tcp", "127.0.0.1:0", buffer); err == nil {
			t.tcp[buffer] = d
		}
	}
	t.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	return d.pair()
}

// overUnix returns both ends of a new connection of Unix sockets. It has no window: its buffers are set when both ends
// are there, because an accepted one does not have the listener's.
func (t *transports) overUnix(buffer int) (a, b net.Conn, err error) {
	if a, b, err = t.unix.pair(); err != nil || buffer == 0 {
		return a, b, err
	}
	for _, nc := range []net.Conn{a, b} {
		sized := nc.(*net.UnixConn)
		if err := errors.Join(sized.SetReadBuffer(buffer), sized.SetWriteBuffer(buffer)); err != nil {
			a.Close()
			b.Close()
			return nil, nil, err
		}
	}
	return a, b, nil
}

func (t *transports) close() {
	t.unix.listener.Close()
	for _, d := range t.tcp {
		d.listener.Close()
	}
	if t.near != nil {
		t.near.nc.Close()
		t.far.nc.Close()
	}
}

// newTLS returns a configuration for both ends.
func newTLS() *tls.Config {
	server, client := selfsigned.Pair("storm")
	client.ServerName, client.Certificates = "storm", server.Certificates
	return client
}

// pair returns a connection's end for the library and the one for the relay. buffer, if not 0, is the size of the
// kernel's buffers.
func (t *transports) pair(kind string, server bool, buffer int) (near, far net.Conn, err error) {
	switch kind {
	case "mux":
		return t.muxed()
	case "unix":
		return t.overUnix(buffer)
	case "given":
		return t.given(server)
	}
	if near, far, err = t.overTCP(buffer); err != nil {
		return nil, nil, err
	}
	switch kind {
	case "tls":
		return t.secure(near, far, server)
	case "pieces":
		near = &pieces{Conn: near}
	case "zeros":
		near = &zeros{Conn: near}
	case "deadless":
		near = &deadless{Conn: near}
	}
	return near, far, nil
}

// secure puts TLS on both ends.
func (t *transports) secure(near, far net.Conn, server bool) (net.Conn, net.Conn, error) {
	a, b := tls.Client(near, t.tls), tls.Server(far, t.tls)
	if server {
		a, b = tls.Server(near, t.tls), tls.Client(far, t.tls)
	}
	done := make(chan error, 1)
	go func() { done <- b.Handshake() }()
	err := errors.Join(a.Handshake(), <-done)
	return a, b, err
}

// muxed returns both ends of a new stream.
func (t *transports) muxed() (net.Conn, net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams++
	near, err := t.near.open(t.streams)
	if err != nil {
		return nil, nil, err
	}
	far, ok := <-t.far.opened
	if !ok {
		return nil, nil, errMuxReset
	}
	return near, far, nil
}
