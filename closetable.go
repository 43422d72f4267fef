package websocket

// The close table: RFC 6455, sections 5.5.1 and 7.1.1 to 7.1.7. closing (close.go) owns the state. This file is pure.

// closeState is how far the closing handshake has come.
type closeState uint8

const (
	// open: neither side has sent Close.
	open closeState = iota
	// closeSent: our Close was sent, theirs has not come. No other frame may leave.
	closeSent
	// closeReceived: theirs has come, ours was not sent. Only queued messages and our Close may leave.
	closeReceived
	closed // both were sent, or the net.Conn was given up; final
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

// closeAction is what to do about an event. The code asks only for emit, deliver, echo and finish.
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
		// We did: their Close answers ours, or the two crossed.
		sendClose: {closeSent, refuse},
		recvClose: {closed, finish},
		// Section 5.5.1: "The application MUST NOT send any more data frames
		// after sending a Close frame." We send no Ping or Pong either.
		sendData:   {closeSent, refuse},
		sendQueued: {closeSent, refuse},
		// Section 1.4: "After sending a control frame indicating the connection
		// should be closed, a peer does not send any further data".
		// Data that the peer sent before it saw our Close may still come. It is dropped, unless
		// our Close was sent by CloseWrite: delivers is the exception to this cell.
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
		// The peer discards data from now on, so nothing new leaves. But "An endpoint
		// MAY delay sending a Close frame until its current message is sent" (section
		// 5.5.1): messages that are in the queue already leave before the echo.
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

// step moves to the next state and returns what to do. A refused event does not change the state.
func (s *closeState) step(e closeEvent) closeAction {
	cell := closeTable[*s][e]
	*s = cell.next
	return cell.action
}
