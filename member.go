package websocket

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
)

// This file is what a connection does for the groups that it is a member of, and with messages that it shares with others.

// pull takes over what the connection's groups have posted, and writes of it what can be written without waiting. So
// what the application sends later stays behind it.
func (c *Conn) pull() {
	if c.takePosted() {
		c.flushNow()
	}
}

// manyTries is how often takePosted makes room that others take.
const manyTries = 1000

// takePosted moves what the groups have posted to the backlog, and reports whether something waits there.
func (c *Conn) takePosted() bool {
	z, threshold := c.compressor(), 0
	if z != nil {
		threshold = int(c.deflate.threshold.Load())
	}
	for tries, tried := 0, false; ; {
		c.mu.Lock()
		at := c.sender.take(&c.closing, z, threshold, tried)
		c.unlock()
		tried = false
		switch {
		case at.pack != nil:
			at.pack.pack(z)
		case at.full:
			tries++
			tried = !c.makeRoom() || tries > manyTries // others may fill the room at once
		case at.lags != nil:
			c.tellSlow()
			at.lags.of.lags()
		default:
			return c.has(backlogged)
		}
	}
}

// makeRoom writes what waits, as much as the kernel takes. It reports whether that may have made room: if not, the kernel takes no
// more, or nobody knows what it takes, or what waits may not leave now. If somebody else is writing, makeRoom waits until he
// has done so, or waits for the kernel himself.
func (c *Conn) makeRoom() bool {
	if !c.transport.Tries() {
		c.wakeWriter()
		return false
	}
	if mine, changed := c.awaitWriting(); !mine {
		return changed
	}
	defer c.leaveWrite()
	for {
		if wrote, err := c.flush(nil, nil, tryOnce); err != nil {
			return false
		} else if !wrote {
			return c.has(hasPending) || !c.has(backlogged) // others may have left something meanwhile
		} else if c.writeTurn.Awaited() {
			return true
		}
	}
}

// awaitWriting waits for the write turn, and reports whether it is the caller's now. If not, changed says that others have had the
// turn meanwhile, and may have made room. awaitWriting does not wait for a holder who waits for the kernel, nor for one who
// keeps the turn for long: that may be a callback, under which a group's message is broadcast. Such a holder is waited for once.
func (c *Conn) awaitWriting() (mine, changed bool) {
	const long, often = 100 * time.Millisecond, 100 // looked often: we may not have run ourselves
	begun, tenure := now(), c.writeTurn.Tenure()
	for looked := 0; !c.writeTurn.Try(); looked++ {
		switch {
		case c.writeTurn.Blocked():
			return false, false
		case looked <= often:
		case c.writeTurn.Tenure() != tenure:
			return false, true
		case now()-begun > int64(long):
			c.writeTurn.Blame(tenure)
			return false, false
		}
		runtime.Gosched()
	}
	return true, false
}

// mark is what waitsBefore takes for all that has come until now.
func (b *backlog) mark() uint64 {
	if b == nil {
		return 0
	}
	return b.pushed
}

// clearBacklog writes, with the write turn, what is in the backlog now; what comes meanwhile is not waited for. It gives the
// turn back if it fails.
func (c *Conn) clearBacklog(ctx context.Context) error {
	if !c.has(backlogged) {
		return nil
	}
	c.mu.Lock()
	mark := c.sender.backlog.mark()
	c.mu.Unlock()
	for {
		c.mu.Lock()
		waits := c.sender.backlog.waitsBefore(mark)
		c.mu.Unlock()
		if !waits {
			return nil
		}
		if wrote, err := c.flush(ctx, nil, untilContext); err != nil {
			c.leaveWrite()
			return err
		} else if !wrote {
			return nil
		}
	}
}

// holdBacklog keeps the backlog back until the Writer's message has ended: the compressor is in the middle of it.
func (c *Conn) holdBacklog() {
	c.mu.Lock()
	c.sender.writer = writerCompresses
	c.unlock()
}

// unreadFrames reports whether more is read already: the answers to it leave together.
func (c *Conn) unreadFrames() bool { return c.supervisor.Unread.Load()&supervisor.FramesUnread != 0 }

// queued returns the error of a call that leaves a message in the queue.
func (c *Conn) queued(err error) error {
	if err == errOver {
		c.mu.Lock()
		defer c.mu.Unlock()
		return sending(cmp.Or(c.closing.cause, c.closing.result))
	}
	return err
}

// tryWriteBehind leaves a message behind the backlog, compressed without takeover: it gets into the window when it leaves,
// as what waits before it does.
func (c *Conn) tryWriteBehind(first firstByte, p []byte) error {
	if len(p) > c.sender.limit-maxHeader {
		return ErrQueueFull // also if the backlog has left meanwhile
	}
	m := new(shared)
	m.init(first.opcode(), p)
	m.lone = true
	err := c.enqueuePrepared(m)
	if err == nil {
		c.flushNow()
	}
	return err
}

// form returns the message as this connection sends it.
func (c *Conn) form(m *shared) *form {
	if c.deflate == nil {
		return &m.plain
	}
	for {
		if f := m.form(&c.deflate.out, int(c.deflate.threshold.Load())); f != nil {
			return f
		}
		m.pack(&c.deflate.out)
	}
}

// enqueuePrepared leaves a reference to the message behind the queue.
func (c *Conn) enqueuePrepared(m *shared) error {
	f := c.form(m)
	c.mu.Lock()
	defer c.unlock()
	if c.closing.stopped() {
		return errOver
	}
	if !c.sender.refer(m, f) {
		return ErrQueueFull
	}
	return nil
}
