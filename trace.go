package websocket

import (
	"context"
	"runtime/debug"
	"time"
)

// A Trace is a set of functions that a connection calls for what happens on it; any of them may be nil. It is an option of
// [Accept], [Handler] and [Dial], and may serve many connections: each function gets the one that it is about.
//
// The functions must return soon, and must not wait for the connection: no Read, Write, Ping or Close of it, for which the
// caller may be what they wait for. [Conn.Stats], [Conn.TryWrite] and [Conn.CloseNow] do not wait. No lock is held.
// Functions that run for different directions, or different connections, may run at the same time.
//
//   - FrameRead, MessageRead and PingAnswered run in the goroutine that reads frames, a Read's or the connection's own, one
//     at a time, in the order in which the frames came.
//   - FrameWritten runs in the goroutine that writes frames, a Write's or the connection's own, one at a time, in the order
//     in which the frames left.
//   - HandshakeDone, MessageWritten and Slow run in the goroutine of the call that they are about.
//   - StateChanged and Closed run in a goroutine of their own, one at a time and in order. Closed comes last.
//
// A function that panics closes the connection with 1011 (StatusInternalError), as a callback does, see
// [AcceptOptions].OnPingReceived. One that ends its goroutine by runtime.Goexit closes it too, but where frames are written
// there is no Close frame then.
type Trace struct {
	// HandshakeDone is called when the handshake is done, before Accept or Dial returns c, and before all others.
	HandshakeDone func(c *Conn, h HandshakeInfo)

	// FrameRead is called for each frame that comes, control frames included, when its header has come; its payload may
	// still be on its way. It is not called for frames that break the protocol, nor for what comes behind the peer's Close.
	FrameRead func(c *Conn, f FrameInfo)

	// FrameWritten is called for each frame, when the net.Conn has taken all of it.
	FrameWritten func(c *Conn, f FrameInfo)

	// MessageRead is called for each message that the application has read to its end, or skipped, just before the call
	// that reads it returns. After the end it is called for messages that had come before.
	MessageRead func(c *Conn, m MessageInfo)

	// MessageWritten is called for each message that Write, TryWrite or a Writer's Close has taken: it leaves now, or waits
	// in the queue.
	MessageWritten func(c *Conn, m MessageInfo)

	// StateChanged is called when the closing handshake moves on.
	StateChanged func(c *Conn, from, to CloseState)

	// PingAnswered is called when the Pong to a Ping of the connection's own has come, with the time between the two.
	PingAnswered func(c *Conn, rtt time.Duration)

	// Slow is called when a message does not fit into the queue, because the peer reads more slowly than the application
	// writes: TryWrite returns ErrQueueFull, or Write waits. queued is how many bytes are in the queue.
	Slow func(c *Conn, queued int)

	// Closed is called once, when the connection has ended: the net.Conn is closed, or what remains of it is seen to in the
	// background. reason is what calls return from now on.
	Closed func(c *Conn, reason error, s Stats)
}

// HandshakeInfo is what a handshake agreed on, besides [Conn.Subprotocol].
type HandshakeInfo struct {
	Client     bool // this end is the client: the connection comes from Dial
	Compressed bool // permessage-deflate was agreed on
}

// FrameInfo describes a frame (RFC 6455, section 5.2).
type FrameInfo struct {
	Opcode     Opcode
	Fin        bool
	Compressed bool  // RSV1 is set: the frame begins a compressed message
	Length     int64 // of the payload, as it is on the wire
}

// MessageInfo describes a message.
type MessageInfo struct {
	Type MessageType
	Size int64 // not compressed
}

// CloseState is how far the closing handshake has come (RFC 6455, section 7.1).
type CloseState uint8

const (
	// StateOpen: neither end has sent a Close frame.
	StateOpen = CloseState(open)
	// StateCloseSent: this end's Close frame has begun to leave.
	StateCloseSent = CloseState(closeSent)
	// StateCloseReceived: the peer's has come, and is not answered yet.
	StateCloseReceived = CloseState(closeReceived)
	// StateClosed: both are through, or the connection was lost, failed, or ended by CloseNow.
	StateClosed = CloseState(closed)
)

// String returns "open", "close sent", "close received" or "closed".
func (s CloseState) String() string {
	if names := [...]string{"open", "close sent", "close received", "closed"}; int(s) < len(names) {
		return names[s]
	}
	return "CloseState(?)"
}

