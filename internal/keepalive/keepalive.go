// Package keepalive knows a peer's signs of life, and the Pings that wait to be answered.
package keepalive

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// A State is what is known of a peer. Bytes that come are a sign of life, and bytes that the peer's system takes from us. It
// guards itself.
type State struct {
	period time.Duration // 0: off

	hearing atomic.Bool   // bytes have come since heard; who looks next asks for the time
	rtt     atomic.Uint32 // the last round trip, in microseconds; 0: none was measured
	heard   atomic.Int64  // when the last bytes came, as far as hearing does not say more

	mu    sync.Mutex
	probe *probe // nil: the peer owes nothing
	last  uint64 // the number of the last Ping
	pings *Wait  // those that wait, the newest first
}

// A probe is what is known of a peer that has yet to take bytes, or to answer our Ping.
type probe struct {
	sign  int64 // when it was last seen to take bytes
	taken int64 // how many it had taken then
	asked int64 // when our Ping was asked for; 0: none waits for its Pong
	left  int64 // when it left; 0: it has not
	deaf  bool  // nobody could hear the Pong when it was looked for last

	ping Wait // the same Ping, for the round trip
}

// A Wait is a Ping that waits for its Pong.
type Wait struct {
	Answered chan struct{} // closed when the Pong has come
	Asked    int64         // when the Ping was asked for

	next    *Wait
	number  uint64
	written int64 // when it was written; 0: not yet, as far as is known
}

// wrote notes that the Ping with that number was written, and with it those before that had not been.
func (w *Wait) wrote(number uint64, t int64) {
	if w.number <= number && w.written == 0 {
		w.written = t
	}
}

// roundTrip returns how long the Pong with that number, which has come at t, took to come, if it is the answer to just this
// Ping. One that comes before its Ping is known to be written counts from when the Ping was asked for. None takes less than a
// microsecond: a Pong can come while the call that writes its Ping has yet to return.
func (w *Wait) roundTrip(number uint64, t int64) (d time.Duration, ok bool) {
	if w.number != number {
		return 0, false
	}
	return max(time.Duration(t-max(w.Asked, w.written)), time.Microsecond), true
}

// PayloadSize is the size of the number that our Pings carry.
const PayloadSize = 8

// mark is in the payloads of our Pings. The Pong to another Ping of eight bytes, with a counter or a time of the application's
// in it, does not have it, and is not taken for an answer to ours.
const mark = 1 << 63

// AppendPayload appends the payload of the Ping with that number.
func AppendPayload(b []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(b, number|mark)
}

// Spread returns a connection's own period: the one that was asked for, or up to a quarter less, with room for a tick at both
// ends. So connections that began together, after a restart, are not pinged together, and less so from Ping to Ping. The seed
// says how much less; similar seeds, such as the moments at which connections begin, are as good as random ones.
func Spread(period time.Duration, seed int64) time.Duration {
	z := uint64(seed) * 0x9E3779B97F4A7C15 // an odd number, so no two seeds become one
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	few := uint64(period) >> 18 // the largest period times 2 to the power of 16, times 7, fits
	return period - period/64 - time.Duration(few*(z>>48)*7/8)
}

// Init begins at t, which is now, with the time after which a silent peer is pinged; 0: never.
func (k *State) Init(t int64, period time.Duration) {
	k.period = period
	k.heard.Store(t)
}

// tick is how far apart the moments of Together are. It is at most a 128th of the period, and a power of two, so that
// connections of different periods meet too; 0 if the period is too short for that.
func (k *State) tick() int64 { return 1 << bits.Len64(uint64(k.period)/128) >> 1 }

// Together returns d, or up to a tick more: so long from now, which is nanoseconds of a clock that all connections share, that
// connections are looked at together. A processor that wakes up for one then serves the others too, and their Pongs
// come together as well. That halves what the Pings of idle connections cost.
func (k *State) Together(now int64, d time.Duration) time.Duration {
	tick := k.tick()
	if tick == 0 || d > math.MaxInt64/2 {
		return d
	}
	return d + time.Duration(-(now+int64(d))&(tick-1))
}

// Period returns the time after which a silent peer is pinged; 0: never.
func (k *State) Period() time.Duration { return k.period }

// Came notes that bytes have come, or that the application has made room for more. It costs a message next to nothing.
func (k *State) Came() {
	if !k.hearing.Load() {
		k.hearing.Store(true)
	}
}

// Hearing reports whether bytes have come that nobody has noted the time of.
func (k *State) Hearing() bool { return k.hearing.Load() }

// Listened notes what hearing says, at t, which is now.
func (k *State) Listened(t int64) {
	if k.hearing.Load() {
		k.hearing.Store(false)
		k.heard.Store(t)
	}
}

// Verdict is what check finds.
type Verdict uint8

