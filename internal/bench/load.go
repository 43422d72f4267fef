package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// load generates traffic over a set of links. It never sleeps: it polls, for a sleeping peer's wake-ups
// would be charged to the process under test, and by more the slower that one is.
type load struct {
	poll    int // epoll
	links   []*link
	byFD    []*link // nil where the file is none of ours
	events  []syscall.EpollEvent
	buf     []byte
	start   time.Time
	stalled []*link // with pending bytes

	// requests is what a link sends at a time, one after the other: one frame or a burst of frames each.
	// After answers messages the link is free again.
	requests [][]byte
	answers  int
	sent     int
	// pause is how long a link rests before its next request: a server whose next message is there
	// already when it has answered the last one never waits, and so looks cheaper the slower it is.
	pause time.Duration
	// window bounds how many links await answers at once.
	window int

	free      []*link // first in, first out; freeAt never decreases
	awaiting  int
	messages  int
	latencies []int64
}

func newLoad(requests [][]byte, answers int, pause time.Duration, window int) (*load, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &load{
		poll:     poll,
		events:   make([]syscall.EpollEvent, 256),
		buf:      make([]byte, 256<<10),
		start:    time.Now(),
		requests: requests,
		answers:  answers,
		pause:    pause,
		window:   window,
	}, nil
}

func (l *load) now() time.Duration { return time.Since(l.start) }

// add takes over a connection whose handshake is done. The link is free at first.
func (l *load) add(k *link) error {
	if err := l.watch(k); err != nil {
		return err
	}
	l.links = append(l.links, k)
	l.free = append(l.free, k)
	return nil
}

func (l *load) watch(k *link) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(k.fd)}
	if err := syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_ADD, k.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if more := k.fd + 1 - len(l.byFD); more > 0 {
		l.byFD = append(l.byFD, make([]*link, more)...)
	}
	l.byFD[k.fd] = k
	return nil
}

func (l *load) close() {
	for _, k := range l.byFD {
		if k != nil {
			k.close()
		}
	}
	syscall.Close(l.poll)
}

var errStalled = errors.New("no answer within 20 s")

// stallTimeout is how long a turn may go without any progress.
const stallTimeout = 20 * time.Second

// run plays ping-pong for the given time and for at least as many messages, and returns when no answer is
// outstanding. It counts into messages and latencies.
func (l *load) run(d time.Duration, atLeast int) error {
	return l.runWhile(func() bool { return l.now() < d || l.messages < atLeast })
}

func (l *load) runWhile(more func() bool) error {
	l.messages, l.latencies = 0, l.latencies[:0]
	l.start = time.Now()
	for _, k := range l.free {
		k.freeAt = 0
	}
	progress := l.now()
	for going := true; going || l.awaiting > 0; {
		going = going && more()
		now := l.now()
		for going && l.awaiting < l.window && len(l.free) > 0 && l.free[0].freeAt <= now {
			k := l.free[0]
			l.free = l.free[1:]
			if err := l.send(k, now); err != nil {
				return err
			}
		}
		if err := l.flush(); err != nil {
			return err
		}
		before := l.messages
		if err := l.receive(); err != nil {
			return err
		}
		if l.messages != before || l.awaiting == 0 {
			progress = now
		}
		if now-progress > stallTimeout {
			return errStalled
		}
	}
	return nil
}

// send writes one request to a free link.
func (l *load) send(k *link, now time.Duration) error {
	l.awaiting++
	k.want, k.sentAt = l.answers, now
	l.sent++
	return l.write(k, l.requests[l.sent%len(l.requests)])
}

func (l *load) write(k *link, p []byte) error {
	n, err := k.write(p)
	if err == (wait{}) {
		k.pending = p[n:]
		l.stalled = append(l.stalled, k)
		return nil
	}
	return err
}

// flush goes on with frames the sockets did not take whole.
func (l *load) flush() error {
	waiting := l.stalled[:0]
	for _, k := range l.stalled {
		n, err := k.write(k.pending)
		k.pending = k.pending[n:]
		switch {
		case err == (wait{}):
			waiting = append(waiting, k)
		case err != nil:
			return err
		}
	}
	l.stalled = waiting
	return nil
}

// receive takes what has arrived, without waiting.
func (l *load) receive() error {
	n, err := syscall.EpollWait(l.poll, l.events, 0)
	if err != nil && err != syscall.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, event := range l.events[:max(n, 0)] {
		if err := l.receiveFrom(l.byFD[event.Fd]); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) receiveFrom(k *link) error {
	for {
		n, err := k.read(l.buf)
		if err == (wait{}) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		messages, err := k.scan.feed(l.buf[:n])
		l.messages += messages
		if err != nil {
			return err
		}
		if k.want > 0 && messages > 0 {
			if k.want -= messages; k.want <= 0 {
				l.finish(k)
			}
		}
		// A short read emptied the socket; what crypto/tls has taken from it, though, epoll does not see.
		if k.tls == nil && n < len(l.buf) {
			return nil
		}
	}
}

// finish books the last answer of a link's request and frees the link.
func (l *load) finish(k *link) {
	now := l.now()
	l.awaiting--
	l.latencies = append(l.latencies, int64(now-k.sentAt))
	k.freeAt = now + l.pause
	l.free = append(l.free, k)
}

// collect waits for messages that no request asked for: those of a broadcast, or the first one of a
// client. It does not care which link they come over.
func (l *load) collect(messages int) error {
	l.messages = 0
	l.start = time.Now()
	for l.messages < messages {
		if err := l.receive(); err != nil {
			return err
		}
		if l.now() > stallTimeout {
			return errStalled
		}
	}
	return nil
}
