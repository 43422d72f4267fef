package websocket

import (
	"slices"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/keepalive"
	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/transport"
)

// A sender holds the frames that are pending: frames in, one batch out. It does no I/O. Conn.mu guards it.
type sender struct {
	account
	// queue holds whole encoded data frames of Write and TryWrite.
	queue *transport.Buffer
	// pongs are the pending Pongs, and control frames of the application's; nil: there are none.
	pongs *pongs
	// ping is the number in the pending Ping; 0: there is none.
	ping uint64
	// rest is the rest of a batch that was written in part. It leaves first.
	rest *rest
	// backlog waits behind the queue; nil: there was none yet.
	backlog *backlog
}

// An outFrame is a call's own data frame, which leaves behind what is pending.
type outFrame struct {
	first     firstByte
	head      *transport.Buffer // the frame, encoded, or the start of it
	tail      []byte            // the rest of it, in the caller's memory
	key       mask.Key          // the key to mask tail with, on a client
	size      int               // the payload's size before compression
	mustSend  bool              // it must be sent: its compression has moved a window that the peer has, too
	committed bool              // it will be sent, even if the call gives up
	shared    bool              // nobody changes the tail
}

// A rest is the unwritten part of a batch; queued and ping are the batch's. Nobody changes the tail.
type rest struct {
	b, tail []byte
	queued  int
	ping    uint64
}

// pongs holds the payloads of Pongs, each behind its length.
type pongs struct {
	b     []byte
	count int
	own   []byte // frames of SendPing and SendPong, each as opcode, length, payload
	some  bool   // b or own is not empty
}

const (
	// copyLimit is the largest payload that is copied behind its header. A larger one is written from the caller's memory.
	copyLimit = 8 << 10
	// corkLimit is how many bytes may wait in a corked queue.
	corkLimit = 16 << 10
)

// encodeFrame encodes the payload of f, which stays where it is if it is large. gathers says that the transport writes both parts
// in one system call.
func (s *sender) encodeFrame(f *outFrame, payload []byte, gathers bool) {
	f.head = transport.Get()
	switch {
	case len(payload) <= copyLimit || len(payload) <= transport.BufferSize && !gathers:
		s.appendFrame(f.head, f.first, payload)
	case s.client || gathers:
		f.key = s.appendStart(f.head, f.first, len(payload))
		f.tail = payload
	default:
		s.appendStart(f.head, f.first, len(payload))
		n := copy(f.head.B[len(f.head.B):cap(f.head.B)], payload)
		f.head.B = f.head.B[:len(f.head.B)+n]
		f.tail = payload[n:]
	}
}

// collect puts all pending frames, and f, into one buffer: control frames first, our Close last. It asks closeTable for each
// frame, and leaves out those that may not leave. No other function takes frames from what is pending. The caller holds the
// write turn, to which z belongs, and rest is nil. If f is not nil, the caller has written what was in the backlog before it.
func (s *sender) collect(c *closing, f *outFrame, z *deflate.Compressor) (b batch) {
	if s.pongsWait() || s.ping != 0 {
		b = s.collectControl(c)
	}
	if s.queue != nil && !s.midMessage {
		s.collectQueue(c, &b)
	}
	if f == nil && s.backlogLeaves(c) {
		if c.stopped() {
			z = nil // and a Writer may be about to abandon its message
		}
		s.backlog.collect(c, &b, &s.account, z)
	}
	s.corked = s.corked && s.queue != nil
	if f != nil && c.mayLeave(sendData) {
		s.midMessage = !f.first.fin()
		if b.buf == nil {
			b.buf = f.head
		} else {
			b.own = len(b.buf.B)
			b.buf.B = append(b.buf.B, f.head.B...)
			transport.Put(f.head)
		}
		f.head = nil
		s.count(f, 1)
	}
	if (b.buf == nil || b.buf.Tail == nil) && !s.backlogLeaves(c) && c.leave() {
		if b.buf == nil {
			b.buf = transport.Get()
		}
		s.appendFrame(b.buf, finBit|firstByte(opClose), []byte(c.payload))
		b.buf.Last = c.last()
		s.counters.add(framesWritten, 1)
	}
	return b
}

// count counts a data frame that begins to leave, or with -1 one that is taken back.
func (s *sender) count(f *outFrame, n int64) {
	s.counters.add(framesWritten, n)
	s.counters.add(payloadWritten, n*int64(f.size))
	if f.first.fin() {
		s.counters.add(messagesWritten, n)
	}
}

