package websocket

import (
	"context"
	"encoding/binary"
	"time"
)

// pingPayload is the size of the number that our Pings carry.
const pingPayload = 8

// A pingWait is a Ping that waits for its Pong.
type pingWait struct {
	next     *pingWait
	id       uint64
	answered chan struct{}
}

// Ping sends a Ping frame and waits for the peer's Pong (RFC 6455, sections
// 5.5.2 and 5.5.3), or for ctx to end, which the connection survives. It needs
// no concurrent Read; but while the application leaves so much unread that
// the read-ahead is full, no Pong can be seen.
//
// The Pong to a later Ping answers earlier ones too. If several Pings wait to be
// written, only the newest is sent.
func (c *Conn) Ping(ctx context.Context) error {
	if err := c.over(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	if c.cause != nil {
		defer c.mu.Unlock()
		return c.cause
	}
	p := &pingWait{next: c.pings, id: c.pingLocked(), answered: make(chan struct{})}
	c.pings = p
	c.expect.Add(1)
	c.mu.Unlock()
	c.kick()
	c.ensureReader()

	var err error
	select {
	case <-p.answered:
	case <-ctx.Done():
		err = c.gaveUp(ctx)
	case <-c.done():
		err = c.err()
	}
	c.mu.Lock()
	c.expect.Add(-1)
	for at := &c.pings; *at != nil; at = &(*at).next {
		if *at == p {
			*at = p.next
			break
		}
	}
	c.mu.Unlock()
	return err
}

// pingLocked makes a new Ping the next to leave, and returns its number.
func (c *Conn) pingLocked() uint64 {
	c.lastPing++
	c.out.hasPing = true
	c.urgent.Store(true)
	return c.lastPing
}

func appendPing(b []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(b, id) }

// keepAliveLocked runs when the keepalive alarm rings. A peer that was silent
// for long is pinged; one that was silent for as long again after that is dead.
// It returns that the peer is to be pinged, or why the connection is to end.
func (c *Conn) keepAliveLocked(t int64) (ping bool, dead error) {
	period := c.settings.keepAlive
	heard := c.heard.Load()
	silent := t - heard
	if c.pinged != 0 && heard >= c.pinged {
		c.pinged = 0 // any sign of life will do
	}
	switch {
	case c.state != open || c.out.closing:
		// No Ping may leave any more; the close timeout bounds what is left.
	case !c.readTurn.held() && c.stalled.Load():
		// The read-ahead is full and the application takes nothing: nobody
		// listens, so the silence is ours. But a Ping to a peer that has reset
		// TCP, or is gone, fails to be written.
		c.pinged = 0
		c.pingLocked()
		c.setAlarmLocked(alarmKeepAlive, period)
		return true, nil
	case silent < int64(period):
		c.setAlarmLocked(alarmKeepAlive, period-time.Duration(silent))
	case c.pinged == 0:
		c.pinged = t
		c.pingLocked()
		c.setAlarmLocked(alarmKeepAlive, period)
		return true, nil
	case t-c.pinged < int64(period):
		c.setAlarmLocked(alarmKeepAlive, period-time.Duration(t-c.pinged))
	default:
		return false, ErrPingTimeout
	}
	return false, nil
}

// ponged wakes the Pings that the payload answers: the one that sent it and
// those before.
func (c *Conn) ponged(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pinged = 0
	if len(payload) != pingPayload {
		return
	}
	id := binary.BigEndian.Uint64(payload)
	if id > c.lastPing {
		return
	}
	for at := &c.pings; *at != nil; {
		if p := *at; p.id <= id {
			close(p.answered)
			*at = p.next
		} else {
			at = &p.next
		}
	}
}
