package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// The close machine: RFC 6455, sections 5.5.1 and 7.1.1 to 7.1.7.
//
// "We sent Close" and "they sent Close" are independent facts, so the machine
// is a diamond:
//
//	              sendClose                 recvClose
//	      open ───────────────▶ closeSent ───────────────▶ closed
//	        │                                                 ▲
//	        │ recvClose                  sendClose (echo)     │
//	        └──────────▶ closeReceived ───────────────────────┘
//	      fail (EOF, I/O error, timeout, CloseNow): any state ▶ closed
//
// Everything that decides whether a frame may leave, and what a frame that
// came means for closing, is in closeTable and nowhere else. The table knows
// no roles: who closes TCP first is not its business.
//
// It is asked for every frame that leaves at one place (Conn.depart), by the
// goroutine that holds the write turn, and moved before the bytes go out: a
// Close of which half was written counts as sent.

// closeState is how far the closing handshake has come.
type closeState uint8

const (
	// open: neither side has sent Close. Left by either side's Close.
	open closeState = iota
	// closeSent: our Close left; no frame leaves any more. Left by their Close.
	closeSent
	// closeReceived: their Close came; only our Close may leave. Left by it.
	closeReceived
	// closed: final.
	closed

	numCloseStates
)

// closeEvent is what happens to the connection, as far as closing cares.
type closeEvent uint8

const (
	sendClose closeEvent = iota // a Close frame of ours is about to leave
	recvClose                   // a Close frame came
	sendData                    // any other frame is about to leave: data, Ping, Pong
	recvData                    // any other frame came
	fail                        // EOF, I/O error, time-out, CloseNow

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

// closeCell is one cell of the table: where to go, and what to do.
type closeCell struct {
	next   closeState
	action closeAction
}

var closeTable = [numCloseStates][numCloseEvents]closeCell{
	open: {
		sendClose: {closeSent, emit},
		recvClose: {closeReceived, echo},
		sendData:  {open, emit},
		recvData:  {open, deliver},
		fail:      {closed, abort},
	},
	closeSent: {
		// "If an endpoint receives a Close frame and did not previously send a
		// Close frame, the endpoint MUST send a Close frame in response."
		// We did previously: so theirs is the answer, or it crossed ours.
		sendClose: {closeSent, refuse},
		recvClose: {closed, finish},
		// Section 5.5.1: "The application MUST NOT send any more data frames
		// after sending a Close frame." The same goes for Ping and Pong here.
		sendData: {closeSent, refuse},
		// Section 1.4: "After sending a control frame indicating the connection
		// should be closed, a peer does not send any further data".
		// But it may still receive some: what was on its way is dropped.
		recvData: {closeSent, ignore},
		fail:     {closed, abort},
	},
	closeReceived: {
		// The echo, and with it the end of the handshake.
		sendClose: {closed, emit},
		// Section 1.4: "after receiving a control frame indicating the
		// connection should be closed, a peer discards any further data received".
		recvClose: {closeReceived, ignore},
		recvData:  {closeReceived, ignore},
		// The peer has said that it will not look at data: only the echo leaves.
		sendData: {closeReceived, refuse},
		fail:     {closed, abort},
	},
	closed: {
		sendClose: {closed, refuse},
		recvClose: {closed, ignore},
		sendData:  {closed, refuse},
		recvData:  {closed, ignore},
		fail:      {closed, nothing},
	},
}

// step moves the machine and says what to do. An event that is refused or
// ignored moves nothing.
func (s *closeState) step(e closeEvent) closeAction {
	cell := closeTable[*s][e]
	*s = cell.next
	return cell.action
}

// A CloseError is what the peer's Close frame said. Calls on a connection that
// the peer closed return an error that holds it; take it out with [errors.As],
// or just its code with [CloseStatus].
type CloseError struct {
	// Code is the frame's status code, or StatusNoStatusRcvd if it held none.
	Code StatusCode
	// Reason is the frame's reason: UTF-8, at most 123 bytes, often empty.
	Reason string
}

// Error says what the peer's Close frame said.
func (e CloseError) Error() string {
	return fmt.Sprintf("websocket: the peer closed the connection: %v %q", e.Code, e.Reason)
}

// maxCloseReason is what a control frame holds besides the status code.
const maxCloseReason = maxControlPayload - 2

// parseClose reads the payload of a Close frame that came.
func parseClose(p []byte) (CloseError, error) {
	// Section 7.1.5: "If this Close control frame contains no status code,
	// _The WebSocket Connection Close Code_ is considered to be 1005."
	if len(p) == 0 {
		return CloseError{Code: StatusNoStatusRcvd}, nil
	}
	// Section 5.5.1: "If there is a body, the first two bytes of the body MUST
	// be a 2-byte unsigned integer".
	if len(p) == 1 {
		return CloseError{}, violation(StatusProtocolError, "a Close frame has a payload of one byte", "5.5.1")
	}
	e := CloseError{Code: StatusCode(binary.BigEndian.Uint16(p)), Reason: string(p[2:])}
	if !e.Code.sendable() {
		return CloseError{}, violation(StatusProtocolError, fmt.Sprintf("a Close frame has the status code %d", int(e.Code)), "7.4")
	}
	if !utf8.ValidString(e.Reason) {
		return CloseError{}, violation(StatusInvalidFramePayloadData, "the reason in a Close frame is not UTF-8", "5.5.1")
	}
	return e, nil
}

// appendClose appends the payload of a Close frame; StatusNoStatusRcvd stands
// for an empty one. The reason has been checked or cut.
func appendClose(b []byte, code StatusCode, reason string) []byte {
	if code == StatusNoStatusRcvd {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, reason...)
}

// checkClose says what is wrong with a code and a reason that the application
// wants to send, and gives the nearest ones that may be sent.
func checkClose(code StatusCode, reason string) (StatusCode, string, error) {
	switch {
	case code == StatusNoStatusRcvd && reason == "":
		return code, "", nil
	case !code.sendable():
		return StatusInternalError, "", fmt.Errorf("websocket: the status code %d may not be sent in a Close frame (RFC 6455, section 7.4); 1011 was sent", int(code))
	case !utf8.ValidString(reason):
		return code, "", fmt.Errorf("websocket: the reason for Close is not UTF-8; it was left out")
	case len(reason) > maxCloseReason:
		cut := maxCloseReason
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		return code, reason[:cut], fmt.Errorf("websocket: the reason for Close has %d bytes, at most %d fit; it was cut", len(reason), maxCloseReason)
	}
	return code, reason, nil
}
