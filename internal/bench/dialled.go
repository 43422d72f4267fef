package main

import (
	"fmt"
	"net"
)

// openClient lets the library under test be the client of a server that is the load generator itself.
// The client speaks first; from then on an answer of ours is what a request is elsewhere.
func openClient(lib *library, o order, t traffic) (*pingPong, error) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	o.Port, o.Conns, o.Size = ln.Addr().(*net.TCPAddr).Port, t.conns, t.size
	requests, err := requestsFor(lib, o, t)
	if err != nil {
		return nil, err
	}
	l, err := newLoad(requests, 1, pause, t.conns)
	if err != nil {
		return nil, err
	}
	s := &pingPong{load: l, traffic: t}
	if s.process, err = start(lib, o); err != nil {
		l.close()
		return nil, err
	}
	if err := s.welcome(lib, ln); err != nil {
		s.close()
		return nil, fmt.Errorf("%s as client: %w", lib.name, err)
	}
	return s, nil
}

func (s *pingPong) welcome(lib *library, ln *net.TCPListener) error {
	spoken := 0
	for range s.traffic.conns {
		fd, err := acceptFD(ln)
		if err != nil {
			return err
		}
		k := &link{socket: &socket{fd: fd}, scan: scanner{framing: lib.framing}}
		if err := s.load.add(k); err != nil {
			return err
		}
		if lib.framing != framingWebSocket {
			continue
		}
		head, rest, err := k.readHead()
		if err != nil {
			return err
		}
		if err := k.writeAll(upgradeResponse(head)); err != nil {
			return err
		}
		messages, err := k.scan.feed(rest)
		if err != nil {
			return err
		}
		spoken += messages
	}
	return s.load.collect(s.traffic.conns - spoken)
}