// hooks are the callbacks of the application. newConn sets them.
type hooks struct {
	onPing func(ctx context.Context, payload []byte) bool
	onPong func(ctx context.Context, payload []byte)
	trace  *tracing // nil: there is none
}

func newHooks(s *settings) *hooks {
	if s.onPing == nil && s.onPong == nil && s.trace == nil {
		return nil
	}
	h := &hooks{onPing: s.onPing, onPong: s.onPong}
	if s.trace != nil {
		h.trace = &tracing{Trace: s.trace}
	}
	return h
}

// tracing is what a connection with a Trace has more.
type tracing struct {
	*Trace

	// leaving are the frames of which the net.Conn has not taken all yet. It belongs to the holder of the write turn.
	leaving []leavingFrame

	// The rest is for StateChanged and Closed. Conn.mu guards it.
	state      closeState // the last one that was noted
	ended      bool       // the end was noted
	delivering bool       // a goroutine delivers events
	events     []closeNote
}

// A leavingFrame is a frame and its size, with its header.
type leavingFrame struct {
	FrameInfo
	size int64
}

// A closeNote is an event to be told: a step of the close machine, or the end.
type closeNote struct {
	from, to closeState
	ended    bool
}

// tell calls a function of a Trace, without the read turn.
func (c *Conn) tell(name string, f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		err := &panicError{"Trace." + name, v, debug.Stack()}
		if v == nil { // runtime.Goexit: whoever writes ends here, and keeps the write turn
			c.end(err)
			return
		}
		c.closeFor(err, StatusInternalError, "internal error")
	}()
	f()
	returned = true
}

// tracing returns the connection's, or nil. The functions below are called for each frame or message, and begin with this
// question.
func (c *Conn) tracing() *tracing {
	if c.hooks == nil {
		return nil
	}
	return c.hooks.trace
}

// beginTrace returns what tells of the handshake. It takes the read turn, so that nothing comes before.
func (c *Conn) beginTrace() (done func()) {
	t := c.tracing()
	if t == nil || t.HandshakeDone == nil {
		return func() {}
	}
	c.supervisor.turn.Await(nil, nil) // nobody else knows of the connection
	return func() {
		info := HandshakeInfo{Client: c.receiver.client, Compressed: c.deflate != nil}
		c.call("Trace.HandshakeDone", func() { t.HandshakeDone(c, info) })
		c.releaseRead()
	}
}

// frameRead tells of a frame that came, if one did: a control frame with that payload, or the data frame on the wire.
func (c *Conn) frameRead(what found, op opcode, payload []byte) {
	if c.hooks != nil {
		c.tellFrameRead(what, op, payload)
	}
}

func (c *Conn) tellFrameRead(what found, op opcode, payload []byte) {
	t := c.hooks.trace
	if t == nil || t.FrameRead == nil || what == needBytes {
		return
	}
	h := &c.receiver.frame
	info := FrameInfo{Opcode: Opcode(op), Fin: h.fin, Compressed: h.rsv1, Length: h.length}
	if what == controlFrame {
		info = FrameInfo{Opcode: Opcode(op), Fin: true, Length: int64(len(payload))}
	}
	c.call("Trace.FrameRead", func() { t.FrameRead(c, info) })
}

// messageRead tells of a message that was read to its end.
func (c *Conn) messageRead(typ MessageType, size int64) {
	if c.hooks != nil {
		c.tellMessageRead(MessageInfo{typ, size})
	}
}

func (c *Conn) tellMessageRead(m MessageInfo) {
	if t := c.hooks.trace; t != nil && t.MessageRead != nil {
		c.call("Trace.MessageRead", func() { t.MessageRead(c, m) })
	}
}

// pingAnswered tells of a Pong.
func (c *Conn) pingAnswered(rtt time.Duration) {
	if t := c.tracing(); t != nil && t.PingAnswered != nil {
		c.call("Trace.PingAnswered", func() { t.PingAnswered(c, rtt) })
	}
}

// wroteMessage tells of a message that was taken.
func (c *Conn) wroteMessage(typ MessageType, size int64) {
	if c.hooks != nil {
		c.tellMessageWritten(MessageInfo{typ, size})
	}
}

func (c *Conn) tellMessageWritten(m MessageInfo) {
	if t := c.hooks.trace; t != nil && t.MessageWritten != nil {
		c.tell("MessageWritten", func() { t.MessageWritten(c, m) })
	}
}