// collectControl returns the Pongs and the Ping that are pending, if they may leave.
func (s *sender) collectControl(c *closing) batch {
	p, own, ping := s.takeControl()
	if !c.mayLeave(sendData) {
		return batch{}
	}
	b := transport.Get()
	frames := int64(0)
	for len(p) > 0 {
		n := 1 + int(p[0])
		s.appendFrame(b, finBit|firstByte(opPong), p[1:n])
		p = p[n:]
		frames++
	}
	for len(own) > 0 {
		n := 2 + int(own[1])
		s.appendFrame(b, finBit|firstByte(own[0]), own[2:n])
		own = own[n:]
		frames++
	}
	if ping != 0 {
		var number [keepalive.PayloadSize]byte
		s.appendFrame(b, finBit|firstByte(opPing), keepalive.AppendPayload(number[:0], ping))
		frames++
	}
	s.counters.add(framesWritten, frames)
	return batch{buf: b, ping: ping}
}

// collectQueue appends the queue to b, behind the control frames.
func (s *sender) collectQueue(c *closing, b *batch) {
	queue, messages := s.queue, int64(s.queue.Messages)
	s.queue = nil
	s.messages -= queue.Messages
	if !c.mayLeave(sendQueued) {
		s.size -= len(queue.B)
		s.counters.add(messagesDropped, messages)
		transport.Put(queue)
		return
	}
	s.counters.add(framesWritten, messages)
	s.counters.add(messagesWritten, messages)
	s.counters.add(payloadWritten, int64(queue.Payload))
	b.queued = len(queue.B)
	if control := b.buf; control != nil {
		control.B = append(control.B, queue.B...)
		transport.Put(queue)
	} else {
		b.buf = queue
	}
}

// wrote is called when a whole batch was written. drop may have forgotten its bytes already.
func (s *sender) wrote(queued int) {
	s.size = max(s.size-queued, 0)
	s.backlog.drained(queued, s.size)
}

// suspend keeps the part of a batch, and of f's tail, that was not written; b.buf.N bytes were. If nothing of f has left and it
// need not be sent, f is taken back. suspend reports whether nothing is left to write.
func (s *sender) suspend(b batch, f *outFrame) (whole bool) {
	n := b.buf.N
	var left, tail []byte // the unwritten parts
	switch {
	case f == nil && n < len(b.buf.B):
		left, tail = b.buf.B[n:], b.buf.Tail
	case f == nil && b.buf.Tail != nil:
		tail = b.buf.Tail[n-len(b.buf.B):]
	case f == nil:
	case n <= b.own && !f.mustSend && !f.committed:
		left = b.buf.B[n:b.own]
		s.midMessage = f.first.opcode() == opContinuation
		s.count(f, -1)
	case n < len(b.buf.B):
		f.committed = true
		left, tail = b.buf.B[n:], f.tail
	default:
		f.committed = true
		tail = f.tail[n-len(b.buf.B):]
	}
	if whole = len(left)+len(tail) == 0; !whole {
		if f == nil || f.shared {
			left = slices.Clone(left)
		} else {
			left, tail = slices.Concat(left, tail), nil
		}
		s.rest = &rest{left, tail, b.queued, b.ping}
	}
	transport.Put(b.buf)
	return whole
}

// reserve reserves room for n bytes in the queue, if there is enough.
func (s *sender) reserve(n int) bool {
	if n > s.limit-s.size {
		return false
	}
	s.size += n
	return true
}

// enqueue adds a frame to the queue, if it fits. It first gives back the reserved bytes of the frame's own
// reservation. size is the payload's size before compression.
func (s *sender) enqueue(first firstByte, payload []byte, size, reserved int) bool {
	queued := s.add(first, payload, size, s.limit, reserved)
	s.corked = s.corked && !queued
	return queued
}

// enqueueCorked adds a frame to the queue, in which it may wait briefly for more, unless what is there may not wait. corks
// says that it is the first that waits so.
func (s *sender) enqueueCorked(first firstByte, payload []byte, size int) (queued, corks bool) {
	if !s.corked && (s.queue != nil || s.pongsWait()) || !s.add(first, payload, size, min(corkLimit, s.limit), 0) {
		return false, false
	}
	corks, s.corked = !s.corked, true
	return true, corks
}

// add is enqueue with another limit.
func (s *sender) add(first firstByte, payload []byte, size, limit, reserved int) bool {
	s.size -= reserved
	if len(payload) > limit-s.size-maxHeader {
		return false
	}
	at := &s.queue
	if reserved == 0 && s.backlog.waits() { // with a reservation it was compressed before what is in the backlog now
		at = s.backlog.behind()
	}
	if *at == nil {
		*at = transport.Get()
	}
	q := *at
	before := len(q.B)
	if need := before + maxHeader + len(payload); need > cap(q.B) {
		grown := make([]byte, before, min(max(need, 2*cap(q.B)), max(need, limit)))
		copy(grown, q.B)
		q.B = grown
	}
	s.appendFrame(q, first, payload)
	s.size += len(q.B) - before
	q.Payload += size
	q.Messages++
	s.messages++
	return true
}

