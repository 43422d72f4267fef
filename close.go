package websocket

import "cmp"

// Closing: RFC 6455, sections 5.5.1 and 7.1.1 to 7.1.7.
//
// "We sent Close" and "they sent Close" are independent facts, so the machine is a diamond:
//
//	              sendClose                 recvClose
//	      open ───────────────▶ closeSent ───────────────▶ closed
//	        │                                                 ▲
//	        │ recvClose                  sendClose (echo)     │
//	        └──────────▶ closeReceived ───────────────────────┘
//	      disconnect (EOF, I/O error, time-out, CloseNow): any state ▶ closed
//
// closeTable alone decides whether a frame may leave, and what a received Close means. It is the same for client and server.
// sender.collect asks it for every frame that leaves, while holding the write turn. The state moves before the bytes go
// out, so a Close that was written in part counts as sent.
//
// closing holds all that a connection knows of its end. Each event has a method, which changes the state and returns the acts that Conn
// must perform after unlocking (Conn.perform). This file is pure.

// closeState is how far the closing handshake has come.
type closeState uint8

const (
	open          closeState = iota // neither side has sent Close
	closeSent                       // ours was sent, theirs has not come: no other frame may leave
	closeReceived                   // theirs has come, ours was not sent: only queued messages and our Close may leave
	closed                          // both were sent, or the net.Conn was given up; final
	numCloseStates
)

// closeEvent is an event that the close table has a column for.
type closeEvent uint8

const (
	sendClose  closeEvent = iota // a Close frame of ours is about to leave
	recvClose                    // a Close frame came
	sendData                     // any other frame is about to leave: data, Ping, Pong
	sendQueued                   // a queued message, accepted earlier, is about to leave
	recvData                     // any other frame came
	disconnect                   // EOF, I/O error, time-out, CloseNow
	numCloseEvents
)

// closeAction is what to do about an event. The code asks only for emit, echo and finish.
type closeAction uint8

const (
	invalid closeAction = iota // the zero value: a cell missing from the table
	emit                       // let the frame leave
	refuse                     // the frame must not leave
	deliver                    // the frame is for the application
	echo                       // answer with a Close of the same code
	finish                     // both Close frames are through: end the connection
	ignore                     // read the frame and drop it
	abort                      // end the connection now
	nothing                    // it has ended already
)

// closeCell is the next state, and what to do.
type closeCell struct {
	next   closeState
	action closeAction
}

var closeTable = [numCloseStates][numCloseEvents]closeCell{
	open: {
		sendClose: {closeSent, emit}, sendData: {open, emit}, sendQueued: {open, emit},
		recvClose: {closeReceived, echo}, recvData: {open, deliver}, disconnect: {closed, abort},
	},
	closeSent: {
		// "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a
		// Close frame in response." We did: their Close answers ours, or the two crossed.
		sendClose: {closeSent, refuse},
		recvClose: {closed, finish},
		// Section 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame." Nor do we send a Pong.
		sendData: {closeSent, refuse}, sendQueued: {closeSent, refuse},
		// Section 1.4: "After sending a control frame indicating the connection should be closed, a peer does not send
		// any further data". What the peer sent before it saw our Close may still come. It is dropped, unless CloseWrite was called (half).
		recvData: {closeSent, ignore}, disconnect: {closed, abort},
	},
	closeReceived: {
		sendClose: {closed, emit}, // the echo, and with it the end of the handshake
		// Section 1.4: "after receiving [such] a control frame, [...] a peer discards any further data received".
		recvClose: {closeReceived, ignore}, recvData: {closeReceived, ignore},
		// The peer discards data from now on, so nothing new leaves. But "An endpoint MAY delay sending a Close frame until
		// its current message is sent" (section 5.5.1): messages that are in the queue already leave before the echo.
		sendData: {closeReceived, refuse}, sendQueued: {closeReceived, emit}, disconnect: {closed, abort},
	},
	closed: {
		sendClose: {closed, refuse}, sendData: {closed, refuse}, sendQueued: {closed, refuse},
		recvClose: {closed, ignore}, recvData: {closed, ignore}, disconnect: {closed, nothing},
	},
}

// step moves to the next state and returns what to do. A refused event does not change the state.
func (s *closeState) step(e closeEvent) closeAction {
	cell := closeTable[*s][e]
	*s = cell.next
	return cell.action
}

// initiator is the side that began to close.
type initiator uint8

const (
	nobody    initiator = iota
	us                  // the application, or a rule of ours: a message after CloseRead, a callback's panic
	peer                // the peer's Close came before ours was due
	violation           // the peer broke the protocol, and we fail the connection
)

// closeFate is how far our own Close frame is.
type closeFate uint8

const (
	none    closeFate = iota
	due               // it is pending: the next flush sends it
	leaving           // a flush has taken it; no frame follows it
	written           // all its bytes are written
)

// acts is a set of things to do. Conn.perform does them in this order.
type acts uint16

