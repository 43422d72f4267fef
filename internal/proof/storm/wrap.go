package storm

import (
	"net"
	"runtime"
	"sync/atomic"
	"time"
)

// The wrapped net.Conns do what net.Conn's documentation allows. They begin with it when the handshake
// is over: package net/http expects more of a net.Conn than the library does.

// awaker is a net.Conn that begins to be difficult.
type awaker interface{ awake() }

// pieces reads and writes in small pieces, with pauses between them, and counts.
type pieces struct {
	net.Conn
	on             atomic.Bool
	calls          atomic.Uint64
	received, sent atomic.Int64
}

func (c *pieces) awake() { c.on.Store(true) }

// draw returns a number that differs from call to call.
func (c *pieces) draw(n uint64) int {
	x := c.calls.Add(1) * 0x9E3779B97F4A7C15
	return int((x ^ x>>29) % n)
}

func (c *pieces) Read(p []byte) (int, error) {
	if c.on.Load() && len(p) > 1 {
		if c.draw(8) == 0 {
			runtime.Gosched()
		}
		switch c.draw(3) {
		case 0:
			p = p[:1+c.draw(uint64(min(len(p), 7)))]
		case 1:
			p = p[:1+c.draw(uint64(min(len(p), 1500)))]
		}
	}
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

func (c *pieces) Write(p []byte) (int, error) {
	written := 0
	for len(p) > written {
		piece := p[written:]
		if c.on.Load() && len(piece) > 1 {
			piece = piece[:1+c.draw(uint64(min(len(piece), 1+c.draw(20_000))))]
			if c.draw(8) == 0 {
				runtime.Gosched()
			}
		}
		n, err := c.Conn.Write(piece)
		written += n
		c.sent.Add(int64(n))
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// zeros returns 0, nil from Read now and then, which io.Reader allows.
type zeros struct {
	net.Conn
	on    atomic.Bool
	calls atomic.Uint64
}

func (c *zeros) awake() { c.on.Store(true) }

func (c *zeros) Read(p []byte) (int, error) {
	if c.on.Load() && c.calls.Add(1)%3 == 0 {
		return 0, nil
	}
	return c.Conn.Read(p)
}

// deadless has deadlines that do nothing.
type deadless struct {
	net.Conn
	on atomic.Bool
}

func (c *deadless) awake() { c.on.Store(true) }

func (c *deadless) SetDeadline(t time.Time) error {
	if c.on.Load() {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

func (c *deadless) SetReadDeadline(t time.Time) error {
	if c.on.Load() {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *deadless) SetWriteDeadline(t time.Time) error {
	if c.on.Load() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}