// triedToWrite tells of what TryWrite has done.
func (c *Conn) triedToWrite(typ MessageType, size int64, err error) {
	switch {
	case c.hooks == nil:
	case err == nil:
		c.tellMessageWritten(MessageInfo{typ, size})
	case err == ErrQueueFull:
		c.slow()
	}
}

// slow tells that the queue is full.
func (c *Conn) slow() {
	t := c.tracing()
	if t == nil || t.Slow == nil {
		return
	}
	c.mu.Lock()
	queued := c.sender.size
	c.mu.Unlock()
	c.tell("Slow", func() { t.Slow(c, queued) })
}

// framesLeave notes the frames in a batch that is about to leave; the payload of the last may lie elsewhere.
func (c *Conn) framesLeave(b []byte) {
	if c.hooks != nil && c.hooks.trace != nil {
		c.hooks.trace.noteLeaving(b)
	}
}

func (t *tracing) noteLeaving(b []byte) {
	if t.FrameWritten == nil {
		return
	}
	for len(b) > 0 {
		h, n, _ := parseHeader(b)
		size := int64(n) + h.length
		info := FrameInfo{Opcode: Opcode(h.opcode), Fin: h.fin, Compressed: h.rsv1, Length: h.length}
		t.leaving = append(t.leaving, leavingFrame{info, size})
		b = b[min(size, int64(len(b))):]
	}
}

// framesWritten tells of the frames that the net.Conn has taken, when left bytes of them are still to be written.
func (c *Conn) framesWritten(left int) {
	if c.hooks != nil && c.hooks.trace != nil {
		c.tellWritten(c.hooks.trace, left)
	}
}

func (c *Conn) tellWritten(t *tracing, left int) {
	behind := int64(0)
	for _, f := range t.leaving {
		behind += f.size
	}
	for len(t.leaving) > 0 {
		f := t.leaving[0]
		if behind -= f.size; behind < int64(left) {
			return
		}
		t.leaving = t.leaving[1:]
		c.tell("FrameWritten", func() { t.FrameWritten(c, f.FrameInfo) })
	}
	t.leaving = nil
}

// framesSuspended is framesWritten for a batch that is left to the writer goroutine, if the connection has not ended. f was
// taken back if it was not committed.
func (c *Conn) framesSuspended(f *outFrame, rest *rest, ended bool) {
	t := c.tracing()
	if t == nil || t.FrameWritten == nil {
		return
	}
	if n := len(t.leaving); f != nil && !f.committed && n > 0 {
		t.leaving = t.leaving[:n-1]
	}
	left := 0
	if rest != nil {
		left = len(rest.b)
	}
	c.tellWritten(t, left)
	if ended {
		t.leaving = nil
	}
}

// noteEvents notes what closing has done since it was last called, and has it told. The caller holds mu.
func (c *Conn) noteEvents() {
	if c.hooks != nil && c.hooks.trace != nil {
		c.hooks.trace.note(c)
	}
}

func (t *tracing) note(c *Conn) {
	cl := &c.closing
	if t.state != cl.state {
		if t.StateChanged != nil {
			t.events = append(t.events, closeNote{from: t.state, to: cl.state})
		}
		t.state = cl.state
	}
	if cl.ended && cl.hungUp && !t.ended {
		t.ended = true
		if t.Closed != nil {
			t.events = append(t.events, closeNote{ended: true})
		}
	}
	if len(t.events) > 0 && !t.delivering {
		t.delivering = true
		go c.deliver()
	}
}

// deliver tells of the events that were noted. It is a goroutine of its own: whoever moves the close machine may hold a turn,
// or both.
func (c *Conn) deliver() {
	t := c.hooks.trace
	done := false
	defer func() {
		if !done { // a function has ended this goroutine
			go c.deliver()
		}
	}()
	for {
		c.mu.Lock()
		if done = len(t.events) == 0; done {
			t.delivering = false
			c.mu.Unlock()
			return
		}
		e, reason := t.events[0], c.closing.cause
		t.events = t.events[1:]
		c.mu.Unlock()
		if e.ended {
			c.tell("Closed", func() { t.Closed(c, reason, c.Stats()) })
		} else {
			c.tell("StateChanged", func() { t.StateChanged(c, CloseState(e.from), CloseState(e.to)) })
		}
	}
}
