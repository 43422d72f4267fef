package websocket

import (
	"context"
	"time"

	"github.com/closeonce/websocket/internal/transport"
)

// This file has the callbacks of a connection, and the places that call a Trace. It does not know the connection: newConn
// binds the functions to it.

// HandshakeInfo describes the result of a handshake, besides [Conn.Subprotocol].
type HandshakeInfo struct {
	Client     bool // this end is the client
	Compressed bool // permessage-deflate was agreed on; in a browser always false, since the browser inflates what comes
}

// FrameInfo describes a frame (RFC 6455, section 5.2).
type FrameInfo struct {
	Opcode     Opcode
	Fin        bool
	Compressed bool  // RSV1 is set: the frame begins a compressed message
	Length     int64 // of the payload on the wire
}

// MessageInfo describes a message.
type MessageInfo struct {
	Type MessageType
	Size int64 // before compression
}

// CloseState is how far the closing handshake has come (RFC 6455, section 7.1).
type CloseState uint8

const (
	// StateOpen: neither end has sent a Close frame.
	StateOpen = CloseState(open)
	// StateCloseSent: this end's Close frame has begun to leave.
	StateCloseSent = CloseState(closeSent)
	// StateCloseReceived: the peer's Close frame has come, and the answer has not begun to leave.
	StateCloseReceived = CloseState(closeReceived)
	// StateClosed: both Close frames were sent, or the connection was lost, failed, or ended by CloseNow.
	StateClosed = CloseState(closed)
)

// String returns "open", "close sent", "close received" or "closed".
func (s CloseState) String() string {
	if names := [...]string{"open", "close sent", "close received", "closed"}; int(s) < len(names) {
		return names[s]
	}
	return "CloseState(?)"
}

// hooks are the callbacks of the application, bound to a connection. Its methods may be called on nil, and do nothing then.
type hooks struct {
	onPing func(ctx context.Context, payload []byte) bool
	onPong func(ctx context.Context, payload []byte)
	trace  tracing
}

// tracing is a Trace bound to a connection, and the state that it needs. A nil function is not called.
type tracing struct {
	onHandshakeDone                 func()
	onFrameRead, onFrameWritten     func(FrameInfo)
	onMessageRead, onMessageWritten func(MessageInfo)
	onPingAnswered                  func(rtt time.Duration)
	onSlow                          func(queued int)

	// leaving are the frames that the net.Conn has not taken completely. The holder of the write turn owns it.
	leaving []leavingFrame

	// The rest is for StateChanged and Closed. Conn.mu guards it.
	deliver    func()     // delivers events; nil: there is no StateChanged or Closed
	state      closeState // the last one that was noted
	ended      bool       // the end was noted
	delivering bool       // deliver runs
	events     []closeNote
}

// A leavingFrame is a frame and its size, with its header.
type leavingFrame struct {
	FrameInfo
	size int64
}

// A closeNote is an event to deliver: a change of closing's state, or the end of the connection.
type closeNote struct {
	from, to closeState
	ended    bool
}

// info describes a frame.
func (h *header) info() FrameInfo {
	return FrameInfo{Opcode: Opcode(h.opcode), Fin: h.fin, Compressed: h.rsv1, Length: h.length}
}

// frameRead calls FrameRead for what next has found: a control frame with length bytes of payload, the data frame data, or
// nothing.
func (h *hooks) frameRead(what found, op opcode, length int, data *header) {
	if h != nil && h.trace.onFrameRead != nil {
		h.trace.frameRead(what, op, length, data)
	}
}

func (t *tracing) frameRead(what found, op opcode, length int, data *header) {
	switch what {
	case controlFrame:
		t.onFrameRead(FrameInfo{Opcode: Opcode(op), Fin: true, Length: int64(length)})
	case dataFrame:
		t.onFrameRead(data.info())
	}
}

// messageRead calls MessageRead for a message that was read to its end.
func (h *hooks) messageRead(typ MessageType, size int64) {
	if h != nil && h.trace.onMessageRead != nil {
		h.trace.onMessageRead(MessageInfo{typ, size})
	}
}

