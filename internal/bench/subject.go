package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// subject is one library set up for one case.
type subject interface {
	// turn measures for about the given time and leaves nothing outstanding.
	turn(time.Duration) (sample, error)
	close()
}

// sample is what one turn found.
type sample struct {
	value    float64 // in the case's unit
	p50, p99 float64 // latency in microseconds; 0 where the case has none
	perConn  float64 // resident KiB per connection; 0 where the case does not look
}

// pause is how long a link rests between an answer and its next request.
const pause = 40 * time.Microsecond

// traffic says what a ping-pong consists of.
type traffic struct {
	conns   int
	window  int // links awaiting answers at once; 0: all
	size    int // of the message
	burst   int // messages in one request; 0: one
	perGB   bool
	mallocs bool // count allocations instead of time
	memory  bool // look at resident memory too
}

// pingPong is a process under test and the links to it.
type pingPong struct {
	process *process
	load    *load
	traffic traffic
	before  int // resident bytes without connections
}

// compressedMessages is how many different messages a compressed case sends in turn. With one message
// only, context takeover would find it whole in the window.
const compressedMessages = 64

// requestsFor builds what links send at a time.
func requestsFor(lib *library, o order, t traffic) ([][]byte, error) {
	masked := o.Conns == 0 // the process under test is the server
	var messages [][]byte
	first := byte(bitFin | opBinary)
	if o.Deflate {
		first = bitFin | bitRsv1 | opText
		for seed := range compressedMessages {
			message, err := deflated(jsonPayload(t.size, uint64(seed)))
			if err != nil {
				return nil, err
			}
			messages = append(messages, message)
		}
	} else {
		messages = append(messages, payload(t.size))
	}
	var requests [][]byte
	for _, message := range messages {
		var frame []byte
		if lib.framing == framingLength {
			frame = appendLengthPrefixed(nil, message)
		} else {
			frame = appendFrame(nil, first, masked, message)
		}
		requests = append(requests, repeat(frame, max(t.burst, 1)))
	}
	return requests, nil
}

// openServer starts a library as the server under test and connects to it.
func openServer(lib *library, o order, t traffic) (*pingPong, error) {
	o.Library = lib.name
	requests, err := requestsFor(lib, o, t)
	if err != nil {
		return nil, err
	}
	window := t.window
	if window == 0 {
		window = t.conns
	}
	l, err := newLoad(requests, max(t.burst, 1), pause, window)
	if err != nil {
		return nil, err
	}
	s := &pingPong{load: l, traffic: t}
	if s.process, err = start(o); err != nil {
		l.close()
		return nil, err
	}
	if err := s.populate(lib, o); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *pingPong) populate(lib *library, o order) error {
	if s.traffic.memory {
		if err := s.warm(lib, o); err != nil {
			return err
		}
		var err error
		if s.before, err = s.process.resident(); err != nil {
			return err
		}
	}
	for i := range s.traffic.conns {
		k, err := dial(lib, o, s.process.port, i)
		if err != nil {
			return err
		}
		if err := s.load.add(k); err != nil {
			return err
		}
		// An answer proves that the server serves the connection, and has not just accepted it.
		if !o.Sink {
			if err := exchange(k, s.load.requests[0], s.load.answers, nil); err != nil {
				return fmt.Errorf("%s: %w", lib.name, err)
			}
		}
	}
	// Connections that take turns in the order of their making would lie in memory in that order.
	free := s.load.free
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	return nil
}

// warm has the process under test touch the code and the pools it needs, so that they do not count as
// memory of its connections.
func (s *pingPong) warm(lib *library, o order) error {
	for i := range 64 {
		k, err := dial(lib, o, s.process.port, i)
		if err != nil {
			return err
		}
		err = exchange(k, s.load.requests[0], s.load.answers, nil)
		k.close()
		if err != nil {
			return err
		}
	}
	return nil
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

func (s *pingPong) close() {
	s.load.close()
	if s.process != nil {
		s.process.stop()
	}
}

func (s *pingPong) turn(d time.Duration) (sample, error) {
	if s.traffic.mallocs {
		return s.countMallocs(d)
	}
	atLeast := 0
	if s.traffic.memory { // very many connections, in the only turn of this process
		atLeast = 10 * s.traffic.conns
		if err := s.load.run(d/2, atLeast/5); err != nil {
			return sample{}, fmt.Errorf("%s: %w", s.process.order.Library, err)
		}
	}
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	if err := s.load.run(d, atLeast); err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.process.order.Library, err)
	}
	after, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	found := sample{
		value: s.cost(after-before, s.load.messages),
		p50:   float64(percentile(s.load.latencies, 0.50)) / 1e3,
		p99:   float64(percentile(s.load.latencies, 0.99)) / 1e3,
	}
	if s.traffic.memory {
		resident, err := s.process.resident()
		if err != nil {
			return sample{}, err
		}
		found.perConn = float64(resident-s.before) / float64(s.traffic.conns) / 1024
	}
	return found, nil
}

