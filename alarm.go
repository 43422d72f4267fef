package websocket

import "time"

// A Conn has one timer for everything that happens later. What is to happen
// and when stands in alarms; the timer is armed for the earliest. It is never
// set and stopped for each message.
type alarmKind uint8

const (
	alarmReader    alarmKind = iota // no Read has been there for a moment: read ahead; see watchOver
	alarmKeepAlive                  // the peer has been silent for long
	alarmFlush                      // frames left in the queue for company must leave
	alarmClose                      // the closing handshake must be over

	numAlarms
)

type alarms struct {
	timer *time.Timer
	at    [numAlarms]int64 // by now(); 0: not set
	armed int64            // when the timer goes off; 0: not armed
}

// setAlarmLocked sets one alarm, d from now.
func (c *Conn) setAlarmLocked(kind alarmKind, d time.Duration) {
	if !c.ended {
		c.setAlarmAtLocked(now(), kind, d)
	}
}

// setAlarmAtLocked sets one alarm, d from t, which is now.
func (c *Conn) setAlarmAtLocked(t int64, kind alarmKind, d time.Duration) {
	at := t + int64(d)
	c.alarms.at[kind] = at
	if c.alarms.armed == 0 || at < c.alarms.armed {
		c.armLocked(at, d)
	}
}

func (c *Conn) armLocked(at int64, d time.Duration) {
	c.alarms.armed = at
	if c.alarms.timer == nil {
		c.alarms.timer = time.AfterFunc(d, c.ring)
	} else {
		c.alarms.timer.Reset(d)
	}
}

// ring does what is due, and arms the timer for what is not.
func (c *Conn) ring() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.alarms.armed = 0
	t := now()
	c.listened(t)
	var due [numAlarms]bool
	for kind, at := range c.alarms.at {
		if at != 0 && at <= t {
			c.alarms.at[kind] = 0
			due[kind] = true
		}
	}
	readNow, writeNow := false, false
	if due[alarmReader] && c.readTurn.held() && !c.readerUp {
		c.trust = min(c.trust+1, readerTrust)
	}
	if due[alarmFlush] && c.out.lazy {
		c.out.lazy = false
		c.lazy.Store(false)
		c.urgent.Store(true)
		writeNow = true
	}
	var dead error
	if due[alarmKeepAlive] {
		var ping bool
		ping, dead = c.keepAliveLocked(t)
		readNow = readNow || ping
		writeNow = writeNow || ping
	}
	if due[alarmClose] {
		dead = errCloseTimeout
	}
	var next int64
	for _, at := range c.alarms.at {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if next != 0 && (c.alarms.armed == 0 || next < c.alarms.armed) {
		c.armLocked(next, time.Duration(next-t))
	}
	c.mu.Unlock()

	if dead != nil {
		c.end(dead)
		return
	}
	if writeNow {
		c.kick()
	}
	if due[alarmReader] {
		if c.patrol == nil {
			c.patrol = patrolOf(c.values)
		}
		readNow = c.away() || readNow
	}
	if readNow {
		c.ensureReader()
	}
}