const (
	// maxPongs is how many Pongs can be pending. RFC 6455, section 5.5.3: "If an endpoint receives a Ping frame and
	// has not yet sent Pong frame(s) in response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame
	// for only the most recently processed Ping frame."
	maxPongs = 16
	// pongsKept is how much memory for Pongs the connection keeps.
	pongsKept = 256
	// maxOwn bounds the pending frames of SendPing and SendPong, in bytes: 16 frames of the largest size, more of smaller ones.
	maxOwn = 16 * (2 + maxControlPayload)
)

// addOwn adds a control frame of the application's, if there is room for it. It uncorks the queue.
func (s *sender) addOwn(op opcode, payload []byte) bool {
	if s.pongs == nil {
		s.pongs = new(pongs)
	}
	p := s.pongs
	if len(p.own)+2+len(payload) > maxOwn {
		return false
	}
	p.own = append(append(p.own, byte(op), byte(len(payload))), payload...)
	p.some, s.corked = true, false
	return true
}

// addPong adds the answer to a Ping. If maxPongs are pending, it replaces the newest.
func (s *sender) addPong(payload []byte) {
	if s.pongs == nil {
		s.pongs = new(pongs)
	}
	p := s.pongs
	if p.count == maxPongs {
		at := 0
		for range maxPongs - 1 {
			at += 1 + int(p.b[at])
		}
		p.b = p.b[:at]
		p.count--
	}
	p.b = append(append(p.b, byte(len(payload))), payload...)
	p.count++
	p.some = true
}

// takeControl takes the pending control frames. The Pongs returned are valid until another is added.
func (s *sender) takeControl() (b, own []byte, ping uint64) {
	ping, s.ping = s.ping, 0
	p := s.pongs
	if p == nil {
		return nil, nil, ping
	}
	b, own = p.b, p.own
	*p = pongs{b: p.b[:0]}
	if cap(b) > pongsKept {
		s.pongs = nil
	}
	return b, own, ping
}

// pongsWait reports whether Pongs are pending, or control frames of the application's.
func (s *sender) pongsWait() bool { return s.pongs != nil && s.pongs.some }

// pending reports whether there are frames to write now.
func (s *sender) pending(c *closing) bool {
	if c.over || c.noWrites {
		return false
	}
	return s.rest != nil || c.ours == due || s.ping != 0 || s.pongsWait() && !s.corked ||
		s.dataLeaves(c) && !s.corked
}

// waits reports whether any frame is pending, corked or not.
func (s *sender) waits(c *closing) bool {
	return s.rest != nil || c.ours == due || s.ping != 0 || s.pongsWait() || s.dataLeaves(c)
}

// dataLeaves reports whether messages wait that may leave next.
func (s *sender) dataLeaves(c *closing) bool {
	return s.queue != nil && !s.midMessage || s.backlogLeaves(c)
}

// backlogLeaves reports whether messages wait in the backlog that may leave next. Once no message is accepted any more the
// compressor has done its work, and a Writer's message that has not begun to leave never will.
func (s *sender) backlogLeaves(c *closing) bool {
	return s.backlog.waits() && !s.midMessage && (s.writer != writerCompresses || c.stopped())
}

// drop drops all pending frames. It is called when the connection has ended.
func (s *sender) drop() {
	if s.queue != nil {
		s.counters.add(messagesDropped, int64(s.queue.Messages))
		transport.Put(s.queue)
	}
	if s.backlog.waits() {
		s.backlog.abandon(&s.account)
	}
	s.queue, s.rest, s.pongs, s.ping, s.corked, s.size, s.messages = nil, nil, nil, 0, false, 0, 0
}

// made returns the backlog, which it makes when it is needed first.
func (s *sender) made() *backlog {
	if s.backlog == nil {
		s.backlog = new(backlog)
	}
	return s.backlog
}

// refer leaves a reference to a message behind everything that waits, if there is room. No policy drops it.
func (s *sender) refer(m *shared, f *form) bool {
	if s.limit <= 0 || !s.fits(s.cost(f), s.size) {
		return false
	}
	s.made().add(segment{message: m, form: f}, &s.account)
	s.corked = false
	return true
}

// take is the backlog's. What it takes does not wait for company.
func (s *sender) take(c *closing, z *deflate.Compressor, threshold int, tried bool) taking {
	if s.backlog == nil {
		return taking{}
	}
	at := s.backlog.take(c, &s.account, z, threshold, tried)
	s.corked = s.corked && !s.backlog.waits()
	return at
}