// cost converts CPU time for some messages to the case's unit: microseconds per message, or milliseconds
// per GB of payload.
func (s *pingPong) cost(cpu time.Duration, messages int) float64 {
	if s.traffic.perGB {
		return cpu.Seconds() * 1e3 / (float64(messages) * float64(s.traffic.size) / 1e9)
	}
	return cpu.Seconds() * 1e6 / float64(messages)
}

func (s *pingPong) countMallocs(d time.Duration) (sample, error) {
	before, err := s.process.mallocs()
	if err != nil {
		return sample{}, err
	}
	if err := s.load.run(d, 0); err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.process.order.Library, err)
	}
	after, err := s.process.mallocs()
	return sample{value: float64(after-before) / float64(s.load.messages)}, err
}

// openClient lets the library under test be the client of a server that is the load generator itself.
// The client speaks first; from then on an answer of ours is what a request is elsewhere.
func openClient(lib *library, o order, t traffic) (*pingPong, error) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	o.Library, o.Port, o.Conns, o.Size = lib.name, ln.Addr().(*net.TCPAddr).Port, t.conns, t.size
	requests, err := requestsFor(lib, o, t)
	if err != nil {
		return nil, err
	}
	l, err := newLoad(requests, 1, pause, t.conns)
	if err != nil {
		return nil, err
	}
	s := &pingPong{load: l, traffic: t}
	if s.process, err = start(o); err != nil {
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

// idle measures the memory of connections that wait, each after one echo.
type idle struct {
	lib   *library
	order order
	conns int
	size  int // of the echo
}

func (s idle) close() {}

func (s idle) turn(time.Duration) (sample, error) {
	p, err := openServer(s.lib, s.order, traffic{conns: s.conns, size: s.size, memory: true})
	if err != nil {
		return sample{}, err
	}
	defer p.close()
	after, err := p.process.resident()
	return sample{value: float64(after-p.before) / float64(s.conns) / 1024}, err
}

// broadcastSize is the size of the messages of the broadcast case.
const broadcastSize = 256

// broadcast has the server write to all its connections, one message at a time: several in the queue at
// once would find each connection's memory in the cache from the one before.
type broadcast struct{ *pingPong }

func (s broadcast) turn(d time.Duration) (sample, error) {
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	sent := 0
	for start := time.Now(); time.Since(start) < d; sent++ {
		if err := s.process.begin("broadcast"); err != nil {
			return sample{}, err
		}
		if err := s.load.collect(s.traffic.conns); err != nil {
			return sample{}, err
		}
		if _, err := s.process.end(); err != nil {
			return sample{}, err
		}
	}
	after, err := s.process.cpu()
	return sample{value: s.cost(after-before, sent*s.traffic.conns)}, err
}

// stream sends large messages one after the other to a server that answers the last one only.
type stream struct{ *pingPong }

func (s stream) turn(d time.Duration) (sample, error) {
	k := s.load.links[0]
	quiet := s.load.requests[0]
	last := payload(s.traffic.size)
	last[0] = answerPlease
	var loud []byte
	if k.scan.framing == framingLength {
		loud = appendLengthPrefixed(nil, last)
	} else {
		loud = appendFrame(nil, bitFin|opBinary, true, last)
	}
	before, err := s.process.cpu()
	if err != nil {
		return sample{}, err
	}
	sent := 1
	for start := time.Now(); time.Since(start) < d; sent++ {
		if err := k.writeAll(quiet); err != nil {
			return sample{}, err
		}
	}
	if err := exchange(k, loud, 1, nil); err != nil {
		return sample{}, err
	}
	after, err := s.process.cpu()
	return sample{value: s.cost(after-before, sent)}, err
}

var errWrongEcho = errors.New("the echo is not what was sent")

// check has every library echo one message in earnest before it is measured.
func (s *pingPong) check() error {
	if s.process.order.Deflate || s.process.order.Sink {
		return nil
	}
	message := payload(s.traffic.size)
	var kept []byte
	if err := exchange(s.load.links[0], s.load.requests[0], s.load.answers, &kept); err != nil {
		return err
	}
	if string(kept) != string(repeat(message, s.load.answers)) {
		return fmt.Errorf("%s: %w", s.process.order.Library, errWrongEcho)
	}
	return nil
}
