package websocket

// This file is what is counted of a connection. Conn.Stats in control.go puts it together.

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

// addMessage counts a message that was read to its end, and its size, if it can hold that.
func (f *fresh) addMessage(size int64) (held bool) {
	f.messages++
	sum := int64(f.payload) + size
	if held = uint64(sum) <= math.MaxUint32; held {
		f.payload = uint32(sum)
	}
	return held
}
