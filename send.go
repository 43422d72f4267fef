package websocket

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/closeonce/websocket/internal/mask"
)

// errWouldBlock: the kernel takes no more at the moment.
var errWouldBlock = errors.New("would block")

// send writes b and then p's tail; b.n is how many bytes of both were taken.
// Nearly always that is one attempt, which the kernel takes whole.
func (c *Conn) send(ctx context.Context, b *buffer, p *parcel, wait bool) error {
	var tail []byte
	if p != nil && p.tail != nil {
		if c.client {
			return c.sendMasked(ctx, b, p)
		}
		tail = p.tail
	}
	b.n, b.err = 0, nil
	if c.raw != nil {
		if b.tryWrite(c.raw, tail) {
			return nil
		}
		if b.err == nil && !wait {
			return errWouldBlock
		}
	}
	return c.sendAll(ctx, b, tail)
}

// sendAll writes what is left of b and then tail, unless b.err says that there is
// no point.
func (c *Conn) sendAll(ctx context.Context, b *buffer, tail []byte) error {
	head := len(b.b)
	err := b.err
	if err == nil {
		c.watchWrite(ctx)
		if c.resumes && ctx != nil && ctx.Err() != nil {
			// It ended while we took the turn: the interruption has hit another.
			return c.interrupted(ctx)
		}
	}
	for err == nil && b.n < head+len(tail) {
		var n int
		switch {
		case b.n >= head:
			n, err = c.nc.Write(tail[b.n-head:])
		case tail != nil:
			n, err = writeBoth(c.nc, b.b[b.n:], tail)
		default:
			n, err = c.nc.Write(b.b[b.n:])
		}
		b.n += n
		if err != nil && c.resumes && errors.Is(err, os.ErrDeadlineExceeded) {
			c.unpokeWrite()
			if err = c.interrupted(ctx); err != nil {
				return err
			}
		}
	}
	if err != nil {
		err = c.writeFailed(err)
	}
	return err
}

// sendMasked writes b and then p's tail, masked on its way through a borrowed
// buffer: so a large message of a client costs no memory of its size. With an error,
// b holds all that is left of the frame, masked.
func (c *Conn) sendMasked(ctx context.Context, b *buffer, p *parcel) error {
	large := getLargeBuffer()
	defer putLargeBuffer(large)
	small := b.b[:0]
	b.b = append(large.b, b.b...)
	pos, tail := 0, p.tail
	p.tail = nil
	for {
		k := min(cap(b.b)-len(b.b), len(tail))
		start := len(b.b)
		b.b = b.b[:start+k]
		pos = mask.Copy(b.b[start:], tail[:k], p.key, pos)
		tail = tail[k:]
		if err := c.send(ctx, b, nil, true); err != nil {
			start = len(b.b)
			b.b = slices.Concat(b.b, tail)
			mask.XOR(b.b[start:], p.key, pos)
			return err
		}
		p.begun = true
		if len(tail) == 0 {
			b.b = small
			return nil
		}
		b.b = b.b[:0]
	}
}

// writeBoth writes two slices in one system call where the net.Conn can.
func writeBoth(nc net.Conn, a, b []byte) (int, error) {
	v := vectors.Get().(*vector)
	v.bufs = append(v.array[:0], a, b)
	n, err := v.bufs.WriteTo(nc)
	v.array = [2][]byte{}
	vectors.Put(v)
	return int(n), err
}

// interrupted says why a write under ctx should stop. The writer goroutine has
// no ctx, and only the end of the connection stops it.
func (c *Conn) interrupted(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return c.cause
	case ctx == nil:
		return nil
	case c.isStopped:
		return c.stoppedReason()
	}
	return ctx.Err()
}

// stoppedReason is why nothing can be written any more. The caller holds c.mu.
func (c *Conn) stoppedReason() error {
	if c.cause != nil {
		return c.cause
	}
	return c.writeErr
}

// writeFailed is called when the net.Conn took no more. The peer may have sent
// a Close that says why, which is worth more than a broken pipe: so what has
// come is read first, for a short time. See verdict.
func (c *Conn) writeFailed(err error) error {
	err = lost(err)
	c.mu.Lock()
	final := c.writeErr != nil || c.state != open || c.stalled.Load() || c.ended
	if !final {
		c.writeErr = err
		c.stopLocked()
		c.expect.Add(1)
		if at := c.alarms.at[alarmClose]; at == 0 || at > now()+int64(lingerTime) {
			c.setAlarmLocked(alarmClose, lingerTime)
		}
	}
	c.mu.Unlock()
	if final {
		c.end(err)
		return c.err()
	}
	c.ensureReader()
	return err
}

// verdict is what a call that wrote returns: if writing failed, the reason that
// the reader finds out. The caller has let go of the write turn.
func (c *Conn) verdict(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	failed := err == c.writeErr
	c.mu.Unlock()
	if !failed {
		return err
	}
	select {
	case <-c.done():
		return c.err()
	case <-ctx.Done():
		return c.gaveUp(ctx)
	}
}

// watchWrite makes the end of ctx interrupt a blocked write.
func (c *Conn) watchWrite(ctx context.Context) {
	if ctx == nil || !c.resumes || c.ownContext(ctx) {
		return
	}
	c.mu.Lock()
	if !c.ended && !c.writeWatch.covers(ctx) {
		c.writeWatch.set(ctx, c.pokeWrite)
	}
	c.mu.Unlock()
}

// pokeWrite interrupts whoever is blocked in a write. The one who is
// interrupted finds out himself whether he was meant.
func (c *Conn) pokeWrite() {
	c.mu.Lock()
	c.pokeWriteLocked()
	c.mu.Unlock()
}

func (c *Conn) pokeWriteLocked() {
	c.writePoked = true
	c.nc.SetWriteDeadline(longAgo)
}

func (c *Conn) unpokeWrite() {
	c.mu.Lock()
	if c.writePoked {
		c.writePoked = false
		c.nc.SetWriteDeadline(time.Time{})
	}
	c.mu.Unlock()
}

// A vector is what one write of two slices needs.
type vector struct {
	array [2][]byte
	bufs  net.Buffers
}

var vectors = sync.Pool{New: func() any { return new(vector) }}
