package websocket

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/closeonce/websocket/internal/keepalive"
)

// Close performs the closing handshake (RFC 6455, section 7.1.2): it sends a Close frame with code and reason, waits for
// the peer's, and closes TCP; a client waits for the server to close TCP first.
//
// It returns nil if both Close frames were exchanged, whoever began. It waits at most the close timeout (an option, 5 s by
// default), then ends the connection anyway; if a Close frame is missing then, it returns an error. Messages that Write
// accepted before are sent first. Messages that were not read, and what the peer still sends, are dropped.
//
// Close makes blocked calls return. They and all later calls return the reason for the connection's end: an error that is
// [net.ErrClosed] if this Close began it. They return when the Close frame has left, or a second later at the latest, or
// when their context is done; so a CloseNow that follows does not overtake the frame. Several Closes, at once or one after
// the other, send one frame, and return the same result, but for an error about a code or a reason that may not be sent.
//
// A reason has at most 123 bytes of UTF-8, and the code must be one that may be sent: 1000-1003, 1007-1014, 3000-4999, or
// StatusNoStatusRcvd for a Close frame without code. For others Close returns an error, having closed the connection with
// the nearest that may.
func (c *Conn) Close(code StatusCode, reason string) error {
	return c.CloseContext(context.Background(), code, reason)
}

// CloseContext is [Conn.Close], and waits no longer than ctx: then it returns the context's error, and the handshake has a
// last second in the background before the connection ends. With a context that is done it just sends the Close frame.
func (c *Conn) CloseContext(ctx context.Context, code StatusCode, reason string) error {
	code, reason, misuse := checkClose(code, reason)
	if hungUp, result := c.outcome(); hungUp { // a deferred Close, mostly: it costs no more than the question
		return cmp.Or(misuse, result)
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

// CloseNow ends the connection at once, without a closing handshake: TCP is closed, and every call returns an error, which
// is [net.ErrClosed] if nothing else had ended the connection before. It never blocks and returns nil; it may be called in
// any state, any number of times. If the connection has ended already, it does nothing.
//
// Messages that Write accepted, and a Close frame that is due, have one attempt to leave that does not wait. Where one
// can't tell whether it would wait, the attempt is made in the background, within a second. If some of that leaves, or our
// Close frame has left before, our half of TCP is closed first (if the net.Conn has halves), and the rest when the peer has
// closed its own, in the background and within a second, so that it arrives.
func (c *Conn) CloseNow() error {
	c.end(errClosedNow)
	return nil
}

// CloseRead says that the application expects no more messages, only to write. From then on the connection reads by
// itself. A message that comes all the same, or has come and was not read, closes the connection with 1008
// (StatusPolicyViolation); the rest of a message that a Reader is in the middle of is dropped.
//
// The context that CloseRead returns has the values of ctx and is done with it or with the connection; ctx does not end
// the connection, unless the option CloseOnCancel is set. CloseRead may be called more than once.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	c.mu.Lock()
	first := !c.closing.closeRead
	c.closing.closeRead = true
	c.unlock()
	if first {
		c.perform(interruptRead | keepReading) // a reader that is under way looks again
	}
	if ctx.Done() == nil {
		return readClosed{(*connContext)(c), ctx}
	}
	return c.untilEnd(ctx)
}

// unexpected closes the connection because of a message after CloseRead.
func (c *Conn) unexpected() {
	c.closeFor(errClosed{"the peer sent a message after CloseRead; closed with StatusPolicyViolation"},
		StatusPolicyViolation, "unexpected data message")
}

// Ping sends a Ping frame and waits for the peer's Pong (RFC 6455, sections 5.5.2 and 5.5.3), for ctx to be done, which
// the connection survives unless the option CloseOnCancel is set, or for the connection's end. It needs no concurrent Read; but while the application leaves so
// much unread that the read-ahead is full, no Pong can be seen.
//
// The Ping leaves before messages that wait in the queue, and after the frame that is being written. The Pong to a later
// Ping answers earlier ones too. If several Pings wait to be written, only the newest is sent.
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
	c.supervisor.expecting.Add(1)
	defer c.supervisor.expecting.Add(-1)
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

// SendPing sends a Ping frame with this payload, of at most 125 bytes (RFC 6455, section 5.5.2), and does not wait, not for
// the Pong either: the option OnPongReceived is called for it. It is for heartbeats and measurements of one's own;
// [Conn.Ping] and the option KeepAlive do without it, and what it sends does not answer them.
//
// The frame leaves as Ping's does: before messages that wait in the queue, between the fragments of a Writer's message, and
// after the frame that is being written. What SendPing and SendPong leave to be written leaves in their order, and is
// bounded at 2 KiB, whatever the queue limit is: beyond that, because the peer does not read, they return [ErrQueueFull],
// and nothing is sent. After a Close of either side, and after the connection's end, they return the reason. The caller
// may change payload afterwards.
func (c *Conn) SendPing(payload []byte) error {
	err := c.sendControl(opPing, payload)
	if err == nil {
		c.startReader() // if nobody reads, for the Pong
	}
	return err
}

// SendPong sends an unsolicited Pong frame with this payload, of at most 125 bytes (RFC 6455, section 5.5.3: "A Pong frame
// MAY be sent unsolicited. This serves as a unidirectional heartbeat."). Pings are answered without it, unless the option
// OnPingReceived returns false. For the rest it is as [Conn.SendPing].
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
			c.pingAnswered(rtt)
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
			c.supervisor.running.Store(false)
			c.releaseRead()
		}
	}()
	callback()
	returned = true
	return nil
}

// flags returns what of closing the flags mirror.
func (c *closing) flags() uint32 {
	return bit(delivering, c.delivers()) | bit(dropping, c.drops()) | bit(closedByUs, c.by == us) | bit(known, c.cause != nil) |
		bit(noReads, !c.reads()) | bit(deaf, c.deaf()) | bit(ending, c.over && !c.both && !c.ended)
}

func bit(flag uint32, set bool) uint32 {
	if set {
		return flag
	}
	return 0
}