// messageWritten calls MessageWritten for a message that was sent or queued.
func (h *hooks) messageWritten(typ MessageType, size int64) {
	if h != nil && h.trace.onMessageWritten != nil {
		h.trace.onMessageWritten(MessageInfo{typ, size})
	}
}

// wantsMessages reports whether the Trace has MessageWritten.
func (h *hooks) wantsMessages() bool { return h != nil && h.trace.onMessageWritten != nil }

// pingAnswered calls PingAnswered for a Pong.
func (h *hooks) pingAnswered(rtt time.Duration) {
	if h != nil && h.trace.onPingAnswered != nil {
		h.trace.onPingAnswered(rtt)
	}
}

// queueFull calls Slow.
func (h *hooks) queueFull(queued int) {
	if h != nil && h.trace.onSlow != nil {
		h.trace.onSlow(queued)
	}
}

// framesLeave notes the frames in a batch that is about to leave, with f behind it or nil. b need not hold all the payload of
// the last frame; a frame that many connections share may lie in f's tail with its header.
func (h *hooks) framesLeave(b *transport.Buffer, f *outFrame) {
	if h != nil && h.trace.onFrameWritten != nil {
		h.trace.framesLeave(b.B)
		h.trace.framesLeave(b.Tail)
		if f != nil && f.shared {
			h.trace.framesLeave(f.tail)
		}
	}
}

func (t *tracing) framesLeave(b []byte) {
	for len(b) > 0 {
		h, n, _ := parseHeader(b)
		size := int64(n) + h.length
		t.leaving = append(t.leaving, leavingFrame{h.info(), size})
		b = b[min(size, int64(len(b))):]
	}
}

// framesLeft calls FrameWritten for the frames that the net.Conn has taken. The last unwritten bytes are still to be written.
func (h *hooks) framesLeft(unwritten int) {
	if h != nil && h.trace.onFrameWritten != nil {
		h.trace.framesLeft(unwritten)
	}
}

func (t *tracing) framesLeft(unwritten int) {
	behind := int64(0)
	for _, f := range t.leaving {
		behind += f.size
	}
	for len(t.leaving) > 0 {
		f := t.leaving[0]
		if behind -= f.size; behind < int64(unwritten) {
			return
		}
		t.leaving = t.leaving[1:]
		t.onFrameWritten(f.FrameInfo)
	}
	t.leaving = nil
}

// framesSuspended is framesLeft for a batch that was written in part. The writer goroutine writes the rest, unless the
// connection has ended. takenBack says that the last frame will not be sent.
func (h *hooks) framesSuspended(takenBack bool, unwritten int, ended bool) {
	if h == nil || h.trace.onFrameWritten == nil {
		return
	}
	t := &h.trace
	if n := len(t.leaving); takenBack && n > 0 {
		t.leaving = t.leaving[:n-1]
	}
	t.framesLeft(unwritten)
	if ended {
		t.leaving = nil
	}
}

// closingMoved notes the changes of closing since the last call, and starts a goroutine that delivers them. It does not
// deliver them itself, because its caller holds Conn.mu, and may hold a turn.
func (h *hooks) closingMoved(c *closing) {
	if h != nil && h.trace.deliver != nil {
		h.trace.note(c)
	}
}

func (t *tracing) note(c *closing) {
	if t.state != c.state {
		t.events = append(t.events, closeNote{from: t.state, to: c.state})
		t.state = c.state
	}
	if len(t.events) > 0 && !t.delivering {
		t.delivering = true
		go t.deliver()
	}
}

// hungUp notes that the net.Conn was given up. The caller holds Conn.mu.
func (h *hooks) hungUp() {
	if h != nil && h.trace.deliver != nil && !h.trace.ended {
		h.trace.ended = true
		h.trace.events = append(h.trace.events, closeNote{ended: true})
	}
}

// next returns the next event. The caller holds Conn.mu.
func (t *tracing) next() (e closeNote, some bool) {
	if len(t.events) == 0 {
		t.delivering = false
		return e, false
	}
	e = t.events[0]
	t.events = t.events[1:]
	return e, true
}
