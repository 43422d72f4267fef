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
// Close returns nil if both Close frames were exchanged, whichever side began. It waits at most for the close timeout
// (an option, 5 s by default) and then ends the connection; if a Close frame is missing then, it returns an error.
// Messages that Write has accepted are sent first. Messages that were not read, and what the peer still sends, are
// dropped.
//
// Calls that are blocked return the reason for the connection's end, and so do all later calls. The reason is
// [net.ErrClosed] if this Close began the end. The blocked calls return when the Close frame has left, after a second at
// the latest, or when their context is done; so a CloseNow that follows does not overtake the frame. Close may be called
// several times: one frame is sent, and every call returns the same result, except that a code or a reason that must not
// be sent is an error of its call.
//
// A reason has at most 123 bytes of UTF-8. The code is 1000 to 1003, 1007 to 1014, 3000 to 4999, or StatusNoStatusRcvd
// for a Close frame without a code. For any other code or reason, Close closes the connection with the nearest that is
// allowed, and returns an error.
func (c *Conn) Close(code StatusCode, reason string) error {
	return c.CloseContext(context.Background(), code, reason)
}

// CloseContext is [Conn.Close] with a context that bounds the wait. When ctx is done, it returns ctx.Err(), and the
// handshake has one more second in the background before the connection ends. If ctx is done already, it sends the Close
// frame and does not wait.
func (c *Conn) CloseContext(ctx context.Context, code StatusCode, reason string) error {
	code, reason, misuse := checkClose(code, reason)
	if hungUp, result := c.outcome(); hungUp { // a deferred Close, mostly: it costs no more than the question
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
	gone, result := c.outcome()
	if gone {
		err = result
	} else { // the reader goroutine sees it through
		c.alarms.SetEarlier(now(), alarmClose, lingerTime)
	}
	return cmp.Or(misuse, err)
}

// outcome reports whether Close has nothing to wait for any more, and what it returns then.
func (c *Conn) outcome() (hungUp bool, result error) {
	c.mu.Lock()
	defer c.unlock()
	return c.closing.hungUp, c.closing.result
}

// CloseNow ends the connection at once, without a closing handshake. It closes TCP, and every call returns an error,
// which is [net.ErrClosed] if nothing else had ended the connection before. CloseNow never blocks and always returns
// nil. It may be called at any time and several times; if the connection has ended already, it does nothing.
//
// Messages that Write has accepted, and a Close frame that is due, get one attempt to leave that does not wait. If a
// write to this net.Conn may block, the attempt is made in the background, within a second. If some of it leaves, or if
// our Close frame has left before, TCP is half-closed first (if the net.Conn can), so that the data arrives. The rest is
// closed when the peer has closed its half, within a second, in the background.
func (c *Conn) CloseNow() error {
	c.end(errClosedNow)
	return nil
}

// CloseRead says that the application only writes from now on, and expects no more messages. The connection then reads
// by itself, and answers Pings and the peer's Close. A message that comes all the same, or that has come and was not
// read, closes the connection with 1008 (StatusPolicyViolation). If a Reader is in the middle of a message, its rest is
// dropped.
//
// CloseRead returns at once. The context that it returns has the values of ctx, and is done when ctx is done or the
// connection has ended. When ctx is done, the connection stays open, unless the option CloseOnCancel is set. CloseRead
// may be called several times.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	c.mu.Lock()
	first := !c.closing.closeRead
	c.closing.closeRead = true
	c.unlock()
	if first {
		c.perform(interruptRead | keepReading) // a reader that is under way looks again
	}
	if ctx.Done() == nil {
		return c.lifetime.WithValues(ctx)
	}
	if bounded := c.lifetime.Bounded(ctx); bounded != nil {
		return bounded
	}
	return c.lifetime.UntilEnd(ctx, func() { c.failed(ctx, ctx.Err()) })
}

