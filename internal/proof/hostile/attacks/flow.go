package attacks

import (
	"bytes"
	"errors"
	"time"
)

// flowAttacks make one side wait for the other.
func flowAttacks() []Attack {
	const application = "the application reads or closes"
	stuck := settings{App: "stuck", SmallSockets: true}
	stalled := stuck
	stalled.KeepAlive = time.Second // it notices the end of the attack
	return []Attack{
		{
			name:    "data to an application that never reads",
			subject: stalled, conns: 50, few: 20, ends: application,
			run: func(f *field) error { return f.forever(frame(nil, fin|binaryFrame, make([]byte, 16<<10), true)) },
		},
		{
			name:    "small messages to an application that never reads",
			subject: stalled, conns: 50, few: 20, ends: application,
			run: func(f *field) error {
				return f.forever(bytes.Repeat(frame(nil, fin|binaryFrame, make([]byte, 64), true), 200))
			},
		},
		{
			name:    "empty messages to an application that never reads",
			subject: stalled, conns: 50, few: 20, ends: application,
			run: func(f *field) error { return f.forever(bytes.Repeat(frame(nil, fin|text, nil, true), 2000)) },
		},
		{
			name:    "ping flood, neither Pongs nor messages are read",
			subject: stuck, conns: 20, few: 10, ends: silentPeers,
			run: func(f *field) error {
				return f.forever(bytes.Repeat(frame(nil, fin|ping, make([]byte, 125), true), 100))
			},
		},
		{
			name:    "echoes are never read",
			subject: settings{App: "impatient", SmallSockets: true, WriteTimeout: 5 * time.Second},
			conns:   50, few: 20,
			want: []string{"end", "reset"},
			// What is under way to an attacker must come to less than his stream's window. A server of net/http's does not enlarge
			// that while a response waits (TestBothBlocked in http2), so a queue that is not full then is never filled.
			queue: 16 << 10,
			run: func(f *field) error {
				return f.forsake(bytes.Repeat(frame(nil, fin|binaryFrame, make([]byte, 1000), true), 20))
			},
		},
		{
			name:    "updates are never read, and the queue is full",
			subject: settings{App: "feed", SmallSockets: true, WriteTimeout: 3 * time.Second},
			conns:   200, few: 20,
			want: []string{"end", "reset"}, silent: true,
			run: neverRead,
		},
		{
			name:    "everything at once: half a message, full queue, full read-ahead",
			subject: settings{App: "worst", SmallSockets: true, WriteTimeout: time.Second, Notice: notice},
			conns:   100, few: 30, ends: application,
			run: everything,
		},
	}
}

// pour writes b until the endpoint takes no more, or 1 MiB, and reads nothing.
func (f *field) pour(b []byte) ([]*peer, error) {
	peers, err := f.openAll("")
	if err != nil {
		return nil, err
	}
	if err := f.each(func(i int) error {
		peers[i].narrow()
		peers[i].flood(b, 1<<20)
		return nil
	}); err != nil {
		return nil, err
	}
	return peers, f.worst()
}

// forever pours b, and leaves it at that.
func (f *field) forever(b []byte) error {
	_, err := f.pour(b)
	return err
}

// forsake sends b as long as it is taken, reads nothing, and waits until the
// application has given up.
func (f *field) forsake(b []byte) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	if err := f.each(func(i int) error {
		peers[i].narrow()
		if peers[i].flood(b, 16<<20) {
			return errors.New("the endpoint never makes the attacker wait")
		}
		return nil
	}); err != nil {
		return err
	}
	if err := f.worst(); err != nil {
		return err
	}
	for _, p := range peers { // what a slow endpoint took for the end was none
		go p.floodFor(b, 1<<30, patience)
	}
	if err := f.await("given up", f.conns); err != nil {
		return err
	}
	return f.outlast(peers)
}

// neverRead waits until the queues are full, and the application has given up.
func neverRead(f *field) error {
	peers, err := f.openAll("")
	if err == nil {
		err = f.await("full", f.conns)
	}
	if err == nil {
		err = f.worst()
	}
	if err == nil {
		err = f.await("given up", f.conns)
	}
	if err != nil {
		return err
	}
	return f.outlast(peers)
}

// everything begins a message, whose Read is then given up, waits until the queue
// is full, and fills the read-ahead with frames of a size that fills it by number
// and by bytes.
func everything(f *field) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	half := frame(nil, binaryFrame, make([]byte, readLimit-64), true)
	if err := f.each(func(i int) error {
		_, err := peers[i].Write(frame(half[:len(half):len(half)], fin|ping, nil, true))
		return err
	}); err != nil {
		return err
	}
	if err := f.await("filled", f.conns); err != nil {
		return err
	}
	end := frame(nil, fin|continuation, make([]byte, 64), true)
	small := bytes.Repeat(frame(nil, fin|binaryFrame, make([]byte, 64), true), 100)
	if err := f.each(func(i int) error {
		peers[i].narrow()
		if _, err := peers[i].Write(end); err != nil {
			return err
		}
		peers[i].flood(small, 1<<20)
		return nil
	}); err != nil {
		return err
	}
	return f.worst()
}
