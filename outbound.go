package websocket

import (
	"context"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/mask"
)

// outbound is what waits to be written. c.mu guards it.
type outbound struct {
	// queue holds data frames, encoded and whole, that Write and TryWrite left.
	queue *buffer
	// rest is what is left of frames that were written in part; it goes first.
	rest []byte
	// lazy: the queue waits for company.
	lazy bool
	// midMessage: a fragmented message is on the wire: of data frames, only
	// its own may leave.
	midMessage bool
	// Control frames have one slot for each kind.
	hasPong, hasPing bool
	closing          bool // our Close shall leave or has left
	closeLeft        bool // it has begun to, or can't any more
	closeGone        bool // all its bytes are written

	// size counts the bytes in queue, and those of it that are on their way.
	size int
	// restQueued is how many bytes of rest count in size.
	restQueued int
	writer     *messageWriter // the one that is open
	pong       *controlPayload
	close      *controlPayload
}

// A controlPayload is the payload of a control frame that waits to leave.
type controlPayload struct {
	n uint8
	b [maxControlPayload]byte
}

func (p *controlPayload) set(b []byte)  { p.n = uint8(copy(p.b[:], b)) }
func (p *controlPayload) bytes() []byte { return p.b[:p.n] }

// lazySize is how much may wait in the queue for company.
const lazySize = 16 << 10

// lazyDelay is how long.
const lazyDelay = time.Millisecond

// A lead is the first byte of a frame of ours: FIN, RSV1 and the opcode.
type lead byte

func (l lead) opcode() opcode { return opcode(l & 0x0F) }
func (l lead) fin() bool      { return l&finBit != 0 }
func (l lead) rsv1() bool     { return l&rsv1Bit != 0 }

// appendStart appends the header of a frame, with a key if we are the client.
func (c *Conn) appendStart(b *buffer, l lead, length int) (key mask.Key) {
	h := header{fin: l.fin(), rsv1: l.rsv1(), opcode: l.opcode(), length: int64(length)}
	if c.client {
		key = b.keys.Next()
		h.masked, h.key = true, key
	}
	b.b = appendHeader(b.b, h)
	return key
}

// appendFrame appends a whole frame, masked if we are the client.
func (c *Conn) appendFrame(b *buffer, l lead, payload []byte) {
	key := c.appendStart(b, l, len(payload))
	if !c.client {
		b.b = append(b.b, payload...)
		return
	}
	n := len(b.b)
	b.b = slices.Grow(b.b, len(payload))[:n+len(payload)]
	mask.Copy(b.b[n:], payload, key, 0)
}

// A parcel is a frame that depart takes along besides what waits.
type parcel struct {
	lead  lead
	frame *buffer  // the frame, encoded, or the start of it
	tail  []byte   // the rest of it, written from where it lies
	key   mask.Key // if the tail is to be masked
	firm  bool     // once prepared it must leave (its compression moved a window)
	begun bool     // it leaves, though its caller did not wait for it
}

// depart is the only way out. It takes what waits and p, asks the close machine
// for each frame, and writes them in one system call. The caller holds the
// write turn. It reports whether there was something to write.
//
// If ctx ends, or the connection is closing, while p is on its way, depart
// returns early: with nothing of p sent, or with the rest of it left for the
// writer goroutine to finish. With a nil ctx only the end of the connection
// interrupts it. If wait is false it leaves to the writer goroutine what the
// kernel does not take at once.
func (c *Conn) depart(ctx context.Context, p *parcel, wait bool) (bool, error) {
	c.mu.Lock()
	if c.out.rest != nil {
		c.mu.Unlock()
		if err := c.departRest(ctx, wait); err != nil {
			return true, err
		}
		c.mu.Lock()
	}
	if p != nil && (c.isStopped || c.out.closing) {
		err := c.stoppedReason()
		c.mu.Unlock()
		return false, err
	}
	b := c.gatherLocked(p)
	matters := c.out.closeLeft || b != nil && b.queued > 0 // somebody waits to hear that it is written
	c.mu.Unlock()
	if b == nil {
		return false, nil
	}
	if err := c.send(ctx, b, p, wait); err != nil {
		c.suspendWrite(b, p)
		return true, err
	}
	if matters {
		c.departed(b.queued)
	}
	putBuffer(b)
	return true, nil
}

// departRest writes what is left of frames that were written in part.
func (c *Conn) departRest(ctx context.Context, wait bool) error {
	c.mu.Lock()
	b := &buffer{b: c.out.rest, queued: c.out.restQueued}
	c.out.rest, c.out.restQueued = nil, 0
	c.mu.Unlock()
	if err := c.send(ctx, b, nil, wait); err != nil {
		c.mu.Lock()
		c.out.rest, c.out.restQueued = b.b[b.n:], b.queued
		c.urgent.Store(true)
		c.mu.Unlock()
		return err
	}
	c.departed(b.queued)
	return nil
}

// gatherLocked asks the close machine for each frame that waits, and for p, and
// puts those that may leave into one buffer.
func (c *Conn) gatherLocked(p *parcel) *buffer {
	o := &c.out
	var b *buffer
	if o.queue != nil && !o.midMessage {
		if c.state.step(sendData) == emit {
			b = o.queue
			b.queued = len(b.b)
		} else {
			putBuffer(o.queue)
			o.size = 0
		}
		o.queue, o.lazy = nil, false
		c.lazy.Store(false)
	}
	if o.hasPong || o.hasPing {
		b = c.gatherPingsLocked(b)
	}
	if p != nil && c.state.step(sendData) == emit {
		o.midMessage = !p.lead.fin()
		if b == nil {
			b = p.frame
		} else {
			b.own = len(b.b)
			b.b = append(b.b, p.frame.b...)
			putBuffer(p.frame)
		}
		p.frame = nil
	}
	if o.closing && !o.closeLeft {
		o.closeLeft = true
		if c.state.step(sendClose) == emit {
			if b == nil {
				b = getBuffer()
			}
			c.appendFrame(b, finBit|lead(opClose), o.close.bytes())
			b.last = !c.client && c.state == closed // RFC 6455, section 7.1.1: the server closes TCP first
		}
	}
	return b
}