// Stats returns what has gone through the connection so far. It does not wait, and may be called at any time, from any
// goroutine and from callbacks, after the end too. Of what has come it may lag behind by what a Read is just about to take.
func (c *Conn) Stats() Stats {
	if c.supervisor.Turn.Try() { // who waits for bytes has published what it has counted
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
	s.CloseCode, s.ClosedBy = c.closing.began()
	c.mu.Unlock()
	if c.deflate != nil {
		s.Written.Bytes += c.deflate.saved.Load()
	}
	s.Written.WireBytes = c.transport.Written()
	s.RTT = c.keepalive.RTT()
	return s
}

// unexpected closes the connection because of a message after CloseRead.
func (c *Conn) unexpected() {
	c.closeFor(errClosed{"the peer sent a message after CloseRead; closed with StatusPolicyViolation"},
		StatusPolicyViolation, "unexpected data message")
}

// Ping sends a Ping frame and waits for the peer's Pong (RFC 6455, sections 5.5.2 and 5.5.3). It returns nil when the
// Pong has come. When ctx is done, it returns ctx.Err(), and the connection stays open, unless the option CloseOnCancel
// is set. When the connection ends, it returns the reason.
//
// Ping needs no concurrent Read. But while the application leaves so much unread that the read-ahead is full, no Pong
// can be seen. The Ping leaves before messages that wait in the queue, and after the frame that is being written. A Pong
// answers earlier Pings, too. If several Pings wait to be written, only the newest is sent.
func (c *Conn) Ping(ctx context.Context) error {
	if ctx.Err() != nil {
		return sending(c.failed(ctx, c.contextErr(ctx)))
	}
	w := &keepalive.Wait{Answered: make(chan struct{}), Asked: now()}
	number := c.keepalive.Next(w)
	defer c.keepalive.Forget(w)
	if !c.sendPing(number) {
		return sending(c.failed(ctx, errOver))
	}
	c.supervisor.Expecting.Add(1)
	defer c.supervisor.Expecting.Add(-1)
	c.rest()

	told := c.awaitable().told
	select {
	case <-w.Answered:
		return nil
	case <-ctx.Done():
		return sending(c.failed(ctx, c.contextErr(ctx)))
	case <-told:
		return sending(c.failed(ctx, errOver))
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
// heartbeats and measurements of your own. [Conn.Ping], which waits for the Pong, and the option KeepAlive send Pings of
// their own; a Pong that answers SendPing is not one of theirs.
//
// The frame is sent after the frame that is being written, before the messages in the queue, and if need be between the
// fragments of a Writer's message. Frames of SendPing and SendPong leave in the order of the calls. If the peer does not
// read, at most 2 KiB of them wait, whatever the option QueueLimit is; after that SendPing returns [ErrQueueFull] and sends
// nothing. Once either side has begun to close, or the connection has ended, it returns the reason.
func (c *Conn) SendPing(payload []byte) error {
	err := c.sendControl(opPing, payload)
	if err == nil {
		c.startReader() // if nobody reads, for the Pong
	}
	return err
}

// SendPong sends an unsolicited Pong frame with this payload, of at most 125 bytes (RFC 6455, section 5.5.3: "A Pong
// frame MAY be sent unsolicited. This serves as a unidirectional heartbeat."). The connection answers Pings by itself,
// unless the option OnPingReceived returns false. Order, limits and errors are those of [Conn.SendPing].
func (c *Conn) SendPong(payload []byte) error { return c.sendControl(opPong, payload) }

// sendControl makes a control frame of the application's pending, and writes it as far as that takes no waiting.
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

// control deals with a control frame that came. Replies leave when the frames that came with it are dealt with: whoever
// reads never waits for a write.
func (c *Conn) control(op opcode, payload []byte) error {
	c.keepalive.Heard(now())
	if op == opClose {
		return c.closeReceived(payload)
	}
	c.mu.Lock()
	action := c.closing.state.step(recvData)
	c.unlock()
	if action != deliver {
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
	answer := true
	if h := c.hooks; h != nil && h.onPing != nil {
		if err := c.call("OnPingReceived", func() { answer = h.onPing(c.Context(), slices.Clone(payload)) }); err != nil {
			return err
		}
	}
	if answer {
		c.pong(payload)
	}
	return nil
}

// pong makes the answer to a Ping pending. While more has been read, it waits for company.
func (c *Conn) pong(payload []byte) {
	c.mu.Lock()
	s := &c.sender
	corked := !c.receiver.inbox.Empty() && (s.corked || !s.pongsWait() && s.queue == nil)
	s.addPong(payload)
	s.corked = corked
	c.unlock()
	if corked {
		c.alarms.SetOnce(now(), alarmCork, corkDelay)
	}
}

// closeReceived deals with the peer's Close frame.
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

// call runs a callback of the application's. A callback that panics closes the connection with 1011, wherever it runs, and
// calls return an error that says so: it may run in a goroutine of the connection's, where the panic would end the
// process.
func (c *Conn) call(name string, callback func()) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		c.closeFor(&panicError{name, v, debug.Stack()}, StatusInternalError, "internal error")
		err = errOver
		if v == nil { // runtime.Goexit: whoever reads ends here
			c.supervisor.Running.Store(false)
			c.releaseRead()
		}
	}()
	callback()
	returned = true
	return nil
}

// failRead fails the connection because of a violation that was read. What follows it is not parsed.
func (c *Conn) failRead(err error) error {
	c.receiver.stop()
	c.noteUnread()
	return c.fail(err)
}

// refuse fails the connection because of the message that the application is at. Nothing of it is given to the application
// any more, nor of those behind it.
func (c *Conn) refuse(err error) error {
	c.receiver.reject()
	c.noteUnread()
	return c.fail(err)
}
