package websocket

import (
	"math"
	"time"
)

// Stats is what has gone through a connection, and how it has ended. See [Conn.Stats].
type Stats struct {
	// Opened is when the handshake was done.
	Opened time.Time

	// Read counts what has come, Written what has left.
	Read, Written Traffic

	// RTT is the last round trip that was measured, in microseconds: the time between a Ping of the connection's own (the
	// option KeepAlive, or [Conn.Ping]) and its Pong. 0: none was measured.
	RTT time.Duration

	// QueuedMessages is how many messages wait in the queue, and QueuedBytes how much of the option QueueLimit they take,
	// together with what is on its way from the queue to the net.Conn.
	QueuedMessages, QueuedBytes int

	// Dropped is how many messages will never leave though the queue had taken them: because the connection has ended.
	Dropped int64

	// CloseCode is the status code of the Close frame that began the end, ours or the peer's; StatusAbnormalClosure if the
	// connection has ended, or is ending, without one; 0 while nobody has begun to close.
	CloseCode StatusCode
	// ClosedBy is who began to close.
	ClosedBy ClosedBy
}

// Traffic counts one direction of a connection.
//
// Messages that came count when the application has read them to their end, or skipped them; frames that came, when their
// header was read and found legal. What leaves counts when it begins to leave; but bytes count when the net.Conn has
// taken them.
type Traffic struct {
	Messages int64
	Frames   int64 // control frames included
	// WireBytes is the size of the frames: headers, and payload as it is on the wire. The handshake, TLS and TCP do not
	// count.
	WireBytes int64
	// Bytes is the size of the messages, not compressed, without headers and control frames.
	Bytes int64
}

// ClosedBy says who began to close a connection.
type ClosedBy uint8

const (
	// ClosedByNobody: it is open.
	ClosedByNobody ClosedBy = iota
	// ClosedByLocal: this end did, by a method, by the end of a context, or because of a rule that the application set.
	ClosedByLocal
	// ClosedByPeer: the peer's Close frame came first.
	ClosedByPeer
	// ClosedByViolation: the peer broke the protocol, or sent a message over the read limit, and this end failed the
	// connection (RFC 6455, section 7.1.7).
	ClosedByViolation
	// ClosedByLoss: the net.Conn failed or ended without a Close frame, or the peer did not answer a keepalive Ping.
	ClosedByLoss
)

// String returns "nobody", "local", "peer", "violation" or "loss".
func (b ClosedBy) String() string {
	if names := [...]string{"nobody", "local", "peer", "violation", "loss"}; int(b) < len(names) {
		return names[b]
	}
	return "ClosedBy(?)"
}

// Stats returns what has gone through the connection so far. It does not wait, and may be called at any time, from any
// goroutine and from callbacks, after the end too. Of what has come it may lag behind by what a Read is just about to take.
func (c *Conn) Stats() Stats {
	if c.supervisor.turn.Try() { // who waits for bytes has published what it has counted
		c.publish()
		c.releaseRead()
	}
	c.mu.Lock()
	n := &c.sender.counters
	s := Stats{
		Opened: time.Unix(0, n.opened),
		Read: Traffic{
			Messages: n.get(messagesRead), Frames: n.get(framesRead), WireBytes: n.get(bytesRead), Bytes: n.get(payloadRead),
		},
		Written:        Traffic{Messages: n.get(messagesWritten), Frames: n.get(framesWritten), Bytes: n.get(payloadWritten)},
		QueuedMessages: int(c.sender.messages),
		QueuedBytes:    c.sender.size,
		Dropped:        n.get(messagesDropped),
	}
	s.CloseCode, s.ClosedBy = c.closing.began()
	c.mu.Unlock()
	if c.deflate != nil {
		s.Written.Bytes += c.deflate.saved.Load()
	}
	s.Written.WireBytes = c.transport.Written()
	s.RTT = c.keepalive.RTT()
	return s
}