const (
	// Alive: there was a sign of life lately.
	Alive Verdict = iota
	// Ask: a Ping is to be sent.
	Ask
	// Dead: there was no sign of life after a Ping.
	Dead
)

// Check looks for signs of life, and says when to look again. t is now, taken how many bytes the peer's system has taken,
// and outstanding how many it has not yet. A peer that was silent for a period is pinged; one that is silent for another,
// from when the Ping has left, is dead. A period that is over but for a tick is over, so that the Pong that came a moment after
// its Ping costs no look of its own. deaf says that nobody can hear it, because the application leaves so much unread:
// then the silence is ours, and the peer is dead only if its system takes nothing for a period while the Ping waits to leave.
// gone says that the peer has closed TCP: a Ping would find nothing out but break the connection, of which the application has yet
// to read the rest. It gets lastReads periods for that, from its last reading on (see Came), unless bytes wait that the peer does not
// take.
func (k *State) Check(t, taken, outstanding int64, deaf, gone bool) (v Verdict, again time.Duration) {
	k.Listened(t)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.probe == nil {
		k.probe = &probe{taken: taken} // what it took before says nothing about now
	}
	p := k.probe
	behind := p.asked != 0 && p.left == 0 // our Ping waits behind other bytes
	if taken > p.taken {
		p.taken = taken
		if outstanding > 0 || behind {
			p.sign = t
		}
	}
	sign := max(p.sign, k.heard.Load())
	period := int64(k.period)
	since := t - sign
	spared := gone && outstanding == 0 && since/lastReads < period
	if sign >= max(p.asked, p.left) || (deaf || p.deaf) && !behind || spared {
		p.asked, p.left = 0, 0
	}
	p.deaf = deaf
	if p.asked != 0 {
		since = t - max(p.asked, p.left)
	}
	switch {
	case spared:
		return Alive, k.period
	case since < period-k.tick():
		if p.asked == 0 && outstanding == 0 {
			k.probe = nil
		}
		return Alive, time.Duration(period - since)
	case p.asked == 0:
		p.asked = t
		return Ask, k.period
	}
	return Dead, 0
}

// lastReads is for how many periods a connection that the peer has closed waits for an application that does not read.
const lastReads = 10

// Heard notes that bytes have come, at t, which is now. It says all that hearing does, and more exactly.
func (k *State) Heard(t int64) {
	if k.hearing.Load() {
		k.hearing.Store(false)
	}
	k.heard.Store(t)
}

// littleOutstanding is taken by any peer that is alive in no time.
const littleOutstanding = 64 << 10

// PingLeft notes that the Ping with that number was written, at t. If much is outstanding it has not left yet: then what the
// peer's system takes is a sign of life still.
func (k *State) PingLeft(number uint64, t, taken, outstanding int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for w := k.pings; w != nil; w = w.next {
		w.wrote(number, t)
	}
	p := k.probe
	if p != nil {
		p.ping.wrote(number, t)
	}
	if p == nil || p.asked == 0 || p.left != 0 {
		return
	}
	if outstanding <= littleOutstanding {
		p.left = t
		p.taken = taken + outstanding // that it takes the Ping does not answer it
	}
}

// Next returns the number of the next Ping, and makes w, if there is one, wait for the answer.
func (k *State) Next(w *Wait) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last++
	if w != nil {
		w.number, w.next = k.last, k.pings
		k.pings = w
	} else if p := k.probe; p != nil {
		p.ping = Wait{number: k.last, Asked: p.asked}
	}
	return k.last
}

// Forget makes w wait no longer.
func (k *State) Forget(w *Wait) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at := &k.pings; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			return
		}
	}
}

// RTT returns the last round trip that was measured; 0: none was.
func (k *State) RTT() time.Duration { return time.Duration(k.rtt.Load()) * time.Microsecond }

// Answered is called with the payload of a Pong that has come at t: it wakes the Ping that it answers, and those before. It
// returns how long the peer took, if it answers a Ping that was not answered before.
func (k *State) Answered(payload []byte, t int64) (rtt time.Duration, measured bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(payload) != PayloadSize {
		return 0, false
	}
	number := binary.BigEndian.Uint64(payload)
	if number&mark == 0 || number&^mark > k.last {
		return 0, false
	}
	number &^= mark
	if p := k.probe; p != nil && number != 0 && number >= p.ping.number {
		rtt, measured = p.ping.roundTrip(number, t)
		k.probe = nil
	}
	for at := &k.pings; *at != nil; {
		if w := *at; w.number <= number {
			if !measured {
				rtt, measured = w.roundTrip(number, t)
			}
			close(w.Answered)
			*at = w.next
		} else {
			at = &w.next
		}
	}
	if measured {
		k.rtt.Store(uint32(min(int64(rtt/time.Microsecond), math.MaxUint32)))
	}
	return rtt, measured
}
