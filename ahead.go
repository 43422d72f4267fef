package websocket

import "time"

// While the application is not in Read, a goroutine of the connection's own
// holds the read turn, so that pings are answered, Pongs and Closes seen. The
// data frames that it meets it keeps for the application: the read-ahead. When
// that is full, it stops reading, and TCP makes the peer wait.
const (
	// readAheadLimit is how many bytes of payload the read-ahead holds.
	readAheadLimit = 64 << 10
	// readAheadFrames is how many frames it holds.
	readAheadFrames = 1024
	// readerDelay is about how long no Read must have been there for the reader
	// goroutine to start; an application that comes back at once never meets it.
	readerDelay = 20 * time.Millisecond
)

// A record is a data frame on its way to the application.
type record struct {
	opcode    opcode
	fin, rsv1 bool
	length    int64 // of the payload
	n         int64 // bytes of the payload that are in the read-ahead
	open      bool  // the rest of the payload is still on the wire
}

// ahead holds frames that were read before the application asked for them. The
// bytes of the frame that the application is at come first, then those of
// frames, in order.
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

func (a *ahead) full() bool {
	return len(a.bytes)-a.r >= readAheadLimit || len(a.frames) >= readAheadFrames
}

// room returns space for payload to come, in proportion to what is there.
func (a *ahead) room() []byte {
	if a.r > 0 {
		a.bytes = append(a.bytes[:0], a.bytes[a.r:]...)
		a.r = 0
	}
	if len(a.bytes) == cap(a.bytes) {
		grown := make([]byte, len(a.bytes), min(max(2*cap(a.bytes), 1024), readAheadLimit))
		copy(grown, a.bytes)
		a.bytes = grown
	}
	return a.bytes[len(a.bytes):cap(a.bytes)]
}

// readAhead is the reader goroutine. It holds the read turn, and ends when the
// application wants to read, when the read-ahead is full, or with the connection.
func (c *Conn) readAhead() {
	for c.readOneAhead() == nil {
	}
	c.in.letGo()
	c.waiting.Store(len(c.in.buffered()) > 0 || len(c.in.ahead.frames) > 0)
	c.mu.Lock()
	c.readerUp = false
	c.mu.Unlock()
	c.readTurn.release()

	// Who wanted the turn may have gone meanwhile.
	c.mu.Lock()
	alone := !c.ended && !c.failing && c.wantRead == 0 && !c.stalled.Load()
	again := alone && c.expect.Load() > 0
	if alone && !again {
		c.setAlarmLocked(alarmReader, readerDelay)
	}
	c.mu.Unlock()
	if again {
		c.ensureReader()
	}
}

// readOneAhead reads one frame's header, or a piece of its payload.
func (c *Conn) readOneAhead() error {
	in := &c.in
	a := &in.ahead
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
		last.n += int64(n)
		return err
	}
	last.open = false
	if err := c.nextWireFrame(nobody); err != nil {
		return err
	}
	h := in.frame
	a.frames = append(a.frames, record{opcode: h.opcode, fin: h.fin, rsv1: h.rsv1, length: h.length, open: true})
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
	c.readerUp = true
	c.mu.Unlock()
	go c.readAhead()
}

// readerDueLocked runs when the reader's alarm rings, and reports whether the
// application has been away for so long that the connection shall read itself.
func (c *Conn) readerDueLocked() bool {
	switch {
	case c.readTurn.held(), c.stalled.Load():
		return false // the next to let go of the turn sets the alarm
	case c.reads.Load() != c.readsSeen:
		c.readsSeen = c.reads.Load()
		c.setAlarmLocked(alarmReader, readerDelay)
		return false
	}
	return true
}
