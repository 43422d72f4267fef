package attacks

import (
	"bytes"
	"time"
)

// frameAttacks are made of frames.
func frameAttacks() []Attack {
	return []Attack{
		{
			name:    "length fields from the limit to 2^63-1",
			subject: settings{App: "echo"},
			conns:   200, few: 40,
			want: []string{"Close 1009"},
			run:  func(f *field) error { return f.lengths(1, readLimit+1, 1<<16, 1<<31-1, 1<<31, 1<<32, 1<<62, 1<<63-1) },
		},
		{
			name:    "length fields from 2^63 to 2^64-1",
			subject: settings{App: "echo"},
			conns:   200, few: 40,
			want: []string{"Close 1002"},
			run:  func(f *field) error { return f.lengths(1, 1<<63, 1<<63+1, 1<<64-1) },
		},
		{
			name:    "frames without a masking key",
			subject: settings{App: "echo"},
			conns:   200, few: 40,
			want: []string{"Close 1002"},
			run:  func(f *field) error { return f.floods(nil, frame(nil, fin|text, []byte("unmasked"), false), 1) },
		},
		{
			name:    "fragments whose lengths add up to more than 2^64",
			subject: settings{App: "echo"},
			conns:   200, few: 40,
			want: []string{"Close 1009"},
			wait: true,
			run:  func(f *field) error { return f.lengths(3, 1<<62) },
		},
		{
			name:    "length of the read limit, then nothing",
			subject: settings{App: "echo", KeepAlive: 2 * time.Second},
			conns:   200, few: 40,
			want: []string{"end"},
			run:  func(f *field) error { return announced(f, readLimit) },
		},
		{
			name:    "length of 2^62, then nothing, no read limit",
			subject: settings{App: "echo", ReadLimit: -1, KeepAlive: 2 * time.Second},
			conns:   200, few: 40,
			want: []string{"end"},
			run:  func(f *field) error { return announced(f, 1<<62) },
		},
		{
			name:    "frame header, one byte per second",
			subject: settings{App: "impatient", ReadTimeout: 3 * time.Second, WriteTimeout: time.Second},
			conns:   200, few: 20,
			want: []string{"Close 1008"},
			run:  func(f *field) error { return f.slowFrame(header(nil, fin|binaryFrame, 1<<15, true)) },
		},
		{
			name:    "payload, one byte per second",
			subject: settings{App: "impatient", ReadTimeout: 3 * time.Second, WriteTimeout: time.Second},
			conns:   200, few: 20,
			want: []string{"Close 1008"},
			run: func(f *field) error {
				return f.slowFrame(make([]byte, 100), header(nil, fin|binaryFrame, 1<<15, true)...)
			},
		},
		{
			name:    "endless empty fragments",
			subject: settings{App: "echo"},
			conns:   50, few: 20,
			want: []string{"Close 1008"},
			run: func(f *field) error {
				return f.floods(frame(nil, text, nil, true), bytes.Repeat(frame(nil, continuation, nil, true), 1000), 100)
			},
		},
		{
			name:    "endless fragments of one byte",
			subject: settings{App: "echo"},
			conns:   50, few: 20,
			want: []string{"Close 1009"},
			run: func(f *field) error {
				return f.floods(frame(nil, text, nil, true), bytes.Repeat(frame(nil, continuation, []byte("x"), true), 1000), 100)
			},
		},
		{
			name:    "Close flood",
			subject: settings{App: "echo"},
			conns:   50, few: 20,
			want: []string{"Close 1000", "reset"},
			run: func(f *field) error {
				return f.floods(nil, bytes.Repeat(frame(nil, fin|closeFrame, []byte{0x03, 0xE8}, true), 1000), 20)
			},
		},
		{
			name:    "our Close is never answered",
			subject: settings{App: "goodbye", CloseTimeout: 2 * time.Second},
			conns:   200, few: 40,
			want:   []string{"Close 1000", "end"}, // the end, if the machine is so slow that it comes first
			silent: true,
			run:    mute,
		},
		{
			name:    "silence after the handshake",
			subject: settings{App: "echo", KeepAlive: 2 * time.Second},
			conns:   1000, few: 40,
			want:   []string{"end"},
			silent: true,
			run:    mute,
		},
	}
}

// lengths sends each of the lengths to some, as times fragments of one message, of
// which the first ones are lies too.
func (f *field) lengths(times int, lengths ...uint64) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	err = f.each(func(i int) error {
		first := byte(fin | binaryFrame)
		if i%2 == 1 || times > 1 {
			first = binaryFrame
		}
		b := header(nil, first, lengths[i%len(lengths)], true)
		for range times - 1 {
			b = header(b, continuation, lengths[i%len(lengths)], true)
		}
		if _, err := peers[i].Write(append(b, "payload"...)); err != nil {
			return err
		}
		f.answered(peers[i].verdict())
		return nil
	})
	if err == nil {
		err = f.worst()
	}
	if err != nil {
		return err
	}
	return f.untilRid()
}

// announced sends a header and a part of the payload.
func announced(f *field, length uint64) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	b := append(header(nil, fin|binaryFrame, length, true), "payload"...)
	if err := f.each(func(i int) error {
		peers[i].Write(b) // it fails if the attacker was so slow that he is gone; the verdict says so
		return nil
	}); err != nil {
		return err
	}
	return f.outlast(peers)
}

// mute opens WebSockets and says nothing.
func mute(f *field) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	return f.outlast(peers)
}

// outlast measures the worst, and waits until the endpoint has had enough.
func (f *field) outlast(peers []*peer) error {
	if err := f.worst(); err != nil {
		return err
	}
	if err := f.untilRid(); err != nil {
		return err
	}
	return f.each(func(i int) error {
		f.answered(peers[i].verdict())
		return nil
	})
}

// slowFrame sends b a byte per unit, behind something that is sent at once.
func (f *field) slowFrame(b []byte, atOnce ...byte) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	for _, p := range peers {
		p.leaves = f.brief // in the middle of a frame it can't answer
		if _, err := p.Write(atOnce); err != nil {
			return err
		}
	}
	stop := f.drip(peers, b)
	defer stop()
	return f.outlast(peers)
}

// floods sends first, and then b again and again.
func (f *field) floods(first, b []byte, times int) error {
	peers, err := f.openAll("")
	if err != nil {
		return err
	}
	err = f.each(func(i int) error {
		if _, err := peers[i].Write(first); err != nil {
			return err
		}
		done := make(chan struct{})
		go func() { peers[i].floodFor(b, times*len(b), patience); close(done) }()
		f.answered(peers[i].verdict())
		<-done
		return nil
	})
	if err == nil {
		err = f.worst()
	}
	if err != nil {
		return err
	}
	return f.untilRid()
}
