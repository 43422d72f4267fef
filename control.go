package websocket

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/keepalive"
)

// Close performs the closing handshake (RFC 6455, section 7.1.2). It sends a Close frame with code and reason, waits for
// the peer's Close frame, and closes TCP. A client waits for the server to close TCP first.
//
// Close returns nil if both Close frames were exchanged, whichever side began. It waits for at most the option CloseTimeout,
// 5 s by default, and then ends the connection. If a Close frame is missing then, it returns an error, which is
// [os.ErrDeadlineExceeded] after that time. Messages that Write has accepted are sent before the Close frame,
// but for those that wait behind the open message of a Writer, among whose fragments none may be. Messages that
// were not read, and data that the peer still sends, are dropped. If the peer closes its half of TCP without a Close frame, ours
// still has its time to leave, and Close then returns [io.ErrUnexpectedEOF].
//
// Blocked calls return the reason for the connection's end, and so do all later calls. The reason is [net.ErrClosed] if this
// Close began the end. Blocked calls return when the Close frame has left, after at most a second, or when their context is
// done. So a CloseNow that follows does not overtake the frame. Close may be called several times: one frame is sent, and
// every call returns the same result. Only the error for a code or reason that can't be sent is returned by its own call alone.
//
// A reason has at most 123 bytes of UTF-8. The code is 1000 to 1003, 1007 to 1014, 3000 to 4999, or StatusNoStatusRcvd
// for a Close frame without a code. In place of any other code, Close uses 1011 without a reason; in place of any other reason,
// its beginning, or none if it is not UTF-8. It then returns an error.
func (c *Conn) Close(code StatusCode, reason string) error {
	return c.CloseContext(context.Background(), code, reason)
}