// began returns who began to close, and with which code.
func (c *closing) began() (StatusCode, ClosedBy) {
	by := ClosedByNobody
	said, closeCame := c.cause.(CloseError)
	switch {
	case c.by == us:
		by = ClosedByLocal
	case c.by == violation:
		by = ClosedByViolation
	case closeCame:
		return said.Code, ClosedByPeer
	case c.cause == nil:
		return 0, ClosedByNobody
	default:
		by = ClosedByLocal
		if _, lost := c.cause.(lostError); lost || c.cause == ErrPingTimeout {
			by = ClosedByLoss
		}
	}
	if c.ours == none {
		return StatusAbnormalClosure, by
	}
	said, err := parseClose([]byte(c.payload))
	if err != nil { // it was checked before it was sent
		return StatusAbnormalClosure, by
	}
	return said.Code, by
}

// A count is one of the numbers that counters hold.
type count uint8

const (
	messagesRead count = iota
	framesRead
	bytesRead
	payloadRead
	messagesWritten
	framesWritten
	payloadWritten
	messagesDropped
	numCounts
)

// counters are the counts of a connection. Conn.mu guards them. Few connections ever outgrow 32 bits, so an idle one does not
// pay for more.
type counters struct {
	opened  int64 // in Unix nanoseconds
	low     [numCounts]uint32
	carried *[numCounts]int64 // what low could not hold; nil: it could
}

// add adds to a count; what is taken back is negative.
func (c *counters) add(i count, n int64) {
	if sum := int64(c.low[i]) + n; uint64(sum) <= math.MaxUint32 {
		c.low[i] = uint32(sum)
	} else {
		c.carry(i, sum)
	}
}

// carry makes room in low.
func (c *counters) carry(i count, sum int64) {
	if c.carried == nil {
		c.carried = new([numCounts]int64)
	}
	c.carried[i] += sum
	c.low[i] = 0
}

func (c *counters) get(i count) int64 {
	n := int64(c.low[i])
	if c.carried != nil {
		n += c.carried[i]
	}
	return n
}

// leaves counts a data frame that begins to leave, or with -1 one that is taken back.
func (c *counters) leaves(f *outFrame, n int64) {
	c.add(framesWritten, n)
	c.add(payloadWritten, n*int64(f.payload))
	if f.first.fin() {
		c.add(messagesWritten, n)
	}
}

// fresh is what the holder of the read turn has counted since it last published it: before it waits for bytes, and at the end.
// So a message that comes costs no lock of its own.
type fresh struct{ messages, frames, bytes, payload uint32 }

// take adds what was counted lately.
func (c *counters) take(f *fresh) {
	c.add(messagesRead, int64(f.messages))
	c.add(framesRead, int64(f.frames))
	c.add(bytesRead, int64(f.bytes))
	c.add(payloadRead, int64(f.payload))
	*f = fresh{}
}

// publish is called with the read turn.
func (c *Conn) publish() {
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	c.mu.Unlock()
}

// endMessage: the message was read to its end.
func (c *Conn) endMessage() {
	m := &c.receiver.message
	size := m.size
	if m.compressed {
		size = c.deflate.message.size
		c.deflate.message.end()
	}
	if !m.counted {
		c.countMessage(MessageType(m.typ), size)
	}
	m.end()
}

// countMessage counts a message that was read to its end, with the read turn.
func (c *Conn) countMessage(typ MessageType, size int64) {
	f := &c.receiver.fresh
	f.messages++
	if sum := int64(f.payload) + size; uint64(sum) <= math.MaxUint32 {
		f.payload = uint32(sum)
	} else {
		c.countLarge(size)
	}
	c.messageRead(typ, size)
}

// countLarge counts a message that is too large for fresh.
func (c *Conn) countLarge(size int64) {
	c.mu.Lock()
	c.sender.counters.add(payloadRead, size)
	c.mu.Unlock()
}
