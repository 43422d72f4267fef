package main

import (
	"fmt"
	"time"
)

// link is one connection of the load generator to the process under test.
type link struct {
	*socket
	scan    scanner
	pending []byte        // of a frame the socket did not take whole
	want    int           // messages still to come before the link is free again
	sentAt  time.Duration // on the load's clock
	freeAt  time.Duration
}

// dial connects to a server and does the handshakes.
func dial(lib *library, o order, port, number int) (*link, error) {
	s, err := connect(port, number)
	if err != nil {
		return nil, err
	}
	k := &link{socket: s, scan: scanner{framing: lib.framing}}
	if err := k.shake(lib, o); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", lib.name, err)
	}
	return k, nil
}

func (k *link) shake(lib *library, o order) error {
	if o.TLS {
		if err := k.startTLS(); err != nil {
			return err
		}
	}
	if lib.framing != framingWebSocket {
		return nil
	}
	rest, err := k.upgrade(o)
	if err == nil && len(rest) > 0 {
		_, err = k.scan.feed(rest)
	}
	return err
}

// exchange sends a request and waits for its answers. Their payloads go to kept, if that is not nil.
func exchange(k *link, request []byte, answers int, kept *[]byte) error {
	if kept != nil {
		k.scan.keep = true
		defer func() { *kept, k.scan.keep, k.scan.kept = k.scan.kept, false, nil }()
	}
	if err := k.writeAll(request); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for answers > 0 {
		n, err := k.readSome(buf)
		if err != nil {
			return err
		}
		messages, err := k.scan.feed(buf[:n])
		if err != nil {
			return err
		}
		answers -= messages
	}
	return nil
}