// CloseContext is [Conn.Close] with a context that bounds the wait. When ctx is done, CloseContext returns ctx.Err(), and the
// closing handshake (RFC 6455, section 7.1.2) continues in the background for at most a second, whoever else waits for it; another
// Close then says that the close timeout was over. If ctx is done already, CloseContext sends the Close frame and does not wait.
// A code or reason that can't be sent is told rather than ctx.Err().
func (c *Conn) CloseContext(ctx context.Context, code StatusCode, reason string) error {
	code, reason, misuse := checkClose(code, reason)
	if ctx == nil {
		ctx, misuse = context.Background(), errNilContext
	}
	if hungUp, result := c.outcome(); hungUp { // mostly a deferred Close; it should cost no more than this
		return cmp.Or(misuse, result)
	}
	if c.has(subscribed) {
		c.pull()
	}
	c.closeFor(errClosed{fmt.Sprintf("the connection was closed here with %v", code)}, code, reason)
	hungUp := c.awaitable().hungUp

	var err error
	if c.closeTimeout > 0 {
		select {
		case <-hungUp:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.mu.Lock()
	gone, done, result := c.closing.hungUp, c.closing.handshakeDone, c.closing.result
	c.mu.Unlock()
	if !gone { // the reader goroutine waits for the rest of the handshake
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
	}
	if gone || done { // or for the server to close TCP, and c's own context may be what has ended
		err = result
	}
	return cmp.Or(misuse, err)
}

// CloseWrite sends a Close frame with code and reason, behind the messages that Write has accepted, and returns at once. What
// the peer sends before its own Close frame is still delivered: Read and the others go on, until they return the CloseError
// with which the peer has answered. Calls that send return an error that is [net.ErrClosed]; a message of a Writer that is
// open is cut short. It is for a protocol in which this end has said all that it has to say, and waits for answers. RFC 6455,
// section 1.4, lets a peer send no more data once it has seen the Close frame; most answer it at once, whatever their application is
// about to say. One of this library needs the option Passive to say more.
//
// No time-out applies until the peer's Close frame, or the end of the stream, has come. No Pings are sent or answered, the
// option KeepAlive included: a context should bound the reading. [Conn.Close] may be called after CloseWrite: it sends nothing
// more, and otherwise does what it always does. After the peer's Close frame, CloseWrite only answers it (see the option
// Passive). If a Close frame of this end was sent already, or the connection has ended, CloseWrite does nothing. Its errors are
// those of Close about a code or reason that can't be sent. It may be called at any time, also from callbacks. A browser drops
// what comes after it.
func (c *Conn) CloseWrite(code StatusCode, reason string) error {
	code, reason, misuse := checkClose(code, reason)
	if c.has(subscribed) {
		c.pull()
	}
	refusal := errClosed{fmt.Sprintf("a Close frame with %v was sent by CloseWrite", code)}
	c.mu.Lock()
	a := c.closing.beginHalf(refusal, string(appendClose(nil, code, reason)))
	c.unlock()
	c.perform(a)
	return misuse
}

// outcome reports whether Close has nothing more to wait for, and the result that it returns then.
func (c *Conn) outcome() (hungUp bool, result error) {
	c.mu.Lock()
	defer c.unlock()
	return c.closing.hungUp, c.closing.result
}

// CloseNow ends the connection at once, without a closing handshake. It closes TCP, and every call returns an error, which is
// [net.ErrClosed] unless another reason came before. CloseNow never blocks (but over HTTP/2 a client's may take 50 ms, and a server's
// see [Accept]) and always returns nil. It may be called at any time and several times. If the connection has ended already, it does
// nothing: what came can still be read.
//
// CloseNow makes one attempt to send messages that Write has accepted and a Close frame that is pending. The attempt does
// not wait; if a write to this net.Conn may block, it is made in the background and takes at most a second. If all of it
// was sent, or a Close frame was sent before, TCP is half-closed first, if the net.Conn supports that, so that the data
// arrives. It is closed in the background when the peer has closed its half, after a second at the latest. Otherwise TCP is closed, and
// if the peer has sent bytes that were not read, what it has yet to take is lost: [Conn.Flush] and [Conn.Close] wait.
func (c *Conn) CloseNow() error {
	c.end((*closing).abandon, errClosedNow)
	c.transport.AwaitReleased()
	return nil
}

// CloseRead is for applications that only write from now on and expect no more messages. The connection then reads by itself,
// and answers Pings and the peer's Close, with the option Passive, too. If a message arrives, or has arrived and was not read,
// the connection is closed with 1008 (StatusPolicyViolation). If a Read or a Reader is in the middle of a message, the rest of
// it is dropped.
//
// CloseRead returns at once, and may be called several times. The context that it returns has the values of ctx, and is done
// when ctx is done or the connection has ended. When ctx is done, the connection stays open, unless CloseOnCancel is set. A ctx that
// can be cancelled costs some memory until it is, or the connection ends; the last one given costs nothing more.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	c.mu.Lock()
	a := c.closing.noMessages()
	c.unlock()
	c.perform(a)
	if ctx.Done() == nil {
		return c.lifetime.WithValues(ctx)
	}
	if bounded := c.lifetime.Bounded(ctx); bounded != nil {
		return bounded
	}
	return c.lifetime.UntilEnd(ctx, func() { c.failed(ctx, ctx.Err()) })
}

// Stats returns counts of what has gone through the connection so far. It does not wait. It may be called at any time, from
// callbacks too, and after the end. Counts of received data may miss what a call of Read is handling at that moment.
func (c *Conn) Stats() Stats {
	if c.supervisor.Turn.Try() { // if it is taken, its holder publishes before it waits for bytes
		c.publish()
		c.releaseRead()
	}
	c.mu.Lock()
	n := &c.sender.counters
	s := Stats{
		Opened: time.Unix(0, n.opened),
		Read: Traffic{
			Messages: n.get(messagesRead), Frames: n.get(framesRead), WireBytes: n.get(bytesRead), Bytes: n.get(payloadRead),
		},
		Written:        Traffic{Messages: n.get(messagesWritten), Frames: n.get(framesWritten), Bytes: n.get(payloadWritten)},
		QueuedMessages: int(c.sender.messages),
		QueuedBytes:    c.sender.size,
		Dropped:        n.get(messagesDropped),
	}
	if b := c.sender.backlog; b != nil {
		s.DroppedByPolicy = b.shed
	}
	s.CloseCode, s.ClosedBy = c.closing.began()
	c.mu.Unlock()
	s.Written.WireBytes = c.transport.Written()
	s.RTT = c.keepalive.RTT()
	return s
}

// unexpected closes the connection because of a message after CloseRead.
func (c *Conn) unexpected() {
	c.closeFor(errClosed{"the peer sent a message after CloseRead; closed with StatusPolicyViolation"},
		StatusPolicyViolation, "unexpected data message")
}

// Ping sends a Ping frame and waits for the peer's Pong (RFC 6455, sections 5.5.2 and 5.5.3). When ctx is done, it returns
// ctx.Err(), and the connection stays open, unless CloseOnCancel is set. When the connection ends, it returns the reason.
//
// Ping needs no concurrent Read. But if the application leaves so much unread that the read-ahead is full, the connection
// can't see the Pong; if the peer has closed TCP by then, the Ping is not even sent (see the package's documentation). A Ping
// leaves after the frame that is being written, and before messages that wait in the queue. A Pong also answers all earlier
// Pings. If several Pings wait to be written, only the newest is sent. In a browser nothing is sent, see [Dial].
func (c *Conn) Ping(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext
	case ctx.Err() != nil:
		return sending(c.failed(ctx, c.contextErr(ctx)))
	}
	w := &keepalive.Wait{Answered: make(chan struct{}), Asked: now()}
	number := c.keepalive.Next(w)
	defer c.keepalive.Forget(w)
	if !c.sendPing(number) {
		return sending(c.failed(ctx, errOver))
	}
	c.supervisor.Expecting.Add(1)
	defer c.unexpect()
	c.rest()

	m := c.awaitable()
	select {
	case <-w.Answered:
		return nil
	case <-ctx.Done():
		return sending(c.failed(ctx, c.contextErr(ctx)))
	case <-m.closes:
	case <-m.told:
	}
	err := sending(c.failed(ctx, c.reason(ctx, w.Answered)))
	select {
	case <-w.Answered: // it came before the end, or while our Close could not leave
		return nil
	default:
		return err
	}
}