// gatherPingsLocked is the part of gatherLocked that puts Pong and Ping into b.
func (c *Conn) gatherPingsLocked(b *buffer) *buffer {
	o := &c.out
	pong, ping := o.hasPong, o.hasPing
	o.hasPong, o.hasPing = false, false
	if pong && c.state.step(sendData) == emit {
		if b == nil {
			b = getBuffer()
		}
		c.appendFrame(b, finBit|lead(opPong), o.pong.bytes())
	}
	if ping && c.state.step(sendData) == emit {
		if b == nil {
			b = getBuffer()
		}
		var number [pingPayload]byte
		c.appendFrame(b, finBit|lead(opPing), appendPing(number[:0], c.lastPing))
	}
	return b
}

// departed is called when a batch has been written: if it ended the closing
// handshake, or told the peer why we close, the connection ends.
func (c *Conn) departed(queued int) {
	c.mu.Lock()
	o := &c.out
	o.size = max(o.size-queued, 0)
	o.closeGone = o.closeLeft
	answered := o.closeGone && c.state == closed && !c.both && !c.ended
	if answered {
		c.both = true
	}
	failed := o.closeLeft && c.failing && c.state == closeSent
	c.mu.Unlock()
	switch {
	case answered:
		c.finish()
	case failed:
		c.end(nil)
	}
}

// suspendWrite is called when a write was interrupted, after b.n bytes of b and of
// p's tail. What was not written is left for the writer goroutine; but p is taken
// back if nothing of it has left.
func (c *Conn) suspendWrite(b *buffer, p *parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	o := &c.out
	n := b.n
	var rest, tail []byte // what was not written
	switch {
	case p == nil:
		rest = b.b[n:]
	case n <= b.own && !p.firm && !p.begun:
		rest = b.b[n:b.own]
		o.midMessage = p.lead.opcode() == opContinuation
	case n < len(b.b):
		p.begun = true
		rest = b.b[n:]
		tail = p.tail
	default:
		p.begun = true
		tail = p.tail[n-len(b.b):]
	}
	if len(rest)+len(tail) > 0 {
		o.rest, o.restQueued = slices.Concat(rest, tail), b.queued
		c.urgent.Store(true)
	} else {
		o.size = max(o.size-b.queued, 0)
	}
	putBuffer(b)
}

// enqueueLocked leaves a frame in the queue, if it fits.
func (c *Conn) enqueueLocked(l lead, payload []byte, limit int) bool {
	o := &c.out
	if o.size+maxHeader+len(payload) > limit {
		return false
	}
	if o.queue == nil {
		o.queue = getBuffer()
	}
	before := len(o.queue.b)
	if need := before + maxHeader + len(payload); need > cap(o.queue.b) {
		grown := make([]byte, before, min(max(need, 2*cap(o.queue.b)), limit))
		copy(grown, o.queue.b)
		o.queue.b = grown
	}
	c.appendFrame(o.queue, l, payload)
	o.size += len(o.queue.b) - before
	return true
}

// pendingLocked reports whether something waits that may leave now.
func (c *Conn) pendingLocked() bool {
	o := &c.out
	return !c.ended && (o.rest != nil || o.hasPong || o.hasPing ||
		o.closing && !o.closeLeft ||
		o.queue != nil && !o.lazy && !o.midMessage)
}

// dropLocked forgets what waits: the connection has ended.
func (o *outbound) dropLocked() {
	o.queue, o.rest, o.restQueued, o.lazy, o.size = nil, nil, 0, false, 0
}

// kick makes what waits leave: it starts the writer goroutine, unless somebody
// has the write turn, who will look again when he lets go of it.
func (c *Conn) kick() {
	if c.writeTurn.try() {
		go c.writeOut()
	}
}

// writeOut is the writer goroutine. It holds the write turn, and ends when
// nothing waits.
func (c *Conn) writeOut() {
	for {
		wrote, err := c.depart(nobody, nil, true)
		if err != nil || !wrote {
			break
		}
	}
	c.leaveWrite()
}

// leaveWrite gives the write turn back. What came to wait meanwhile is the
// writer goroutine's.
func (c *Conn) leaveWrite() {
	c.writeTurn.release()
	if !c.urgent.Load() {
		return
	}
	c.mu.Lock()
	pending := c.pendingLocked() && c.writeErr == nil
	if !pending {
		c.urgent.Store(false)
	}
	c.mu.Unlock()
	if pending {
		c.kick()
	}
}

// flushLazy sends what waited for company: nobody comes any more. It is called
// before waiting for bytes, and so it must not wait itself.
func (c *Conn) flushLazy() {
	if !c.writeTurn.try() {
		return
	}
	c.mu.Lock()
	c.out.lazy = false
	c.urgent.Store(true)
	c.mu.Unlock()
	c.lazy.Store(false)
	if c.raw == nil {
		go c.writeOut()
		return
	}
	c.depart(nobody, nil, false)
	c.leaveWrite()
}
