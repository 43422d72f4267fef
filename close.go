package websocket

// Closing: RFC 6455, sections 5.5.1 and 7.1.1 to 7.1.7.
//
// "We sent Close" and "they sent Close" are independent facts, so the machine
// is a diamond:
//
//	              sendClose                 recvClose
//	      open ───────────────▶ closeSent ───────────────▶ closed
//	        │                                                 ▲
//	        │ recvClose                  sendClose (echo)     │
//	        └──────────▶ closeReceived ───────────────────────┘
//	      disconnect (EOF, I/O error, time-out, CloseNow): any state ▶ closed
//
// closeTable decides whether a frame may leave, and what a frame that came means, and nothing else does. It knows no
// roles. It is asked for every frame that leaves at one place, sender.collect, by the goroutine that holds the write turn,
// and moved before the bytes go out: a Close of which half was written counts as sent.
//
// closing is all that a connection knows of its end. Its methods are what can happen. Each changes the state and returns
// what has to be done about it; Conn does that after unlocking. This file is pure.

// closeState is how far the closing handshake has come.
type closeState uint8

const (
	// open: neither side has sent Close. Left by either side's Close.
	open closeState = iota
	// closeSent: our Close left; no frame leaves any more. Left by their Close.
	closeSent
	// closeReceived: their Close came; only our Close may leave. Left by it.
	closeReceived
	closed // final
	numCloseStates
)

// closeEvent is what happens to the connection, as far as closing cares.
type closeEvent uint8

const (
	sendClose  closeEvent = iota // a Close frame of ours is about to leave
	recvClose                    // a Close frame came
	sendData                     // any other frame is about to leave: data, Ping, Pong
	sendQueued                   // one that was accepted before, from the queue
	recvData                     // any other frame came
	disconnect                   // EOF, I/O error, time-out, CloseNow

	numCloseEvents
)

// closeAction is what the event's cause has to do now.
type closeAction uint8

const (
	invalid closeAction = iota // no cell of the table: a forgotten one shows
	emit                       // let the frame leave
	refuse                     // the frame must not leave
	deliver                    // the frame is for the application
	echo                       // answer with a Close of the same code
	finish                     // both Close frames are through: end the connection
	ignore                     // read the frame and drop it
	abort                      // end the connection now
	nothing                    // it has ended already
)

// closeCell is where to go, and what to do.
type closeCell struct {
	next   closeState
	action closeAction
}

var closeTable = [numCloseStates][numCloseEvents]closeCell{
	open: {
		sendClose:  {closeSent, emit},
		recvClose:  {closeReceived, echo},
		sendData:   {open, emit},
		sendQueued: {open, emit},
		recvData:   {open, deliver},
		disconnect: {closed, abort},
	},
	closeSent: {
		// "If an endpoint receives a Close frame and did not previously send a
		// Close frame, the endpoint MUST send a Close frame in response."
		// We did previously: so theirs is the answer, or it crossed ours.
		sendClose: {closeSent, refuse},
		recvClose: {closed, finish},
		// Section 5.5.1: "The application MUST NOT send any more data frames
		// after sending a Close frame." The same goes for Ping and Pong here.
		sendData:   {closeSent, refuse},
		sendQueued: {closeSent, refuse},
		// Section 1.4: "After sending a control frame indicating the connection
		// should be closed, a peer does not send any further data".
		// But it may still receive some: what was on its way is dropped.
		recvData:   {closeSent, ignore},
		disconnect: {closed, abort},
	},
	closeReceived: {
		// The echo, and with it the end of the handshake.
		sendClose: {closed, emit},
		// Section 1.4: "after receiving a control frame indicating the
		// connection should be closed, a peer discards any further data received".
		recvClose: {closeReceived, ignore},
		recvData:  {closeReceived, ignore},
		// The peer has said that it will not look at data: nothing new leaves. But
		// "An endpoint MAY delay sending a Close frame until its current message is
		// sent" (section 5.5.1): what was accepted before goes before the echo.
		sendData:   {closeReceived, refuse},
		sendQueued: {closeReceived, emit},
		disconnect: {closed, abort},
	},
	closed: {
		sendClose:  {closed, refuse},
		recvClose:  {closed, ignore},
		sendData:   {closed, refuse},
		sendQueued: {closed, refuse},
		recvData:   {closed, ignore},
		disconnect: {closed, nothing},
	},
}