// unexpect takes back a reason to read. On a passive connection the reader goroutine then steps aside.
func (c *Conn) unexpect() {
	c.supervisor.Expecting.Add(-1)
	if c.passive && c.supervisor.Running.Load() {
		c.transport.InterruptRead()
	}
}

// sendPing makes a Ping pending, unless no frame may leave any more.
func (c *Conn) sendPing(number uint64) bool {
	c.mu.Lock()
	stopped := c.closing.stopped()
	if !stopped {
		c.sender.ping = max(c.sender.ping, number)
	}
	c.unlock()
	if !stopped {
		c.flushNow()
	}
	return !stopped
}

// SendPing sends a Ping frame (RFC 6455, section 5.5.2) and returns at once. The payload has at most 125 bytes; the caller
// may change it afterwards. When the Pong comes, the option OnPongReceived is called with the same payload. SendPing is for
// heartbeats and measurements of your own. It is independent of [Conn.Ping] and the option KeepAlive, which send Pings with
// payloads of their own: a Pong that answers SendPing does not count for them.
//
// The frame is sent after the frame that is being written, before the messages in the queue, and if need be between the
// fragments of a Writer's message. SendPing and SendPong send their frames in the order of the calls. If the peer does not
// read, at most 2 KiB of these frames wait, whatever the option QueueLimit is. If there is no room, SendPing returns
// [ErrQueueFull] and sends nothing. Once either side has begun to close, or the connection has ended, it returns the reason.
// If the peer has closed TCP and not all that it sent is read, the frame is dropped (see the package's documentation).
func (c *Conn) SendPing(payload []byte) error {
	err := c.sendControl(opPing, payload)
	if err == nil && !c.passive {
		c.startReader() // to see the Pong, if no Read is waiting
	}
	return err
}

// SendPong sends an unsolicited Pong frame with a payload of at most 125 bytes (RFC 6455, section 5.5.3: "A Pong
// frame MAY be sent unsolicited. This serves as a unidirectional heartbeat."). The connection answers Pings by itself,
// unless the option OnPingReceived returns false. Order, limits and errors are those of [Conn.SendPing].
func (c *Conn) SendPong(payload []byte) error { return c.sendControl(opPong, payload) }

