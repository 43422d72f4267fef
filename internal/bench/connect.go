package main

import (
	"fmt"
	"io"
	"syscall"
	"time"
)

// visits measures connections that come, echo one message and close: the whole life of a connection on
// the server.
type visits struct {
	*pingPong
	lib    *library
	number int // of the next connection
}

// concurrentVisits is how many are under way at a time.
const concurrentVisits = 16

// visitor is one such connection.
type visitor struct {
	*link
	state visitState
	head  []byte
}

type visitState int

const (
	visitShaking visitState = iota
	visitEchoing
	visitClosing
)

var closeFrame = appendFrame(nil, bitFin|opClose, true, []byte{0x03, 0xe8}) // 1000

func (s *visits) turn(d time.Duration) (sample, error) {
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	done, err := s.visitFor(d)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.lib.name, err)
	}
	after, err := s.process.cpu()
	return sample{value: s.cost(after-before, done)}, err
}

func (s *visits) visitFor(d time.Duration) (done int, err error) {
	var here []*visitor
	defer func() {
		for _, v := range here {
			v.close()
		}
	}()
	begin := time.Now()
	progress := begin
	for {
		coming := time.Since(begin) < d
		for coming && len(here) < concurrentVisits {
			v, err := s.arrive()
			if err != nil {
				return done, err
			}
			here = append(here, v)
		}
		if len(here) == 0 {
			return done, nil
		}
		stay := here[:0]
		for _, v := range here {
			gone, err := v.step(s)
			if err != nil {
				return done, err
			}
			if gone {
				v.close()
				done++
				progress = time.Now()
				continue
			}
			stay = append(stay, v)
		}
		here = stay
		if time.Since(progress) > stallTimeout {
			return done, errStalled
		}
	}
}

func (s *visits) arrive() (*visitor, error) {
	socket, err := connect(s.process.port, s.number)
	if err != nil {
		return nil, err
	}
	s.number++
	v := &visitor{link: &link{socket: socket, scan: scanner{framing: s.lib.framing}}}
	if s.lib.framing != framingWebSocket {
		v.state = visitEchoing
		return v, v.writeAll(s.load.requests[0])
	}
	return v, v.writeAll(upgradeRequest(order{}))
}

// step takes what has arrived for one visitor and says the next thing. It reports when the server has
// closed.
func (v *visitor) step(s *visits) (gone bool, err error) {
	n, err := v.read(s.load.buf)
	switch {
	case err == (wait{}):
		return false, nil
	case v.state == visitClosing && (err == io.EOF || err == syscall.ECONNRESET):
		return true, nil
	case err != nil:
		return false, err
	}
	switch p := s.load.buf[:n]; v.state {
	case visitShaking:
		v.head = append(v.head, p...)
		head, _, ok := splitHead(v.head)
		if !ok {
			return false, nil
		}
		if err := checkUpgrade(head, false, false); err != nil {
			return false, err
		}
		v.state = visitEchoing
		return false, v.writeAll(s.load.requests[0])
	case visitEchoing:
		messages, err := v.scan.feed(p)
		if err != nil || messages == 0 {
			return false, err
		}
		v.state = visitClosing
		if s.lib.framing != framingWebSocket {
			return false, syscall.Shutdown(v.fd, syscall.SHUT_WR)
		}
		return false, v.writeAll(closeFrame)
	}
	// The server's Close frame; its end of TCP comes next.
	return false, nil
}
