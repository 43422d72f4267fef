package websocket

import (
	"context"
	"time"
)

// While the application is not in Read, a goroutine of the connection's own
// holds the read turn, so that pings are answered, Pongs and Closes seen. The
// data frames that it meets it keeps for the application: the read-ahead. When
// that is full, it stops reading, and TCP makes the peer wait.
const (
	// readAheadLimit is how many bytes the read-ahead holds: half of them in the
	// buffer that the socket is read into, the others parsed.
	readAheadLimit = 2 * bufferSize
	parsedLimit    = readAheadLimit - bufferSize
	// recordSize is what a frame costs in it, besides its payload.
	recordSize = 16
	// readerDelay is about how long no Read must have been there for the reader
	// goroutine to start; an application that comes back at once never meets it.
	readerDelay = 20 * time.Millisecond
	// readerTrust is how often that delay may double on a connection without a patrol:
	// once for each time that the alarm rings and finds the application back in Read. A
	// connection with a message now and then would have its alarm ring for each of them.
	readerTrust = 4
)

// A record is a data frame on its way to the application.
type record struct {
	opcode    opcode
	fin, rsv1 bool
	open      bool  // the rest of the payload is still on the wire
	n         int32 // bytes of the payload that are in the read-ahead
	length    int64 // of the payload
}

// ahead holds frames that were read before the application asked for them. The
// bytes of the frame that the application is at come first, then those of
// frames, in order. nil is an empty one, which most connections have.
type ahead struct {
	bytes  []byte
	r      int // bytes before it were taken
	frames []record
}

// take moves bytes of the current frame to dst.
func (a *ahead) take(dst []byte) int {
	n := copy(dst, a.bytes[a.r:])
	a.r += n
	if a.r == len(a.bytes) {
		a.bytes, a.r = nil, 0
	}
	return n
}

// some reports whether there are frames.
func (a *ahead) some() bool { return a != nil && len(a.frames) > 0 }

// left is how much more may be parsed.
func (a *ahead) left() int {
	return parsedLimit - (len(a.bytes) - a.r) - len(a.frames)*recordSize
}

func (a *ahead) full() bool { return a != nil && a.left() <= 0 }

// room returns space for payload to come, in proportion to what is there. The
// read-ahead is not full.
func (a *ahead) room() []byte {
	if a.r > 0 {
		a.bytes = append(a.bytes[:0], a.bytes[a.r:]...)
		a.r = 0
	}
	if n := len(a.bytes); n == cap(a.bytes) {
		grown := make([]byte, n, n+min(max(n, 1024), a.left()))
		copy(grown, a.bytes)
		a.bytes = grown
	}
	return a.bytes[len(a.bytes):cap(a.bytes)]
}

// append appends a frame's record, growing by less than append would.
func (a *ahead) append(r record) {
	if n := len(a.frames); n == cap(a.frames) {
		grown := make([]record, n, n+max(16, n/4))
		copy(grown, a.frames)
		a.frames = grown
	}
	a.frames = append(a.frames, r)
}

// readAhead is the reader goroutine. It holds the read turn, and ends when the
// application wants to read, when the read-ahead is full, or with the connection.
func (c *Conn) readAhead() {
	for c.readOneAhead() == nil {
	}
	if a := c.in.ahead; a != nil && len(a.bytes) == 0 && len(a.frames) == 0 {
		c.in.ahead = nil
	}
	c.in.letGo()
	c.waiting.Store(len(c.in.buffered()) > 0 || c.in.ahead.some())
	c.mu.Lock()
	c.readerUp = false
	c.mu.Unlock()
	c.readTurn.release()

	// Who wanted the turn may have gone meanwhile.
	c.mu.Lock()
	alone := !c.ended && !c.failing && c.wantRead == 0 && !c.stalled.Load()
	again := alone && c.expect.Load() > 0
	c.mu.Unlock()
	if again {
		c.ensureReader()
	} else if alone {
		c.watchOver()
	}
}