// step moves the machine and says what to do. What is refused moves nothing.
func (s *closeState) step(e closeEvent) closeAction {
	cell := closeTable[*s][e]
	*s = cell.next
	return cell.action
}

// initiator is who began to close.
type initiator uint8

const (
	nobody    initiator = iota
	us                  // the application, or a rule that it set
	peer                // the peer's Close came before ours was due
	violation           // the peer broke the protocol, and we fail the connection
)

// closeFate is how far our own Close frame is.
type closeFate uint8

const (
	none    closeFate = iota
	due               // it leaves as soon as somebody writes
	leaving           // it is on its way: no other frame leaves any more
	written           // all its bytes are
)

// acts is a set of things that Conn has to do, in this order.
type acts uint16

const (
	bound          acts = 1 << iota // the handshake has begun: it may take so long
	hurry                           // it may take a second more
	interruptWrite                  // a blocked Write looks again
	interruptRead                   // a blocked Read looks again
	keepReading                     // from here on somebody reads until the end
	wakeWriter                      // something is due to leave
	endContext                      // Context ends
	lastTry                         // make one attempt to write what is due, then call gone
	closeGently                     // close the net.Conn: both ends are through with it
	closeHard                       // close the net.Conn: it is of no more use
	linger                          // close our half of it, then the rest; so our Close arrives
)

// closing is all that a connection knows of its end. Conn.mu guards it.
type closing struct {
	state  closeState
	ours   closeFate
	by     initiator
	server bool

	closeRead     bool // the application wants no more messages
	eof           bool // the peer sends no more bytes
	handshakeDone bool // both Close frames are through
	over          bool // the reason is final: no call but Close waits for anything
	ended         bool // the net.Conn is closed, or about to be
	hungUp        bool // Close waits no more
	noWrites      bool // the net.Conn takes no more bytes: result says why, for the time being

	payload string // of our Close frame
	cause   error  // why calls fail: the first reason, which is kept
	result  error  // what Close returns
}

// begin is our wish to close, for the application or because of a rule of its own.
func (c *closing) begin(cause error, payload string) acts {
	if c.ours != none || c.over {
		return 0
	}
	c.by, c.ours, c.payload = us, due, payload
	c.because(cause)
	return bound | interruptWrite | interruptRead | keepReading | wakeWriter
}

// received is a Close frame that came. If it is to be answered, the answer has
// the payload that came.
func (c *closing) received(said CloseError, payload string) acts {
	if c.over {
		return 0
	}
	switch c.state.step(recvClose) {
	case echo:
		c.because(said)
		if c.noWrites { // it can't be answered
			return c.end(said)
		}
		if c.ours == none {
			// Section 5.5.1: "When sending a Close frame in response, the endpoint
			// typically echos the status code it received."
			c.by, c.ours, c.payload = peer, due, payload
		}
		return bound | interruptWrite | wakeWriter | keepReading
	case finish:
		if c.ours == written {
			return c.complete()
		}
		return keepReading // until the rest of ours has left
	}
	return 0
}

// fail is a violation of the peer's. Section 7.1.7, "_Fail the WebSocket
// Connection_": a Close frame with the code leaves, then TCP is closed.
func (c *closing) fail(cause error, payload string) acts {
	if c.over || c.by == violation {
		return 0
	}
	c.because(cause)
	c.by = violation
	if c.noWrites { // it can't be told
		return c.end(c.result)
	}
	c.result = cause
	switch c.ours {
	case none:
		c.ours, c.payload = due, payload
	case written: // there is nothing to add
		return c.violationSent()
	}
	return bound | interruptWrite | wakeWriter
}

// mayLeave asks the table.
func (c *closing) mayLeave(e closeEvent) bool { return c.state.step(e) == emit }

// leave asks the table for our Close, if it is due, and reports whether it leaves
// now.
func (c *closing) leave() bool {
	if c.ours != due {
		return false
	}
	c.ours = leaving
	return c.state.step(sendClose) == emit
}

