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
// closeTable alone decides whether a frame may leave, and what a received frame means. It is the same for client and server.
// sender.collect asks it for every frame that leaves, while holding the write turn. The state moves before the bytes go
// out, so a Close that was written in part counts as sent.
//
// closing holds all that a connection knows of its end. It has one method for each event. Each method changes the state and
// returns the acts that Conn must perform after unlocking (Conn.perform). This file is pure.

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
	state  closeState
	ours   closeFate
	by     initiator
	server bool

	passive       bool // the option: the application answers the peer's Close; never changed
	half          bool // CloseWrite was called, and Close was not: data is delivered until the peer's Close
	closeRead     bool // CloseRead was called
	eof           bool // the stream from the peer has ended
	handshakeDone bool // both Close frames were exchanged
	over          bool // the connection has ended: calls return cause. The net.Conn may still be open
	ended         bool // the net.Conn is closed, or is being closed
	hungUp        bool // Close has nothing more to wait for; set by Conn
	noWrites      bool // a write to the net.Conn has failed; result holds its error

	payload string // of our Close frame
	cause   error  // why calls fail; the first one is kept
	result  error  // what Close returns
}

// begin starts the closing handshake from our side, or answers the peer's Close.
func (c *closing) begin(cause error, payload string) acts {
	if c.over || c.ours != none && !c.half {
		return 0
	}
	if !c.half {
		c.ours, c.payload = due, payload
	}
	c.half = false
	c.beganBy(us)
	c.because(cause)
	return bound | interruptWrite | interruptRead | keepReading | wakeWriter
}

// beginHalf sends our Close, and goes on delivering what comes until the peer's. Calls that send fail with refusal.
func (c *closing) beginHalf(refusal error, payload string) acts {
	switch {
	case c.half:
		return 0
	case c.state != open, c.ours != none, c.noWrites, c.over:
		return c.begin(refusal, payload)
	}
	c.half, c.ours, c.payload, c.result = true, due, payload, refusal
	c.beganBy(us)
	return interruptWrite | wakeWriter
}

// received handles the peer's Close frame. said is its content, and payload what an
// answer repeats.
func (c *closing) received(said CloseError, payload string) acts {
	if c.over {
		return 0
	}
	switch c.state.step(recvClose) {
	case echo:
		c.because(said)
		if c.noWrites { // the answer can't be sent
			return c.end(said)
		}
		c.beganBy(peer)
		if c.ours == none && !c.passive {
			// Section 5.5.1: "When sending a Close frame in response, the endpoint
			// typically echos the status code it received."
			c.ours, c.payload = due, payload
		}
		return bound | interruptWrite | wakeWriter | keepReading
	case finish:
		c.because(said)
		if c.ours == written {
			return c.complete()
		}
		return bound | keepReading // wrote completes it when ours is written
	}
	return 0
}

// fail handles a violation by the peer. Section 7.1.7, "_Fail the WebSocket
// Connection_": a Close frame with the code is sent, then TCP is closed.
func (c *closing) fail(cause error, payload string) acts {
	if c.over || c.by == violation {
		return 0
	}
	c.because(cause)
	c.by = violation
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

// leave asks the table for our Close, if it is due, and reports whether it leaves
// now: then the caller must send it.
func (c *closing) leave() bool {
	if c.ours != due {
		return false
	}
	c.ours = leaving
	return c.state.step(sendClose) == emit
}

// last reports whether the batch that leaves now ends the stream: a server closes TCP
// right after the second Close (section 7.1.1).
func (c *closing) last() bool { return c.server && c.ours == leaving && c.state == closed }

// wrote is called when a whole batch was written.
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

// complete ends the connection after the exchange of both Close frames. Section 7.1.1:
// the server closes TCP first, so that TIME_WAIT is not the client's. The client waits
// for it in the background; only Close waits as well.
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

// noWrite handles the net.Conn's error from a write. The peer may have sent a Close
// that says more than a broken pipe does, so the reader gets a second to find it. If
// stalled is set, the read-ahead is full, and nothing can be read.
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

// noRead handles the net.Conn's error from a read. eof says that it is io.EOF.
func (c *closing) noRead(err error, eof bool) acts {
	c.eof = c.eof || eof
	switch {
	case c.handshakeDone && !c.ended: // the client has waited for this: the server has closed TCP
		c.ended = true
		return closeGently
	case eof && c.answers(): // the peer may have closed only its half, and still read our answer
		return 0
	}
	return c.end(err)
}

// answers reports whether the peer's Close has come, and our answer is not written yet.
func (c *closing) answers() bool {
	return !c.over && !c.noWrites && (c.state == closeReceived || c.state == closed && c.ours == leaving)
}

// timedOut handles the close timeout, or the second that replaced it.
func (c *closing) timedOut(err error) acts {
	switch {
	case c.handshakeDone && !c.ended:
		c.ended = true
		return closeGently
	case c.noWrites && !c.over:
		err = c.result
	}
	return c.end(err)&^lastTry | c.gone(false) // there is no time for a last try
}

// end ends the connection without a closing handshake. A pending Close of ours
// gets one attempt to leave.
func (c *closing) end(reason error) acts {
	switch {
	case c.handshakeDone && !c.ended: // CloseNow on a client that waits for the server to close TCP
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

// beganBy notes who began to close, unless somebody has.
func (c *closing) beganBy(who initiator) {
	if c.by == nobody {
		c.by = who
	}
}

// because sets the cause, unless there is one.
func (c *closing) because(reason error) {
	if c.cause == nil {
		c.cause = reason
	}
}

// stopped reports whether Write and TryWrite accept no more messages.
func (c *closing) stopped() bool {
	return c.state != open || c.ours != none || c.over || c.noWrites
}

// told reports whether calls may return the cause. If we began, they wait until our Close is written.
func (c *closing) told() bool { return c.over || c.by == us && c.ours == written && !c.half }

// delivers reports whether data that arrives is for the application.
func (c *closing) delivers() bool {
	return (c.state == open || c.state == closeSent && c.half) && !c.drops() && !c.over
}

// closedByUs reports whether what still comes is for nobody, since we began.
func (c *closing) closedByUs() bool { return c.by == us && !c.half }

// drops reports whether data is discarded, even if it arrived before the end began.
func (c *closing) drops() bool { return c.closedByUs() || c.by == violation || c.closeRead }

// reads reports whether there is a reason to read. After the end, only a client reads
// on: it waits for the server to close TCP.
func (c *closing) reads() bool {
	return !c.ended && !c.eof && (c.handshakeDone || c.by != violation && !c.over)
}

// deaf reports whether nothing that arrives is parsed any more.
func (c *closing) deaf() bool { return c.eof || c.handshakeDone || c.by == peer || c.by == violation }

// quiet reports whether nothing has begun to close.
func (c *closing) quiet() bool {
	return c.cause == nil && c.state == open && !c.closeRead && !c.noWrites && !c.eof
}