// readOneAhead reads one frame's header, or a piece of its payload.
func (c *Conn) readOneAhead() error {
	in := &c.in
	if in.ahead == nil {
		in.ahead = new(ahead)
	}
	a := in.ahead
	last := &in.message.frame
	if len(a.frames) > 0 {
		last = &a.frames[len(a.frames)-1]
	}
	c.mu.Lock()
	wanted := !c.local
	c.mu.Unlock()
	if !wanted {
		*a = ahead{}
		last = &in.message.frame
		last.n = 0
		c.stalled.Store(false)
	}
	if a.full() {
		c.stalled.Store(true)
		return errYield
	}
	if wanted && last.open && in.left > 0 {
		n, err := c.wirePayload(nobody, a.room())
		a.bytes = a.bytes[:len(a.bytes)+n]
		last.n += int32(n)
		return err
	}
	last.open = false
	if err := c.nextWireFrame(nobody); err != nil {
		return err
	}
	a.append(in.record())
	return nil
}

// ensureReader starts the reader goroutine if nobody reads.
func (c *Conn) ensureReader() {
	if !c.readTurn.try() {
		return
	}
	c.mu.Lock()
	if c.ended || c.failing || c.wantRead > 0 || c.stalled.Load() && !c.local {
		c.mu.Unlock()
		c.readTurn.release()
		return
	}
	c.trust = 0
	c.readerUp = true
	c.mu.Unlock()
	go c.readAhead()
}

// watchOver makes sure that somebody looks whether the application comes back to Read.
func (c *Conn) watchOver() {
	if !c.watched.CompareAndSwap(false, true) {
		return
	}
	if c.patrol != nil {
		c.patrol.join(c)
		return
	}
	c.mu.Lock()
	c.setAlarmLocked(alarmReader, readerDelay<<c.trust)
	c.mu.Unlock()
}

// away is that look, and reports whether the application has been away for so long
// that the connection shall read itself. Who lets go of the read turn does that before
// he asks whether he is watched: so he is either seen here, or asks again.
func (c *Conn) away() bool {
	c.watched.Store(false)
	switch {
	case c.readTurn.held(), c.stalled.Load():
		return false
	case c.visited.Load():
		c.visited.Store(false)
		c.watchOver()
		return false
	}
	return true
}

// takeRead waits for the read turn.
func (c *Conn) takeRead(ctx context.Context) error {
	if err := c.over(ctx); err != nil {
		return err
	}
	if !c.readTurn.try() {
		if err := c.awaitRead(ctx); err != nil {
			return err
		}
	}
	if c.calm.Load() {
		return nil
	}
	c.mu.Lock()
	local, cause := c.local, c.cause
	c.mu.Unlock()
	if local { // what still comes is not for the application
		c.leaveRead()
		return cause
	}
	return nil
}

// awaitRead is takeRead when somebody has the turn. If that is the reader
// goroutine, it is asked to let go.
func (c *Conn) awaitRead(ctx context.Context) error {
	c.mu.Lock()
	c.wantRead++
	if c.readerUp {
		c.pokeReadLocked()
	}
	c.mu.Unlock()
	var err error
	if !c.readTurn.await(ctx, nil) {
		if err = c.over(ctx); err == nil { // the connection has ended: whoever has the turn lets go
			c.readTurn.await(context.Background(), nil)
		}
	}
	c.mu.Lock()
	c.wantRead--
	c.mu.Unlock()
	if err != nil && c.expect.Load() > 0 { // the reader goroutine may have made room for us
		c.ensureReader()
	}
	return err
}

// leaveRead gives the read turn back after a call of the application's: to the
// reader goroutine, if somebody waits for control frames.
func (c *Conn) leaveRead() {
	in := &c.in
	in.letGo() // the answer may have the same memory, which is in the cache
	waiting := in.buf != nil || in.ahead.some()
	if c.waiting.Load() != waiting {
		c.waiting.Store(waiting)
	}
	if c.stalled.Load() && !in.ahead.full() {
		c.stalled.Store(false)
	}
	if !c.visited.Load() {
		c.visited.Store(true)
	}
	c.readTurn.release()
	if !c.watched.Load() {
		c.watchOver()
	}
	if c.expect.Load() > 0 {
		c.ensureReader()
	}
}