const (
	bound          acts = 1 << iota // start the close timeout
	hurry                           // shorten the close timeout to a second from now
	interruptWrite                  // wake a blocked Write, to check the state again
	interruptRead                   // wake a blocked Read, to check the state again
	keepReading                     // keep a reader running until the end
	wakeWriter                      // write what is pending
	endContext                      // cancel Conn.Context
	lastTry                         // make one attempt to write what is pending, then call gone
	closeGently                     // close the net.Conn after a complete handshake
	closeHard                       // close the net.Conn at once; a reset may lose what was written
	linger                          // close our half of TCP, and the rest within a second, so that our Close arrives
)

// closing holds all that a connection knows of its end. Conn.mu guards it.
type closing struct {
	state         closeState
	ours          closeFate
	by            initiator
	server        bool // never changed
	passive       bool // the option: the application answers the peer's Close, unless it has called CloseRead
	half          bool // CloseWrite was called, and Close was not: data is delivered until the peer's Close
	closeRead     bool // CloseRead was called
	eof           bool // the stream from the peer has ended
	handshakeDone bool // both Close frames were exchanged
	over          bool // the connection has ended: calls return cause. The net.Conn may still be open
	abandoned     bool // CloseNow has ended it: what has come is for nobody
	ended         bool // the net.Conn is closed, or is being closed
	hungUp        bool // Close has nothing more to wait for; set by Conn
	noWrites      bool // a write to the net.Conn has failed; result holds its error

	payload string // of our Close frame
	cause   error  // why calls fail; the first one is kept
	result  error  // what Close returns
}

// begin starts the closing handshake from our side, goes on with it after beginHalf, or answers the peer's Close.
func (c *closing) begin(cause error, payload string) acts {
	if c.over || c.ours != none && !c.half {
		return 0
	}
	if c.ours == none {
		c.ours, c.payload = due, payload
	}
	c.half, c.by, c.cause = false, cmp.Or(c.by, us), cmp.Or(c.cause, cause)
	return bound | interruptWrite | interruptRead | keepReading | wakeWriter
}

// beginHalf sends our Close, and what comes is delivered until the peer's Close. Calls that send fail with refusal. If the
// peer's Close has come, it is the answer.
func (c *closing) beginHalf(refusal error, payload string) acts {
	switch {
	case c.half, c.noWrites:
		return 0
	case c.stopped():
		return c.begin(refusal, payload)
	}
	c.half, c.by, c.ours, c.payload, c.result = true, us, due, payload, refusal
	return interruptWrite | wakeWriter
}

// received handles the peer's Close frame. said is its content, and payload what an answer repeats.
func (c *closing) received(said CloseError, payload string) acts {
	if c.over {
		return 0
	}
	action := c.state.step(recvClose)
	if action != echo && action != finish {
		return 0
	}
	c.cause, c.result = cmp.Or(c.cause, error(said)), nil // beginHalf's refusal is no result of Close
	switch {
	case c.noWrites: // ours can't be sent
		return c.end(said)
	case action == finish && c.ours == written:
		return c.complete()
	case action == finish:
		return bound | keepReading // wrote completes it when ours is written
	}
	c.by = cmp.Or(c.by, peer)
	if c.ours == none { // Section 5.5.1: "[...] the endpoint typically echos the status code it received."
		if c.payload = payload; !c.passive {
			c.ours = due
		}
	}
	return bound | interruptWrite | wakeWriter | keepReading
}

// noMessages handles CloseRead. The application does not hear of the peer's Close then, and need not answer it.
func (c *closing) noMessages() (a acts) {
	switch {
	case c.closeRead:
		return 0
	case c.asks():
		c.ours, a = due, bound|wakeWriter
	}
	c.closeRead, c.passive = true, false
	return a | interruptRead | keepReading
}

// fail handles a violation by the peer. Section 7.1.7, "_Fail the WebSocket Connection_": a Close frame with the code is
// sent, then TCP is closed.
func (c *closing) fail(cause error, payload string) acts {
	if c.over || c.by == violation {
		return 0
	}
	c.by, c.cause = violation, cmp.Or(c.cause, cause)
	if c.noWrites { // no Close can be sent
		return c.end(c.result)
	}
	c.result = cause
	switch c.ours {
	case none:
		c.ours, c.payload = due, payload
	case written: // no second Close may be sent
		return c.violationSent()
	}
	return bound | interruptWrite | wakeWriter
}

// mayLeave reports whether the table lets a frame leave.
func (c *closing) mayLeave(e closeEvent) bool { return c.state.step(e) == emit }

// leave asks the table for our Close, if it is due, and reports whether it leaves now: then the caller must send it.
func (c *closing) leave() bool {
	if c.ours != due {
		return false
	}
	c.ours = leaving
	return c.state.step(sendClose) == emit
}

// last reports whether the batch that leaves now ends the stream: a server closes TCP right after the second Close (7.1.1).
func (c *closing) last() bool { return c.server && c.ours == leaving && c.state == closed }

