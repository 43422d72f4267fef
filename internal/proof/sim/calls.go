package sim

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// slack is how much later than it must a call may return. In virtual time
// computing takes none.
const slack = time.Millisecond

// judgeCalls: every call has returned in time, with its context's error, or the
// connection's one and only cause.
func (p *peer) judgeCalls() {
	cause := context.Cause(p.conn.Context())
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	var deadline time.Time // when the application's first Close must be over
	for _, e := range p.life.closes {
		if !e.now && !e.half {
			deadline = e.at.Add(p.opts.closeWithin())
			break
		}
	}
	for _, c := range p.life.calls {
		if c.ended.IsZero() {
			p.fail("%s: %s never returned", c.who, c.what)
			continue
		}
		bound := p.life.endedAt
		if until := c.endOfContext(); !until.IsZero() && (bound.IsZero() || until.Before(bound)) {
			bound = until
		}
		if strings.HasPrefix(c.what, "Close ") || strings.HasPrefix(c.what, "CloseContext ") {
			// The connection has ended when both Close frames are through; a client's Close waits for TCP besides.
			if closed := p.end.closed(); p.role == "client" && !bound.IsZero() && bound.Equal(p.life.endedAt) && closed.After(bound) {
				bound = closed
			}
		}
		if strings.HasPrefix(c.what, "Close") && !deadline.IsZero() && deadline.Before(bound) {
			bound = deadline
		}
		if c.ctx == nil && !strings.HasPrefix(c.what, "Close ") {
			bound = c.began
		}
		if bound.Before(c.began) {
			bound = c.began
		}
		if late := c.ended.Sub(bound); late > slack {
			p.fail("%s: %s returned %v too late, at %v", c.who, c.what, late, c.ended.Sub(p.world.trace.start))
		}
		p.judgeError(c, cause)
	}
}

// judgeError: what a call returned is one of what it may.
func (p *peer) judgeError(c *call, cause error) {
	err := c.err
	isClose := strings.HasPrefix(c.what, "Close")
	switch {
	case err == nil:
		if isClose && c.what != "CloseNow" && c.what != "CloseRead" && !strings.HasPrefix(c.what, "CloseWrite") && !p.shookHands() && !p.violatedPeer() {
			p.fail("%s: %s returned nil, but the closing handshake is not complete", c.who, c.what)
		}
		return
	case isClose:
		if p.endedFirst() {
			return // by a CloseNow, perhaps before it had seen the peer's Close, or before ours had left
		}
		if p.shookHands() && p.handsBefore(c.ended) && len(p.life.closes) > 0 && !p.violatedPeer() && !errors.Is(cause, websocket.ErrMessageTooBig) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			p.fail("%s: %s returned %v, though the closing handshake was complete", c.who, c.what, err)
		}
		return
	case c.ctx != nil && c.ctx.Err() != nil && errors.Is(err, c.ctx.Err()):
		return
	case errors.Is(err, websocket.ErrQueueFull):
		if !strings.HasPrefix(c.what, "TryWrite") {
			p.fail("%s: %s: the queue is full", c.who, c.what)
		}
		return
	case err == io.EOF && c.what == "Reader's Read":
		return
	case strings.Contains(err.Error(), "was discarded") && c.what == "Reader's Read":
		return
	case strings.Contains(err.Error(), "is not UTF-8; send it") && c.what == "Writer's Close":
		return // a piece failed, and the text stops in the middle of a character
	case strings.Contains(err.Error(), "is not UTF-8; send it"):
		p.fail("%s: %s: %v", c.who, c.what, err)
		return
	}
	if strings.HasPrefix(c.what, "TryWrite") && strings.Contains(err.Error(), "connection was lost") {
		return // it can't wait for the cause to be found out
	}
	if strings.Contains(err.Error(), "was sent by CloseWrite") && errors.Is(err, net.ErrClosed) {
		if !sends(c.what) || !p.halfBefore(c) {
			p.fail("%s: %s: %v", c.who, c.what, err)
		}
		return
	}
	if !tells(c.what, err, cause) {
		p.fail("%s: %s returned %q, the cause is %q", c.who, c.what, err, cause)
	}
	switch {
	case errors.Is(err, net.ErrClosed), websocket.CloseStatus(err) != -1, errors.Is(err, websocket.ErrPingTimeout), errors.Is(err, websocket.ErrMessageTooBig):
	case errors.As(err, new(websocket.ProtocolError)):
	case strings.Contains(err.Error(), "connection was lost"), strings.Contains(err.Error(), "close timeout"):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // CloseContext's
	default:
		p.fail("%s: %s returned %q, which is of no known kind", c.who, c.what, err)
	}
}

// tells reports whether an error of a call tells the cause, and no more. After the peer's Close, a call that sends says
// besides that the connection is closed.
func tells(what string, err, cause error) bool {
	if sends(what) && websocket.CloseStatus(cause) != -1 {
		return err.Error() == cause.Error()+": "+net.ErrClosed.Error() && errors.Is(err, cause) && errors.Is(err, net.ErrClosed)
	}
	return err.Error() == cause.Error()
}

// sends reports whether a call is one that sends.
func sends(what string) bool {
	return strings.HasPrefix(what, "Write") || strings.HasPrefix(what, "TryWrite") || strings.HasPrefix(what, "Ping")
}

// halfBefore reports whether CloseWrite was called before c returned. The caller holds p.life.mu.
func (p *peer) halfBefore(c *call) bool {
	return slices.ContainsFunc(p.life.closes, func(e ending) bool { return e.half && !e.at.After(c.ended) })
}

// shookHands reports whether both Close frames are through, as far as p knows.
func (p *peer) shookHands() bool {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	return ours != nil && theirs != nil
}

// endedFirst reports whether CloseNow was called before both Close frames were through for certain.
func (p *peer) endedFirst() bool {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	for _, e := range p.life.closes {
		if e.now && (ours == nil || !e.at.After(p.world.trace.start.Add(ours.at)) || theirs == nil || !e.at.After(p.end.in.takenAt(theirs.end))) {
			return true
		}
	}
	return false
}

// handsBefore reports whether they were through well before t.
func (p *peer) handsBefore(t time.Time) bool {
	ours, theirs := p.wire.seen().close(), p.heardClose()
	s := p.world.trace.start.Add(time.Second)
	return ours != nil && theirs != nil && s.Add(ours.at).Before(t) && p.end.in.takenAt(theirs.end).Add(time.Second).Before(t)
}