// last reports whether nothing can follow what leaves now. Section 7.1.1: the
// server closes TCP first.
func (c *closing) last() bool { return c.server && c.ours == leaving && c.state == closed }

// wrote is called when everything that had begun to leave is written.
func (c *closing) wrote() acts {
	if c.ours != leaving {
		return 0
	}
	c.ours = written
	switch {
	case c.over:
	case c.state == closed:
		return c.complete()
	case c.by == violation:
		return c.violationSent()
	}
	return 0
}

// complete: both Close frames are through. Section 7.1.1: the server closes TCP
// at once; the client waits for the server to do it, which spares the server
// the TIME_WAIT state. Nobody but Close waits for that.
func (c *closing) complete() acts {
	c.handshakeDone, c.over, c.result = true, true, nil
	if c.server || c.eof {
		c.ended = true
		return closeGently | endContext
	}
	return bound | keepReading | endContext
}

// failed: the peer knows why, and nothing of it is read any more.
func (c *closing) violationSent() acts {
	c.over, c.ended = true, true
	c.state.step(disconnect)
	return interruptRead | linger | endContext
}

// noWrite is the net.Conn's error from a write. The peer may have sent a Close that
// says why, which is worth more than a broken pipe: so what has come is read
// first, for a short time. stalled says that nobody can.
func (c *closing) noWrite(err error, stalled bool) acts {
	if c.over || c.noWrites {
		return 0
	}
	c.noWrites, c.result = true, err
	if c.state != open || stalled || !c.reads() {
		return c.end(err)
	}
	return hurry | keepReading
}

// noRead is the net.Conn's error from a read; eof: the end of the stream.
func (c *closing) noRead(err error, eof bool) acts {
	c.eof = c.eof || eof
	switch {
	case c.handshakeDone && !c.ended: // the server has closed TCP, as it should
		c.ended = true
		return closeGently
	case eof && c.answers(): // the peer may have closed only its half
		return 0
	}
	return c.end(err)
}

// answers reports whether our answer to the peer's Close has yet to leave.
func (c *closing) answers() bool {
	return !c.over && !c.noWrites && (c.state == closeReceived || c.state == closed && c.ours == leaving)
}

// timedOut: what was bounded took too long.
func (c *closing) timedOut(err error) acts {
	switch {
	case c.handshakeDone && !c.ended:
		c.ended = true
		return closeGently
	case c.noWrites && !c.over:
		err = c.result
	}
	return c.end(err)&^lastTry | c.gone(false) // it has had all its time
}

// end ends the connection without a closing handshake. A Close of ours that is
// due has one attempt to leave.
func (c *closing) end(reason error) acts {
	switch {
	case c.handshakeDone && !c.ended: // CloseNow does not wait for the server
		c.ended = true
		return linger
	case c.over:
		return 0
	}
	c.over = true
	c.because(reason)
	c.result = reason
	return interruptRead | interruptWrite | lastTry | endContext
}

// gone: the last attempt has been made. arrive: something has left that should.
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

// because keeps the first reason.
func (c *closing) because(reason error) {
	if c.cause == nil {
		c.cause = reason
	}
}

// stopped reports whether no message can be accepted any more.
func (c *closing) stopped() bool {
	return c.state != open || c.ours != none || c.over || c.noWrites
}

// told reports whether calls may return the cause: not before our Close has left.
func (c *closing) told() bool { return c.over || c.by == us && c.ours == written }

// delivers reports whether data that comes is for the application.
func (c *closing) delivers() bool { return c.state == open && !c.drops() && !c.over }

// drops reports whether data that has come, read or not, is for nobody.
func (c *closing) drops() bool { return c.by == us || c.by == violation || c.closeRead }

// reads reports whether there is a reason to read: after the end only for the client
// that waits for the server to close TCP.
func (c *closing) reads() bool {
	return !c.ended && !c.eof && (c.handshakeDone || c.by != violation && !c.over)
}

// deaf reports whether nothing that comes is parsed any more.
func (c *closing) deaf() bool { return c.eof || c.handshakeDone || c.by == peer || c.by == violation }

// quiet reports whether nothing of the end has begun.
func (c *closing) quiet() bool {
	return c.cause == nil && c.state == open && !c.closeRead && !c.noWrites && !c.eof
}