// wrote is called when a whole batch was written.
func (c *closing) wrote() acts {
	if c.ours != leaving {
		return 0
	}
	c.ours = written
	switch {
	case !c.over && c.state == closed:
		return c.complete()
	case !c.over && c.by == violation:
		return c.violationSent()
	case !c.over && c.eof: // no answer can come
		return c.end(c.result)
	}
	return 0
}

// complete ends the connection after the exchange of both Close frames. Section 7.1.1: the server closes TCP first, so that
// TIME_WAIT is not the client's. The client waits for it in the background; only Close waits as well.
func (c *closing) complete() acts {
	c.handshakeDone, c.over, c.result = true, true, nil
	if c.server || c.eof {
		c.ended = true
		return closeGently | endContext
	}
	return bound | keepReading | endContext
}

// violationSent ends the connection after the Close frame for a violation.
func (c *closing) violationSent() acts {
	c.over, c.ended = true, true
	c.state.step(disconnect)
	return interruptRead | linger | endContext
}

// noWrite handles the net.Conn's error from a write. The peer may have sent a Close that says more than a broken pipe does, so
// the reader gets a second to find it. If stalled is set, the read-ahead is full, and nothing can be read.
func (c *closing) noWrite(err error, stalled bool) acts {
	if c.over || c.noWrites {
		return 0
	}
	if c.noWrites = true; !c.eof || c.result == nil {
		c.result = err
	}
	if c.state != open && !c.half || stalled || !c.reads() {
		return c.end(c.result)
	}
	return hurry | keepReading
}

// noRead handles the net.Conn's error from a read. eof says that it is io.EOF: then the peer may have closed only its half, and
// still read a Close of ours that is not written yet.
func (c *closing) noRead(err error, eof bool) acts {
	c.eof = c.eof || eof
	switch {
	case c.handshakeDone && !c.ended: // the client has waited for this: the server has closed TCP
		c.ended = true
		return closeGently
	case eof && !c.over && !c.noWrites && (c.state == closeReceived || c.ours == due || c.ours == leaving):
		if c.by != violation && c.state <= closeSent { // no answer can come
			c.cause, c.result = cmp.Or(c.cause, err), err
		}
		return bound
	}
	return c.end(err)
}

// timedOut handles the close timeout, or the second that replaced it.
func (c *closing) timedOut(err error) acts {
	switch {
	case c.handshakeDone && !c.ended:
		c.ended = true
		return closeGently
	case (c.noWrites || c.eof) && !c.over:
		err = cmp.Or(c.result, err)
	}
	return c.end(err)&^lastTry | c.gone(false) // there is no time for a last try
}

// end ends the connection without a closing handshake. A pending Close of ours gets one attempt to leave.
func (c *closing) end(reason error) acts {
	switch {
	case c.handshakeDone && !c.ended: // CloseNow on a client that waits for the server to close TCP
		c.ended = true
		return interruptRead | linger
	case c.over:
		return 0
	}
	c.over, c.cause, c.result = true, cmp.Or(c.cause, reason), reason
	return interruptRead | interruptWrite | lastTry | endContext
}

// abandon handles CloseNow. If the connection has ended already, what came before can still be read.
func (c *closing) abandon(reason error) acts {
	c.abandoned = c.abandoned || !c.over
	return c.end(reason)
}

// gone gives up the net.Conn after the last attempt. arrive: bytes were sent that must not be lost in a reset.
func (c *closing) gone(arrive bool) acts {
	if c.ended {
		return 0
	}
	c.ended = true
	c.state.step(disconnect)
	if arrive && !c.noWrites {
		return linger
	}
	return closeHard
}

// stopped reports whether Write and TryWrite accept no more messages.
func (c *closing) stopped() bool { return c.state != open || c.ours != none || c.over || c.noWrites }

// told reports whether calls may return the cause. If a Close of ours is due, they wait until it is written.
func (c *closing) told() bool { return c.over || c.closedByUs() && c.ours == written || c.asks() }

// asks reports whether the application has to answer the peer's Close.
func (c *closing) asks() bool { return c.passive && c.by == peer && c.ours == none && !c.over }

// delivers reports whether data that arrives is for the application.
func (c *closing) delivers() bool {
	return (c.state == open || c.state == closeSent && c.half) && !c.drops() && !c.over
}

// closedByUs reports whether what still comes is for nobody, since we began or gave up.
func (c *closing) closedByUs() bool { return c.by == us && !c.half || c.abandoned }

// drops reports whether data is discarded, even if it arrived before the end began.
func (c *closing) drops() bool { return c.closedByUs() || c.by == violation || c.closeRead }

// reads reports whether there is a reason to read. After the end, only a client reads on: it waits for the server to close TCP.
func (c *closing) reads() bool {
	return !c.ended && !c.eof && (c.handshakeDone || c.by != violation && !c.over)
}

// deaf reports whether nothing that arrives is parsed any more.
func (c *closing) deaf() bool { return c.eof || c.handshakeDone || c.by == peer || c.by == violation }