// sendControl adds a control frame of the application's to what is pending, and writes it if that needs no waiting.
func (c *Conn) sendControl(op opcode, payload []byte) error {
	if len(payload) > maxControlPayload {
		return fmt.Errorf("websocket: the payload of a control frame has at most %d bytes, not %d", maxControlPayload, len(payload))
	}
	c.mu.Lock()
	stopped := c.closing.stopped()
	added := !stopped && c.sender.addOwn(op, payload)
	reason := cmp.Or(c.closing.cause, c.closing.result)
	c.unlock()
	switch {
	case stopped:
		return sending(reason)
	case !added:
		return ErrQueueFull
	}
	c.flushNow()
	return nil
}

// control handles a control frame that came. A reply is only made pending here, because a reader never waits for a write. It
// is sent when the frames that came together have been handled.
func (c *Conn) control(op opcode, payload []byte) error {
	c.keepalive.Heard(now())
	if op == opClose {
		return c.closeReceived(payload)
	}
	c.noteUnread() // whether an answer may leave depends on it, see dropAnswers
	c.mu.Lock()
	answer, hears := c.closing.state.step(recvData) == deliver, c.closing.delivers()
	c.unlock()
	if !answer && !hears {
		return nil
	}
	if op == opPong {
		if rtt, ok := c.keepalive.Answered(payload, now()); ok {
			c.hooks.pingAnswered(rtt)
		}
		if h := c.hooks; h != nil && h.onPong != nil {
			return c.call("OnPongReceived", func() { h.onPong(c.Context(), slices.Clone(payload)) })
		}
		return nil
	}
	// RFC 6455, section 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it
	// already received a Close frame."
	if h := c.hooks; h != nil && h.onPing != nil {
		if err := c.call("OnPingReceived", func() { answer = h.onPing(c.Context(), slices.Clone(payload)) && answer }); err != nil {
			return err
		}
	}
	if answer {
		c.pong(payload)
	}
	return nil
}

// pong adds the answer to a Ping to what is pending. While the inbox has more frames, it is corked.
func (c *Conn) pong(payload []byte) {
	c.mu.Lock()
	s := &c.sender
	corked := !c.receiver.inbox.Empty() && (s.corked || !s.pongsWait() && s.queue == nil && !s.backlog.waits())
	s.addPong(payload)
	s.corked = corked
	c.unlock()
	if corked {
		c.alarms.SetOnce(now(), alarmCork, corkDelay)
	}
}

// closeReceived handles the peer's Close frame.
func (c *Conn) closeReceived(payload []byte) error {
	said, err := parseClose(payload)
	if err != nil {
		return c.failRead(err)
	}
	c.receiver.stop()
	c.noteUnread()
	c.mu.Lock()
	c.sender.counters.take(&c.receiver.fresh)
	a := c.closing.received(said, string(payload))
	c.unlock()
	c.perform(a)
	return errOver
}

// call runs a callback of the application's, with the read turn. If it panics, the connection is closed with 1011, and calls
// return an error that says so. The panic is not passed on: in a goroutine of the connection's it would end the process.
func (c *Conn) call(name string, callback func()) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		c.closeFor(&panicError{name, v, debug.Stack()}, StatusInternalError, "internal error")
		err = errOver
		if v == nil { // runtime.Goexit: this goroutine ends, so it gives the read turn back
			c.supervisor.Running.Store(false)
			c.releaseRead()
		}
	}()
	callback()
	returned = true
	return nil
}

// failRead fails the connection because of a violation on the wire. What follows it is not parsed. Messages before it can
// still be read.
func (c *Conn) failRead(err error) error {
	c.receiver.stop()
	c.noteUnread()
	return c.fail(err)
}

// refuse fails the connection because of the message that is being read. The application gets nothing more of it, and none
// of the messages behind it.
func (c *Conn) refuse(err error) error {
	c.receiver.reject()
	c.noteUnread()
	return c.fail(err)
}
