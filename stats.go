package websocket

// This file has the counters of a connection. Conn.Stats in control.go combines them.

import (
	"math"
	"time"
)

// Stats says how much has gone through a connection, and how the connection has ended. See [Conn.Stats].
type Stats struct {
	// Opened is when the handshake was done.
	Opened time.Time

	// Read counts received data, Written sent data.
	Read, Written Traffic

	// RTT is the last measured round trip, in whole microseconds, at least one: the time from a Ping of the connection's own
	// (sent by the option KeepAlive or by [Conn.Ping]) to its Pong, which a peer that does not read may send some 20 ms
	// late. It is 0 if none was measured.
	RTT time.Duration

	// QueuedMessages is how many messages wait in the queue. QueuedBytes is how much of the option QueueLimit is in use:
	// by these messages, and by bytes that are being written from the queue to the net.Conn.
	QueuedMessages, QueuedBytes int

	// Dropped is how many messages that waited, or were broadcast by a [Group], were not sent: because the connection had
	// ended, or because a SlowPolicy dropped them. DroppedByPolicy is how many of them a SlowPolicy dropped; [MemberStats]
	// and [GroupStats] say for which group, and by which policy.
	Dropped, DroppedByPolicy int64

	// CloseCode is the status code of the Close frame that began the end, ours or the peer's. It is StatusAbnormalClosure if
	// the connection has ended or is ending without one, and 0 while neither side has begun to close.
	CloseCode StatusCode
	// ClosedBy says which side began to close.
	ClosedBy ClosedBy
}

// Traffic counts one direction of a connection.
//
// A received message counts when the application has read it to its end, or skipped it. A received frame counts when its
// header was read and found legal, a control frame when it was read whole. A message or frame that is sent counts when it begins to leave. WireBytes counts bytes
// that were read from the net.Conn, or that it has taken.
type Traffic struct {
	Messages int64
	Frames   int64 // control frames included
	// WireBytes is the size of the frames: headers, and payload as it is on the wire. The handshake, TLS and TCP do not
	// count.
	WireBytes int64
	// Bytes is the size of the messages before compression, without headers and control frames.
	Bytes int64
}

// ClosedBy says which side began to close a connection.
type ClosedBy uint8

const (
	// ClosedByNobody: neither side has begun to close.
	ClosedByNobody ClosedBy = iota
	// ClosedByLocal: this end closed it: by a method, because a context was done, or by a rule such as that of CloseRead.
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

// began returns which side began to close, and with which code.
func (c *closing) began() (StatusCode, ClosedBy) {
	by := ClosedByNobody
	said, closeCame := c.cause.(CloseError)
	switch {
	case c.by == us:
		by = ClosedByLocal
	case closeCame:
		return said.Code, ClosedByPeer
	case c.by == violation:
		by = ClosedByLocal // the violation came behind our Close
		if !c.half && violates(c.cause) {
			by = ClosedByViolation
		}
	case c.cause == nil:
		return 0, ClosedByNobody
	default:
		by = ClosedByLocal
		if _, lost := c.cause.(*lostError); lost || c.cause == ErrPingTimeout {
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

// violates reports whether an error says that the peer broke the protocol, or sent a message over the read limit.
func violates(err error) bool {
	switch err.(type) {
	case ProtocolError, sizeError:
		return true
	}
	return false
}

// A count names one of the counters.
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

// counters are the counters of a connection. Conn.mu guards them. Few connections ever need more than 32 bits, so carried is
// allocated on demand.
type counters struct {
	opened  int64 // in Unix nanoseconds
	low     [numCounts]uint32
	carried *[numCounts]int64 // to be added to low; nil: all zero
}

// add adds n to a count. n may be negative.
func (c *counters) add(i count, n int64) {
	if sum := int64(c.low[i]) + n; uint64(sum) <= math.MaxUint32 {
		c.low[i] = uint32(sum)
	} else {
		c.carry(i, sum)
	}
}

// carry moves sum, the new value of a count in low, to carried.
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

// fresh holds counts that are not yet added to counters. The holder of the read turn adds them before it waits for bytes and
// when the connection ends, so that a received message takes no lock.
type fresh struct{ messages, frames, bytes, payload uint32 }

// take adds the counts of f, and resets f.
func (c *counters) take(f *fresh) {
	c.add(messagesRead, int64(f.messages))
	c.add(framesRead, int64(f.frames))
	c.add(bytesRead, int64(f.bytes))
	c.add(payloadRead, int64(f.payload))
	*f = fresh{}
}

// addMessage counts a message that was read to its end. It adds its size, too, if payload can hold the sum; otherwise it
// returns false.
func (f *fresh) addMessage(size int64) (held bool) {
	f.messages++
	sum := int64(f.payload) + size
	if held = uint64(sum) <= math.MaxUint32; held {
		f.payload = uint32(sum)
	}
	return held
}
